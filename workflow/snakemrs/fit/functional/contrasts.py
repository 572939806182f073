"""Linear combinations of the betas of a dynamic fit: changes, per cent of the baseline, ratios, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.fit.uncertainty import combination_sd, ratio_with_sd

Z = 1.959964
"""Half width of a 95 % interval in standard deviations."""


@dataclass(frozen=True)
class Change:
    """A change of a metabolite: `estimate` in the units of the data, the others in per cent of the baseline.

    `low` and `high` are Fieller's interval (not a number where the baseline itself is not safely above zero).
    """

    estimate: float
    sd: float
    percent: float
    percent_sd: float
    low: float
    high: float

    @property
    def z(self) -> float:
        """Change over its standard deviation."""
        return self.estimate / self.sd if self.sd > 0 else float("nan")


def change_of(
    betas: np.ndarray, covariance: np.ndarray, contrast: np.ndarray, baseline: np.ndarray, metabolite: np.ndarray
) -> Change:
    """A contrast of a metabolite or sum against its baseline.

    Parameters
    ----------
    betas : ndarray, shape (P, K)
    covariance : ndarray, shape (P·K, P·K)
    contrast, baseline : ndarray, shape (P,)
        Weights of the regressors.
    metabolite : ndarray, shape (K,)
        1 for each part of a sum.
    """
    top, bottom = np.kron(contrast, metabolite), np.kron(baseline, metabolite)
    flat = betas.ravel()
    ratio, sd = ratio_with_sd(flat, covariance, top, bottom)
    low, high = fieller(flat, covariance, top, bottom)
    return Change(
        estimate=float(top @ flat),
        sd=combination_sd(covariance, top),
        percent=100 * ratio,
        percent_sd=100 * sd,
        low=100 * low,
        high=100 * high,
    )


def fieller(values: np.ndarray, covariance: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> tuple[float, float]:
    """95 % interval of the ratio of two combinations (Fieller, J R Stat Soc B 1954;16:175); nan where unbounded."""
    a, b = float(top @ values), float(bottom @ values)
    aa, ab, bb = float(top @ covariance @ top), float(top @ covariance @ bottom), float(bottom @ covariance @ bottom)
    share = Z**2 * bb / b**2 if b > 0 else np.inf
    if share >= 1:
        return float("nan"), float("nan")
    ratio = a / b
    inside = aa - 2 * ratio * ab + ratio**2 * bb - share * (aa - ab**2 / bb if bb > 0 else 0.0)
    half = Z / b * np.sqrt(max(inside, 0.0))
    middle = ratio - Z**2 * ab / b**2
    return (middle - half) / (1 - share), (middle + half) / (1 - share)


def ratio_change(
    betas: np.ndarray,
    covariance: np.ndarray,
    contrast: np.ndarray,
    baseline: np.ndarray,
    metabolite: np.ndarray,
    reference: np.ndarray,
) -> tuple[float, float]:
    """Change of metabolite over reference in per cent, and its standard deviation (delta method on logarithms).

    Parameters as in `change_of`; `reference` like `metabolite`, such as tNAA.
    """
    flat = betas.ravel()
    log, slope = 0.0, np.zeros(flat.size)
    for level, sign in ((baseline + contrast, 1.0), (baseline, -1.0)):
        for weights, side in ((metabolite, 1.0), (reference, -1.0)):
            row = np.kron(level, weights)
            value = float(row @ flat)
            if value <= 0:
                return float("nan"), float("nan")
            log += sign * side * np.log(value)
            slope += sign * side * row / value
    ratio = float(np.exp(log))
    return 100 * (ratio - 1), 100 * ratio * combination_sd(covariance, slope)


def autocorrelations(residual: np.ndarray, regressors: int) -> np.ndarray:
    """Correlation of neighbouring residuals, shape (K,); 0 where it is not above what chance gives.

    Parameters
    ----------
    residual : ndarray, shape (M, K)
    regressors : int
        Fitted to them: residuals of white noise are correlated by about −regressors/M, which is made good for.
    """
    count = len(residual)
    power = np.maximum(np.sum(residual**2, axis=0), 1e-300)
    found = np.sum(residual[1:] * residual[:-1], axis=0) / power + regressors / count
    return np.asarray(np.where(found > 2 / np.sqrt(count), np.minimum(found, 0.95), 0.0))


def widening(design: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Factor on the standard deviation of each beta for first-order autocorrelation, shape (P, K).

    The least-squares weights h of a regressor turn noise of correlation R (ρ^|i−j|) into a variance h'Rh, not h'h.

    Parameters
    ----------
    design : ndarray, shape (M, P)
    correlation : ndarray, shape (K,)
    """
    weights = np.linalg.pinv(design)
    lag = np.abs(np.subtract.outer(np.arange(len(design)), np.arange(len(design))))
    factors = np.ones((design.shape[1], len(correlation)))
    for k in np.flatnonzero(correlation):
        spread = np.einsum("pi,ij,pj->p", weights, correlation[k] ** lag, weights, optimize=True)
        factors[:, k] = np.sqrt(np.maximum(spread / np.sum(weights**2, axis=1), 1.0))
    return factors
