"""The fit of one spectrum from start to bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snakemrs.fit.baseline import choose_stiffness
from snakemrs.fit.effective_noise import excess_of
from snakemrs.fit.engine import Engine, State, no_prior
from snakemrs.fit.kernel import kernel_functions
from snakemrs.fit.priors import amplitude_prior, parameters_for
from snakemrs.fit.problem import Problem
from snakemrs.fit.quality import Search, Verdict, judge
from snakemrs.fit.start import find_starts, noise_level
from snakemrs.fit.stiffness import damping_for
from snakemrs.fit.uncertainty import uncertainty_of
from snakemrs.study.settings.fit import FitSettings

WIDTHS = (2.0, 5.0, 9.0, 15.0)
"""Line widths (Hz) tried at the start, half Lorentzian, half Gaussian."""
LIPID_GAIN = 25.0
"""Fall of χ² from which lipid lines are added."""
SETTLING, SETTLED = 4, 0.9
"""With what metabolites and lines of their own explain, the effective noise falls, and they are freer again: rounds of
that at most, and the fall of the noise that is worth another."""
FIRST_TOLERANCE = 0.5
"""Gain of χ² at which the first search stops."""
FIRST_EFFECTIVE_PER_PPM = 2.0
"""Flexibility of the baseline before the data have chosen one."""


@dataclass(frozen=True)
class SpectrumFit:
    """What a fit gives.

    Attributes
    ----------
    names : tuple of str
    amplitudes : ndarray, shape (K,)
        In the units of the data (signal at t = 0 per proton).
    covariance, sampling, bound : ndarray, shape (K, K)
        Of the posterior, of repeated noise, and the Cramér–Rao bound (`snakemrs.fit.uncertainty.Uncertainty`).
    prior_share : ndarray, shape (K,)
        How much of each amplitude its prior decides: ∂estimate/∂(prior mean), between 0 and 1.
    ppm : ndarray, shape (n,)
    data, fit, baseline : ndarray of complex, shape (n,)
        Spectra, phased.
    parts : ndarray, shape (K, n)
        Real part of each basis function times its amplitude.
    parameters : dict
        Non-linear parameters by name, in the units of `snakemrs.fit.priors`.
    parameter_sd : dict
    line_width : float
        Full width at half maximum of a singlet, Hz.
    snr : float
        Height of the tallest metabolite line over the standard deviation of the noise.
    noise : float
        Standard deviation of the real part of the noise of the spectrum.
    residual_ratio : float
        Root mean square of the residual over the noise, corrected for the number of parameters.
    excess : float
        Effective noise over the scanner's noise (`snakemrs.fit.effective_noise`).
    baseline_ed : float
        Effective number of baseline parameters per ppm.
    verdict : Verdict
    evaluations : int
    """

    names: tuple[str, ...]
    amplitudes: np.ndarray
    covariance: np.ndarray
    sampling: np.ndarray
    bound: np.ndarray
    prior_share: np.ndarray
    ppm: np.ndarray
    data: np.ndarray
    fit: np.ndarray
    baseline: np.ndarray
    parts: np.ndarray
    parameters: dict[str, float]
    parameter_sd: dict[str, float]
    line_width: float
    snr: float
    noise: float
    residual_ratio: float
    excess: float
    baseline_ed: float
    verdict: Verdict
    evaluations: int = 0
    kinds: tuple[str, ...] = field(default=())


class Failure(Exception):  # noqa: N818 (a verdict on a spectrum, met as often as success)
    """A spectrum that cannot be fitted; the message says why."""


@dataclass(frozen=True)
class Optimum:
    """An engine at its optimum, and what the search met."""

    engine: Engine
    state: State
    search: Search


def fit_spectrum(problem: Problem, fid: np.ndarray, settings: FitSettings, known: Mapping[str, Any]) -> SpectrumFit:
    """Fit one spectrum.

    Parameters
    ----------
    problem : Problem
        Prepared for this dwell time, length and frequency.
    fid : ndarray of complex, shape (points,)
    settings : FitSettings
    known : mapping
        ``config/constants/fit_priors.yaml``.

    Raises
    ------
    Failure
        If the signal is not finite, zero, or there is nothing to fit.
    """
    optimum = fit_state(problem, fid, settings, known)
    result = result_of(optimum)
    if result.verdict.status == "failed" and _looks_conjugated(problem, np.asarray(fid[: problem.points]), settings):
        reason = "the sign of the imaginary part seems to be the opposite of NIfTI-MRS's; " + result.verdict.reason
        return replace(result, verdict=Verdict("failed", reason))
    return result


def fit_state(problem: Problem, fid: np.ndarray, settings: FitSettings, known: Mapping[str, Any]) -> Optimum:
    """Find the optimum of one spectrum; arguments and errors as in `fit_spectrum`."""
    if not np.all(np.isfinite(fid)):
        raise Failure("the signal contains values that are not finite")
    if not np.any(fid):
        raise Failure("the signal is zero")
    fid = np.array(fid[: problem.points], complex)
    noise = noise_level(fid, problem.dwell_time, problem.spectrometer_frequency)
    largest = float(np.abs(problem.window_of(fid)).max())
    noise = max(noise, 1e-6 * largest)
    dampings, width_ppm = problem.dampings, problem.width_ppm
    if settings.baseline == "none":
        damping = dampings[0]
    elif settings.baseline == "fixed":
        damping = damping_for(problem.roughness, settings.baseline_ed_per_ppm * width_ppm)
    else:
        damping = damping_for(problem.roughness, FIRST_EFFECTIVE_PER_PPM * width_ppm)
    always = settings.metabolite_shifts == "always"
    engine = _engine(problem, fid, noise, damping, settings, always)
    state, search = _first_fit(engine, fid, settings)
    engine, state = _measured_against_misfit(engine, state)
    if problem.with_lipids is not None:
        fat = _engine(problem.with_lipids, fid, noise, damping, settings, always).with_excess(engine.excess)
        extended = fat.evaluate(_insert(engine, fat, state.theta))
        if state.cost - extended.cost > LIPID_GAIN:
            engine, problem = fat, problem.with_lipids
            state, _ = engine.minimise(extended.theta, settings.max_iterations, tolerance=FIRST_TOLERANCE)
    converged, best = False, 0
    for round_ in range(2):
        if settings.baseline == "auto":
            if settings.soft_priors and not round_:
                engine.prior = amplitude_prior(problem.names, known, state.amplitudes, settings.prior_strength)
            first, last = (max(0, best - 1), best + 2) if round_ else (0, len(dampings))
            chosen = first + choose_stiffness(engine, state, dampings[first:last])[0]
            if round_ and chosen == best:
                break
            best = chosen
            engine.damping = dampings[best]
        elif round_:
            break
        if settings.soft_priors:
            engine.prior = amplitude_prior(problem.names, known, state.amplitudes, settings.prior_strength)
        state, converged = engine.minimise(state.theta, settings.max_iterations)
    own_shifts = always or (settings.metabolite_shifts == "auto" and excess_of(engine, state) > 1.0)
    if own_shifts != always or settings.metabolite_width_sd > 0 or settings.line_shape == "free":
        width = _line_width(engine, state.theta)
        free = _engine(problem, fid, noise, engine.damping, settings, own_shifts, width).with_excess(engine.excess)
        free.prior, free.evaluations = engine.prior, engine.evaluations
        state, converged = free.minimise(_insert(engine, free, state.theta), settings.max_iterations)
        engine = free
        for _ in range(SETTLING):
            before = engine.excess
            engine, state = _measured_against_misfit(engine, state)
            if settings.baseline == "auto":
                best, _ = choose_stiffness(engine, state, dampings)
                engine.damping = dampings[best]
            state, converged = engine.minimise(state.theta, settings.max_iterations)
            if engine.excess > SETTLED * before:
                break
    return Optimum(engine, state, replace(search, converged=converged))


def _measured_against_misfit(engine: Engine, state: State) -> tuple[Engine, State]:
    """Take what the model misses at an optimum for the noise (`snakemrs.fit.effective_noise`)."""
    excess = excess_of(engine, state)
    if excess == engine.excess:
        return engine, state
    engine = engine.with_excess(excess)
    return engine, engine.evaluate(state.theta, state.passive)


def _looks_conjugated(problem: Problem, fid: np.ndarray, settings: FitSettings) -> bool:
    """Whether the conjugate of a signal looks much more like a spectrum than the signal."""
    here, there = (find_starts(problem, signal, settings.max_shift)[0] for signal in (fid, fid.conj()))
    return bool(there) and there[0].score > 0.3 and there[0].score > 2 * (here[0].score if here else 0.0)


def _engine(
    problem: Problem,
    fid: np.ndarray,
    noise: float,
    damping: np.ndarray,
    settings: FitSettings,
    own_shifts: bool,
    line_width: float | None = None,
) -> Engine:
    """Engine of a spectrum. Free line shape and own broadening come only once a `line_width` (Hz) is known."""
    kernel = np.empty((0, 0))
    if line_width is not None and settings.line_shape == "free":
        kernel = kernel_functions(line_width, problem.time)
    parameters = parameters_for(
        problem,
        line_shape=settings.line_shape,
        phase1_sd=settings.phase1_sd,
        group_shift_sd=settings.group_shift_sd,
        group_width_sd=settings.group_width_sd,
        metabolite_shift_sd=settings.metabolite_shift_sd if own_shifts else 0.0,
        max_shift=settings.max_shift,
        metabolite_width_sd=0.0 if line_width is None else settings.metabolite_width_sd,
        kernel=len(kernel),
    )
    data = problem.window_of(fid) / noise
    return Engine(problem, data, noise, parameters, damping, no_prior(len(problem.names)), kernel=kernel)


def _line_width(engine: Engine, theta: np.ndarray) -> float:
    """Full width at half maximum of a singlet, Hz; of the Voigt line where the line shape is free."""
    values = dict(zip(engine.parameters.names, theta, strict=True))
    lorentz = max(0.0, values["lorentzian"] + engine.problem.basis.line_width)
    gauss = float(np.sqrt(values["gaussian_squared"]))
    return 0.5346 * lorentz + float(np.sqrt(0.2166 * lorentz**2 + gauss**2))  # Olivero & Longbothum 1977


def _insert(old: Engine, new: Engine, theta: np.ndarray) -> np.ndarray:
    """Parameters of `old` in the places they have in `new`; the others at their start."""
    values = dict(zip(old.parameters.names, theta, strict=True))
    pairs = zip(new.parameters.names, new.parameters.start, strict=True)
    return np.array([values.get(name, start) for name, start in pairs])


def _first_fit(engine: Engine, fid: np.ndarray, settings: FitSettings) -> tuple[State, Search]:
    """Fit from the best candidates of the coarse search.

    Returns
    -------
    State
        Of the best.
    Search
    """
    problem, parameters = engine.problem, engine.parameters
    starts, elsewhere = find_starts(problem, fid, settings.max_shift)
    if not starts:
        raise Failure("nothing in the window of the fit")
    trials = []
    for number, start in enumerate(starts):
        for width in WIDTHS if number == 0 else WIDTHS[1:2]:
            theta = parameters.start.copy()
            theta[parameters.index("phase0")] = start.phase
            theta[parameters.index("shift")] = start.shift
            theta[parameters.index("lorentzian")] = 0.5 * width
            theta[parameters.index("gaussian_squared")] = (0.7 * width) ** 2
            theta = np.clip(theta, parameters.lower, parameters.upper)
            trials.append((engine.evaluate(theta).cost, number, theta))
    trials.sort(key=lambda trial: trial[0])
    best, _ = engine.minimise(trials[0][2], settings.max_iterations, tolerance=FIRST_TOLERANCE)
    rival = np.inf
    for cost, number, theta in trials[1:]:
        if number != trials[0][1] and cost < trials[0][0] * 1.5:
            other, _ = engine.minimise(theta, settings.max_iterations, tolerance=FIRST_TOLERANCE)
            if abs(other.theta[2] - best.theta[2]) > 1.0:
                rival = min(rival, abs(other.cost - best.cost))
            if other.cost < best.cost:
                best = other
    moved = None
    if elsewhere is not None and elsewhere.score > 1.2 * starts[0].score:
        moved = elsewhere.shift / problem.spectrometer_frequency
    surely = moved is not None and elsewhere is not None and elsewhere.score > max(0.15, 2.5 * starts[0].score)
    return best, Search(rival=float(rival), elsewhere=moved, surely_elsewhere=surely)


def _residual_ratio(engine: Engine, state: State) -> float:
    """Root mean square of the residual over the scanner's noise, corrected for the number of free parameters."""
    parameters = engine.parameters
    free = float(np.sum((parameters.upper > parameters.lower) & (parameters.precision == 0)))
    free += float(state.passive.sum()) + float(engine.damping.sum())
    return engine.excess * float(np.sqrt(state.residual @ state.residual / max(len(state.residual) - free, 1.0)))


def result_of(optimum: Optimum) -> SpectrumFit:
    """Amplitudes, bounds, curves and verdict at an optimum."""
    engine, state, search = optimum.engine, optimum.state, optimum.search
    problem, parameters, noise = engine.problem, engine.parameters, engine.scale
    ratio = _residual_ratio(engine, state)
    known = uncertainty_of(engine, state, max(ratio / engine.excess, 1.0))
    values = dict(zip(parameters.names, state.theta.tolist(), strict=True))
    parts = (state.amplitudes[:, None] * state.spectra).view(complex).real * noise
    metabolites = parts[problem.groups == 0].sum(axis=0)
    result = SpectrumFit(
        names=problem.names,
        kinds=problem.basis.kinds,
        amplitudes=state.amplitudes,
        covariance=known.covariance,
        sampling=known.sampling,
        bound=known.bound,
        prior_share=known.share,
        ppm=problem.ppm,
        data=state.rotated.view(complex) * noise,
        fit=(state.rotated + state.residual).view(complex) * noise,
        baseline=(state.baseline @ problem.splines).view(complex) * noise,
        parts=parts,
        parameters=values,
        parameter_sd=dict(zip(parameters.names, known.theta_sd.tolist(), strict=True)),
        line_width=_line_width(engine, state.theta),
        snr=float(metabolites.max() * engine.excess / noise),
        noise=noise / engine.excess,
        residual_ratio=ratio,
        excess=engine.excess,
        baseline_ed=float(engine.damping.sum()) / problem.width_ppm,
        verdict=Verdict("ok", ""),
        evaluations=engine.evaluations,
    )
    return replace(result, verdict=judge(engine, state, result, search))
