"""Where the axis of a spectrum belongs: its frequency, its phase, and whether its imaginary part has the right sign.

The three singlets of a proton spectrum in vivo, NAA, creatine and choline, are first looked for by the distance they
have from each other, then fitted together with a Voigt line each. Whoever finds the three lines at the mirror image of
their places has found conjugated data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.spins.axis import WATER_PPM, frequency_axis, ppm_axis, time_axis, to_spectrum

Singlets = dict[str, float]


@dataclass(frozen=True)
class Search:
    """What the search for the three singlets found.

    Attributes
    ----------
    shift : float
        Hz by which the spectrum lies too high in frequency (too low in ppm).
    score : float
        Geometric mean of the heights of the three lines above their surroundings, in standard deviations of noise.
    """

    shift: float
    score: float


@dataclass(frozen=True)
class SingletFit:
    """A fit of NAA, creatine and choline.

    Attributes
    ----------
    shift : float
        Hz by which the spectrum lies too high in frequency.
    phase : float
        Zero-order phase of the lines, radians.
    heights : dict
        Height of each line in the real part of the phased spectrum, units of the spectrum.
    line_width_naa, line_width_cr : float
        Full width at half maximum, Hz.
    """

    shift: float
    phase: float
    heights: dict[str, float]
    line_width_naa: float
    line_width_cr: float


def dominant_frequency(fid: np.ndarray, dwell_time: float, band: tuple[float, float]) -> float:
    """Give the frequency (Hz) of the highest magnitude within `band` (Hz), interpolated by zero filling."""
    length = 4 * fid.shape[-1]
    magnitude = np.abs(np.fft.fftshift(np.fft.fft(fid, length)))
    frequency = frequency_axis(length, dwell_time)
    inside = (frequency >= band[0]) & (frequency <= band[1])
    return float(frequency[inside][np.argmax(magnitude[inside])])


def search_singlets(
    fid: np.ndarray, dwell_time: float, spectrometer_frequency: float, singlets: Singlets, max_shift: float
) -> Search:
    """Look for NAA, creatine and choline by the pattern that they make.

    Parameters
    ----------
    fid : ndarray of complex, shape (points,)
        With the residual water removed where it dominates.
    dwell_time : float
        Seconds.
    spectrometer_frequency : float
        MHz.
    singlets : dict
        Chemical shifts of ``NAA``, ``Cr``, ``Cho``, ppm.
    max_shift : float
        Largest shift looked for, ppm.
    """
    from scipy.ndimage import median_filter

    points = fid.shape[-1]
    time = time_axis(points, dwell_time)
    # The filter matches a line of about 0.05 ppm; the zero filling makes the grid fine enough to read heights from it.
    matched = fid * np.exp(-np.pi * 0.03 * spectrometer_frequency * time)
    length = 2 * points
    magnitude = np.abs(np.fft.fftshift(np.fft.fft(matched, length)))
    frequency = frequency_axis(length, dwell_time)
    step = frequency[1] - frequency[0]
    # Surroundings: the median over 0.4 ppm lets narrow lines stand and takes broad signal and tails of water away.
    wide = max(3, int(0.4 * spectrometer_frequency / step)) | 1
    lines = magnitude - median_filter(magnitude, size=wide, mode="wrap")
    noise = 1.4826 * np.median(np.abs(lines))
    if not noise > 0:
        return Search(0.0, 0.0)
    lines = np.clip(lines / noise, 0, None)
    shifts = np.arange(-max_shift, max_shift, step / spectrometer_frequency) * spectrometer_frequency
    places = [
        np.interp(shifts - (ppm - WATER_PPM) * spectrometer_frequency, frequency, lines) for ppm in singlets.values()
    ]
    score = np.prod(places, axis=0) ** (1 / len(places))
    best = int(np.argmax(score))
    return Search(float(shifts[best]), float(score[best]))


def voigt_width(lorentzian: float, gaussian: float) -> float:
    """Full width at half maximum of a Voigt line from those of its parts (Olivero & Longbothum 1977), same unit."""
    return float(0.5346 * lorentzian + np.sqrt(0.2166 * lorentzian**2 + gaussian**2))


def fit_singlets(
    fid: np.ndarray,
    dwell_time: float,
    spectrometer_frequency: float,
    singlets: Singlets,
    shift: float = 0.0,
) -> SingletFit:
    """Fit NAA, creatine and choline with Voigt lines of one phase over a parabola in each window (complex).

    Amplitudes (real, one phase for all) and baselines are linear and eliminated (variable projection); shift, phase and
    widths are found by least squares.

    Parameters
    ----------
    fid : ndarray of complex, shape (points,)
    dwell_time, spectrometer_frequency, singlets
        As in `search_singlets`.
    shift : float
        Where to start, Hz.
    """
    from scipy.optimize import least_squares

    points = fid.shape[-1]
    time = time_axis(points, dwell_time)
    spectrum = to_spectrum(fid)
    ppm = WATER_PPM - (frequency_axis(points, dwell_time) - shift) / spectrometer_frequency
    windows = [np.abs(ppm - singlets["NAA"]) < 0.14]
    windows.append((ppm > singlets["Cr"] - 0.14) & (ppm < singlets["Cho"] + 0.12))
    inside = np.flatnonzero(windows[0] | windows[1])
    data = spectrum[inside]
    norm = np.abs(data).max() or 1.0
    data = data / norm
    baseline = []
    for window in windows:
        chosen = window[inside].astype(float)
        within = (ppm[inside] - ppm[window].mean()) * 10
        for power in range(3):
            baseline += [chosen * within**power, 1j * chosen * within**power]
    carriers = [
        np.exp(-2j * np.pi * (value - WATER_PPM) * spectrometer_frequency * time) for value in singlets.values()
    ]

    def lines(values: np.ndarray) -> np.ndarray:
        offset, _, width_naa, width_cr, gaussian = values
        # Full widths: a Lorentzian decays with π·w·t, a Gaussian with (π·w·t)²/(4 ln 2).
        common = np.exp(2j * np.pi * (shift + offset) * time - (np.pi * gaussian * time) ** 2 / (4 * np.log(2)))
        widths = (width_naa, width_cr, width_cr)
        decays = [common * np.exp(-np.pi * abs(width) * time) for width in widths]
        return np.stack([to_spectrum(c * d) for c, d in zip(carriers, decays, strict=True)])

    def solve(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        full = lines(values)
        columns = np.stack([*(np.exp(1j * values[1]) * full[:, inside] / points), *baseline], axis=1)
        design = np.concatenate([columns.real, columns.imag])
        target = np.concatenate([data.real, data.imag])
        coefficients = np.linalg.lstsq(design, target, rcond=None)[0]
        return coefficients, target - design @ coefficients, full

    limit = 0.12 * spectrometer_frequency
    narrow = 0.01 * spectrometer_frequency
    best = None
    # Amplitudes may come out negative: two starts of the phase stand for four.
    for start in (0.0, np.pi / 2):
        first = np.array([0.0, start, 4 * narrow, 4 * narrow, 2 * narrow])
        found = least_squares(
            lambda values: solve(values)[1],
            first,
            bounds=(
                [-limit, -2 * np.pi, 0.1 * narrow, 0.1 * narrow, 0.0],
                [limit, 2 * np.pi, 25 * narrow, 25 * narrow, 25 * narrow],
            ),
            x_scale=[narrow, 0.3, narrow, narrow, narrow],
            max_nfev=60,
        )
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    offset, phase, width_naa, width_cr, gaussian = best.x
    coefficients, _, full = solve(best.x)
    amplitudes = coefficients[: len(singlets)]
    if amplitudes[0] + amplitudes[1] < 0:
        phase, amplitudes = phase + np.pi, -amplitudes
    heights = np.abs(full).max(axis=1) / points * norm * amplitudes
    return SingletFit(
        float(shift + offset),
        float(np.angle(np.exp(1j * phase))),
        dict(zip(singlets, (float(h) for h in heights), strict=True)),
        voigt_width(width_naa, gaussian),
        voigt_width(width_cr, gaussian),
    )


def positive_phase(
    fid: np.ndarray, dwell_time: float, spectrometer_frequency: float, ppm: tuple[float, float]
) -> float:
    """Give the zero-order phase (radians) that a spectrum without known lines has.

    The phase of its integral over `ppm`, and a little beyond: all lines of an absorption spectrum of macromolecules are
    upright, and the dispersive parts of lines that lie well within cancel.
    """
    axis = ppm_axis(fid.shape[-1], dwell_time, spectrometer_frequency)
    inside = (axis >= ppm[0] - 0.4) & (axis <= ppm[1] + 0.1)
    return float(np.angle(to_spectrum(fid)[inside].sum()))
