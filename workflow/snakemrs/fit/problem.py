"""What a fit needs and no spectrum changes: the basis in the band of interest, the window, the spline baseline.

Only a few ppm of a spectrum are fitted. The basis is therefore reduced once to that band (with margins and a smooth
edge): a quarter to an eighth of the points, so that each step of the search is cheap. The line shape is applied in the
time domain of the band, where it is the same multiplication as in full; what spills to negative times at the start of a
band-limited signal is kept and folded back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from snakemrs.fit.stiffness import MOST_FLEXIBLE, damping_for, effective_grid
from snakemrs.spins.axis import WATER_PPM
from snakemrs.spins.basis import Basis

MARGIN = 1.2
"""Band beyond either end of the window, ppm."""
EDGE = 0.6
"""Part of the margin over which the band fades out, ppm."""
USABLE = 0.96
"""Part of the spectral width that is looked at: at its ends are the edges of the receiver's filter."""
KNOT_DISTANCE = 0.15
"""Distance of the knots of the baseline, ppm."""


@dataclass(frozen=True)
class Problem:
    """A basis prepared for spectra of one dwell time, length and frequency.

    Attributes
    ----------
    basis : Basis
        On the grid of the data.
    groups : ndarray of int, shape (K,)
        0 metabolites, 1 macromolecules, 2 lipids.
    signals : ndarray of complex, shape (K, negative + band)
        Band-limited time signals, from the time ``-negative`` steps on.
    time, decay_time : ndarray, shape (negative + band,)
        Seconds; `decay_time` is `time` with negative times held near zero.
    negative, band : int
        Points before t = 0; points of the band.
    first : int
        Where the window starts in the band.
    bins : ndarray of int, shape (n,)
        Where the window lies in ``fft(data)``; frequency rises, ppm falls.
    ppm : ndarray, shape (n,)
    splines : ndarray, shape (B, 2n)
        Orthonormal baseline functions (real and imaginary parts interleaved), smoothest first.
    roughness : ndarray, shape (B,)
        Their penalties (zero for the straight line).
    points : int
        Points of the data that are used.
    dwell_time, spectrometer_frequency : float
        Seconds, MHz.
    with_lipids : Problem or None
        The same with lipid lines, for spectra that show them.
    """

    basis: Basis
    groups: np.ndarray
    signals: np.ndarray
    time: np.ndarray
    decay_time: np.ndarray
    negative: int
    band: int
    first: int
    bins: np.ndarray
    ppm: np.ndarray
    splines: np.ndarray
    roughness: np.ndarray
    points: int
    dwell_time: float
    spectrometer_frequency: float
    with_lipids: Problem | None = None

    @cached_property
    def width_ppm(self) -> float:
        """Width of the window, ppm."""
        return float(self.ppm.max() - self.ppm.min())

    @cached_property
    def dampings(self) -> list[np.ndarray]:
        """Candidates of the flexibility of the baseline, stiffest first."""
        return [damping_for(self.roughness, effective) for effective in effective_grid(self.width_ppm)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the basis functions."""
        return self.basis.names

    def window_of(self, fid: np.ndarray) -> np.ndarray:
        """Spectrum of a time signal (all its points) in the window, shape (..., n)."""
        return np.asarray(fft.fft(fid[..., : self.points], axis=-1)[..., self.bins])

    def fold(self, signals: np.ndarray) -> np.ndarray:
        """Spectra in the window of band-limited signals on `time`, shape (m, n), complex and contiguous."""
        folded = signals[:, self.negative :].copy()
        folded[:, self.band - self.negative :] += signals[:, : self.negative]
        spectrum = fft.fft(folded, axis=1, overwrite_x=True)
        return np.ascontiguousarray(spectrum[:, self.first : self.first + len(self.bins)])


def prepare(basis: Basis, window: tuple[float, float]) -> Problem:
    """Prepare a basis (already on the grid of the data) for fits in `window` (ppm, low and high).

    A window that reaches beyond the spectral width is cut to what lies within.
    """
    count, step, frequency = basis.points, basis.dwell_time, basis.spectrometer_frequency
    duration = count * step
    reach = USABLE * 0.5 / (step * frequency)
    low, high = max(min(window), WATER_PPM - reach), min(max(window), WATER_PPM + reach)
    start = int(np.ceil((WATER_PPM - high) * frequency * duration))
    stop = int(np.floor((WATER_PPM - low) * frequency * duration))
    width = stop - start + 1
    margin = int(np.ceil(MARGIN * frequency * duration))
    band = min(fft.next_fast_len(width + 2 * margin), count)
    origin = start - (band - width) // 2
    fine = np.fft.fft(basis.fids, 2 * count, axis=1)[:, np.arange(2 * origin, 2 * (origin + band)) % (2 * count)]
    if band < count:
        fine = fine * _edges(2 * band, int(2 * EDGE * frequency * duration))
    time_signals = np.fft.ifft(fine, axis=1)
    negative = min(band // 4, int(np.ceil(3.0 * band / (EDGE * frequency * duration))))
    signals = np.concatenate([time_signals[:, 2 * band - negative :], time_signals[:, :band]], axis=1)
    time = np.arange(-negative, band) * (duration / band)
    hold = 0.005
    decay_time = np.where(time < 0, -hold * np.tanh(-time / hold), time)
    bins = np.arange(start, stop + 1)
    ppm = WATER_PPM - bins / duration / frequency
    splines, roughness = baseline_functions(ppm)
    order = {"metabolite": 0, "macromolecule": 1, "lipid": 2}
    return Problem(
        basis=basis,
        groups=np.array([order[kind] for kind in basis.kinds]),
        signals=signals,
        time=time,
        decay_time=decay_time,
        negative=negative,
        band=band,
        first=start - origin,
        bins=bins % count,
        ppm=ppm,
        splines=splines,
        roughness=roughness,
        points=count,
        dwell_time=step,
        spectrometer_frequency=frequency,
    )


def _edges(count: int, fade: int) -> np.ndarray:
    """One in the middle, falling to zero as a squared cosine over `fade` points at both ends."""
    taper = np.ones(count)
    ramp = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / fade) ** 2
    taper[:fade], taper[count - fade :] = ramp, ramp[::-1]
    return taper


def baseline_functions(ppm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal functions of a penalised cubic B-spline baseline (Eilers & Marx 1996; Demmler & Reinsch 1975).

    The first two are a complex constant: an error of the first point of the time signal, which scanners and programs
    halve, filter or spoil; they are never damped, so that this point is not believed. The others are real splines with
    their Hilbert transform as imaginary part, as any causal signal has it (Wilson, MRM 2021, 85:13), in the basis that
    makes them orthonormal and the penalty diagonal: function i is damped by 1/(1 + λ·roughness_i), the effective number
    of parameters is the sum of that. The penalty is the square of second differences of the spline coefficients, with
    so much of the first differences that a slope counts like the longest wave: λ → ∞ leaves no baseline.

    Parameters
    ----------
    ppm : ndarray, shape (n,)

    Returns
    -------
    functions : ndarray, shape (B, 2n)
        Real and imaginary parts interleaved.
    roughness : ndarray, shape (B,)
    """
    from scipy.interpolate import BSpline
    from scipy.linalg import eigh

    n = len(ppm)
    low, high = float(ppm.min()), float(ppm.max())
    spread = max(4, round((high - low) / KNOT_DISTANCE))
    distance = (high - low) / spread
    extra = 5  # functions centred outside the window, so that Hilbert transforms are smooth inside
    knots = low + distance * np.arange(-extra - 3, spread + extra + 4)
    fill = 2 * n
    step = (ppm[-1] - ppm[0]) / (n - 1)
    grid = ppm[0] + step * np.arange(-fill, n + fill)
    inside = (grid > knots[3]) & (grid < knots[-4])
    splines = np.zeros((len(grid), len(knots) - 4))
    splines[inside] = BSpline.design_matrix(grid[inside], knots, 3).toarray()
    real = np.ascontiguousarray(_analytic(splines.T)[:, fill : fill + n]).view(float)
    constant = np.zeros((2, 2 * n))
    constant[0, 0::2] = constant[1, 1::2] = 1 / np.sqrt(n)
    real = real - (real @ constant.T) @ constant
    one, two = (np.diff(np.eye(len(real)), order, axis=0) for order in (1, 2))
    penalty = two.T @ two + (np.pi / len(real)) ** 2 * one.T @ one
    gram = real @ real.T
    gram += 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram))
    values, vectors = eigh(penalty, gram)
    floor = 1e-6 * values[len(values) // 2]
    keep = (values > floor) & (np.arange(len(values)) < int(np.ceil(MOST_FLEXIBLE * (high - low))))
    functions = np.concatenate([constant, vectors.T[keep] @ real])
    return np.ascontiguousarray(functions), np.concatenate([np.zeros(2), values[keep]])


def _analytic(real: np.ndarray) -> np.ndarray:
    """Complex spectra of causal signals with the given real parts; frequency rises along the last axis."""
    count = real.shape[-1]
    time = np.fft.ifft(real, axis=-1)
    time[..., 1 : (count + 1) // 2] *= 2
    time[..., (count + 1) // 2 + (count % 2 == 0) :] = 0
    return np.asarray(np.fft.fft(time, axis=-1))
