"""One joint fit of all transients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snakemrs.errors import RequestError
from snakemrs.fit.dynamic import DynamicFit, align_to_fit, fit_dynamic
from snakemrs.fit.functional.design import read_design
from snakemrs.fit.problem import Problem
from snakemrs.fit.spectrum import fit_state
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings

COUNT, DWELL = 24, 5e-4
STEP = np.repeat([0.0, 1.0], COUNT // 2)


def session(
    measure: Callable[..., np.ndarray], glu: float = 0.0, width: float = 0.0, snr: float = 400, wander: float = 0.5
) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.array(
        [
            measure(
                snr=snr,
                seed=m,
                lorentz=3 + width * at,
                shift=wander * rng.normal(),
                phase=0.1 * wander * rng.normal(),
                Glu=9 * (1 + glu * at),
            )
            for m, at in enumerate(STEP)
        ]
    )


def run(problem: Problem, fids: np.ndarray, follow: bool = True) -> DynamicFit:
    settings, known = FitSettings(), constants("fit_priors")
    optimum = fit_state(problem, fids.mean(axis=0), settings, known)
    time = np.arange(fids.shape[1]) * DWELL
    for _ in range(2):
        aligned = align_to_fit(optimum.engine, optimum.state, fids)
        turn = np.exp(-1j * aligned.phase[:, None] - 2j * np.pi * np.multiply.outer(aligned.shift, time))
        optimum = fit_state(problem, (fids * turn).mean(axis=0), settings, known)
    aligned = align_to_fit(optimum.engine, optimum.state, fids)
    design = np.column_stack([np.ones(COUNT), STEP])
    noise = optimum.engine.scale * np.sqrt(COUNT)
    widths = STEP[:, None] if follow else np.zeros((COUNT, 0))
    return fit_dynamic(optimum.engine, optimum.state, aligned, noise, design, widths, np.ones((COUNT, 1)))


def percent(fit: DynamicFit, name: str) -> float:
    k = fit.names.index(name)
    return float(100 * fit.betas[1, k] / fit.betas[0, k])


@pytest.fixture(scope="module")
def problem(prepare_problem: Callable[..., Problem]) -> Problem:
    return prepare_problem()


def test_a_step_of_glutamate_is_found(problem: Problem, measure: Callable[..., np.ndarray]) -> None:
    fit = run(problem, session(measure, glu=0.05))
    size = len(fit.names)
    at = size + fit.names.index("Glu")
    sd = 100 * np.sqrt(fit.covariance[at, at]) / fit.betas[0, at - size]
    assert percent(fit, "Glu") == pytest.approx(5.0, abs=3 * sd)
    assert sd < 1.5
    assert abs(percent(fit, "NAA")) < 1.0


def test_narrower_lines_are_no_metabolite_change(problem: Problem, measure: Callable[..., np.ndarray]) -> None:
    fids = session(measure, width=-0.3, snr=3000)
    follows, ignores = run(problem, fids), run(problem, fids, follow=False)
    assert follows.width_betas[0] == pytest.approx(-0.3, abs=0.03)
    assert abs(percent(follows, "NAA")) < 0.3
    assert abs(percent(ignores, "NAA")) > 5 * abs(percent(follows, "NAA"))


def test_shift_and_phase_of_transients_are_followed(problem: Problem, measure: Callable[..., np.ndarray]) -> None:
    still, moving = run(problem, session(measure, wander=0)), run(problem, session(measure, wander=1.5))
    assert moving.betas[0, moving.names.index("NAA")] == pytest.approx(
        still.betas[0, still.names.index("NAA")], rel=0.02
    )
    assert moving.residual_ratio == pytest.approx(1.0, abs=0.15)


def test_a_design_must_fit_the_transients(tmp_path: Path) -> None:
    path = tmp_path / "design.tsv"
    path.write_text("transient\tinfusion\n1\t0\n2\t1\n3\t1\n")
    design = read_design(path, 3)
    assert design.names == ["constant", "infusion"]
    assert design.matrix.tolist() == [[1, 0], [1, 1], [1, 1]]
    assert design.phase == ("baseline", "response", "response")
    with pytest.raises(RequestError, match="differ in number"):
        read_design(path, 4)
    path.write_text("a\tb\n0\t0\n1\t2\n2\t4\n")
    with pytest.raises(RequestError, match="depend on each other"):
        read_design(path, 3)
    path.write_text("a\n0\nx\n1\n")
    with pytest.raises(RequestError, match="no number"):
        read_design(path, 3)
