"""The course over time without a model of it: an amplitude in each bin, smoothed; peak, time to peak, area."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

DRAWS = 2000
"""Samples of the smoothed course."""
LEAST = 4
"""Fewest transients of a bin."""
ROUGHNESS = np.concatenate([[0.0], np.geomspace(1e-3, 1.0, 25)])
"""Candidates of the standard deviation of the change over a whole session, relative to the mean amplitude."""


@dataclass(frozen=True)
class Bins:
    """Consecutive groups of transients within phases.

    Attributes
    ----------
    members : list of ndarray of int
    onset, duration : ndarray, shape (F,)
        Seconds.
    phase : list of str
    """

    members: list[np.ndarray]
    onset: np.ndarray
    duration: np.ndarray
    phase: list[str]

    def index(self, count: int) -> np.ndarray:
        """Bin of each transient, shape (count,)."""
        at = np.empty(count, int)
        for number, members in enumerate(self.members):
            at[members] = number
        return at


def cut_bins(onset: np.ndarray, duration: np.ndarray, phase: tuple[str, ...], step: float | None) -> Bins:
    """Cut a session into bins of about `step` seconds, each within one phase.

    Parameters
    ----------
    onset, duration : ndarray, shape (M,)
    phase : tuple of str
        Of each transient.
    step : float, optional
        A sixteenth of the session where not given.
    """
    whole = float(onset[-1] + duration[-1] - onset[0])
    step = step or whole / 16
    edges = [0, *(m for m in range(1, len(phase)) if phase[m] != phase[m - 1]), len(phase)]
    members: list[np.ndarray] = []
    for first, last in pairwise(edges):
        length = float(onset[last - 1] + duration[last - 1] - onset[first])
        count = max(1, min(round(length / step), (last - first) // LEAST))
        members += np.array_split(np.arange(first, last), count)
    starts = np.array([onset[group[0]] for group in members])
    ends = np.array([onset[group[-1]] + duration[group[-1]] for group in members])
    return Bins(members, starts, ends - starts, [phase[group[0]] for group in members])


def free_design(bins: int) -> np.ndarray:
    """A constant and cosines that give each bin an amplitude of its own, shape (bins, bins).

    Cosines rather than a bin of reference, so that the prior of changes treats all bins alike.
    """
    at = (np.arange(bins) + 0.5) / bins
    return np.asarray(np.cos(np.pi * np.multiply.outer(at, np.arange(bins))))


@dataclass(frozen=True)
class Smooth:
    """A smoothed course: mean and standard deviation (F,), and samples (DRAWS, F), in the units of the values."""

    mean: np.ndarray
    sd: np.ndarray
    samples: np.ndarray


def smooth(values: np.ndarray, covariance: np.ndarray, middle: np.ndarray, seed: int = 1) -> Smooth:
    """Smooth a course by a random walk whose steps the data choose.

    Prior: level unknown, increments Gaussian with variance proportional to time. Their size is integrated over by the
    marginal likelihood on a grid (`ROUGHNESS`), so that a course without change becomes flat.

    Parameters
    ----------
    values : ndarray, shape (F,)
    covariance : ndarray, shape (F, F)
    middle : ndarray, shape (F,)
        Times of the bins, seconds.
    """
    count = len(values)
    time = (middle - middle[0]) / max(float(np.ptp(middle)), 1e-9)
    walk = np.minimum.outer(time, time)
    level = abs(float(values.mean()))
    covariance = covariance + 1e-12 * np.trace(covariance) / count * np.eye(count)
    ones = np.ones(count)
    likelihood, parts = [], []
    for size in ROUGHNESS * level:
        total = covariance + size**2 * walk
        inverse = np.linalg.inv(total)
        precision = float(ones @ inverse @ ones)
        mean = float(ones @ inverse @ values) / precision
        rest = values - mean
        logarithm = -0.5 * (np.linalg.slogdet(total)[1] + np.log(precision) + rest @ inverse @ rest)
        gain = size**2 * walk @ inverse
        centre = mean + gain @ rest
        by_level = ones - gain @ ones
        spread = size**2 * (walk - gain @ walk) + np.outer(by_level, by_level) / precision
        likelihood.append(logarithm)
        parts.append((centre, spread))
    share = np.exp(np.array(likelihood) - max(likelihood))
    share /= share.sum()
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(share), DRAWS, p=share)
    samples = np.empty((DRAWS, count))
    for number in np.unique(chosen):
        rows = np.flatnonzero(chosen == number)
        centre, spread = parts[number]
        values_, vectors = np.linalg.eigh(spread)
        noise = rng.standard_normal((len(rows), count)) * np.sqrt(np.maximum(values_, 0))
        samples[rows] = centre + noise @ vectors.T
    mean_course = np.sum([weight * centre for weight, (centre, _) in zip(share, parts, strict=True)], axis=0)
    return Smooth(mean_course, samples.std(axis=0), samples)


@dataclass(frozen=True)
class Peak:
    """Highest point of the response, per cent of the baseline, and when (s after its start): value, low, high."""

    percent: tuple[float, float, float]
    time: tuple[float, float, float]


def peak_of(course: Smooth, bins: Bins, baseline: str, start: float) -> Peak | None:
    """Peak after the start of the response, with 95 % intervals of the samples; None where the baseline is not safe.

    The intervals describe what the smoothed course can be. That of a course without change is wide in time and near
    zero in height.

    Parameters
    ----------
    course : Smooth
    bins : Bins
    baseline : str
        Phase of the baseline.
    start : float
        Start of the response, s.
    """
    before = np.array([phase == baseline for phase in bins.phase])
    later = (bins.onset >= start - 1e-6) & ~before
    weights = bins.duration * before / np.sum(bins.duration * before)
    base = course.samples @ weights
    if not np.quantile(base, 0.01) > 0 or not later.any():
        return None
    middle = bins.onset[later] + bins.duration[later] / 2 - start
    percent = 100 * (course.samples[:, later] / base[:, None] - 1)
    at = percent.argmax(axis=1)
    mean = 100 * (course.mean[later] / float(course.mean @ weights) - 1)
    top = int(mean.argmax())
    heights, times = percent[np.arange(len(at)), at], middle[at]
    ends = [2.5, 97.5]
    low, high = np.percentile(heights, ends)
    early, late = np.percentile(times, ends)
    return Peak((float(mean[top]), float(low), float(high)), (float(middle[top]), float(early), float(late)))


def misfit(values: np.ndarray, covariance: np.ndarray, design: np.ndarray) -> tuple[float, int]:
    """χ² of what a linear model leaves of a course, and its degrees of freedom.

    Parameters
    ----------
    values : ndarray, shape (F,)
    covariance : ndarray, shape (F, F)
    design : ndarray, shape (F, P)
    """
    scale = 1e-12 * np.trace(covariance) / len(values)
    root = np.linalg.cholesky(covariance + scale * np.eye(len(values)))
    white, model = np.linalg.solve(root, values), np.linalg.solve(root, design)
    betas, _, rank, _ = np.linalg.lstsq(model, white, rcond=None)
    rest = white - model @ betas
    return float(rest @ rest), len(values) - int(rank)
