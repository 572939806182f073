"""Cramér–Rao bounds of the full model, sums with their covariance, what priors decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from snakemrs.fit.engine import Engine, State


def bounds(engine: Engine, state: State, inflation: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariance of the amplitudes, all other unknowns included.

    The Fisher matrix of amplitudes and non-linear parameters, with the baseline eliminated (a Gaussian process of the
    chosen stiffness) and the priors added, is inverted. All amplitudes count, those at zero too: their bound says how
    much could hide there (Cavassila et al., NMR Biomed 2001, 14:278).

    Parameters
    ----------
    engine : Engine
    state : State
        At the optimum.
    inflation : float
        Factor on the standard deviations, for residuals larger than the noise.

    Returns
    -------
    covariance : ndarray, shape (K, K)
        In squared units of the data.
    share : ndarray, shape (K,)
        Diagonal of covariance times prior precision.
    theta_sd : ndarray, shape (m,)
    """
    problem, parameters = engine.problem, engine.parameters
    size = len(state.amplitudes)
    clean = state.rotated + state.residual
    derivatives = engine.derivatives(state, clean)
    movable = np.flatnonzero(parameters.upper > parameters.lower)
    derivatives = derivatives[movable]
    everything = np.concatenate([state.spectra, derivatives])
    on_splines = everything @ problem.splines.T
    fisher = everything @ everything.T - (on_splines * engine.damping) @ on_splines.T
    fisher[:size, :size] += engine.prior.precision
    fisher[size:, size:] += np.diag(parameters.precision[movable])
    scale = 1 / np.sqrt(np.maximum(np.diag(fisher), 1e-300))
    inverse = np.linalg.pinv(fisher * scale * scale[:, None], rcond=1e-12, hermitian=True) * scale * scale[:, None]
    share = np.clip(np.einsum("ij,ji->i", inverse[:size, :size], engine.prior.precision), 0, 1)
    theta_sd = np.zeros(len(parameters.names))
    theta_sd[movable] = np.sqrt(np.maximum(np.diag(inverse)[size:], 0)) * inflation
    return inverse[:size, :size] * inflation**2, share, theta_sd


def sums_of(names: Sequence[str], sums: Mapping[str, Sequence[str]]) -> tuple[list[str], np.ndarray]:
    """Sums whose parts are all in the basis: their names, and a matrix (S, K) that makes them from amplitudes."""
    use = {name: parts for name, parts in sums.items() if all(part in names for part in parts)}
    matrix = np.array([[float(name in parts) for name in names] for parts in use.values()]).reshape(-1, len(names))
    return list(use), matrix


def ratio_with_sd(
    amplitudes: np.ndarray, covariance: np.ndarray, numerator: np.ndarray, denominator: np.ndarray
) -> tuple[float, float]:
    """Ratio of two linear combinations and its standard deviation (first order, correlation included)."""
    top, bottom = float(numerator @ amplitudes), float(denominator @ amplitudes)
    if bottom <= 0:
        return float("nan"), float("nan")
    slope = (numerator - top / bottom * denominator) / bottom
    return top / bottom, float(np.sqrt(max(slope @ covariance @ slope, 0.0)))


def combination_sd(covariance: np.ndarray, weights: np.ndarray) -> float:
    """Standard deviation of a linear combination of amplitudes."""
    return float(np.sqrt(max(weights @ covariance @ weights, 0.0)))
