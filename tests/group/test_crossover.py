"""One number a session: the period-adjusted test, sign flips, paired outcomes, effect sizes, multiplicity, power."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from snakemrs.group.assumptions import check_assumptions, leave_one_out, predict
from snakemrs.group.binary import paired_binary
from snakemrs.group.crossover import (
    PeriodDifferences,
    effect_size,
    period_differences,
    session_change,
    sign_flip,
    two_by_two,
)
from snakemrs.group.mixed import fit_mixed
from snakemrs.group.multiplicity import benjamini_hochberg, hedges, holm
from snakemrs.group.power import power_curve, power_of, smallest_detectable
from snakemrs.scanner.cohort import simulate_table


def sessions(n: int = 12, seed: int = 1, effect: float = 0.0, period: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        person = rng.normal(0, 2)
        for number in (1, 2):
            condition = "AB"[(i + number) % 2]
            value = person + effect * (condition == "B") + period * (number == 2) + rng.normal()
            rows.append({"participant": f"{i:02d}", "session": str(number), "period": number, "condition": condition,
                         "value": value})  # fmt: skip
    return pd.DataFrame(rows)


def test_it_is_the_mixed_model_with_condition_and_period() -> None:
    table = sessions(13)  # unequal sequences
    test = two_by_two(period_differences(table, "value"))
    model = fit_mixed(table, "value ~ condition + period + (1|participant)").estimate("condition[T.B]")
    assert (test.estimate, test.se) == (pytest.approx(model.estimate), pytest.approx(model.se))
    assert (test.df, test.p) == (pytest.approx(model.df), pytest.approx(model.p))


@given(shift=st.floats(-100, 100), seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_an_effect_of_the_period_does_not_move_the_effect_of_the_condition(shift: float, seed: int) -> None:
    plain = two_by_two(period_differences(sessions(9, seed), "value"))
    shifted = two_by_two(period_differences(sessions(9, seed, period=shift), "value"))
    assert shifted.estimate == pytest.approx(plain.estimate, abs=1e-9)
    assert shifted.p == pytest.approx(plain.p, abs=1e-6)
    assert shifted.period_effect == pytest.approx(plain.period_effect + shift, abs=1e-9)


def test_participants_with_one_period_are_named() -> None:
    table = sessions(8).drop(index=3)
    data = period_differences(table, "value")
    assert data.incomplete == ("01",)
    assert two_by_two(data).n == 7


def test_fewer_than_two_in_a_sequence_is_an_error() -> None:
    with pytest.raises(ValueError, match="each sequence needs two"):
        two_by_two(period_differences(sessions(3), "value"))


def test_the_change_of_a_session_is_from_its_own_baseline() -> None:
    frames = simulate_table("realistic", 4, 2)
    frames["y"] = np.log(frames["glx_tnaa"])
    table = session_change(frames, "y", "baseline", "infusion")
    one = frames[(frames["participant"] == "02") & (frames["session"] == "01")]
    by_hand = one[one["phase"] == "infusion"]["y"].mean() - one[one["phase"] == "baseline"]["y"].mean()
    found = table[(table["participant"] == "02") & (table["session"] == "01")]["change"].item()
    assert found == pytest.approx(by_hand)


def test_sign_flips_agree_with_the_t_test_and_see_through_a_period_effect() -> None:
    data = period_differences(sessions(20, 3, effect=0.9, period=5.0), "value")
    assert sign_flip(data, 20000, 1) == pytest.approx(two_by_two(data).p, abs=0.01)


def test_sign_flips_of_few_participants_are_those_of_all_allocations() -> None:
    data = period_differences(sessions(6, 4, effect=3.0), "value")
    assert sign_flip(data, 4000, 1) >= 2 / 2**6 * 0.5


def test_holm_and_benjamini_hochberg_of_the_papers() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005, np.nan])
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02, np.nan])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.02, 0.04, 0.04, 0.02, np.nan])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_values_are_larger_and_keep_their_order(values: list[float]) -> None:
    p = np.array(values)
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert np.all(adjusted >= p - 1e-15)
        assert np.all(adjusted <= 1)
        assert np.all(np.diff(adjusted[np.argsort(p)]) >= -1e-12)
    assert np.all(benjamini_hochberg(p) <= holm(p) + 1e-12)


def test_hedges_correction() -> None:
    assert hedges(10) == pytest.approx(1 - 3 / 39)


def test_paired_proportions_of_a_published_example() -> None:
    # Newcombe 1998, Stat Med 17:2635, table II: 36, 12, 2, 0 of 50; method 10 gives 0.0569 to 0.3404 for 0.2.
    first = np.array([1] * 36 + [1] * 12 + [0] * 2)
    second = np.array([1] * 36 + [0] * 12 + [1] * 2)
    found = paired_binary(second, first)
    assert found.difference == pytest.approx(0.2)
    assert (found.ci_low, found.ci_high) == (pytest.approx(0.0569, abs=5e-5), pytest.approx(0.3404, abs=5e-5))
    assert found.p_mcnemar == pytest.approx(stats.binomtest(2, 14).pvalue)
    assert found.p_mid < found.p_mcnemar


def test_a_preference_for_a_period_is_no_preference_for_a_condition() -> None:
    # Everybody responds in the second period alone, in both sequences.
    sequence = np.array([1.0] * 8 + [-1.0] * 8)
    first = (sequence > 0).astype(float)
    second = (sequence < 0).astype(float)
    assert paired_binary(first, second, sequence).p_period == pytest.approx(1.0)
    assert paired_binary(np.zeros(16), np.ones(16), sequence).p_period < 0.001


def test_power_is_that_of_simulated_tests() -> None:
    rng = np.random.default_rng(1)
    t = stats.ttest_1samp(rng.normal(0.6, 1, (4000, 20)), 0, axis=1)
    assert power_of(0.6, 1 / np.sqrt(20), 19) == pytest.approx(np.mean(t.pvalue < 0.05), abs=0.02)


def test_the_smallest_detectable_effect_has_the_asked_power() -> None:
    assert power_of(smallest_detectable(0.3, 24, 0.8), 0.3, 24) == pytest.approx(0.8)


def test_power_for_other_numbers_is_that_asked_for() -> None:
    for power in (0.8, 0.9):
        (size, _, detectable), *_ = power_curve(0.1, 0.3, 24, 26, [52], power=power)
        assert power_of(detectable, 0.3 / np.sqrt(2), 48) == pytest.approx(power)
        assert size == 52


def test_the_effect_size_knows_the_sizes_of_the_sequences() -> None:
    found = {}
    for forward in (13, 4):
        values = []
        for seed in range(1000):
            rng = np.random.default_rng(seed)
            sign = np.where(np.arange(26) < forward, 1.0, -1.0)
            # The conditions differ by half a standard deviation of the differences within people.
            difference = sign * (0.5 + rng.normal(size=26)) + 2.0
            data = PeriodDifferences(("p",) * 26, difference, sign, np.zeros(26), ("A", "B"), ())
            values.append(effect_size(two_by_two(data)))
        found[forward] = np.array(values)
    for values in found.values():
        assert values[:, 0].mean() == pytest.approx(0.5, abs=0.02)
        assert np.mean(values[:, 1]) == pytest.approx(np.std(values[:, 0]), rel=0.06)
    test = two_by_two(period_differences(sessions(12), "value"))
    assert effect_size(test)[0] == pytest.approx(test.t / np.sqrt(12) * hedges(10))


def test_a_fit_that_fails_without_a_participant_is_said() -> None:
    table = sessions(6, 2)
    table["dose"] = np.where((table["participant"] == "03") & (table["period"] == 2), 1.0, 0.0)
    rows, failed = leave_one_out(table, "value ~ condition + period + dose + (1|participant)", "dose")
    assert [row["participant"] for row in rows] == ["00", "01", "02", "04", "05"]
    assert failed == ["without participant 03 the model has no dose"]


def test_random_effects_are_predicted_towards_zero() -> None:
    table = sessions(10, 5)
    model = fit_mixed(table, "value ~ condition + period + (1|participant)")
    found = predict(model)
    raw = (model.y - model.design.X @ model.inference.beta).reshape(10, 2).mean(axis=1)
    shrink = found.effects["participant"] / raw
    v = model.variances()
    np.testing.assert_allclose(shrink, v["participant"] / (v["participant"] + v["residual"] / 2), rtol=1e-6)
    assert found.fitted + found.residuals == pytest.approx(model.y)


def test_an_outlying_frame_is_seen() -> None:
    frames = simulate_table("realistic", 10, 2)
    formula = "log(glx_tnaa) ~ condition*phase + (1|participant) + (1|participant:session)"
    verdicts = {r["check"]: r["verdict"] for r in check_assumptions(fit_mixed(frames, formula))}
    assert set(verdicts.values()) == {"pass"}
    frames.loc[7, "glx_tnaa"] *= 2
    verdicts = {r["check"]: r["verdict"] for r in check_assumptions(fit_mixed(frames, formula))}
    assert verdicts["largest residual (in standard deviations)"] == "look"
    assert verdicts["residuals normal (Shapiro-Wilk W)"] == "look"
