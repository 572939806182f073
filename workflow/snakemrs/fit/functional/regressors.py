"""Courses over time that a response to an event may have. Each has unit peak; time in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snakemrs.study.settings.functional import RegressorSettings

SAMPLES = 32
"""Points at which a course is evaluated within a transient and averaged."""


def response(settings: RegressorSettings, time: np.ndarray, duration: float, drugs: Mapping[str, Any]) -> np.ndarray:
    """Response to one event that starts at time 0 and lasts `duration`.

    Parameters
    ----------
    settings : RegressorSettings
    time : ndarray
        Seconds after the onset; zero before it.
    duration : float
    drugs : mapping
        Drug → rate constants per minute (``pharmacokinetics.yaml``).
    """
    time = time - settings.delay
    after = np.maximum(time, 0.0)
    if settings.shape == "block":
        return ((time >= 0) & (time < duration)).astype(float)
    if settings.shape == "ramp":
        return np.clip(after / duration, 0.0, 1.0)
    if settings.shape == "exponential":
        tau = settings.time_constant
        rise = -np.expm1(-np.minimum(after, duration) / tau)
        return np.asarray(rise * np.exp(-np.maximum(after - duration, 0.0) / tau))
    if settings.shape == "gamma":
        ratio = after / settings.time_to_peak
        return np.asarray((ratio * np.exp(1 - ratio)) ** settings.sharpness)
    if settings.shape == "pharmacokinetic":
        return plasma_concentration(drugs[settings.drug], after / 60, duration / 60)
    raise ValueError(f"no course of its own: {settings.shape}")


def plasma_concentration(rates: Mapping[str, float], time: np.ndarray, duration: float) -> np.ndarray:
    """Concentration in the central one of three compartments, one unit of drug infused evenly over `duration`.

    x' = A·x + u, solved by the eigenvectors of A: each mode fills as (1 − exp(−r·t))/r and decays after the end.

    Parameters
    ----------
    rates : mapping
        ``k10 k12 k21 k13 k31`` per minute, ``v1``.
    time : ndarray
        Minutes since the start of the infusion, not negative.
    duration : float
        Minutes.
    """
    k10, k12, k21, k13, k31 = (rates[name] for name in ("k10", "k12", "k21", "k13", "k31"))
    matrix = np.array([[-(k10 + k12 + k13), k21, k31], [k12, -k21, 0.0], [k13, 0.0, -k31]])
    values, vectors = np.linalg.eig(matrix)
    into = np.linalg.solve(vectors, np.array([1.0 / (rates["v1"] * duration), 0.0, 0.0]))
    weights, decay = (vectors[0] * into).real, -values.real
    filled = -np.expm1(-np.multiply.outer(np.minimum(time, duration), decay)) / decay
    left = np.exp(-np.multiply.outer(np.maximum(time - duration, 0.0), decay))
    return np.asarray((filled * left) @ weights)


def sampled(
    settings: RegressorSettings,
    onset: np.ndarray,
    duration: np.ndarray,
    events: list[tuple[float, float]],
    drugs: Mapping[str, Any],
) -> np.ndarray:
    """Mean of the responses to all events over the acquisition of each transient, scaled to unit peak.

    Parameters
    ----------
    onset, duration : ndarray, shape (M,)
        Of the transients.
    events : list of (onset, duration)

    Returns
    -------
    ndarray, shape (M,)
        1 where the course is highest within the session.
    """
    inside = (np.arange(SAMPLES) + 0.5) / SAMPLES
    times = onset[:, None] + duration[:, None] * inside
    course = np.sum([response(settings, times - start, length, drugs) for start, length in events], axis=0)
    peak = np.abs(course).max()
    return np.asarray(course.mean(axis=1) / (peak if peak > 0 else 1.0))


def interpolated(table_onset: np.ndarray, values: np.ndarray, onset: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """Mean over each transient of a measured course, linear between its points; shapes as in `sampled`."""
    inside = (np.arange(SAMPLES) + 0.5) / SAMPLES
    times = onset[:, None] + duration[:, None] * inside
    return np.asarray(np.interp(times, table_onset, values).mean(axis=1))


def polynomials(onset: np.ndarray, order: int) -> np.ndarray:
    """Legendre polynomials 1 … `order` over the session, from −1 to 1, shape (M, order)."""
    time = 2 * (onset - onset[0]) / max(float(np.ptp(onset)), 1e-9) - 1
    return np.asarray(np.polynomial.legendre.legvander(time, order)[:, 1:])
