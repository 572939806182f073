"""How stiff the baseline is: chosen by the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snakemrs.fit.engine import Engine, State

TOLERANCE = 1.0
"""Difference of the criterion (minus twice a log likelihood) that is not worth a more flexible baseline."""


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
    """Effective numbers of parameters that are tried: from none (a constant) to 7 per ppm (Wilson 2021)."""
    return np.concatenate([[2.0], 2.0 + np.geomspace(0.5, 7.0 * width_ppm - 2.0, 11)])


def choose_stiffness(engine: Engine, state: State, dampings: list[np.ndarray]) -> tuple[int, np.ndarray]:
    """Choose among `dampings` the most probable by the restricted marginal likelihood at the given θ.

    The baseline is a Gaussian process with prior precision λ·roughness (in units of the noise); integrated out together
    with the amplitudes that are not zero, its evidence is ``χ² + Σ log(1/(1 − damping)) + log|G|`` (Wahba 1985;
    Wood 2011), to be minimised: χ² with the baseline eliminated, G the normal matrix of the amplitudes.

    The stiffest is taken whose criterion is within `TOLERANCE` of the least: flexibility must earn its place.

    Returns
    -------
    best : int
    criterion : ndarray, shape (len(dampings),)
    """
    saved = engine.damping
    criterion = []
    for damping in dampings:
        engine.damping = damping
        at = engine.linear(state.theta, state.rotated, state.shapes, state.spectra, state.cross, state.passive)
        use = np.flatnonzero(at.passive)
        log_gram = np.linalg.slogdet(at.gram[np.ix_(use, use)])[1] if use.size else 0.0
        rough = damping < 1.0
        criterion.append(at.cost - float(np.sum(np.log1p(-damping[rough]))) + float(log_gram))
    engine.damping = saved
    values = np.array(criterion)
    return int(np.flatnonzero(values <= values.min() + TOLERANCE)[0]), values


def with_damping(engine: Engine, damping: np.ndarray) -> Engine:
    """A copy of the engine with another stiffness."""
    return replace(engine, damping=damping)
