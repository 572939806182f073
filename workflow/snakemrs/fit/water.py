"""Amplitude of the water reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.spins.axis import time_axis


@dataclass(frozen=True)
class Water:
    """Water signal: `amplitude` at t = 0 divided by 2 protons, its `amplitude_sd`, `line_width` in Hz."""

    amplitude: float
    amplitude_sd: float
    line_width: float


def fit_water(fid: np.ndarray, dwell_time: float) -> Water:
    """Amplitude of unsuppressed water at t = 0 from the envelope of its signal.

    The logarithm of the magnitude is a polynomial in time (a Voigt line has −πLt − (πGt)²/(4 ln 2); higher terms are
    for other shapes), fitted with weights |signal|², which makes it maximum likelihood to first order. The magnitude
    does not feel phase, frequency or eddy currents. Order 2 to 4 by the Bayesian information criterion; points down
    to a fifth of the maximum.

    Raises
    ------
    ValueError
        If there is no decaying signal.
    """
    size = np.abs(fid)
    if not np.all(np.isfinite(fid)) or size.max() == 0:
        raise ValueError("the water reference is zero or not finite")
    noise = max(float(np.std(fid[int(0.9 * len(fid)) :])) / np.sqrt(2), 1e-9 * float(size.max()))
    below = np.flatnonzero(size < 0.2 * size[:8].max())
    stop = max(16, int(below[0]) if below.size else len(fid) // 4)
    time = time_axis(len(fid), dwell_time)[:stop] / (stop * dwell_time)
    value, weight = np.log(np.maximum(size[:stop], 1e-300)), size[:stop] / noise
    best = None
    for order in (2, 3, 4):
        design = np.vander(time, order + 1, increasing=True)
        solution, *_ = np.linalg.lstsq(design * weight[:, None], value * weight, rcond=None)
        rest = (value - design @ solution) * weight
        spread = max(float(rest @ rest) / (stop - order - 1), 1.0)
        score = stop * np.log(rest @ rest / stop) + (order + 1) * np.log(stop)
        covariance = np.linalg.inv((design * weight[:, None]).T @ (design * weight[:, None])) * spread
        if best is None or score < best[0] - 2:
            best = (score, solution, covariance)
    assert best is not None
    amplitude = float(np.exp(best[1][0]))
    if not amplitude > 5 * noise:
        raise ValueError("the water reference holds no signal above its noise")
    return Water(
        amplitude=amplitude / 2,
        amplitude_sd=amplitude / 2 * float(np.sqrt(best[2][0, 0])),
        line_width=_line_width(size, dwell_time),
    )


def _line_width(envelope: np.ndarray, dwell_time: float) -> float:
    """Full width at half maximum of the spectrum of the envelope, Hz."""
    count = 8 * len(envelope)
    spectrum = np.fft.fft(envelope, count).real
    half = spectrum[0] / 2
    below = int(np.argmax(spectrum < half))
    if below == 0:
        return float("nan")
    fraction = (spectrum[below - 1] - half) / (spectrum[below - 1] - spectrum[below])
    return float(2 * (below - 1 + fraction) / (count * dwell_time))
