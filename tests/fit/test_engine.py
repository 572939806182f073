"""The parts of the engine: band-limited signals, derivatives, non-negative least squares, baseline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemrs.fit.engine import Engine, no_prior
from snakemrs.fit.kernel import kernel_functions
from snakemrs.fit.nnls import solve_nonnegative
from snakemrs.fit.priors import parameters_for
from snakemrs.fit.problem import Problem
from snakemrs.fit.stiffness import damping_for
from snakemrs.fit.uncertainty import ratio_with_sd


@pytest.fixture(scope="module")
def engine(prepare_problem: Callable[..., Problem], measure: Callable[..., np.ndarray]) -> Engine:
    problem = prepare_problem()
    kernel = kernel_functions(6.0, problem.time)
    parameters = parameters_for(
        problem,
        line_shape="voigt",
        phase1_sd=1.0,
        group_shift_sd=0.02,
        group_width_sd=0.03,
        metabolite_shift_sd=0.003,
        max_shift=0.3,
        metabolite_width_sd=1.0,
        kernel=len(kernel),
    )
    noise = 20.0
    data = problem.window_of(measure()) / noise
    damping, prior = damping_for(problem.roughness, 8.0), no_prior(len(problem.names))
    return Engine(problem, data, noise, parameters, damping, prior, kernel=kernel)


@pytest.mark.parametrize(("lorentz", "shift"), [(2.0, 0.0), (8.0, 3.0), (20.0, -5.0)])
def test_the_band_gives_the_spectra_of_the_full_transform(
    prepare_problem: Callable[..., Problem], lorentz: float, shift: float
) -> None:
    problem = prepare_problem()
    time = np.arange(problem.points) * problem.dwell_time
    full = problem.window_of(problem.basis.fids * np.exp(2j * np.pi * shift * time - np.pi * lorentz * time))
    shape = np.exp(2j * np.pi * shift * problem.time - np.pi * lorentz * problem.decay_time)
    assert np.abs(problem.fold(problem.signals * shape) - full).max() < 1e-3 * np.abs(full).max()


def test_derivatives_are_those_of_differences(engine: Engine) -> None:
    rng = np.random.default_rng(3)
    theta = engine.parameters.start + 0.1 * rng.normal(size=len(engine.parameters.start))
    state = engine.evaluate(theta)
    found = engine.derivatives(state)
    step = 1e-5
    for k in range(len(theta)):
        sides = []
        for sign in (-1, 1):
            moved = theta.copy()
            moved[k] += sign * step
            other = engine.evaluate(moved)
            sides.append(state.amplitudes @ other.spectra - other.rotated)
        expected = (sides[1] - sides[0]) / (2 * step)
        scale = np.abs(expected).max()
        assert np.abs(found[k] - expected).max() < 1e-4 * scale + 1e-9, engine.parameters.names[k]


def test_gradient_of_the_reduced_cost_is_that_of_differences(engine: Engine) -> None:
    theta = engine.parameters.start + 0.05
    state = engine.evaluate(theta)
    _, gradient = engine.reduced(state, engine.derivatives(state))
    for k in range(6):
        sides = []
        for sign in (-1, 1):
            moved = theta.copy()
            moved[k] += sign * 1e-5
            sides.append(engine.evaluate(moved).cost)
        assert 2 * gradient[k] == pytest.approx((sides[1] - sides[0]) / 2e-5, rel=1e-3, abs=1e-2)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_non_negative_solution_is_optimal(size: int, seed: int, warm: bool) -> None:
    rng = np.random.default_rng(seed)
    design, data = rng.normal(size=(size + 5, size)), rng.normal(size=size + 5)
    gram, target = design.T @ design, design.T @ data
    start = rng.random(size) < 0.5 if warm else None
    found, passive = solve_nonnegative(gram, target, start)
    gradient = target - gram @ found
    assert np.all(found >= 0)
    assert np.abs(gradient[passive]).max(initial=0) < 1e-8
    assert gradient[~passive].max(initial=-1) < 1e-8


def test_effective_parameters_are_as_asked(prepare_problem: Callable[..., Problem]) -> None:
    roughness = prepare_problem().roughness
    for wanted in (2.5, 6.0, 20.0):
        assert damping_for(roughness, wanted).sum() == pytest.approx(wanted, abs=1e-3)
    assert damping_for(roughness, 2.0).sum() == 2


def test_baseline_functions_are_orthonormal(prepare_problem: Callable[..., Problem]) -> None:
    splines = prepare_problem().splines
    np.testing.assert_allclose(splines @ splines.T, np.eye(len(splines)), atol=1e-6)


def test_ratio_knows_the_correlation() -> None:
    amplitudes, covariance = np.array([2.0, 4.0]), np.array([[0.04, 0.08], [0.08, 0.16]])
    ratio, sd = ratio_with_sd(amplitudes, covariance, np.array([1.0, 0]), np.array([0, 1.0]))
    assert ratio == 0.5
    assert sd == pytest.approx(0.0, abs=1e-9)
