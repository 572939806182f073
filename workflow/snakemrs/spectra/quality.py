"""Quality of a spectrum, by the definitions of the consensus.

Signal-to-noise ratio: height of NAA above its baseline in the real part of the phased, unfiltered spectrum, divided by
the standard deviation of noise in the real part of the spectrum (Öz et al., NMR Biomed 2021, e4236; Kreis et al.,
NMR Biomed 2021, e4347). Line width: full width at half maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snakemrs.spins.axis import WATER_PPM, frequency_axis, ppm_axis, to_spectrum

ORDER = ("n/a", "pass", "warn", "fail")


def noise_in_time(fids: np.ndarray, dwell_time: float, keep_out: tuple[float, float]) -> float:
    """Give the standard deviation of noise of one point in time (real and imaginary part each).

    From spectral points outside of `keep_out` (Hz), detrended piece by piece; where the bandwidth leaves too few, from
    the quietest pieces of the whole spectrum. Trailing zeros (zero filling) are left out.

    Parameters
    ----------
    fids : ndarray of complex, shape (..., points)
    """
    fids = np.atleast_2d(fids)
    nonzero = np.flatnonzero(np.abs(fids).sum(axis=0))
    if not len(nonzero):
        return 0.0
    end = int(nonzero[-1]) + 1
    fids = fids[:, :end]
    frequency = frequency_axis(end, dwell_time)
    spectra = to_spectrum(fids) / np.sqrt(end)
    outside = (frequency < keep_out[0]) | (frequency > keep_out[1])
    outside &= np.abs(frequency) < 0.45 / dwell_time  # the receiver's filter rolls off at the edges
    pieces = []
    for side in (frequency < keep_out[0], frequency > keep_out[1]):
        chosen = np.flatnonzero(outside & side)
        for first in range(0, len(chosen) - 31, 32):
            pieces.append(spectra[:, chosen[first : first + 32]])
    if len(pieces) >= 2:
        return float(np.median([_detrended_sd(piece) for piece in pieces]))
    chosen = np.flatnonzero(np.abs(frequency) < 0.45 / dwell_time)
    pieces = [spectra[:, chosen[first : first + 32]] for first in range(0, len(chosen) - 31, 16)]
    # The lower tenth of pieces that hold noise alone would be a little too low; with signal in most it is about right.
    return float(np.quantile([_detrended_sd(piece) for piece in pieces], 0.1))


def _detrended_sd(values: np.ndarray) -> float:
    """Standard deviation (real and imaginary part each) about a parabola."""
    points = values.shape[-1]
    design = np.vander(np.linspace(-1, 1, points), 3)
    projector = np.linalg.pinv(design)
    left = values - (values @ projector.T) @ design.T
    return float(np.sqrt(np.sum(np.abs(left) ** 2) / (2 * values.shape[0] * (points - 3))))


def half_height_width(fid: np.ndarray, dwell_time: float, band: tuple[float, float]) -> float:
    """Full width at half maximum, Hz, of the highest peak within `band` (Hz) of the phased spectrum.

    Read from the real part after zero filling to eight times the length, straight lines between points.
    """
    length = 8 * fid.shape[-1]
    spectrum = np.fft.fftshift(np.fft.fft(fid, length)).real
    frequency = frequency_axis(length, dwell_time)
    inside = np.flatnonzero((frequency >= band[0]) & (frequency <= band[1]))
    top = int(inside[np.argmax(spectrum[inside])])
    half = spectrum[top] / 2
    if not half > 0:
        return float("nan")
    edges = []
    for step in (-1, 1):
        k = top
        while 0 < k < length - 1 and spectrum[k] > half:
            k += step
        if spectrum[k] > half:
            return float("nan")
        share = (half - spectrum[k]) / (spectrum[k - step] - spectrum[k])
        edges.append(frequency[k] - step * share * (frequency[1] - frequency[0]))
    return float(edges[1] - edges[0])


def highest(
    fid: np.ndarray, dwell_time: float, spectrometer_frequency: float, ppm: tuple[float, float], part: str
) -> float:
    """Give the highest value of the spectrum between two chemical shifts: ``real`` part or ``magnitude``."""
    spectrum = to_spectrum(fid)
    axis = ppm_axis(fid.shape[-1], dwell_time, spectrometer_frequency)
    inside = (axis >= ppm[0]) & (axis <= ppm[1])
    values = spectrum[inside].real if part == "real" else np.abs(spectrum[inside])
    return float(values.max())


def band_of(ppm: tuple[float, float], spectrometer_frequency: float) -> tuple[float, float]:
    """Give the frequencies (Hz, lower first) of a range of chemical shifts."""
    edges = sorted((WATER_PPM - value) * spectrometer_frequency for value in ppm)
    return edges[0], edges[1]


@dataclass(frozen=True)
class Judgement:
    """A verdict and the rule that it comes from."""

    verdict: str
    rule: str | None


def judge(metric: str, value: float | None, limits: dict[str, Any], spectrometer_frequency: float) -> Judgement:
    """Compare a value with its limits.

    Parameters
    ----------
    metric : str
        Name of the figure, a key of `limits`.
    value : float or None
        In the unit of the figure; frequencies and widths in Hz, compared with limits in ppm.
    limits : dict
        ``limits.mean`` or ``limits.frame`` of config/constants/quality.yaml.
    spectrometer_frequency : float
        MHz.
    """
    if metric not in limits or value is None or not np.isfinite(value):
        return Judgement("n/a", None)
    limit = limits[metric]
    scale = spectrometer_frequency if limit["unit"] == "ppm" else 1.0
    value = abs(value) / scale
    for verdict in ("fail", "warn"):
        bound = float(limit[verdict])
        if (value < bound) if limit["sense"] == "lower" else (value > bound):
            sign = "<" if limit["sense"] == "lower" else ">"
            return Judgement(verdict, f"{metric}_{verdict}: {sign} {bound:g} {limit['unit']}")
    return Judgement("pass", None)


def worst(judgements: list[Judgement]) -> Judgement:
    """Give the worst of several verdicts with all rules that led to it."""
    known = [j for j in judgements if j.verdict != "n/a"]
    if not known:
        return Judgement("n/a", None)
    verdict = max((j.verdict for j in known), key=ORDER.index)
    rules = [j.rule for j in known if j.verdict == verdict and j.rule]
    return Judgement(verdict, "; ".join(rules) or None)
