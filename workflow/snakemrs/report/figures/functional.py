"""The course of a session: response, controls and line width over time, dynamic fit and frames together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snakemrs.report.figures.chart import Axis, Chart, Panel, Series, limits
from snakemrs.report.inputs import Table
from snakemrs.report.words import number

COLOURS = ("c1", "c3", "c4", "c7")


def course_chart(
    course: Table,
    frames: Table | None,
    name: str,
    metabolite: str,
    controls: Sequence[str],
    events: list[tuple[float, float, str]],
) -> Chart | None:
    """Draw change in per cent of the baseline over time, the controls under it, line width at the bottom.

    Parameters
    ----------
    course : Table
        ``…_desc-dynamic_course.tsv``.
    frames : Table, optional
        Concentrations of frames fitted one by one.
    name : str
    metabolite : str
        Whose response is asked for.
    controls : sequence of str
        What must stay flat.
    events : list of (start, end, text), seconds
    """
    own = course.where(metabolite=metabolite)
    if len(own.rows) < 2:
        return None
    panels = [_response(own, frames, metabolite)]
    still = Panel(Axis(0, 1, "controls (%)"), height=130, lines=[0.0])
    ends: list[np.ndarray] = []
    for colour, control in zip(COLOURS, [c for c in controls if c != metabolite], strict=False):
        part = course.where(metabolite=control)
        if part.rows:
            middle, (lower, upper) = _time(part), _columns(part, "smooth_low", "smooth_high")
            still.series.append(Series("band", middle, lower, upper, colour=colour, style="faint"))
            still.series.append(Series("line", middle, part.numbers("smooth"), name=control, colour=colour))
            ends += [lower, upper]
    if still.series:
        still.axis = Axis(*limits(ends, include=[0.0]), "controls (%)")
        panels.append(still)
    width = course.where(metabolite="line_width")
    if width.rows and np.any(np.array(width.numbers("sd")) > 0):
        panels.append(_widths(width))
    onset, length = _columns(own, "onset", "duration")
    low, high = float(onset.min() / 60), float((onset + length).max() / 60)
    for n, panel in enumerate(panels):
        spans = [(max(a / 60, low), min(b / 60, high), text if n == 0 else "") for a, b, text in events]
        panel.spans = [span for span in spans if span[1] > span[0]]
    caption = (
        f"n = {len(own.rows)} bins of one session, all transients fitted jointly; line and band: smoothed course with "
        "its 95 % interval; dots: bins without smoothing, bars two standard deviations. Controls must stay flat; a "
        "response that follows the line width is a sign of line narrowing, not of metabolism."
    )
    return Chart(name, "Response over time", Axis(low, high, "time (min)"), panels, caption=caption)


def _response(own: Table, frames: Table | None, metabolite: str) -> Panel:
    """Panel of the metabolite: smoothed course, bins, the design's course, frames."""
    middle = _time(own)
    smooth, low, high, model, percent, value, sd = _columns(
        own, "smooth", "smooth_low", "smooth_high", "model", "percent", "value", "sd"
    )
    # A bin's percentage and its amplitude are proportional: their ratio turns the standard deviation into per cent.
    reach = 2 * (100 + percent) * sd / value
    ends = [percent - reach, percent + reach, low, high]
    series = [
        Series("band", middle, low, high, colour="c6", style="faint"),
        Series("line", middle, smooth, name="smoothed", colour="c6"),
        Series("line", middle, model, name="design", colour="ink", style="dashed thin"),
        Series("bars", middle, percent - reach, percent + reach, name="bins", colour="soft"),
        Series("dots", middle, percent, name="bins", colour="soft"),
    ]
    before = [row.get("phase") == "baseline" for row in own.rows]
    part = frames.where(metabolite=metabolite) if frames is not None else None
    if part is not None and len(part.rows) > 1 and any(before):
        onset, length = _columns(own, "onset", "duration")
        end = float((onset + length)[before].max())
        start, extent, amplitude = _columns(part, "onset", "duration", "amplitude")
        first = start + extent <= end + 1e-6
        if first.any():
            at = (start + extent / 2) / 60
            shown = 100 * (amplitude / amplitude[first].mean() - 1)
            titles = [f"frame at {number(m)} min: {number(v)} %" for m, v in zip(at, shown, strict=True)]
            series.append(Series("dots", at, shown, name="frames", colour="c5", titles=titles))
            ends.append(shown)
    axis = Axis(*limits(ends, include=[0.0]), f"{metabolite} (% of baseline)")
    return Panel(axis, height=220, series=series, lines=[0.0])


def _widths(width: Table) -> Panel:
    middle = _time(width)
    value, sd = _columns(width, "value", "sd")
    panel = Panel(Axis(*limits([value - 2 * sd, value + 2 * sd]), "line width (Hz)"), height=110)
    panel.series += [
        Series("bars", middle, value - 2 * sd, value + 2 * sd, colour="soft"),
        Series("line", middle, value, colour="c5", style="thin"),
        Series("dots", middle, value, colour="c5"),
    ]
    return panel


def _columns(table: Table, *names: str) -> tuple[np.ndarray, ...]:
    return tuple(np.array(table.numbers(name)) for name in names)


def _time(table: Table) -> np.ndarray:
    """Middle of each bin, minutes."""
    onset, length = _columns(table, "onset", "duration")
    return np.asarray((onset + length / 2) / 60)
