"""Bootstrap by participant, correlation of changes, mediation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from snakemrs.group.association import bca, compare_correlations, correlate, mediate, pearson, steiger, within_sequence
from snakemrs.group.clinic import analyse_clinic
from snakemrs.group.results import Results
from snakemrs.scanner.cohort import simulate_table
from snakemrs.study.settings.group import GroupSettings


def test_the_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    data = rng.exponential(size=(30, 1))
    ours = bca(data, lambda s: s[..., 0].mean(-1), 20000, 3)
    theirs = stats.bootstrap((data[:, 0],), np.mean, n_resamples=20000, method="BCa", random_state=4)
    assert ours.ci_low == pytest.approx(theirs.confidence_interval.low, abs=0.01)
    assert ours.ci_high == pytest.approx(theirs.confidence_interval.high, abs=0.02)


def test_the_same_seed_gives_the_same_interval() -> None:
    data = np.random.default_rng(2).normal(size=(12, 2))
    assert bca(data, pearson, 300, 7) == bca(data, pearson, 300, 7)


def test_correlations_agree_with_scipy_with_ties() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=20).round(1), rng.integers(0, 5, 20).astype(float)
    for kind, theirs in (("pearson", stats.pearsonr(x, y)), ("spearman", stats.spearmanr(x, y))):
        ours = correlate(x, y, kind, 200, 1)
        assert (ours.estimate, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))


def people(seed: int, n: int = 26, forward: int = 13, period: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Differences of two unrelated variables, both with an effect of the period (in SD), and the sequence."""
    rng = np.random.default_rng(seed)
    sequence = np.where(np.arange(n) < forward, 1.0, -1.0)
    return rng.normal(size=(n, 2)) - period * sequence[:, None], sequence


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_an_effect_of_the_period_in_both_variables_is_no_link(kind: str) -> None:
    p = {"adjusted": [], "ignored": []}
    for seed in range(250):
        data, sequence = people(seed, period=1.0)
        p["adjusted"].append(correlate(*data.T, kind, 20, 1, sequence=sequence).p)
        p["ignored"].append(correlate(*data.T, kind, 20, 1).p)
    assert np.mean(np.array(p["ignored"]) < 0.05) > 0.5
    assert 0.02 < np.mean(np.array(p["adjusted"]) < 0.05) < 0.085


def test_the_adjusted_correlation_is_the_test_of_a_regression_with_the_sequence() -> None:
    data, sequence = people(3, period=0.7, forward=8)
    found = correlate(*data.T, "pearson", 200, 1, sequence=sequence)
    x = np.column_stack([np.ones(26), data[:, 0], sequence])
    beta, rest, *_ = np.linalg.lstsq(x, data[:, 1], rcond=None)
    t = beta[1] / np.sqrt(rest[0] / 23 * np.linalg.inv(x.T @ x)[1, 1])
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), 23))
    assert found.estimate == pytest.approx(t / np.sqrt(23 + t**2))


def test_the_period_moves_neither_correlation_nor_paths() -> None:
    plain, sequence = people(4, forward=9)
    moved = plain - 2.0 * sequence[:, None]
    kinds = [correlate(*d.T, "pearson", 300, 1, sequence=sequence) for d in (plain, moved)]
    assert kinds[0].ci_low == pytest.approx(kinds[1].ci_low)
    rng = np.random.default_rng(5)
    m, y = rng.normal(size=(26, 2)), rng.normal(size=(26, 2))
    # The second condition came first where the sequence is +1: there period 2 adds to the first condition.
    period = np.column_stack([sequence > 0, sequence < 0]) * 3.0
    before, after = (mediate(m + k * period, y + k * period, 300, 1, sequence=sequence) for k in (0, 1))
    assert after["a"].estimate == pytest.approx(before["a"].estimate)
    assert after["direct"].estimate == pytest.approx(before["direct"].estimate)
    assert after["indirect"].ci_high == pytest.approx(before["indirect"].ci_high)
    assert after["total"].estimate == pytest.approx(after["indirect"].estimate + after["direct"].estimate)
    one, two = (compare_correlations(np.c_[m + k * period, y + k * period][:, [0, 2]],
                                     np.c_[m + k * period, y + k * period][:, [1, 3]],
                                     300, 1, sequence=sequence) for k in (0, 1))  # fmt: skip
    assert (two.estimate, two.p, two.ci_low) == pytest.approx((one.estimate, one.p, one.ci_low))


def test_participants_of_one_sequence_are_compared_as_without() -> None:
    data, _ = people(6)
    assert correlate(*data.T, "pearson", 200, 1, sequence=np.ones(26)) == correlate(*data.T, "pearson", 200, 1)


def test_the_interval_of_two_strata_is_that_of_scipy() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.exponential(size=25), rng.exponential(size=11)
    sequence = np.r_[np.ones(25), -np.ones(11)]
    data = np.column_stack([np.r_[a, b], sequence])

    def mean_difference(s: np.ndarray) -> np.ndarray:
        up = s[..., 1] > 0
        return (s[..., 0] * up).sum(-1) / up.sum(-1) - (s[..., 0] * ~up).sum(-1) / (~up).sum(-1)

    ours = bca(data, mean_difference, 20000, 3, strata=sequence)
    theirs = stats.bootstrap(
        (a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), n_resamples=20000, method="BCa", random_state=4
    )
    assert ours.ci_low == pytest.approx(theirs.confidence_interval.low, abs=0.02)
    assert ours.ci_high == pytest.approx(theirs.confidence_interval.high, abs=0.02)


def test_the_test_of_two_correlations_keeps_its_level_where_they_depend_on_each_other() -> None:
    p = []
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        shared, own = rng.normal(size=(26, 2)), rng.normal(size=(2, 26, 2))
        # Each variable resembles itself under the other condition, and both variables correlate alike under each.
        first, second = shared + 0.7 * own[0], shared + 0.7 * own[1]
        first[:, 1] += 0.5 * first[:, 0]
        second[:, 1] += 0.5 * second[:, 0]
        sequence = np.where(np.arange(26) < 13, 1.0, -1.0)
        rest = within_sequence(np.column_stack([first, second])[None], sequence[None])[0]
        p.append(steiger(rest, 26 - 4))
    assert 0.038 < np.mean(np.array(p) < 0.05) < 0.062


def test_three_participants_have_no_correlation() -> None:
    found = correlate(np.arange(3.0), np.arange(3.0), "pearson", 200, 1)
    assert np.isnan(found.estimate)
    assert "too few" in found.note


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_a_perfect_correlation_has_no_test(kind: str) -> None:
    x, sequence = np.array([1.0, 2.0, 4.0, 5.0]), np.array([1.0, 1.0, -1.0, -1.0])
    found = correlate(x, 2 * x, kind, 50, 1, sequence=sequence)
    assert found.estimate == pytest.approx(1)
    assert np.isnan(found.p)
    assert found.note


def test_missing_participants_are_not_counted() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=12), rng.normal(size=12)
    x[3] = np.nan
    assert correlate(x, y, "spearman", 200, 1).n == 11


def test_two_correlations_are_compared_by_their_difference() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 2))
    strong = np.column_stack([x[:, 0], x[:, 0] + 0.3 * rng.normal(size=40)])
    weak = np.column_stack([x[:, 1], rng.normal(size=40)])
    found = compare_correlations(strong, weak, 1000, 1)
    assert found.ci_high < 0
    assert found.p < 0.001
    same = compare_correlations(weak, np.column_stack([rng.normal(size=40), rng.normal(size=40)]), 1000, 1)
    assert same.ci_low < 0 < same.ci_high
    assert same.p > 0.05


def test_mediation_finds_the_planted_paths() -> None:
    rng = np.random.default_rng(6)
    n = 200
    m = rng.normal(size=(n, 2)) + rng.normal(size=(n, 1)) + [0, 1.0]
    y = 2.0 * m + [0, 0.5] + 0.3 * rng.normal(size=(n, 2))
    found = mediate(m, y, 500, 1)
    assert found["a"].estimate == pytest.approx(1.0, abs=0.25)
    assert found["b"].estimate == pytest.approx(2.0, abs=0.1)
    assert found["direct"].estimate == pytest.approx(0.5, abs=0.15)
    assert found["total"].estimate == pytest.approx(found["indirect"].estimate + found["direct"].estimate)
    assert found["indirect"].ci_low > 0


def test_mediation_needs_six_participants() -> None:
    found = mediate(np.ones((5, 2)), np.ones((5, 2)), 100, 1)
    assert "fewer than six" in found["indirect"].note


def analysed(frames: pd.DataFrame) -> Results:
    """The clinical analyses of a virtual trial."""
    visits = frames.drop_duplicates(["participant", "session"])
    scores = []
    for visit, total in (("baseline", visits["madrs_pre"]), ("day1", visits["madrs_post"])):
        change = total - visits["madrs_pre"]
        more = {"response": total <= visits["madrs_pre"] / 2, "remission": total <= 10}
        scores.append(visits.assign(instrument="madrs", visit=visit, total=total, change=change, **more))
    results = Results()
    analyse_clinic(results, pd.concat(scores, ignore_index=True), frames, GroupSettings(bootstrap=100))
    return results


def test_the_link_of_a_trial_is_adjusted_for_its_sequences() -> None:
    results = analysed(simulate_table("realistic", 12, 3))
    rows = [row for row in results.rows if row["analysis"] in ("association", "mediation")]
    assert len(rows) == 8
    assert all("; adjusted for the sequence" in f"; {row['note']}" for row in rows)
    compared = results.find("association", term="Fisher z of r under B minus r under A")
    assert compared is not None
    assert 0 < compared["p"] <= 1


def test_a_trial_of_one_sequence_has_an_unadjusted_link_and_says_so() -> None:
    frames = simulate_table("realistic", 12, 3)
    results = analysed(frames.assign(condition=np.where(frames["period"] == 1, "A", "B")))
    assert results.find("association")["note"].startswith("not adjusted for the sequence")
    assert any("all are of one sequence" in row["text"] for row in results.statements)
