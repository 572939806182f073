"""Bootstrap by participant, correlation of changes, mediation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snakemrs.group.association import bca, compare_correlations, correlate, mediate, pearson, spearman


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
    pairs = np.column_stack([x, y])[None]
    assert pearson(pairs)[0] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman(pairs)[0] == pytest.approx(stats.spearmanr(x, y).statistic)


def test_three_participants_have_no_correlation() -> None:
    found = correlate(np.arange(3.0), np.arange(3.0), "pearson", 200, 1)
    assert np.isnan(found.estimate)
    assert "too few" in found.note


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
    same = compare_correlations(weak, np.column_stack([rng.normal(size=40), rng.normal(size=40)]), 1000, 1)
    assert same.ci_low < 0 < same.ci_high


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
