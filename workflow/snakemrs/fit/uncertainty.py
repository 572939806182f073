"""Posterior, sampling spread and Cramér–Rao bounds of the full model; sums with their covariance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snakemrs.fit.engine import Engine, State


@dataclass(frozen=True)
class Uncertainty:
    """What is known of the error of the amplitudes, all other unknowns included; in squared units of the data.

    Attributes
    ----------
    covariance : ndarray, shape (K, K)
        Of the posterior: noise, baseline, priors, and what the model misses. An interval of ±1.96 standard deviations
        holds 95 % of the truths of people who differ as the priors say.
    sampling : ndarray, shape (K, K)
        Of the estimate when the same signal is measured again: the scanner's noise alone.
    bound : ndarray, shape (K, K)
        Cramér–Rao bound of the full model: the scanner's noise, no priors of amplitudes.
    share : ndarray, shape (K,)
        How much of each amplitude its prior decides: diagonal of posterior covariance times prior precision.
    theta_sd : ndarray, shape (m,)
        Of the non-linear parameters, posterior.
    """

    covariance: np.ndarray
    sampling: np.ndarray
    bound: np.ndarray
    share: np.ndarray
    theta_sd: np.ndarray


def uncertainty_of(engine: Engine, state: State, inflation: float = 1.0) -> Uncertainty:
    """Uncertainty of the amplitudes at an optimum.

    F is the Fisher matrix of amplitudes and non-linear parameters with the baseline eliminated (a Gaussian process of
    the chosen stiffness); H = F + priors. Posterior covariance: H⁻¹. Sampling covariance of the penalised estimate:
    H⁻¹·J'M²J·H⁻¹, with J the derivatives of the model and M what eliminates the baseline (F = J'MJ). All amplitudes
    count, those at zero too: their bound says how much could hide there (Cavassila et al., NMR Biomed 2001, 14:278).

    Parameters
    ----------
    engine : Engine
    state : State
        At the optimum.
    inflation : float
        Factor on the posterior's standard deviations, for residuals still larger than the noise reckoned with.
    """
    problem, parameters = engine.problem, engine.parameters
    size = len(state.amplitudes)
    clean = state.rotated + state.residual
    movable = np.flatnonzero(parameters.upper > parameters.lower)
    slopes = np.concatenate([state.spectra, engine.derivatives(state, clean)[movable]])
    on_splines = slopes @ problem.splines.T
    products, damping = slopes @ slopes.T, engine.damping
    fisher = products - (on_splines * damping) @ on_splines.T
    twice = products - (on_splines * (2 * damping - damping**2)) @ on_splines.T
    priors = np.zeros_like(fisher)
    priors[size:, size:] = np.diag(parameters.precision[movable])
    bound = _inverse(fisher + priors)
    priors[:size, :size] = engine.prior.precision
    posterior = _inverse(fisher + priors)
    sampling = posterior @ twice @ posterior
    amplitudes = np.s_[:size, :size]
    theta_sd = np.zeros(len(parameters.names))
    theta_sd[movable] = np.sqrt(np.maximum(np.diag(posterior)[size:], 0)) * inflation
    return Uncertainty(
        covariance=posterior[amplitudes] * inflation**2,
        sampling=sampling[amplitudes] / engine.excess**2,
        bound=bound[amplitudes] / engine.excess**2,
        share=np.clip(np.einsum("ij,ji->i", posterior[amplitudes], engine.prior.precision), 0, 1),
        theta_sd=theta_sd,
    )


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric matrix of badly scaled unknowns."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    both = scale * scale[:, None]
    return np.asarray(np.linalg.pinv(matrix * both, rcond=1e-12, hermitian=True) * both)


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
