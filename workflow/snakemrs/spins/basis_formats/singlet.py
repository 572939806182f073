"""A single line of a noise-free spectrum, fitted: its amplitude, place and width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.spins.axis import WATER_PPM, time_axis


@dataclass(frozen=True)
class Singlet:
    """A line: `amplitude` at t = 0, `shift` (ppm), `width` (Hz, full width at half maximum), `misfit`, `signal`.

    `misfit` is the norm of what the line leaves over, divided by the norm of the spectrum, in the window; `signal` is
    the line's time signal, shape (points,).
    """

    amplitude: float
    shift: float
    width: float
    misfit: float
    signal: np.ndarray


def fit_singlet(
    fid: np.ndarray, dwell_time: float, spectrometer_frequency: float, ppm: float, window: float = 0.15
) -> Singlet:
    """Fit a Voigt line and a straight baseline in `ppm` ± `window` (least squares, the complex spectrum).

    Parameters
    ----------
    fid : ndarray of complex, shape (points,)
    dwell_time : float
        Seconds.
    spectrometer_frequency : float
        MHz.
    ppm : float
        Where the line should be.
    window : float
        Half of the width of the spectrum fitted, ppm.
    """
    from scipy.optimize import least_squares

    time = time_axis(len(fid), dwell_time)
    centre = (WATER_PPM - ppm) * spectrometer_frequency
    count = 2 * len(fid)
    half = max(4, int(window * spectrometer_frequency * count * dwell_time))
    at = (np.round(centre * count * dwell_time).astype(int) + np.arange(-half, half + 1)) % count
    data = np.fft.fft(fid, count)[at]
    norm = np.linalg.norm(data)
    if norm == 0:
        return Singlet(0.0, ppm, 0.0, np.inf, np.zeros(len(fid), complex))
    background = np.stack([np.ones(len(at)), np.linspace(-1, 1, len(at))]).astype(complex)

    def signal(p: np.ndarray) -> np.ndarray:
        decay = np.pi * abs(p[1]) * time + (np.pi * p[2] * time) ** 2 / (4 * np.log(2))
        return np.asarray(np.exp(2j * np.pi * (centre + p[0]) * time - decay))

    def solve(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        design = np.vstack([np.fft.fft(signal(p), count)[at], background]).T
        weights = np.linalg.lstsq(design, data, rcond=None)[0]
        return weights, design @ weights - data

    def residual(p: np.ndarray) -> np.ndarray:
        rest = solve(p)[1] / norm
        return np.concatenate([rest.real, rest.imag])

    peak = np.argmax(np.abs(data)) - half
    start = [peak / (count * dwell_time), 2.0, 1.0]
    best = least_squares(residual, start, x_scale=[1.0, 1.0, 1.0], max_nfev=60).x
    weights, rest = solve(best)
    lorentz, gauss = abs(best[1]), abs(best[2])
    width = 0.5346 * lorentz + np.sqrt(0.2166 * lorentz**2 + gauss**2)  # Olivero & Longbothum 1977
    return Singlet(
        amplitude=float(abs(weights[0])),
        shift=float(ppm - best[0] / spectrometer_frequency),
        width=float(width),
        misfit=float(np.linalg.norm(rest) / norm),
        signal=weights[0] * signal(best),
    )
