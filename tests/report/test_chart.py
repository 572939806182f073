"""Charts: ticks, axes that fall, paths that keep gaps, and names that are only names."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemrs.report.figures.chart import UNITS, Axis, Chart, Panel, Series, limits, polyline, round_ticks


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(2, 9))
def test_ticks_are_round_inside_and_not_too_many(low: float, span: float, count: int) -> None:
    marks = round_ticks(low, low + span, count)
    values = [value for value, _ in marks]
    assert 1 <= len(values) <= max(count + 1, 5)
    assert all(low - 1e-6 * span <= v <= low + span + 1e-6 * span for v in values)
    assert all(float(text.replace("−", "-")) == pytest.approx(value, abs=1e-9 + 1e-6 * span) for value, text in marks)


def test_the_ppm_axis_falls_to_the_right() -> None:
    axis = Axis(0.2, 4.2, falling=True)
    assert axis.position(4.2) == 0
    assert axis.position(0.2) == 1
    positions = [position for position, _ in axis.marks()]
    numbers = [float(text) for _, text in axis.marks()]
    assert np.corrcoef(positions, numbers)[0, 1] == pytest.approx(-1)


def test_a_missing_value_leaves_a_gap() -> None:
    path = polyline(np.array([0.0, 10, 20, 30, 40]), np.array([1.0, 2, np.nan, 3, 4]))
    assert path == "M0 1l10 1M30 3l10 1"


@given(st.lists(st.tuples(st.integers(-UNITS, UNITS), st.integers(-UNITS, UNITS)), min_size=1, max_size=30))
def test_relative_steps_end_where_the_points_are(points: list[tuple[int, int]]) -> None:
    x, y = np.array(points, float).T
    numbers = [int(n) for n in re.findall(r"-?\d+", polyline(x, y).replace("h0", ""))]
    places = np.cumsum(np.array(numbers).reshape(-1, 2), axis=0)
    assert places.tolist() == [list(point) for point in points]


def test_limits_hold_all_values_and_never_collapse() -> None:
    low, high = limits([[1.0, np.nan, 5.0]], include=[0.0])
    assert low < 0
    assert high > 5
    assert limits([[3.0, 3.0]])[0] < 3 < limits([[3.0, 3.0]])[1]
    assert limits([[np.nan]]) == (0.0, 1.0)


def test_names_and_titles_are_escaped() -> None:
    nasty = '"><script>alert(1)</script>'
    panel = Panel(Axis(0, 1, nasty), series=[Series("dots", [0.5], [0.5], name=nasty, titles=[nasty])])
    panel.labels.append((0.5, 0.5, nasty))
    panel.spans.append((0.1, 0.2, nasty))
    html = str(Chart("x", nasty, Axis(0, 1, nasty), [panel], caption=nasty).html())
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_an_unknown_kind_of_series_is_an_error() -> None:
    panel = Panel(Axis(0, 1), series=[Series("pie", [0], [0])])
    with pytest.raises(ValueError, match="pie"):
        Chart("x", "x", Axis(0, 1), [panel]).html()
