"""The mixed model agrees with lme4 + lmerTest + pbkrtest (values made by reference/reference.R)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemrs.errors import RequestError
from snakemrs.group.formula import parse_formula
from snakemrs.group.mixed import MixedModel, fit_mixed
from snakemrs.group.reml import block_patterns, moments
from snakemrs.io.tables import read_table

REFERENCE = Path(__file__).parent / "reference"
FORMULA = "log(glx_tnaa) ~ condition*phase + period + sex + (1|participant) + (1|participant:session)"
THREE_WAY = "log(glx_tnaa) ~ condition*phase*sex + period + site + (1|participant) + (1|participant:session)"
FORMULAS = {"crossed": FORMULA + " + (1|site)", "threeway": THREE_WAY}
CASES = [
    "balanced",
    "unbalanced",
    "missing_session",
    "boundary_session",
    "boundary_participant",
    "crossed",
    "threeway",
]


def data_of(case: str) -> pd.DataFrame:
    return pd.DataFrame(read_table(REFERENCE / f"data_{case}.tsv"))


def expected(case: str, what: str, method: str | None = None) -> list[dict[str, str]]:
    rows = read_table(REFERENCE / f"expected_{case}_{what}.tsv")
    return rows if method is None else [row for row in rows if row["method"] == method]


@cache
def fitted(case: str, method: str = "kenward-roger", **options: object) -> MixedModel:
    return fit_mixed(data_of(case), FORMULAS.get(case, FORMULA), method, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize("case", CASES)
def test_estimates_agree_with_lmertest(case: str, method: str) -> None:
    ours = fitted(case, method).estimates()
    theirs = expected(case, "estimates", method)
    assert len(ours) == len(theirs)
    for name in ("estimate", "se", "df", "t", "p"):
        np.testing.assert_allclose(
            [getattr(e, name) for e in ours], [float(row[name]) for row in theirs], rtol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("method", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize("case", CASES)
def test_type_three_tests_agree_with_lmertest(case: str, method: str) -> None:
    theirs = {row["term"]: row for row in expected(case, "anova", method)}
    ours = dict(fitted(case, method).anova())
    assert set(ours) == set(theirs) - {"joint"}
    for term, contrast in ours.items():
        values = [contrast.num_df, contrast.den_df, contrast.f, contrast.p]
        np.testing.assert_allclose(
            values, [float(theirs[term][name]) for name in ("num_df", "den_df", "f", "p")], rtol=1e-5, err_msg=term
        )


@pytest.mark.parametrize("case", [case for case in CASES if case != "threeway"])
def test_a_joint_hypothesis_agrees_with_pbkrtest(case: str) -> None:
    model = fitted(case)
    p = len(model.design.names)
    L = np.zeros((3, p))
    L[0, 1] = L[1, 2] = L[2, p - 1] = 1
    theirs = next(row for row in expected(case, "anova") if row["term"] == "joint")
    ours = model.inference.contrast(L)
    np.testing.assert_allclose(
        [ours.f, ours.den_df, ours.p], [float(theirs[k]) for k in ("f", "den_df", "p")], rtol=1e-5
    )


@pytest.mark.parametrize("case", CASES)
def test_variances_agree_with_lme4(case: str) -> None:
    ours = fitted(case).variances()
    for row in expected(case, "variances"):
        name = "residual" if row["term"] == "Residual" else row["term"]
        assert ours[name] == pytest.approx(float(row["variance"]), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("crossed", "threeway")])
def test_autoregressive_residuals_agree_with_nlme(case: str) -> None:
    model = fitted(case, ar1="frame")
    theirs = {row["term"]: row for row in expected(case, "ar1")}
    assert model.fit.rho == pytest.approx(float(theirs.pop("rho")["estimate"]), abs=1e-4)
    assert -model.fit.moments.deviance / 2 == pytest.approx(float(theirs.pop("logLik")["estimate"]), abs=1e-4)
    for ours, row in zip(model.estimates(), theirs.values(), strict=True):
        assert ours.estimate == pytest.approx(float(row["estimate"]), rel=2e-4)


def test_the_unit_of_time_does_not_change_an_autoregressive_fit() -> None:
    data = data_of("unbalanced")
    frame = data["frame"].astype(float)
    table = data.assign(half=frame / 2, onset=frame * 200.0 + 37.5, third=(frame / 3).round(6))
    first = fit_mixed(table, FORMULA, ar1="frame")
    values = [(e.estimate, e.se, e.df, e.p) for e in first.estimates()]
    for column in ("half", "onset", "third"):
        again = fit_mixed(table, FORMULA, ar1=column)
        assert again.fit.rho == pytest.approx(first.fit.rho, rel=1e-9)
        np.testing.assert_allclose([(e.estimate, e.se, e.df, e.p) for e in again.estimates()], values, rtol=1e-8)


@pytest.mark.parametrize("rho", [0.4, 0.02, -0.3])
def test_the_derivatives_of_an_autoregression_are_right_at_any_distance(rho: float) -> None:
    rng = np.random.default_rng(1)
    series, n = np.repeat(np.arange(12), 5), 60
    steps = [0, 1, 2, 4, 7] if rho < 0 else [0, 0.5, 1.7, 2.2, 4]
    patterns = block_patterns(n, [np.repeat(np.arange(6), 10)], series, np.tile(steps, 12).astype(float))
    X, y, variances = np.column_stack([np.ones(n), rng.normal(size=n)]), rng.normal(size=n), np.array([0.5, 1.0])

    def gradient(r: float) -> np.ndarray:
        return moments(patterns, X, y, variances, r, with_rho=True).gradient

    now, d = moments(patterns, X, y, variances, rho, with_rho=True), 1e-5
    above, below = (moments(patterns, X, y, variances, rho + s, with_rho=True).deviance for s in (d, -d))
    assert now.gradient[-1] == pytest.approx((above - below) / (2 * d), rel=1e-5)
    np.testing.assert_allclose(now.observed[-1], (gradient(rho + d) - gradient(rho - d)) / (2 * d), rtol=1e-4)


def with_residuals(kind: str) -> pd.DataFrame:
    """Sixteen participants, two sessions of seven frames, whose residuals alternate or drift."""
    rng = np.random.default_rng(2)
    data = data_of("balanced").sort_values(["participant", "session", "frame"])
    sessions = data.groupby(["participant", "session"], sort=False).ngroup().to_numpy()
    place = data.groupby(["participant", "session"]).cumcount().to_numpy()
    own = rng.normal(size=sessions.max() + 1)
    residual = own[sessions] * (-1.0) ** place if kind == "alternating" else rng.normal(size=len(data))
    return data.assign(y=residual + 0.01 * rng.normal(size=len(data)), place=place)


def test_an_autocorrelation_at_its_lower_limit_is_said() -> None:
    model = fit_mixed(with_residuals("alternating"), "y ~ condition*phase + (1|participant/session)", ar1="place")
    assert model.fit.rho is not None
    assert model.fit.rho < -0.98
    assert not model.notes()["Converged"]
    assert any("NOT CONVERGED" in w and "at its limit" in w for w in model.warnings)
    assert all(test.p != 1 and not test.f < 0 for _, test in model.anova())


def test_distances_that_are_not_whole_steps_have_no_negative_autocorrelation() -> None:
    data = with_residuals("alternating")
    data["onset"] = data["place"] + 0.3 * (data["place"] % 3)
    model = fit_mixed(data, "y ~ condition*phase + (1|participant/session)", ar1="onset")
    plain = fit_mixed(data, "y ~ condition*phase + (1|participant/session)")
    assert model.fit.rho == 0
    assert any("allow no negative one" in w for w in model.warnings)
    assert [e.df for e in model.estimates()] == pytest.approx([e.df for e in plain.estimates()])


@pytest.mark.parametrize(
    ("case", "term"), [("boundary_session", "participant:session"), ("boundary_participant", "participant")]
)
def test_a_variance_of_zero_is_said(case: str, term: str) -> None:
    model = fitted(case)
    assert any("singular" in w and f"variance of {term} " in w for w in model.warnings)
    assert model.variances()[term] == 0
    assert model.notes()["Singular"]


def test_the_balanced_crossover_has_the_degrees_of_freedom_of_its_design() -> None:
    # 16 participants x 2 sessions x 7 frames: the interaction is tested within sessions, 224 - 32 - 2 = 190.
    tests = dict(fitted("balanced").anova())
    assert tests["condition:phase"].den_df == pytest.approx(190)
    assert tests["condition"].den_df < 20


def test_rows_with_missing_values_are_said_by_participant() -> None:
    data = data_of("balanced")
    data.loc[data["participant"] == "03", "glx_tnaa"] = "n/a"
    model = fit_mixed(data, FORMULA)
    assert model.left_out == ("03: 14 rows with missing values",)
    assert model.levels["participant"] == 15


def test_the_reference_level_can_be_chosen() -> None:
    model = fit_mixed(data_of("balanced"), FORMULA, reference={"condition": "B"})
    assert "condition[T.A]" in model.design.names
    assert model.estimate("condition[T.A]:phase[T.infusion]").estimate == pytest.approx(
        -fitted("balanced").estimate("condition[T.B]:phase[T.infusion]").estimate
    )


def test_a_column_determined_by_others_is_left_out_and_said() -> None:
    data = data_of("balanced")
    data["twin"] = data["sex"]
    model = fit_mixed(data, FORMULA.replace("sex", "sex + C(twin)"))
    assert any("twin[T.M]" in warning for warning in model.warnings)
    assert model.estimate("sex[T.M]").p == pytest.approx(fitted("balanced").estimate("sex[T.M]").p)


def test_a_random_term_with_a_level_for_every_row_is_refused() -> None:
    data = data_of("balanced").drop_duplicates(["participant", "session"])
    with pytest.raises(RequestError, match="level for every row"):
        fit_mixed(data, "glx_tnaa ~ condition + (1|participant) + (1|participant:session)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("glx_tnaa condition", "needs one '~'"),
        ("~ condition", "no outcome"),
        ("y ~ x + (x|participant)", "only random intercepts"),
        ("y ~ x + (1|log(participant))", "not understood"),
    ],
)
def test_formulas_that_cannot_be_read_say_why(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_formula(text)


def test_nesting_is_both_groupings() -> None:
    assert parse_formula("y ~ x + (1|participant/session)").random == (("participant",), ("participant", "session"))


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(RequestError) as caught:
        fit_mixed(data_of("balanced"), FORMULA.replace("condition", "conditon"))
    assert "'condition'" in str(caught.value)


@pytest.mark.parametrize("value", ["0", "-0.5"])
def test_the_logarithm_of_what_is_not_positive_is_refused_with_its_row(value: str) -> None:
    data = data_of("balanced")
    data.loc[5, "glx_tnaa"] = value
    with pytest.raises(RequestError, match="not finite in 1 rows") as caught:
        fit_mixed(data, FORMULA)
    assert f"log(glx_tnaa) with glx_tnaa = {value} in row 7" in str(caught.value)
    assert '--where "glx_tnaa > 0"' in str(caught.value)


def test_an_outcome_that_does_not_vary_says_what_to_do() -> None:
    with pytest.raises(RequestError, match="the same value in every row") as caught:
        fit_mixed(data_of("balanced").assign(glx_tnaa="1.2"), FORMULA)
    assert "another outcome" in str(caught.value)


def test_a_single_participant_says_what_to_do() -> None:
    data = data_of("balanced")
    with pytest.raises(RequestError, match=r"\(1\|participant\) has only one level") as caught:
        fit_mixed(data[data["participant"] == "03"], "glx_tnaa ~ phase + (1|participant) + (1|participant:session)")
    assert "03 in 14 rows" in str(caught.value)
    assert "leave the term out" in str(caught.value)


def aged() -> pd.DataFrame:
    """The balanced trial with an age for each participant."""
    data = data_of("balanced")
    return data.assign(age=data["participant"].map(lambda label: str(20 + 3 * int(label))))


def test_a_number_with_a_typing_error_is_refused_with_its_cell() -> None:
    data = aged()
    data.loc[20, "age"] = "34y"
    with pytest.raises(RequestError, match="holds a value that is none") as caught:
        fit_mixed(data, FORMULA + " + age")
    assert "column age, row 22: 34y" in str(caught.value)
    assert "C(age)" in str(caught.value)


def test_a_parameter_for_every_participant_is_refused() -> None:
    with pytest.raises(RequestError, match=r"every level of \(1\|participant\)") as caught:
        fit_mixed(aged(), FORMULA + " + C(age)")
    assert "age has 16 levels" in str(caught.value)


def test_a_predictor_that_does_not_vary_is_said() -> None:
    data = data_of("balanced")
    model = fit_mixed(data[data["sex"] == "F"].assign(dose="0.5"), FORMULA + " + dose + sex:phase")
    assert [w for w in model.warnings if "in every row" in w] == [
        "sex is F in every row: left out, with every term of it",
        "dose is 0.5 in every row: left out, with every term of it",
    ]
    assert not any("determined" in w for w in model.warnings)


@settings(max_examples=8, deadline=None)
@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-10, 10), seed=st.integers(0, 1000))
def test_units_do_not_change_the_tests(scale: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = data_of("boundary_session")
    data = data[rng.random(len(data)) > 0.1].sample(frac=1, random_state=seed)
    y = data["glx_tnaa"].astype(float)
    formula = "y ~ condition*phase + (1|participant) + (1|participant:session)"
    first = fit_mixed(data.assign(y=y), formula).estimates()
    second = fit_mixed(data.assign(y=(y - 1.25) * scale + shift * scale), formula).estimates()
    for a, b in zip(first[1:], second[1:], strict=True):
        assert b.estimate == pytest.approx(a.estimate * scale, rel=1e-6, abs=1e-9 * scale)
        assert (b.df, b.p) == (pytest.approx(a.df, rel=1e-5), pytest.approx(a.p, rel=1e-4))
