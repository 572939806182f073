"""Alignment of transients in frequency and phase: robust spectral registration with a reference built on the way.

The model is that of spectral registration (Near et al., Magn Reson Med 2015, 73:44) fitted in the frequency domain to
a band of the spectrum (Wilson, Magn Reson Med 2019, 81:2878): transient = reference, multiplied by an amplitude,
shifted in frequency and phase, broadened. A coarse global search (cross-correlation) is followed by Gauss–Newton
steps of all transients at once. Frequencies that vary more between transients than noise (residual water, subtraction
artefacts) lose weight; so do single outlying points of a transient, and outlying transients in the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.spectra.hlsvd import remove_components
from snakemrs.spins.axis import frequency_axis, time_axis, to_spectrum


@dataclass(frozen=True)
class Alignment:
    """How transients lie to their common reference.

    Attributes
    ----------
    frequency : ndarray, shape (transients,)
        Hz by which a transient lies higher than the reference.
    phase : ndarray, shape (transients,)
        Radians, of the transient relative to the reference at t = 0.
    amplitude : ndarray, shape (transients,)
        Relative to the reference.
    broadening : ndarray, shape (transients,)
        Additional Lorentzian width, Hz (negative: narrower).
    misfit : ndarray, shape (transients,)
        Mean squared residual in the band by the variance of noise; 1 for noise alone.
    at_limit : ndarray of bool, shape (transients,)
        Whether the shift ran into the limit.
    points : int
        Number of spectral points in the band.
    """

    frequency: np.ndarray
    phase: np.ndarray
    amplitude: np.ndarray
    broadening: np.ndarray
    misfit: np.ndarray
    at_limit: np.ndarray
    points: int


def apply(fids: np.ndarray, alignment: Alignment, dwell_time: float) -> np.ndarray:
    """Take the frequency and phase shifts of `alignment` off `fids` (transients, points)."""
    time = time_axis(fids.shape[-1], dwell_time)
    return fids * np.exp(-1j * (2 * np.pi * np.multiply.outer(alignment.frequency, time) + alignment.phase[:, None]))


def _denoised(signal: np.ndarray, noise: float) -> np.ndarray:
    """Weight each point of a signal in time by the share of it that is not noise (Wiener).

    The derivative by frequency grows with time: without this the late noise of the reference would dominate it.
    """
    width = max(5, len(signal) // 64) | 1
    power = np.convolve(np.abs(signal) ** 2, np.ones(width) / width, mode="same")
    known = np.convolve(np.ones(len(signal)), np.ones(width) / width, mode="same")
    power = power / known
    weighted: np.ndarray = signal * np.clip(1 - 2 * noise**2 / np.maximum(power, 1e-300), 0, 1)
    return weighted


def _robust_scale(values: np.ndarray) -> float:
    """Give the standard deviation by the median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


class _Correlator:
    """Cross-correlation over frequency of band-limited, decimated signals: the global search."""

    def __init__(self, spectra: np.ndarray, frequency: np.ndarray, band: tuple[float, float], max_shift: float) -> None:
        inside = (frequency >= band[0] - max_shift) & (frequency <= band[1] + max_shift)
        self.length = int(inside.sum())
        self.signals = np.fft.ifft(spectra[:, inside], axis=-1)
        self.dwell_time = 1.0 / (self.length * (frequency[1] - frequency[0]))
        self.padded = 4 * self.length
        grid = np.fft.fftfreq(self.padded, self.dwell_time)
        self.allowed = np.flatnonzero(np.abs(grid) <= max_shift)
        self.grid = grid[self.allowed]

    def against(self, signals: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give frequency (Hz), phase (radians) and strength of the best match of each of `signals`."""
        correlation = np.fft.fft(signals * reference.conj(), self.padded, axis=-1)[..., self.allowed]
        magnitude = np.abs(correlation)
        best = np.argmax(magnitude, axis=-1)
        rows = np.arange(len(signals))
        return self.grid[best], np.angle(correlation[rows, best]), magnitude[rows, best]

    def shifted(self, signals: np.ndarray, frequency: np.ndarray, phase: np.ndarray) -> np.ndarray:
        """Take shifts off signals."""
        time = np.arange(self.length) * self.dwell_time
        return signals * np.exp(-1j * (2 * np.pi * np.multiply.outer(frequency, time) + phase[:, None]))


def _coarse(correlator: _Correlator) -> tuple[np.ndarray, np.ndarray]:
    """Find frequencies and phases to within the width of a line, from no reference at all."""
    signals = correlator.signals
    energy = np.sqrt(np.sum(np.abs(signals) ** 2, axis=1))
    signals = signals / np.where(energy > 0, energy, 1)[:, None]
    transients = len(signals)
    # Start from the transient that resembles some others most; a spoilt one does not.
    some = np.unique(np.linspace(0, transients - 1, min(transients, 24)).astype(int))
    likeness = [np.sort(correlator.against(signals[some], signals[k])[2])[len(some) // 2] for k in some]
    start = int(some[np.argmax(likeness)])
    # Outwards from there, each against the mean of its predecessors: a drift is followed step by step.
    reference = signals[start].copy()
    for k in sorted((k for k in range(transients) if k != start), key=lambda k: (abs(k - start), k)):
        hertz, phase, strength = correlator.against(signals[k : k + 1], reference / np.linalg.norm(reference))
        reference += strength[0] * correlator.shifted(signals[k : k + 1], hertz, phase)[0]
    frequency, phase = np.zeros(transients), np.zeros(transients)
    for _ in range(2):
        frequency, phase, strength = correlator.against(signals, reference / np.linalg.norm(reference))
        weight = np.minimum(strength / max(np.median(strength), 1e-30), 1.0)
        reference = (weight[:, None] * correlator.shifted(signals, frequency, phase)).sum(axis=0)
    return frequency, phase


@dataclass
class _State:
    """Where the refinement stands; `counts` are the weights of transients in the reference."""

    frequency: np.ndarray
    phase: np.ndarray
    amplitude: np.ndarray
    broadening: np.ndarray
    misfit: np.ndarray
    counts: np.ndarray


def _refine(
    fids: np.ndarray,
    frequency: np.ndarray,
    phase: np.ndarray,
    dwell_time: float,
    inside: np.ndarray,
    noise: float,
    iterations: int,
    tolerance: float,
    counts: np.ndarray | None = None,
) -> _State:
    """Gauss–Newton steps of all transients at once, from starts that are near; `inside` chooses spectral points."""
    transients, points = fids.shape
    time = time_axis(points, dwell_time)
    used = int(inside.sum())
    variance = max(2 * noise**2 * points, 1e-300)  # of a complex spectral point
    counts = np.ones(transients) if counts is None else counts
    amplitude, broadening, misfit = np.ones(transients), np.zeros(transients), np.ones(transients)
    bins = np.ones(used)
    for _ in range(iterations):
        moved = fids * np.exp(-1j * (2 * np.pi * np.multiply.outer(frequency, time) + phase[:, None]))
        reference = _denoised(counts @ moved / counts.sum(), noise / np.sqrt(counts.sum() ** 2 / np.sum(counts**2)))
        target = to_spectrum(moved)[:, inside]
        base = to_spectrum(reference)[inside]
        slope = to_spectrum(2j * np.pi * time * reference)[inside]
        narrow = to_spectrum(-np.pi * time * reference)[inside]
        # Unknowns by which the reference may change: amplitude, phase, frequency, width.
        design = np.stack([base, 1j * base, slope, narrow])
        residual = target - base
        cell = np.ones_like(target, float)
        for _ in range(2):
            weight = bins * cell
            normal = np.einsum("pn,kn,qn->kpq", design.conj(), weight, design, optimize=True).real
            right = np.einsum("pn,kn->kp", design.conj(), weight * residual, optimize=True).real
            normal += 1e-9 * np.einsum("kpp->kp", normal)[:, :, None] * np.eye(4)
            step = np.linalg.solve(normal, right[..., None])[..., 0]
            left = np.abs(residual - step @ design) ** 2 / variance
            # Single points far outside of what noise does (a spike, an artefact) lose weight; others keep theirs.
            cell = np.minimum(1.0, 3.0 / np.sqrt(np.maximum(left * bins, 1e-30)))
        limit = 3.0  # Hz: no wild step
        frequency = frequency + np.clip(step[:, 2], -limit, limit)
        phase = phase + np.clip(step[:, 1], -0.7, 0.7)
        amplitude, broadening = 1 + step[:, 0], step[:, 3]
        misfit = left.mean(axis=1)
        # What varies between transients beyond noise, frequency by frequency (a median: outlying transients apart).
        excess = np.median(left, axis=0) / np.log(2) * transients / max(transients - 1, 1)
        smooth = np.convolve(np.pad(excess, 2, mode="edge"), np.ones(5) / 5, mode="valid")
        bins = 1.0 / np.maximum(1.0, smooth)
        scale = max(_robust_scale(misfit), 1 / np.sqrt(used))
        far = (misfit - np.median(misfit)) / scale
        counts = np.where(far < 6, (1 - np.clip(far / 6, 0, 1) ** 2) ** 2, 0.0)
        if not counts.sum() > 0:
            counts = np.ones(transients)
        if np.abs(step[counts > 0, 2]).max() < tolerance:
            break
    return _State(frequency, phase, amplitude, broadening, misfit, counts)


def align(
    fids: np.ndarray,
    dwell_time: float,
    band: tuple[float, float],
    noise: float,
    max_shift: float = 30.0,
    water: tuple[float, float] | None = None,
    iterations: int = 12,
    tolerance: float = 2e-3,
) -> Alignment:
    """Align transients.

    Parameters
    ----------
    fids : ndarray of complex, shape (transients, points)
        Coils combined.
    dwell_time : float
        Seconds.
    band : (float, float)
        Frequencies used, Hz, in the sense of `snakemrs.spins.axis.frequency_axis`.
    noise : float
        Standard deviation of noise of one point of one transient in time (real and imaginary part each).
    max_shift : float
        Largest shift from the median, Hz.
    water : (float, float), optional
        Frequencies of residual water, Hz: it is taken out of the signals that are compared, since its amplitude and
        phase vary from transient to transient and its tails reach everywhere.
    iterations : int
        At most so many Gauss–Newton steps.
    tolerance : float
        Hz; steps end when no transient that counts moves further.
    """
    transients, points = fids.shape
    frequency_all = frequency_axis(points, dwell_time)
    inside = (frequency_all >= band[0]) & (frequency_all <= band[1])
    used = int(inside.sum())
    none = np.zeros(transients)
    if transients == 1:
        return Alignment(none, none, none + 1, none, none + 1, none > 0, used)
    time = time_axis(points, dwell_time)
    original = fids
    if water is not None:
        fids, _ = remove_components(fids, dwell_time, water, singly=True)
    frequency, phase = _coarse(_Correlator(to_spectrum(fids), frequency_all, band, 2 * max_shift))
    if water is not None:
        # Anew, with the drift taken off: now all transients share their components better.
        turn = np.exp(-1j * (2 * np.pi * np.multiply.outer(frequency, time) + phase[:, None]))
        fids = remove_components(original * turn, dwell_time, water, singly=True)[0] * turn.conj()
    state = _refine(fids, frequency, phase, dwell_time, inside, noise, iterations, tolerance)
    typical = state.counts > 0.1
    if water is not None and not typical.all() and typical.sum() > 3:
        # Once more without those that were found to be spoilt.
        turn = np.exp(-1j * (2 * np.pi * np.multiply.outer(state.frequency, time) + state.phase[:, None]))
        fids = remove_components(original * turn, dwell_time, water, typical=typical, singly=True)[0] * turn.conj()
        state = _refine(
            fids, state.frequency, state.phase, dwell_time, inside, noise, iterations, tolerance, state.counts
        )
    frequency, phase, counts = state.frequency, state.phase, state.counts
    # The reference lies where the weighted transients do on average: shifts are told from there.
    centre = np.average(frequency, weights=counts)
    frequency = frequency - centre
    turn = np.angle(np.sum(counts * np.exp(1j * phase)))
    phase = np.angle(np.exp(1j * (phase - turn)))
    at_limit = np.abs(frequency - np.median(frequency)) > max_shift
    return Alignment(frequency, phase, state.amplitude, state.broadening, state.misfit, at_limit, used)
