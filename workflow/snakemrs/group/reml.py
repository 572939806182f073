"""Linear mixed models with random intercepts by restricted maximum likelihood (REML).

The model is y = X b + sum_k Z_k u_k + e with var(u_k) = t_k I and var(e) = s2 R, where R is the identity or, as a
sensitivity analysis, a first-order autoregression within each session. The covariance V = sum_k t_k G_k + s2 R falls
into independent blocks (in a trial: the participants). Blocks of one pattern (same frames, same sessions) share one V
and so one Cholesky factor: a crossover of 26 x 2 x 6 takes a few milliseconds.

Nothing here reads files or knows a trial. Sources: Patterson & Thompson 1971 (Biometrika 58:545), Harville 1977
(J Am Stat Assoc 72:320) for the likelihood; Gilmour, Thompson & Cullis 1995 (Biometrics 51:1440) for its derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Array = NDArray[Any]

#: A variance below this share of the residual variance is reported as zero (the boundary).
BOUNDARY = 1e-7


@dataclass(frozen=True)
class Pattern:
    """Independent blocks that share one covariance matrix.

    Attributes
    ----------
    rows : (m, n) int
        Rows of the data of the m blocks, in one canonical order.
    same : (K, n, n) float
        G_k: 1 where two rows share the level of random term k.
    gaps : (n, n) float or None
        Distance in time of two rows of one autoregressive series; infinite between series.
    """

    rows: Array
    same: Array
    gaps: Array | None


def block_patterns(
    n: int, groups: list[Array], series: Array | None = None, time: Array | None = None
) -> list[Pattern]:
    """Split the rows into independent blocks and collect blocks of equal structure.

    Parameters
    ----------
    n : int
        Number of rows.
    groups : list of (n,) int
        Level of each row, a random term each.
    series : (n,) int, optional
        The autoregressive series of each row (the session).
    time : (n,) float, optional
        Place in the series (the frame number).
    """
    factors = [np.unique(g, return_inverse=True)[1] for g in groups]
    if series is not None:
        factors.append(np.unique(series, return_inverse=True)[1])
    if not factors:
        return [Pattern(np.arange(n)[:, None], np.zeros((0, 1, 1)), None)]
    offset, rows, columns = n, [], []
    for codes in factors:
        rows.append(np.arange(n))
        columns.append(codes + offset)
        offset += int(codes.max()) + 1
    edges = coo_matrix((np.ones(n * len(factors)), (np.concatenate(rows), np.concatenate(columns))), (offset, offset))
    component = connected_components(edges, directed=False)[1][:n]
    order_time = np.zeros(n) if time is None else np.asarray(time, float)
    order = np.lexsort((np.arange(n), order_time, *factors[::-1], component))
    starts = np.flatnonzero(np.r_[True, np.diff(component[order]) != 0])
    collected: dict[bytes, tuple[list[Array], Array, Array | None]] = {}
    for block in np.split(order, starts[1:]):
        size = len(block)
        levels = [codes[block] for codes in factors[: len(groups)]]
        same = np.array([level[:, None] == level for level in levels], dtype=float).reshape(len(groups), size, size)
        gaps = None
        key = same.tobytes()
        if series is not None:
            distance = np.abs(order_time[block][:, None] - order_time[block])
            gaps = np.where(factors[-1][block][:, None] == factors[-1][block], distance, np.inf)
            key += gaps.tobytes()
        collected.setdefault(key, ([], same, gaps))[0].append(block)
    return [Pattern(np.stack(blocks), same, gaps) for blocks, same, gaps in collected.values()]


@dataclass(frozen=True)
class Moments:
    """Everything that estimation and small-sample inference need at one value of the covariance parameters.

    Attributes
    ----------
    deviance : float
        -2 log restricted likelihood, with all its constants.
    beta : (p,) array
        Generalised least-squares estimate.
    phi : (p, p) array
        (X' V^-1 X)^-1.
    gradient : (q,) array
        First derivatives of the deviance by the covariance parameters.
    expected : (q, q) array
        tr(P D_r P D_s): the expected second derivatives of the deviance.
    observed : (q, q) array
        The second derivatives themselves.
    first : (q, p, p) array
        P_r = -X' V^-1 D_r V^-1 X (Kenward & Roger 1997).
    second : (q, q, p, p) array
        Q_rs = X' V^-1 D_r V^-1 D_s V^-1 X.
    curved : (q, q, p, p) array
        R_rs = X' V^-1 D_rs V^-1 X, zero where V is linear in the parameters.
    """

    deviance: float
    beta: Array
    phi: Array
    gradient: Array
    expected: Array
    observed: Array
    first: Array
    second: Array
    curved: Array


def _autoregression(gaps: Array, rho: float) -> tuple[Array, Array, Array]:
    """R(rho) = rho^gap within a series and its first two derivatives by rho (a negative rho needs whole gaps)."""
    finite = np.isfinite(gaps)
    g = np.where(finite, gaps, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r0 = np.where(finite, np.power(rho, g), 0.0)
        r1 = np.where(finite & (g > 0), g * np.power(rho, g - 1), 0.0)
        r2 = np.where(finite & (g > 0) & (g != 1), g * (g - 1) * np.power(rho, g - 2), 0.0)
    return r0, r1, r2


def steps_of(series: Array, time: Array) -> Array:
    """Place of each row in its series in units of the smallest distance of two rows of one series.

    So the autocorrelation is that of the closest rows, whatever the unit of the column. Places within a thousandth of
    a whole step are whole (times are rounded); two rows at one place stay so.
    """
    series, time = np.asarray(series), np.asarray(time, float)
    order = np.lexsort((time, series))
    same = np.diff(series[order]) == 0
    distances = np.diff(time[order])[same]
    if not np.any(distances > 0):
        return np.zeros(len(time))
    first: Array = np.full(int(series.max()) + 1, np.inf)
    np.minimum.at(first, series, time)
    place = (time - first[series]) / distances[distances > 0].min()
    result: Array = np.where(np.abs(place - np.round(place)) < 1e-3, np.round(place), place)
    return result


def moments(
    patterns: list[Pattern], X: Array, y: Array, variances: Array, rho: float | None = None, with_rho: bool = False
) -> Moments:
    """Evaluate the restricted likelihood and its derivatives.

    Parameters
    ----------
    variances : (K + 1,) array
        t_1 ... t_K and the residual variance s2, in the units of y squared.
    rho : float, optional
        Autocorrelation of neighbouring rows of a series.
    with_rho : bool
        Count rho among the parameters (last).

    Raises
    ------
    scipy.linalg.LinAlgError
        If V is not positive definite.
    """
    n, p = X.shape
    k = len(variances)
    q = k + int(with_rho)
    sigma2 = variances[-1]
    logdet = 0.0
    information, cross, quadratic = np.zeros((p, p)), np.zeros(p), 0.0
    kept = []
    for pattern in patterns:
        m, size = pattern.rows.shape
        if rho is None or pattern.gaps is None:
            residual, slope, bend = np.eye(size), None, None
        else:
            residual, slope, bend = _autoregression(pattern.gaps, rho)
        derivatives = [*pattern.same, residual]
        V = np.tensordot(variances, np.stack(derivatives), axes=1)
        factor = cholesky(V, lower=True)
        inverse = cho_solve((factor, True), np.eye(size))
        logdet += m * 2.0 * float(np.log(np.diag(factor)).sum())
        Xb, yb = X[pattern.rows], y[pattern.rows]
        ViX, Viy = inverse @ Xb, yb @ inverse
        information += np.tensordot(Xb, ViX, axes=([0, 1], [0, 1]))
        cross += np.tensordot(ViX, yb, axes=([0, 1], [0, 1]))
        quadratic += float((yb * Viy).sum())
        if with_rho and slope is not None:
            derivatives.append(sigma2 * slope)
        kept.append((m, inverse, np.stack(derivatives), ViX, Viy, slope, bend))
    root = cholesky(information, lower=True)
    phi = cho_solve((root, True), np.eye(p))
    phi = (phi + phi.T) / 2
    beta = phi @ cross
    deviance = logdet + 2 * float(np.log(np.diag(root)).sum()) + quadratic - float(cross @ beta)
    deviance += (n - p) * float(np.log(2 * np.pi))

    trace1, trace2, trace_bend = np.zeros(q), np.zeros((q, q)), np.zeros((q, q))
    first, second = np.zeros((q, p, p)), np.zeros((q, q, p, p))
    curved = np.zeros((q, q, p, p))
    quad1, quad2, quad_bend = np.zeros(q), np.zeros((q, q)), np.zeros((q, q))
    fixed = np.zeros((q, p))
    for m, inverse, D, ViX, Viy, slope, bend in kept:
        e = Viy - ViX @ beta  # V^-1 (y - X b) = P y
        ViD = inverse @ D
        trace1 += m * np.trace(ViD, axis1=1, axis2=2)
        trace2 += m * np.einsum("rij,sji->rs", ViD, ViD)
        DX = np.einsum("rij,bjp->rbip", D, ViX)
        first -= np.einsum("bip,rbiq->rpq", ViX, DX)
        ViDX = np.einsum("ij,rbjp->rbip", inverse, DX)
        flat = DX.transpose(0, 3, 1, 2).reshape(q * p, -1) @ ViDX.transpose(1, 2, 0, 3).reshape(-1, q * p)
        second += flat.reshape(q, p, q, p).transpose(0, 2, 1, 3)
        De = np.einsum("rij,bj->rbi", D, e)
        quad1 += np.einsum("bi,rbi->r", e, De)
        ViDe = De @ inverse
        quad2 += np.einsum("rbi,sbi->rs", De, ViDe)
        fixed += np.einsum("bip,rbi->rp", ViX, De)
        if with_rho and slope is not None and bend is not None:
            for r, s, matrix in ((q - 2, q - 1, slope), (q - 1, q - 1, sigma2 * bend)):
                term = np.einsum("bip,ij,bjq->pq", ViX, matrix, ViX)
                tr = m * float((inverse * matrix).sum())
                qf = float(np.einsum("bi,ij,bj->", e, matrix, e))
                for a, b in {(r, s), (s, r)}:
                    curved[a, b] += term
                    trace_bend[a, b] += tr
                    quad_bend[a, b] += qf
    gradient = trace1 + np.einsum("pq,rqp->r", phi, first) - quad1
    phi_first = phi @ first
    expected = trace2 - 2 * np.einsum("pq,rsqp->rs", phi, second) + np.einsum("rpq,sqp->rs", phi_first, phi_first)
    observed = -expected + 2 * (quad2 - fixed @ phi @ fixed.T)
    observed += trace_bend - np.einsum("pq,rsqp->rs", phi, curved) - quad_bend
    return Moments(deviance, beta, phi, gradient, expected, observed, first, second, curved)


@dataclass(frozen=True)
class RemlFit:
    """A fitted model.

    Attributes
    ----------
    variances : (K + 1,) array
        Variance of each random term and, last, of the residual.
    rho : float or None
        Autocorrelation of rows at the smallest distance, where it was estimated.
    moments : Moments
        At the estimate; with the autocorrelation among the parameters where it was estimated and is not at its limit.
    converged : bool
        Whether the likelihood is at its maximum.
    boundary : tuple of int
        Random terms whose variance was estimated as zero.
    iterations : int
        Newton steps taken.
    message : str
        Why it did not converge, or that the autocorrelation is zero; empty otherwise.
    """

    variances: Array
    rho: float | None
    moments: Moments
    converged: bool
    boundary: tuple[int, ...]
    iterations: int
    message: str = ""
    fitted: Array = field(default_factory=lambda: np.zeros(0))


def _maximise(
    patterns: list[Pattern], X: Array, y: Array, start: Array, rho: float | None, limit: int = 200
) -> tuple[Array, Moments, bool, int, str]:
    """Take projected Newton steps on the variances (all >= 0) until the gradient vanishes.

    Observed second derivatives where they are positive definite, expected ones (Fisher scoring) where not; steps are
    halved until the deviance falls.
    """
    variances = start.copy()
    now = moments(patterns, X, y, variances, rho)
    floor = np.zeros(len(variances))
    floor[-1] = 1e-12
    for iteration in range(limit):
        scale = np.sqrt(np.abs(np.diag(now.expected)))
        # A variance that the data say nothing about (its levels are all fixed effects) is put to zero, and said.
        unknown = scale[:-1] < 1e-9 * scale.max()
        if unknown.any() and variances[:-1][unknown].any():
            variances[:-1][unknown] = 0.0
            now = moments(patterns, X, y, variances, rho)
            continue
        held = (variances <= floor) & (now.gradient > 0)
        held[:-1] |= unknown
        free = ~held
        slope = np.where(free, now.gradient, 0.0) / np.maximum(scale, 1e-300)
        if np.abs(slope).max() < 1e-9 * max(1.0, np.sqrt(len(y))):
            return variances, now, True, iteration, ""
        step = np.zeros_like(variances)
        for hessian in (now.observed, now.expected):
            part = hessian[np.ix_(free, free)]
            try:
                root = cholesky(part / np.outer(scale[free], scale[free]), lower=True)
            except LinAlgError:
                continue
            if np.diag(root).min() < 1e-6:
                continue
            step[free] = -cho_solve((root, True), now.gradient[free] / scale[free]) / scale[free]
            break
        else:
            step[free] = -now.gradient[free] / np.maximum(scale[free] ** 2, 1e-300)
        size, better = 1.0, None
        while size > 1e-10:
            trial = np.maximum(variances + size * step, floor)
            try:
                candidate = moments(patterns, X, y, trial, rho)
            except LinAlgError:
                size /= 2
                continue
            if candidate.deviance <= now.deviance + 1e-12 * abs(now.deviance):
                better = candidate
                break
            size /= 2
        if better is None:
            small = bool(np.abs(slope).max() < 1e-5)
            return variances, now, small, iteration, "" if small else "no step lowers the deviance"
        moved = float(np.abs(trial - variances).max() / variances.max())
        stalled = moved < 1e-13
        variances, now = trial, better
        if stalled:
            return variances, now, bool(np.abs(slope).max() < 1e-5), iteration, ""
    return variances, now, False, limit, f"not at the maximum after {limit} steps"


def fit_reml(
    X: Array, y: Array, groups: list[Array], series: Array | None = None, time: Array | None = None
) -> RemlFit:
    """Fit the model by restricted maximum likelihood.

    Parameters
    ----------
    X : (n, p) array
        Fixed effects, of full column rank.
    y : (n,) array
        The outcome.
    groups : list of (n,) int
        Level of each row, a random intercept each.
    series, time : (n,) arrays, optional
        Give both for an autoregressive residual: the series (session, counted from 0) and the place in it, in any unit.

    Raises
    ------
    ValueError
        If there are too few rows for the fixed effects, or nothing varies.
    """
    n, p = X.shape
    if n <= p:
        raise ValueError(f"{n} rows cannot determine {p} fixed effects and a variance")
    beta, *_ = np.linalg.lstsq(X, y, rcond=None)
    spread = float(np.sum((y - X @ beta) ** 2)) / (n - p)
    if spread <= 1e-20 * max(1.0, float(np.var(y))):
        raise ValueError("the outcome has no variance left beside the fixed effects")
    scale = np.sqrt(spread)
    scaled = y / scale
    patterns = block_patterns(n, groups, series, None if series is None or time is None else steps_of(series, time))
    start = np.full(len(groups) + 1, 1.0 / (len(groups) + 1))

    rho: float | None = None
    if series is not None:
        rho, start = _profile_rho(patterns, X, scaled, start)
    variances, _, converged, iterations, message = _maximise(patterns, X, scaled, start, rho)
    small = variances[:-1] < BOUNDARY * variances[-1]
    variances[:-1][small] = 0.0
    variances = variances * spread
    final = moments(patterns, X, y, variances, rho, with_rho=rho is not None and rho != 0)
    boundary = tuple(int(i) for i in np.flatnonzero(small))
    if rho == 0:
        said = "the autocorrelation is at its limit, 0: distances that are not whole steps allow no negative one"
        message = f"{message}; {said}" if message else said
    elif rho is not None and _at_limit(patterns, rho):
        message = (message + "; " if message else "") + f"the autocorrelation is at its limit ({rho:.3f})"
        converged = False
    return RemlFit(variances, rho, final, converged, boundary, iterations, message, X @ final.beta)


def _neighbours(patterns: list[Pattern]) -> tuple[float, bool]:
    """Median distance of neighbouring rows in steps, and whether all distances are whole."""
    near, whole = [], True
    for pattern in patterns:
        if pattern.gaps is None:
            continue
        finite = np.isfinite(pattern.gaps)
        whole = whole and bool(np.all(pattern.gaps[finite] == np.round(pattern.gaps[finite])))
        # Rows stand in the order of series and time: neighbours are beside the diagonal.
        beside = np.diag(pattern.gaps, 1)
        near += [*beside[np.isfinite(beside)]] * len(pattern.rows)
    return max(float(np.median(near)), 1.0) if near else 1.0, whole


def _at_limit(patterns: list[Pattern], rho: float) -> bool:
    """Whether neighbouring rows are correlated by more than 0.98, in either direction."""
    return abs(rho) ** _neighbours(patterns)[0] > 0.98


def _profile_rho(patterns: list[Pattern], X: Array, y: Array, start: Array) -> tuple[float, Array]:
    """Find the autocorrelation that maximises the likelihood (variances profiled out), first on a grid.

    The grid is even in the correlation of typical neighbours, rho^m at their median distance m.
    """
    from scipy.optimize import minimize_scalar

    last = start.copy()
    median, whole = _neighbours(patterns)
    lowest = -0.95 if whole else 0.0

    def deviance(rho: float) -> float:
        try:
            return _maximise(patterns, X, y, last, rho)[1].deviance
        except LinAlgError:
            return float("inf")

    def scaled(correlation: float) -> float:
        return float(np.sign(correlation) * abs(correlation) ** (1 / median))

    grid = [scaled(c) for c in np.linspace(lowest, 0.95, 9)]
    values = [deviance(r) for r in grid]
    best = int(np.argmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    if best == len(grid) - 1:
        high = scaled(0.99)
    if best == 0 and lowest < 0:
        low = -0.99
    found = minimize_scalar(deviance, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    rho = float(found.x)
    if lowest == 0 and deviance(0.0) <= float(found.fun):
        rho = 0.0
    return rho, _maximise(patterns, X, y, last, rho)[0]
