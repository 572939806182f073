"""Where the search starts: noise, shift and phase of a spectrum, without knowing anything of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.fit.problem import Problem
from snakemrs.spins.axis import WATER_PPM

TYPICAL = {"NAA": 10.0, "Cr": 4.0, "PCr": 4.0, "GPC": 1.0, "PCho": 0.6, "Ins": 5.0, "Glu": 8.0, "Gln": 2.5}
"""Relative sizes of the lines that tell shift and phase; only their pattern matters."""
SIGNAL_RANGE = (-1.0, 9.5)
"""Where 1H signals may lie, ppm: outside is noise."""
FAR_PPM = 1.6
"""How far a spectrum is looked for that is not where it should be."""
FADE_IN = 0.012
"""Signals shorter than this (seconds) — baseline, macromolecules — are left out of the search."""


def noise_level(fid: np.ndarray, dwell_time: float, spectrometer_frequency: float) -> float:
    """Standard deviation of the real part of the noise in ``fft(fid)``.

    From parts of 32 points of the spectrum without signal, each freed of a parabola, or, where the spectrum is too
    narrow, from the last fifth of the time signal. The median of the parts.
    """
    count = len(fid)
    spectrum = np.fft.fft(fid)
    ppm = WATER_PPM - np.fft.fftfreq(count, dwell_time) / spectrometer_frequency
    order = np.argsort(ppm)
    ppm, spectrum = ppm[order], spectrum[order]
    quiet = spectrum[(ppm < SIGNAL_RANGE[0]) | (ppm > SIGNAL_RANGE[1])]
    scale = 1.0
    if len(quiet) < 4 * 32:
        quiet = fid[int(0.8 * count) :]
        scale = float(np.sqrt(count))
    size = 32
    parts = quiet[: len(quiet) // size * size].reshape(-1, size)
    x = np.linspace(-1, 1, size)
    trend = np.linalg.qr(np.stack([np.ones(size), x, x**2], axis=1))[0]
    both = np.concatenate([parts.real, parts.imag])
    rest = both - (both @ trend) @ trend.T
    return scale * float(np.sqrt(np.median((rest**2).sum(axis=1) / (size - 3))))


@dataclass(frozen=True)
class Start:
    """A candidate: `shift` in Hz (what must be added to the frequencies of the basis), `phase` in rad, `score` 0–1."""

    shift: float
    phase: float
    score: float


def find_starts(
    problem: Problem, fid: np.ndarray, max_shift: float, count: int = 3
) -> tuple[list[Start], Start | None]:
    """Candidates of shift and phase by correlation with a typical spectrum.

    The squared size of the correlation of both time signals, as a function of shift, peaks where the patterns agree,
    whatever the phase; the phase is that of the correlation.

    Parameters
    ----------
    problem : Problem
    fid : ndarray of complex, shape (points,)
    max_shift : float
        ppm.
    count : int
        How many candidates at most.

    Returns
    -------
    starts : list of Start
        Within `max_shift`, best first.
    elsewhere : Start or None
        The best beyond `max_shift`, up to `FAR_PPM`: where the spectrum seems to lie if it does not lie here.
    """
    from scipy.fft import fft

    names = problem.names
    use = [n for n, name in enumerate(names) if name in TYPICAL]
    if not use:
        use = [n for n in range(len(names)) if problem.groups[n] == 0]
    weights = np.array([TYPICAL.get(names[n], 1.0) for n in use])
    window = problem.fold(problem.signals[use] * np.exp(-np.pi * 4 * problem.decay_time))
    pattern = weights @ window
    data = problem.window_of(fid)
    size = len(data)
    duration = problem.points * problem.dwell_time
    time = np.arange(size) * duration / size
    fade = 1 - np.exp(-((np.minimum(time, duration - time) / FADE_IN) ** 2))
    a = np.fft.ifft(pattern) * fade
    b = np.fft.ifft(data) * fade * np.exp(-np.pi * 4 * time)
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    if norm == 0:
        return [], None
    fine = 8 * size
    correlation = fft(np.conj(a) * b, fine) / norm
    shifts = np.fft.fftfreq(fine, duration / size)
    power = np.abs(correlation) ** 2
    peak = (power > np.roll(power, 1)) & (power >= np.roll(power, -1))
    order = np.flatnonzero(peak)[np.argsort(-power[peak])]
    found = [Start(float(shifts[k]), float(np.angle(correlation[k])), float(power[k])) for k in order]
    hertz = problem.spectrometer_frequency
    inside = [start for start in found if abs(start.shift) <= max_shift * hertz]
    outside = [start for start in found if (max_shift + 0.05) * hertz < abs(start.shift) <= FAR_PPM * hertz]
    if not inside:  # the correlation only climbs towards an end of the range
        k = int(np.argmax(np.where(np.abs(shifts) <= max_shift * hertz, power, -1.0)))
        inside = [Start(float(shifts[k]), float(np.angle(correlation[k])), float(power[k]))]
    starts: list[Start] = []
    for start in inside:
        if all(abs(start.shift - other.shift) > 2.0 for other in starts):
            starts.append(start)
    return starts[:count], outside[0] if outside else None
