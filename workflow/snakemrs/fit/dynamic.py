"""One joint fit of all transients: amplitudes and line width as linear models of a design.

Model of transient m, phased and shifted to the others::

    y_m = Σ_k (Σ_p D_mp·β_pk)·X_k(θ, L + ΔL_m) + Σ_h H_mh·b_h + noise,      ΔL_m = Σ_q E_mq·λ_q

D: regressors of the amplitudes, E: those of the line width, centred; H: the constant and drifts, for the baseline. X is
expanded to the second order in ΔL (a fraction of a hertz), so that time enters only through the products D_p, D_p·E_q,
D_p·E_q·E_r. The transients are projected on an orthonormal basis of these: nothing is lost for any of the unknowns, and
the cost of the fit does not grow with their number. β and b are linear and eliminated; θ and λ are found by
Gauss–Newton (variable projection as in `snakemrs.fit.engine`; the idea of fitting time and spectrum together: Clarke et
al., NMR Biomed 2024, 37:e5125; why line width must be in it: Bednařík et al., NeuroImage 2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from snakemrs.fit.engine import Engine, State
from snakemrs.fit.problem import Problem

CHANGE_SPREAD = 0.4
"""Spread of changes over time, in units of the spread of amplitudes between people (fit_priors.yaml)."""
BROAD_SPREAD = 0.01
"""Standard deviation of changes of macromolecules and lipids, relative."""


@dataclass(frozen=True)
class Aligned:
    """Transients brought together: `spectra` in the window (M, n), `shift` (Hz) and `phase` (rad) taken out, (M,)."""

    spectra: np.ndarray
    shift: np.ndarray
    phase: np.ndarray


@dataclass(frozen=True)
class DynamicFit:
    """Result of the joint fit.

    Attributes
    ----------
    names : tuple of str
        Basis functions.
    betas : ndarray, shape (P, K)
        In the units of the data.
    covariance : ndarray, shape (P·K, P·K)
        Of the betas, regressors first (row p·K + k), all other unknowns included.
    width_betas : ndarray, shape (Q,)
        Hz per unit of regressor.
    width_covariance : ndarray, shape (Q, Q)
    theta : ndarray, shape (m,)
    residual_ratio : float
        Residual of all transients over the noise.
    by_transient : ndarray, shape (M,)
        The same for each transient.
    residual_amplitudes : ndarray, shape (M, K)
        What the model leaves of each transient, as amplitudes (relative: only their course in time matters).
    iterations : int
    converged : bool
    """

    names: tuple[str, ...]
    betas: np.ndarray
    covariance: np.ndarray
    width_betas: np.ndarray
    width_covariance: np.ndarray
    theta: np.ndarray
    residual_ratio: float
    by_transient: np.ndarray
    residual_amplitudes: np.ndarray
    iterations: int
    converged: bool


def align_to_fit(
    engine: Engine, state: State, fids: np.ndarray, passes: int = 3, start: Aligned | None = None
) -> Aligned:
    """Shift and phase of each transient against a fit of their mean, taken out.

    Least squares of each transient on the fitted spectrum and its derivatives by phase, shift and width, so that a
    change of amplitude or width is not taken for one of phase or shift; repeated with what was found applied. The
    transients are cut to the band of the problem first: the window and its margins hold all that is looked at.

    Parameters
    ----------
    engine, state : Engine, State
        Fit of the mean.
    fids : ndarray of complex, shape (M, points)
    passes : int
    start : Aligned, optional
        What an earlier alignment found.
    """
    problem = engine.problem
    signal = (state.amplitudes @ state.shapes)[None]
    turn = 1 / engine.phase_of(state.theta)
    stack = np.concatenate([signal, 2j * np.pi * problem.time * signal, -np.pi * problem.decay_time * signal])
    model, by_shift, by_width = problem.fold(stack) * turn
    baseline = ((state.baseline @ problem.splines).view(complex) * engine.scale) * turn
    templates = np.array([model, 1j * model, by_shift, by_width]).view(float)
    solver = np.linalg.pinv(templates.T)
    offset = solver @ np.ascontiguousarray(baseline).view(float)
    shift, phase = (start.shift.copy(), start.phase.copy()) if start else (np.zeros(len(fids)), np.zeros(len(fids)))
    band = _in_band(problem, fids)
    step = problem.points * problem.dwell_time / problem.band
    window = slice(problem.first, problem.first + len(problem.bins))
    late = slice(problem.band - problem.negative, None)

    def moved() -> np.ndarray:
        turn = rotation(shift, phase, step, problem.band)
        # The last points are those before t = 0, where the band limit makes a signal spill to: one period earlier.
        turn[:, late] *= np.exp(2j * np.pi * shift * step * problem.band)[:, None]
        return np.ascontiguousarray(fft.fft(band * turn, axis=1, overwrite_x=True)[:, window])

    limit = 3.0
    spectra = moved()
    for _ in range(passes):
        found = spectra.view(float) @ solver.T - offset
        size = np.where(np.abs(found[:, 0]) > 0.2, found[:, 0], 1.0)
        phase += np.arctan2(found[:, 1], size)
        shift += np.clip(found[:, 2] / size, -limit, limit)
        spectra = moved()
    return Aligned(spectra, shift, phase)


def _in_band(problem: Problem, fids: np.ndarray) -> np.ndarray:
    """Transients cut to the band of the problem, whose ends fade out, as time signals, shape (M, band)."""
    bins = (problem.bins[0] - problem.first + np.arange(problem.band)) % problem.points
    margin = min(problem.first, problem.band - problem.first - len(problem.bins))
    fade = np.sin(0.5 * np.pi * np.minimum((np.arange(problem.band) + 0.5) / max(margin // 2, 1), 1.0)) ** 2
    return np.asarray(fft.ifft(fft.fft(fids[:, : problem.points], axis=1)[:, bins] * (fade * fade[::-1]), axis=1))


def rotation(shift: np.ndarray, phase: np.ndarray, step: float, points: int) -> np.ndarray:
    """exp(−iφ − 2πi·f·t) for each transient at t = 0, step, 2·step, …, shape (M, points).

    Made of a coarse and a fine table whose product it is: exponentials cost more than products.
    """
    fine = 64
    coarse = -(-points // fine)
    angle = 2 * np.pi * step * shift[:, None]
    within = np.exp(-1j * angle * np.arange(fine))
    starts = np.exp(-1j * (angle * (fine * np.arange(coarse)) + phase[:, None]))
    return np.asarray((starts[:, :, None] * within[:, None, :]).reshape(len(shift), -1)[:, :points])


def fit_dynamic(
    engine: Engine,
    state: State,
    aligned: Aligned,
    noise: float,
    design: np.ndarray,
    width_design: np.ndarray,
    baseline_design: np.ndarray,
    weights: np.ndarray | None = None,
    iterations: int = 12,
) -> DynamicFit:
    """Fit all transients at once.

    Parameters
    ----------
    engine, state : Engine, State
        Fit of the mean spectrum: start of θ, stiffness of the baseline, soft priors (these hold for the mean).
    aligned : Aligned
    noise : float
        Standard deviation of the real part of the noise of a single transient's spectrum.
    design : ndarray, shape (M, P)
        Regressors of the amplitudes, the first a constant.
    width_design : ndarray, shape (M, Q)
        Regressors of the line width; Q may be 0. They are centred here.
    baseline_design : ndarray, shape (M, H)
        What the baseline follows.
    weights : ndarray, shape (M,), optional
        Of the transients, above zero: 1 counts in full, a half like twice the variance of noise.
    iterations : int
        Most Gauss–Newton steps.
    """
    problem, parameters = engine.problem, engine.parameters
    count, regressors = design.shape
    size = len(problem.names)
    scale = noise
    root = np.ones((count, 1)) if weights is None else np.sqrt(np.asarray(weights, float))[:, None]
    data = np.ascontiguousarray(aligned.spectra * engine.phase_of(state.theta)).view(float) * (root / scale)
    around = width_design - np.average(width_design, axis=0, weights=root[:, 0] ** 2)
    precision = _prior(engine, state, design)
    design, baseline_design = design * root, baseline_design * root
    frame = _time_basis(design, around, baseline_design)
    projected = frame.T @ data
    baseline_axes = frame.T @ np.linalg.qr(baseline_design)[0]
    is_phase = np.isin(parameters.names, ("phase0", "phase1"))  # phases are those of the transients
    movable = np.flatnonzero((parameters.upper > parameters.lower) & ~is_phase)
    theta, widths = state.theta.copy(), np.zeros(around.shape[1])
    step = np.inf
    done = 0
    cost = np.inf
    for done in range(1, iterations + 1):  # noqa: B007 (used after the loop)
        local = _Local(engine, state, theta, scale)
        solved = _solve(local, problem, engine, frame, design, around, widths, projected, baseline_axes, precision)
        matrix, gradient = _reduced(local, solved, engine, frame, design, around, widths, movable, theta)
        move = np.linalg.solve(matrix, -gradient)
        step = float(-gradient @ move)
        theta[movable] = np.clip(
            theta[movable] + move[: len(movable)], parameters.lower[movable], parameters.upper[movable]
        )
        widths = np.clip(widths + move[len(movable) :], -10, 10)
        if step < 1e-4 or abs(cost - solved.cost) < 1e-5:
            break
        cost = solved.cost
    local = _Local(engine, state, theta, scale)
    solved = _solve(local, problem, engine, frame, design, around, widths, projected, baseline_axes, precision)
    covariance, width_covariance = _covariance(
        local, solved, engine, frame, design, around, widths, movable, theta, precision
    )
    rest = data - frame @ solved.model
    free = regressors * size + len(movable) + len(widths) + 2 * count
    ratio = float(np.sqrt(np.sum(rest**2) / max(rest.size - free, 1)))
    weighted = state.spectra - (state.cross * engine.damping) @ problem.splines
    inflation = max(ratio, 1.0)
    return DynamicFit(
        names=problem.names,
        betas=solved.betas,
        covariance=covariance * inflation**2,
        width_betas=widths,
        width_covariance=width_covariance * inflation**2,
        theta=theta,
        residual_ratio=ratio,
        by_transient=np.sqrt(np.mean(rest**2, axis=1)),
        residual_amplitudes=rest @ np.linalg.solve(state.gram, weighted).T,
        iterations=done,
        converged=step < 1e-2 or done < iterations,
    )


class _Local:
    """Basis spectra at θ and their first two derivatives by width, shapes (3, K, 2n), in noise units."""

    def __init__(self, engine: Engine, state: State, theta: np.ndarray, scale: float) -> None:
        problem = engine.problem
        self.state, self.scale = state, scale
        self.shapes = problem.signals * engine.shape_of(theta)
        turn = -np.pi * problem.decay_time
        stack = np.concatenate([self.shapes, self.shapes * turn, self.shapes * (0.5 * turn**2)])
        self.flat = problem.fold(stack).view(float) / scale
        self.inner = self.flat @ self.flat.T
        self.cross = self.flat @ problem.splines.T


@dataclass(frozen=True)
class _Solved:
    betas: np.ndarray  # (P, K)
    cost: float
    gram: np.ndarray  # (P·K, P·K), baseline eliminated, priors added
    weights: np.ndarray  # (P, 3, R)
    on_baseline: np.ndarray  # (H, P·K, B)
    axes: np.ndarray  # (R, H)
    residual: np.ndarray  # (R, 2n) model with baseline minus data
    model: np.ndarray  # (R, 2n)


def _time_basis(design: np.ndarray, around: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Orthonormal basis (M, R) of all the courses of time that the model holds.

    Where the transients are alike in a few groups (blocks, bins), these groups are the basis.
    """
    kinds, group = np.unique(np.round(np.hstack([design, around, baseline]), 12), axis=0, return_inverse=True)
    pairs = around.shape[1] * (around.shape[1] + 1) // 2
    if len(kinds) <= design.shape[1] * (1 + around.shape[1] + pairs) + baseline.shape[1]:
        member = (group.ravel()[:, None] == np.arange(len(kinds))).astype(float)
        return np.asarray(member / np.linalg.norm(member, axis=0))
    columns = [design, baseline]
    for q in range(around.shape[1]):
        columns.append(design * around[:, q : q + 1])
        columns += [design * (around[:, q] * around[:, r])[:, None] for r in range(q, around.shape[1])]
    stacked = np.concatenate(columns, axis=1)
    stacked = stacked / np.maximum(np.linalg.norm(stacked, axis=0), 1e-300)
    left, values, _ = np.linalg.svd(stacked, full_matrices=False)
    return np.asarray(left[:, values > 1e-8 * values[0]])


def _prior(engine: Engine, state: State, design: np.ndarray) -> np.ndarray:
    """Precision of the betas (P·K, P·K) in noise units.

    The mean amplitudes, ``design.mean @ betas``, have the soft priors of the static fit. Changes have the same priors,
    tighter by `CHANGE_SPREAD`: weakly determined metabolites may change by about a fifth, pairs keep their shares.
    Macromolecules and lipids do not change (`BROAD_SPREAD`).
    """
    mean, span = design.mean(axis=0), np.ptp(design, axis=0)
    precision = np.kron(np.outer(mean, mean), engine.prior.precision)
    size = len(state.amplitudes)
    typical = np.maximum(state.amplitudes, 1e-3 * state.amplitudes.max())
    still = np.where(engine.problem.groups > 0, 1 / (BROAD_SPREAD * typical) ** 2, 0.0)
    for p in range(1, design.shape[1]):
        at = slice(p * size, (p + 1) * size)
        precision[at, at] += (engine.prior.precision / CHANGE_SPREAD**2 + np.diag(still)) * span[p] ** 2
    return precision


def _solve(
    local: _Local,
    problem: Problem,
    engine: Engine,
    frame: np.ndarray,
    design: np.ndarray,
    around: np.ndarray,
    widths: np.ndarray,
    data: np.ndarray,
    axes: np.ndarray,
    precision: np.ndarray,
) -> _Solved:
    """Betas and baseline for given θ and λ."""
    change = around @ widths
    courses = np.stack([design, design * change[:, None], design * (change**2)[:, None]], axis=2)  # (M, P, 3)
    weights = np.einsum("mr,mpi->pir", frame, courses)
    regressors, size = design.shape[1], len(problem.names)
    inner = local.inner.reshape(3, size, 3, size)
    gram = np.einsum("pir,qjr,ikjl->pkql", weights, weights, inner, optimize=True).reshape(regressors * size, -1)
    overlap = local.flat @ data.T  # (3K, R)
    target = np.einsum("pir,ikr->pk", weights, overlap.reshape(3, size, -1)).ravel()
    cross = local.cross.reshape(3, size, -1)
    on_baseline = np.einsum("rh,pir,ikb->hpkb", axes, weights, cross, optimize=True).reshape(
        axes.shape[1], regressors * size, -1
    )
    data_on = (axes.T @ data) @ problem.splines.T  # (H, B)
    damping = engine.damping
    for on, of_data in zip(on_baseline, data_on, strict=True):
        gram = gram - (on * damping) @ on.T
        target = target - (on * damping) @ of_data
    full = gram + precision
    flat_betas = np.linalg.solve(full, target)
    betas = flat_betas.reshape(regressors, size)
    coefficients = damping * (data_on - np.einsum("hxb,x->hb", on_baseline, flat_betas))
    effective = np.einsum("pir,pk->ikr", weights, betas).reshape(3 * size, -1)
    model = effective.T @ local.flat + axes @ (coefficients @ problem.splines)
    cost = float(np.sum(data**2) - np.sum(damping * data_on**2) - target @ flat_betas)
    return _Solved(betas, cost, full, weights, on_baseline, axes, model - data, model)


def _slopes(
    local: _Local,
    solved: _Solved,
    engine: Engine,
    frame: np.ndarray,
    design: np.ndarray,
    around: np.ndarray,
    widths: np.ndarray,
    movable: np.ndarray,
    theta: np.ndarray,
) -> np.ndarray:
    """Derivatives of the model by θ (movable) and λ, shape (m + Q, R, 2n)."""
    size = len(engine.problem.names)
    by_theta = np.zeros((len(movable), *solved.model.shape))
    at_rest = np.einsum("pr,pk->rk", solved.weights[:, 0], solved.betas)
    for r, amplitudes in enumerate(at_rest):
        here = replace(local.state, shapes=local.shapes, amplitudes=amplitudes)
        by_theta[:, r] = engine.derivatives(here)[movable] * (engine.scale / local.scale)
    change = around @ widths
    by_width = np.zeros((len(widths), *solved.model.shape))
    spectra = local.flat.reshape(3, size, -1)
    for q in range(len(widths)):
        first = np.einsum("mr,mp->rp", frame, design * around[:, q : q + 1]) @ solved.betas
        second = np.einsum("mr,mp->rp", frame, design * (2 * change * around[:, q])[:, None]) @ solved.betas
        by_width[q] = first @ spectra[1] + second @ spectra[2]
    return np.concatenate([by_theta, by_width])


def _joint(slopes: np.ndarray, local: _Local, solved: _Solved, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
    """Matrix of the non-linear unknowns with the baseline eliminated, and their coupling to the betas."""
    flat = slopes.reshape(len(slopes), -1)
    size = len(engine.problem.names)
    matrix = flat @ flat.T
    overlap = np.einsum("sry,fy->srf", slopes, local.flat).reshape(len(slopes), slopes.shape[1], 3, size)
    coupling = np.einsum("pir,srik->spk", solved.weights, overlap, optimize=True).reshape(len(slopes), -1)
    on_splines = np.einsum("rh,sry,by->hsb", solved.axes, slopes, engine.problem.splines, optimize=True)
    for on, of_betas in zip(on_splines, solved.on_baseline, strict=True):
        matrix -= (on * engine.damping) @ on.T
        coupling -= (on * engine.damping) @ of_betas.T
    return matrix, coupling


def _reduced(
    local: _Local,
    solved: _Solved,
    engine: Engine,
    frame: np.ndarray,
    design: np.ndarray,
    around: np.ndarray,
    widths: np.ndarray,
    movable: np.ndarray,
    theta: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Newton matrix of θ and λ with betas and baseline eliminated, and the gradient."""
    slopes = _slopes(local, solved, engine, frame, design, around, widths, movable, theta)
    matrix, coupling = _joint(slopes, local, solved, engine)
    matrix -= coupling @ np.linalg.solve(solved.gram, coupling.T)
    prior = np.concatenate([engine.parameters.precision[movable], np.zeros(len(widths))])
    gap = np.concatenate([(theta - engine.parameters.mean)[movable], widths])
    gradient = slopes.reshape(len(slopes), -1) @ solved.residual.ravel() + prior * gap
    matrix[np.diag_indices_from(matrix)] += prior + 1e-9 * np.diag(matrix)
    return matrix, gradient


def _covariance(
    local: _Local,
    solved: _Solved,
    engine: Engine,
    frame: np.ndarray,
    design: np.ndarray,
    around: np.ndarray,
    widths: np.ndarray,
    movable: np.ndarray,
    theta: np.ndarray,
    precision: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of the betas, and of λ, from the Fisher matrix of everything.

    What is given is the sampling covariance: the spread that noise makes, with the priors as what they are, a
    regularisation (H⁻¹·F·H⁻¹ with F the information of the data alone, H that with priors).
    """
    slopes = _slopes(local, solved, engine, frame, design, around, widths, movable, theta)
    matrix, coupling = _joint(slopes, local, solved, engine)
    matrix[np.diag_indices_from(matrix)] += np.concatenate(
        [engine.parameters.precision[movable], np.zeros(len(widths))]
    )
    fisher = np.block([[solved.gram, coupling.T], [coupling, matrix]])
    unit = 1 / np.sqrt(np.maximum(np.diag(fisher), 1e-300))
    inverse = np.linalg.pinv(fisher * unit * unit[:, None], rcond=1e-12, hermitian=True) * unit * unit[:, None]
    linear = len(solved.gram)
    of_data = fisher.copy()
    of_data[:linear, :linear] -= precision
    sampling = inverse @ of_data @ inverse
    last = linear + len(movable)
    return sampling[:linear, :linear], sampling[last:, last:]
