"""Small-sample inference on fixed effects: Kenward-Roger and Satterthwaite.

Kenward & Roger 1997 (Biometrics 53:983): the covariance of the estimates is adjusted for the covariance parameters
having been estimated, and the Wald statistic is scaled and given the denominator degrees of freedom that match its
first two moments. Satterthwaite's method with the asymptotic covariance of the covariance parameters follows Giesbrecht
& Burns 1985 (Biometrics 41:477) for one row and Fai & Cornelius 1996 (J Stat Comput Simul 54:363) for several.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snakemrs.group.reml import RemlFit

Array = NDArray[Any]
DegreesOfFreedom = Literal["kenward-roger", "satterthwaite", "residual"]


def _inverse(matrix: Array) -> Array:
    """Invert a symmetric matrix; its pseudo-inverse where it is singular (a variance that the data do not inform)."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    correlation = matrix / np.outer(scale, scale)
    values = np.linalg.eigvalsh(correlation)
    inverse = np.linalg.inv if np.abs(values).min() > 1e-10 else np.linalg.pinv
    result: Array = inverse(correlation) / np.outer(scale, scale)
    return result


@dataclass(frozen=True)
class Contrast:
    """A test of L b = 0.

    Attributes
    ----------
    f : float
        The (scaled) F statistic; not a number, as `den_df` and `p`, where the covariance is not positive definite.
    num_df, den_df : float
        Degrees of freedom.
    p : float
        Probability of a larger F under the null hypothesis.
    """

    f: float
    num_df: int
    den_df: float
    p: float


class Inference:
    """Tests and intervals for the fixed effects of a fit.

    Parameters
    ----------
    fit : RemlFit
    method : {"kenward-roger", "satterthwaite", "residual"}
        ``residual`` uses n - p, as if every row were independent beside the estimated covariance: shown for comparison.
    n : int
        Number of rows.
    """

    def __init__(self, fit: RemlFit, method: DegreesOfFreedom, n: int) -> None:
        self.fit, self.method, self.n = fit, method, n
        m = fit.moments
        self.beta = m.beta
        self.covariance = m.phi
        self._weights = np.zeros((0, 0))
        if method == "kenward-roger":
            # Covariance of the covariance parameters: the inverse of the expected information.
            self._weights = 2 * _inverse(m.expected)
            middle = np.einsum("pq,sqr->spr", m.phi, m.first)
            u = np.einsum("rs,rspq->pq", self._weights, m.second - m.curved / 4)
            u -= np.einsum("rs,rpq,sqt->pt", self._weights, m.first, middle)
            adjusted = m.phi + 2 * m.phi @ u @ m.phi
            self.covariance = (adjusted + adjusted.T) / 2
        elif method == "satterthwaite":
            # At the boundary a variance carries no first-order information (its standard deviation is the parameter).
            used = [i for i in range(len(m.gradient)) if i not in fit.boundary]
            self._used = used
            self._weights = 2 * _inverse(m.observed[np.ix_(used, used)])

    @property
    def standard_errors(self) -> Array:
        """Standard error of each fixed effect."""
        result: Array = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        return result

    def degrees_of_freedom(self, row: Array) -> float:
        """Denominator degrees of freedom of one linear combination of the fixed effects."""
        if self.method == "residual":
            return float(self.n - len(self.beta))
        if self.method == "satterthwaite":
            return self._satterthwaite(row)
        return self._kenward_roger(np.atleast_2d(row))[0]

    def contrast(self, L: Array) -> Contrast:
        """Test L b = 0 for a matrix L of full row rank, (q, p)."""
        L = np.atleast_2d(np.asarray(L, float))
        q = len(L)
        estimate = L @ self.beta
        spread = L @ self.covariance @ L.T
        # With very few levels the adjusted covariance may not be one: then there is no test.
        if not np.isfinite(spread).all() or np.linalg.eigvalsh((spread + spread.T) / 2).min() <= 0:
            return Contrast(float("nan"), q, float("nan"), float("nan"))
        wald = float(estimate @ np.linalg.solve(spread, estimate)) / q
        if self.method == "residual":
            den, scaling = float(self.n - len(self.beta)), 1.0
        elif self.method == "kenward-roger":
            den, scaling = self._kenward_roger(L)
        else:
            den, scaling = self._fai_cornelius(L), 1.0
        f = wald * scaling
        p = float(stats.f.sf(f, q, den)) if den > 0 else float("nan")
        return Contrast(f, q, den, p)

    def _kenward_roger(self, L: Array) -> tuple[float, float]:
        """Degrees of freedom and scale of F (Kenward & Roger 1997, section 3)."""
        m = self.fit.moments
        q = len(L)
        theta = L.T @ np.linalg.solve(L @ m.phi @ L.T, L)
        parts = np.stack([theta @ m.phi @ first @ m.phi for first in m.first])
        traces = np.trace(parts, axis1=1, axis2=2)
        a1 = float(traces @ self._weights @ traces)
        a2 = float(np.einsum("rs,rpq,sqp->", self._weights, parts, parts))
        if a2 <= 0:
            return float(self.n - len(self.beta)), 1.0
        if q == 1:
            # What follows comes to this for one row (A1 = A2), without its removable singularities.
            return 2 / a2, 1.0
        b = (a1 + 6 * a2) / (2 * q)
        g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
        below = 3 * q + 2 * (1 - g)
        c1, c2, c3 = g / below, (q - g) / below, (q + 2 - g) / below
        v0, v1, v2 = 1 + c1 * b, 1 - c2 * b, 1 - c3 * b
        if abs(v0) < 1e-10:
            v0 = 0.0
        ratio = (1 - a2 / q) / v1 if abs(v1) > 1e-14 else 1.0
        if abs(v2) < 1e-14:
            den = 4.0
        else:
            rho = ratio**2 * v0 / v2 / q
            den = 4 + (q + 2) / (q * rho - 1) if abs(q * rho - 1) > 1e-14 else float(self.n - len(self.beta))
        scaling = 1.0 if abs(den - 2) < 1e-2 else den * (1 - a2 / q) / (den - 2)
        return float(den), float(scaling)

    def _satterthwaite(self, row: Array) -> float:
        m = self.fit.moments
        spread = m.phi @ np.ravel(row)
        variance = float(np.ravel(row) @ spread)
        # d(l' Phi l) / d gamma_r = -l' Phi P_r Phi l
        slope = -np.einsum("p,rpq,q->r", spread, m.first, spread)[self._used]
        below = float(slope @ self._weights @ slope)
        return 2 * variance**2 / below if below > 0 else float(self.n - len(self.beta))

    def _fai_cornelius(self, L: Array) -> float:
        if len(L) == 1:
            return self._satterthwaite(L[0])
        values, vectors = np.linalg.eigh(L @ self.covariance @ L.T)
        keep = values > values.max() * 1e-10
        dfs = np.array([self._satterthwaite(vector @ L) for vector in vectors.T[keep]])
        if np.ptp(dfs) < 1e-8 * dfs.max():
            return float(dfs[0])
        if np.any(dfs <= 2):
            return 2.0
        expectation = float((dfs / (dfs - 2)).sum())
        return 2 * expectation / (expectation - len(dfs))
