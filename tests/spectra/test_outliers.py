"""Outlying transients are found, with the rule that found them; slow changes are not."""

from __future__ import annotations

import numpy as np
import pytest

from snakemrs.spectra.align import Alignment
from snakemrs.spectra.outliers import find_outliers


def traces(count: int = 100, **changes: np.ndarray) -> Alignment:
    rng = np.random.default_rng(0)
    values = {
        "frequency": rng.normal(0, 0.3, count),
        "phase": rng.normal(0, 0.1, count),
        "amplitude": 1 + rng.normal(0, 0.01, count),
        "broadening": rng.normal(0, 0.2, count),
        "misfit": 1 + rng.normal(0, 0.05, count),
        "at_limit": np.zeros(count, bool),
    }
    for name, change in changes.items():
        values[name] = values[name] | change if change.dtype == bool else values[name] + change
    return Alignment(**values, points=400)


def pulse(size: float, *where: int) -> np.ndarray:
    change = np.zeros(100)
    change[list(where)] = size
    return change


SILENT = np.zeros(100, bool)


def test_good_transients_all_stay() -> None:
    found = find_outliers(traces(), SILENT, "reject")
    assert found.weights.tolist() == [1.0] * 100
    assert found.rules == [None] * 100


@pytest.mark.parametrize(
    ("trace", "size", "rule"),
    [
        ("amplitude", -0.5, "amplitude_outlier"),
        ("misfit", 4.0, "residual_outlier"),
        ("broadening", 8.0, "line_width_outlier"),
    ],
)
def test_each_rule_finds_its_outlier(trace: str, size: float, rule: str) -> None:
    found = find_outliers(traces(**{trace: pulse(size, 7, 60)}), SILENT, "reject")
    assert np.flatnonzero(found.rejected).tolist() == [7, 60]
    assert found.rules[7] == rule
    assert found.weights[7] == 0


def test_a_slow_change_of_amplitude_rejects_nothing() -> None:
    found = find_outliers(traces(amplitude=np.linspace(0, 0.5, 100)), SILENT, "reject")
    assert not found.rejected.any()


def test_marking_changes_no_weight() -> None:
    found = find_outliers(traces(misfit=pulse(4.0, 7)), SILENT, "mark")
    assert found.rules[7] == "residual_outlier"
    assert found.weights[7] == 1
    assert not found.rejected.any()


def test_weighting_leaves_a_part() -> None:
    found = find_outliers(traces(misfit=pulse(1.0, 7)), SILENT, "weight")
    assert 0 < found.weights[7] < 0.5
    assert not found.rejected.any()


def test_silent_and_lost_transients_never_count() -> None:
    silent = SILENT.copy()
    silent[3] = True
    lost = SILENT.copy()
    lost[4] = True
    found = find_outliers(traces(at_limit=lost), silent, "weight")
    assert (found.rules[3], found.rules[4]) == ("no_signal", "shift_beyond_limit")
    assert found.weights[[3, 4]].tolist() == [0, 0]
