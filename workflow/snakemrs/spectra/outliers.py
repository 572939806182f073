"""Transients that differ from their neighbours: found by robust statistics, each with the rule that found it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.spectra.align import Alignment


@dataclass(frozen=True)
class Outliers:
    """What was decided on each transient.

    Attributes
    ----------
    weights : ndarray, shape (transients,)
        1 for a good transient; what the average takes.
    rejected : ndarray of bool, shape (transients,)
    rules : list of (str or None)
        The rules that found a transient, separated by ``; ``; also where it was only marked.
    """

    weights: np.ndarray
    rejected: np.ndarray
    rules: list[str | None]


def local_median(values: np.ndarray, width: int = 31) -> np.ndarray:
    """Running median over the `width` nearest values; at the ends over as many as there are."""
    half = width // 2
    return np.array([np.median(values[max(0, k - half) : k + half + 1]) for k in range(len(values))])


def robust_z(values: np.ndarray, floor: float) -> np.ndarray:
    """Distance from the local median in robust standard deviations, which are taken to be at least `floor`."""
    left = values - local_median(values)
    scale = max(1.4826 * float(np.median(np.abs(left))), floor)
    return left / scale


def find_outliers(
    alignment: Alignment,
    silent: np.ndarray,
    mode: str,
    z_limit: float = 5.0,
    amplitude_limit: float = 0.2,
    narrow: float = 3.0,
) -> Outliers:
    """Judge each transient by its amplitude, residual, width and shift relative to its neighbours.

    A transient must be both far in robust standard deviations and different by an amount that matters: slow changes
    (drift of the receiver, a drug's effect) are followed by the local median and reject nothing.

    Parameters
    ----------
    alignment : Alignment
    silent : ndarray of bool, shape (transients,)
        Transients without any signal.
    mode : str
        ``reject``, ``weight`` or ``mark``.
    z_limit : float
        Robust standard deviations.
    amplitude_limit : float
        Least relative difference of amplitude.
    narrow : float
        Least additional width, Hz.
    """
    amplitude = alignment.amplitude
    z_amplitude = robust_z(amplitude, 1e-3)
    relative = np.abs(amplitude / np.where(local_median(amplitude) > 0, local_median(amplitude), 1) - 1)
    # The mean of n squared residuals scatters by 1/sqrt(n) from noise alone.
    z_misfit = robust_z(alignment.misfit, float(np.median(alignment.misfit)) / np.sqrt(max(alignment.points, 1)))
    excess = alignment.misfit / max(float(np.median(alignment.misfit)), 1e-30)
    z_width = robust_z(alignment.broadening, 0.05)
    wider = alignment.broadening - local_median(alignment.broadening)
    tests = {
        "no_signal": silent,
        "amplitude_outlier": (np.abs(z_amplitude) > z_limit) & (relative > amplitude_limit),
        "residual_outlier": (z_misfit > z_limit) & (excess > 1.3),
        "line_width_outlier": (z_width > z_limit) & (wider > narrow),
        "shift_beyond_limit": alignment.at_limit,
    }
    rules: list[str | None] = []
    for k in range(len(amplitude)):
        found = [name for name, hit in tests.items() if hit[k]]
        rules.append("; ".join(found) or None)
    outlying = np.array([rule is not None for rule in rules])
    weights = np.ones(len(amplitude))
    rejected = np.zeros(len(amplitude), bool)
    if mode == "reject":
        rejected = outlying.copy()
    elif mode == "weight":
        worst = np.max(np.stack([np.abs(z_amplitude) * (relative > amplitude_limit), z_misfit, z_width]), axis=0)
        weights[outlying] = (z_limit / np.maximum(worst[outlying], z_limit)) ** 2
        rejected = silent | alignment.at_limit
    else:
        rejected = silent.copy()
    weights[rejected] = 0.0
    return Outliers(weights, rejected, rules)
