"""Functional MRS: design from events, contrasts, course over time, agreement with frames, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from snakemrs.errors import DataError, RequestError
from snakemrs.fit.functional.agreement import compare
from snakemrs.fit.functional.contrasts import autocorrelations, fieller, ratio_change, widening
from snakemrs.fit.functional.course import cut_bins, free_design, misfit, peak_of, smooth
from snakemrs.fit.functional.design import BASELINE, Design, make_design, read_design, write_design
from snakemrs.fit.functional.regressors import plasma_concentration, response
from snakemrs.fit.functional.run import interleaved_width, read_transients
from snakemrs.fit.functional.session import fit_session
from snakemrs.fit.matching import matched, missing_lorentzian
from snakemrs.fit.problem import Problem
from snakemrs.io.events import Event
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings
from snakemrs.study.settings.functional import FunctionalSettings, RegressorSettings

ONSET = 4.0 * np.arange(80)
LENGTH = np.full(80, 4.0)
INFUSION = [Event(80.0, 160.0, "infusion")]
DRUGS = constants("pharmacokinetics")["drugs"]


def design_of(**settings: object) -> Design:
    return make_design(ONSET, LENGTH, INFUSION, FunctionalSettings(**settings))  # type: ignore[arg-type]


# ---- regressors
@pytest.mark.parametrize("shape", ["block", "ramp", "exponential", "gamma", "pharmacokinetic"])
def test_every_course_is_zero_before_the_event_and_has_unit_peak(shape: str) -> None:
    one = RegressorSettings(name="infusion", shape=shape, time_constant=60, time_to_peak=50)  # type: ignore[arg-type]
    design = design_of(regressors=(one,))
    course = design.matrix[:, 1]
    assert np.all(course[ONSET + 4 <= 80] == 0)
    assert course.max() == pytest.approx(1, abs=0.02)
    assert "highest value in the session 1" in design.about["infusion"]


def test_an_exponential_course_is_that_of_the_formula() -> None:
    one = RegressorSettings(name="x", shape="exponential", time_constant=100)
    time = np.array([-5.0, 0.0, 100.0, 300.0, 400.0])
    rise = 1 - np.exp(-3.0)
    expected = [0, 0, 1 - np.exp(-1.0), rise, rise * np.exp(-1.0)]
    assert response(one, time, 300.0, DRUGS) == pytest.approx(expected)


def test_the_plasma_curve_solves_the_compartments_equations() -> None:
    rates = DRUGS["ketamine"]

    def slope(t: float, x: np.ndarray) -> list[float]:
        into = 1 / (rates["v1"] * 40) if t < 40 else 0.0
        return [
            into - (rates["k10"] + rates["k12"] + rates["k13"]) * x[0] + rates["k21"] * x[1] + rates["k31"] * x[2],
            rates["k12"] * x[0] - rates["k21"] * x[1],
            rates["k13"] * x[0] - rates["k31"] * x[2],
        ]

    times = np.array([5.0, 20.0, 40.0, 60.0, 90.0])
    solved = solve_ivp(slope, (0, 90), [0.0, 0, 0], t_eval=times, max_step=0.25, rtol=1e-8, atol=1e-12)
    assert plasma_concentration(rates, times, 40.0) == pytest.approx(solved.y[0], rel=1e-4)


def test_half_a_milligram_over_forty_minutes_gives_a_known_concentration() -> None:
    # 0.5 mg/kg over 40 min gives about 150-250 ng/ml at the end of the infusion (Zarate et al. 2012; Kamp et al. 2020).
    end = 0.5 * plasma_concentration(DRUGS["ketamine"], np.array([40.0]), 40.0)[0]
    assert 0.1 < end < 0.3  # mg/l


def test_a_transient_that_the_event_begins_in_counts_in_part() -> None:
    events = [Event(82.0, 160.0, "infusion")]
    design = make_design(ONSET, LENGTH, events, FunctionalSettings())
    assert design.matrix[20, 1] == pytest.approx(0.5)


# ---- design
def test_the_usual_design_is_a_block_and_what_comes_after_it() -> None:
    design = design_of()
    assert design.names == ["constant", "infusion", "after"]
    assert design.width_names == ["infusion", "after", "drift1"]
    assert design.contrasts["infusion-baseline"] == pytest.approx([0, 1, 0])
    assert set(design.phase) == {"baseline", "infusion", "after"}


def test_a_task_that_comes_again_has_its_rest_as_baseline() -> None:
    events = [Event(start, 40.0, "task") for start in (40.0, 120.0, 200.0)]
    design = make_design(ONSET, LENGTH, events, FunctionalSettings())
    assert design.names == ["constant", "task"]
    assert sum(phase == "baseline" for phase in design.phase) == 50


def test_width_follows_interleaved_water_where_there_is_any() -> None:
    water = 5 - 0.2 * (ONSET > 80)
    design = make_design(ONSET, LENGTH, INFUSION, FunctionalSettings(), water_width=water)
    assert design.width_names == ["water"]
    with pytest.raises(RequestError, match="none was interleaved"):
        design_of(line_width="water")


def test_own_regressors_and_contrasts(tmp_path: Path) -> None:
    table = tmp_path / "heart.tsv"
    table.write_text("onset\theart\n0\t60\n160\t80\n320\t60\n")
    settings = FunctionalSettings(
        regressors=(RegressorSettings(name="infusion"), RegressorSettings(name="heart", shape="column")),
        table=str(table),
        drift=1,
        contrasts={"more": {"infusion": 1.0, "heart": -0.1}},
    )
    design = make_design(ONSET, LENGTH, INFUSION, settings, table)
    assert design.names == ["constant", "infusion", "heart", "drift1"]
    assert design.matrix[40, 2] == pytest.approx(80, abs=0.3)
    assert design.contrasts["more"] == pytest.approx([0, 1, -0.1, 0])
    with pytest.raises(RequestError, match="names a regressor that there is not"):
        make_design(ONSET, LENGTH, INFUSION, settings.model_copy(update={"contrasts": {"x": {"y": 1.0}}}), table)


def test_events_outside_the_session_are_refused() -> None:
    with pytest.raises(RequestError, match="zero throughout"):
        make_design(ONSET, LENGTH, [Event(1000.0, 100.0, "infusion")], FunctionalSettings())
    with pytest.raises(RequestError, match="no event divides"):
        make_design(ONSET, LENGTH, [Event(80.0, 0.0, "button")], FunctionalSettings())


def test_a_written_design_is_read_back(tmp_path: Path) -> None:
    design = design_of()
    path = tmp_path / "design.tsv"
    write_design(path, design, ONSET, LENGTH, np.ones(80))
    again = read_design(path, 80)
    assert again.names == design.names
    assert again.matrix == pytest.approx(design.matrix, abs=1e-8)
    assert again.width_names == design.width_names


# ---- contrasts
def test_fiellers_interval_covers_the_ratio() -> None:
    rng = np.random.default_rng(2)
    covariance = np.array([[0.09, 0.02], [0.02, 0.04]])
    draws = rng.multivariate_normal([0.5, 1.0], covariance, size=4000)
    top, bottom = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    ends = np.array([fieller(draw, covariance, top, bottom) for draw in draws])
    bounded = np.isfinite(ends[:, 0])
    inside = (ends[bounded, 0] < 0.5) & (ends[bounded, 1] > 0.5)
    assert bounded.mean() > 0.95
    assert inside.mean() == pytest.approx(0.95, abs=0.012)


def test_an_unsafe_baseline_has_no_interval() -> None:
    low, high = fieller(np.array([0.5, 0.1]), np.eye(2), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert np.isnan(low)
    assert np.isnan(high)


def test_a_ratio_changes_by_both_its_parts() -> None:
    betas = np.array([[10.0, 8.0], [1.0, -0.8]])
    glu, naa = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    value, sd = ratio_change(betas, 0.01 * np.eye(4), np.array([0.0, 1.0]), np.array([1.0, 0.0]), glu, naa)
    assert value == pytest.approx(100 * (1.1 / 0.9 - 1))
    assert sd > 0


def test_standard_deviations_are_widened_for_correlated_residuals() -> None:
    rng = np.random.default_rng(4)
    count, rho = 300, 0.5
    design = np.column_stack([np.ones(count), np.arange(count) >= 100])
    solver = np.linalg.pinv(design)
    found, said = [], []
    for _ in range(300):
        noise = rng.standard_normal(count)
        for m in range(1, count):
            noise[m] += rho * noise[m - 1]
        beta = solver @ noise
        rest = (noise - design @ beta)[:, None]
        sd = rest.std() * np.sqrt(np.sum(solver[1] ** 2))
        found.append(beta[1])
        said.append(sd * widening(design, autocorrelations(rest, 2))[1, 0])
    assert np.mean(said) == pytest.approx(np.std(found), rel=0.12)
    white = rng.standard_normal((count, 1000))
    assert np.mean(autocorrelations(white - design @ (solver @ white), 2) > 0) < 0.05


# ---- course
def test_bins_lie_within_phases() -> None:
    design = design_of()
    bins = cut_bins(ONSET, LENGTH, design.phase, 30.0)
    assert sorted(np.concatenate(bins.members).tolist()) == list(range(80))
    assert all(len({design.phase[m] for m in members}) == 1 for members in bins.members)
    assert np.linalg.matrix_rank(free_design(len(bins.members))) == len(bins.members)


def test_a_peak_is_found_with_its_interval_and_noise_is_smoothed_away() -> None:
    design = design_of()
    bins = cut_bins(ONSET, LENGTH, design.phase, None)
    middle = bins.onset + bins.duration / 2
    true = 10 * (1 + 0.2 * np.exp(-(((middle - 180) / 40) ** 2)))
    rng = np.random.default_rng(3)
    covariance = 0.2**2 * np.eye(len(middle))
    inside = []
    for _ in range(60):
        course = smooth(true + 0.2 * rng.standard_normal(len(middle)), covariance, middle)
        peak = peak_of(course, bins, BASELINE, 80.0)
        assert peak is not None
        inside.append(peak.percent[1] <= 20 <= peak.percent[2] and peak.time[1] <= 100 <= peak.time[2])
    assert np.mean(inside) > 0.85
    flat = smooth(10 + 0.2 * rng.standard_normal(len(middle)), covariance, middle)
    assert np.ptp(flat.mean) < 0.2


def test_the_misfit_of_a_right_model_is_chance() -> None:
    rng = np.random.default_rng(1)
    design = np.column_stack([np.ones(16), np.arange(16) > 5])
    covariance = 0.04 * np.eye(16) + 0.02
    root = np.linalg.cholesky(covariance)
    values = [misfit(design @ [5.0, 1.0] + root @ rng.standard_normal(16), covariance, design) for _ in range(300)]
    assert np.mean([value for value, _ in values]) == pytest.approx(14, abs=1)
    assert values[0][1] == 14


# ---- agreement
def test_frames_that_say_something_else_are_found() -> None:
    design = design_of()

    def frames(rise: float) -> np.ndarray:
        starts = np.arange(0.0, 320.0, 40.0)
        return np.array([[s, 40.0, 10 * (1 + rise * (80 <= s < 240)), 0.2] for s in starts])

    phase, name = design.phase, design.response
    same = compare(frames(0.05), ONSET, phase, BASELINE, name, 5.0, 1.0)
    other = compare(frames(0.15), ONSET, phase, BASELINE, name, 5.0, 1.0)
    assert same is not None
    assert same.agrees
    assert same.percent == pytest.approx(5)
    assert other is not None
    assert not other.agrees


# ---- the joint fit
def test_the_free_course_shows_a_step_and_the_width_beside_it(
    prepare_problem: Callable[..., Problem], measure: Callable[..., np.ndarray]
) -> None:
    on = (ONSET[:40] >= 80).astype(float)
    fids = np.array([measure(snr=200, seed=m, lorentz=3 - 0.3 * at, Glu=9 * (1 + 0.2 * at)) for m, at in enumerate(on)])
    design = make_design(ONSET[:40], LENGTH[:40], INFUSION, FunctionalSettings())
    bins = cut_bins(ONSET[:40], LENGTH[:40], design.phase, 20.0)
    done = fit_session(prepare_problem(), fids, np.ones(40), design, FitSettings(), constants("fit_priors"), bins)
    assert done.course is not None
    glu = np.array([float(name == "Glu") for name in done.fit.names])
    values, covariance = done.course.of(glu)
    before = np.array([phase == BASELINE for phase in bins.phase])
    rise = values[~before].mean() / values[before].mean() - 1
    assert rise == pytest.approx(0.2, abs=0.04)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    narrower = done.course.widths[~before].mean() - done.course.widths[before].mean()
    assert narrower == pytest.approx(-0.3, abs=0.1)


def test_a_transient_of_no_weight_is_as_if_it_were_not_there(
    prepare_problem: Callable[..., Problem], measure: Callable[..., np.ndarray]
) -> None:
    fids = np.array([measure(snr=300, seed=m) for m in range(24)])
    spoilt = fids.copy()
    spoilt[3] *= 0.2
    weights = np.ones(24)
    weights[3] = 1e-6
    design = make_design(ONSET[:24], LENGTH[:24], [Event(48.0, 48.0, "x")], FunctionalSettings())

    def glu(signals: np.ndarray) -> float:
        done = fit_session(prepare_problem(), signals, weights, design, FitSettings(), constants("fit_priors"))
        return float(done.fit.betas[0, done.fit.names.index("Glu")])

    assert glu(spoilt) == pytest.approx(glu(fids), rel=1e-3)


# ---- what is refused
@pytest.mark.parametrize("tag", ["DIM_EDIT", "DIM_METCYCLE", "DIM_COIL", "DIM_USER_0"])
def test_other_than_plain_transients_are_refused(tag: str) -> None:
    header = {"SpectrometerFrequency": [123.2], "ResonantNucleus": ["1H"], "dim_5": "DIM_DYN", "dim_6": tag}
    image = NiftiMrs(np.ones((1, 1, 1, 64, 8, 2), np.complex64), np.eye(4), 5e-4, header)
    with pytest.raises(DataError, match="plain transients") as caught:
        read_transients(image)
    assert tag in str(caught.value)


# ---- interleaved water
def test_the_width_of_water_is_followed_only_where_it_was_interleaved(tmp_path: Path) -> None:
    data = tmp_path / "s_desc-transients_svs.nii.gz"
    water = [f"{n}\t{40 * n}\t{5 - 0.02 * n}\ttrue" for n in range(8)]
    (tmp_path / "s_desc-water_quality.tsv").write_text("\n".join(["frame\tonset\tline_width\tused", *water]) + "\n")
    frames = tmp_path / "s_desc-frames_quality.tsv"
    frames.write_text("frame\tline_width_water\n0\tn/a\n")
    assert interleaved_width(data, ONSET, LENGTH) is None
    frames.write_text("frame\tline_width_water\n0\t4.9\n")
    width = interleaved_width(data, ONSET, LENGTH)
    assert width is not None
    assert width[[0, -1]] == pytest.approx([5.0, 4.86])
    assert np.all(np.diff(width) <= 0)


# ---- matching of line widths
def test_frames_are_broadened_to_one_width() -> None:
    added = missing_lorentzian(5.0, 3.0, 6.0)
    lorentz = added + missing_lorentzian(3.0, 3.0, 5.0)
    assert 0.5346 * lorentz + np.sqrt(0.2166 * lorentz**2 + 9) == pytest.approx(6.0, abs=1e-3)
    fids, given = matched(np.ones((3, 100), complex), np.array([5.0, 6.0, np.nan]), np.array([3.0, 3.0, 0.0]), 1e-3)
    assert given == pytest.approx([added, 0, 0])
    assert abs(fids[0, 50]) < abs(fids[1, 50]) == 1.0
