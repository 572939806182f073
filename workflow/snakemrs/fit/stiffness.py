"""Flexibility of a penalised baseline: effective numbers of parameters and the damping they mean."""

from __future__ import annotations

import numpy as np

MOST_FLEXIBLE = 7.0
"""Largest effective number of parameters per ppm (Wilson 2021)."""


def damping_for(roughness: np.ndarray, effective: float) -> np.ndarray:
    """Damping 1/(1 + λ·roughness) of the functions with `effective` parameters in all (λ found by bisection).

    Two parameters, or fewer, is no baseline but a constant (see `snakemrs.fit.problem.baseline_functions`).
    """
    if effective <= 2.0 + 1e-6:
        return np.where(roughness == 0, 1.0, 0.0)
    low, high = -30.0, 60.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if float(np.sum(1 / (1 + np.exp(middle) * roughness))) > effective:
            low = middle
        else:
            high = middle
    return np.asarray(1 / (1 + np.exp(high) * roughness))


def effective_grid(width_ppm: float) -> np.ndarray:
    """Effective numbers of parameters that are tried: from none (a constant) to `MOST_FLEXIBLE` per ppm."""
    return np.concatenate([[2.0], 2.0 + np.geomspace(0.5, MOST_FLEXIBLE * width_ppm - 2.0, 11)])
