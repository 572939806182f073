"""Concentrations with intervals, over time, their correlation, and quality against the study's distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from markupsafe import Markup

from snakemrs.report.figures.chart import Axis, Chart, Panel, Series, limits
from snakemrs.report.figures.image import diverging
from snakemrs.report.inputs import Table
from snakemrs.report.words import metric, number, plus_minus


def half_width(level: float) -> float:
    """Standard deviations on each side of the mean that hold the share `level` of a normal distribution."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def concentrations_chart(table: Table, name: str, metabolites: Sequence[str], level: float) -> Chart | None:
    """Draw the short list of metabolites with their intervals: mmol/kg where there are any, else ratios to tCr."""
    kinds = (("molal", "molal (mmol/kg)"), ("molar", "molar (mmol/l)"), ("ratio_tcr", "ratio to tCr"),
             ("ratio_tnaa", "ratio to tNAA"))  # fmt: skip
    rows = {row["metabolite"]: row for row in table.rows if row.get("metabolite") in metabolites}
    shown = [m for m in metabolites if m in rows]
    for column, label in kinds:  # noqa: B007
        part = Table(table.path, [rows[m] for m in shown])
        values, sd = np.array(part.numbers(column)), np.array(part.numbers(f"{column}_sd"))
        if np.isfinite(values).any():
            break
    else:
        return None
    reach = half_width(level) * np.nan_to_num(sd)
    x = np.arange(len(shown), dtype=float)
    titles = [f"{m}: {plus_minus(v, s)}" for m, v, s in zip(shown, values, sd, strict=True)]
    panel = Panel(Axis(*limits([values - reach, values + reach], include=[0.0]), label), height=220)
    panel.series += [
        Series("bars", x, values - reach, values + reach, colour="c5"),
        Series("dots", x, values, colour="c5", titles=titles),
    ]
    axis = Axis(-0.5, len(shown) - 0.5, "", ticks=list(zip(x.tolist(), shown, strict=True)))
    caption = f"One spectrum; bars: {100 * level:g} % interval from the fit and all that follows it."
    if column.startswith("ratio"):
        caption += " No mmol/kg or mmol/l: see what could not be done."
    return Chart(name, "Concentrations", axis, [panel], caption=caption, zoomable=False)


def time_chart(
    concentrations: Table | None,
    quality: Table | None,
    name: str,
    numerator: str,
    denominator: str,
    events: list[tuple[float, float, str]],
    level: float,
) -> Chart | None:
    """Draw a ratio over the frames with the line width under it (line narrowing fakes metabolite change)."""
    panels: list[Panel] = []
    reached: list[float] = []
    count = 0
    if concentrations is not None:
        column = {"tNAA": "ratio_tnaa", "tCr": "ratio_tcr"}.get(denominator, "ratio_tnaa")
        part = concentrations.where(metabolite=numerator)
        middle, length = _middles(part)
        values, sd = np.array(part.numbers(column)), np.array(part.numbers(f"{column}_sd"))
        if len(part.rows) > 1 and np.isfinite(values).any() and np.isfinite(middle).all():
            reach = half_width(level) * np.nan_to_num(sd)
            titles = [f"{number(m)} min: {plus_minus(v, s)}" for m, v, s in zip(middle, values, sd, strict=True)]
            panel = Panel(Axis(*limits([values - reach, values + reach]), f"{numerator}/{denominator}"), height=200)
            panel.series += [
                Series("line", middle, values, colour="c6", style="thin"),
                Series("bars", middle, values - reach, values + reach, colour="c6"),
                Series("dots", middle, values, colour="c6", titles=titles),
            ]
            panels.append(panel)
            reached += [*(middle - length / 2), *(middle + length / 2)]
            count = len(part.rows)
    if quality is not None and len(quality.rows) > 1:
        middle, length = _middles(quality)
        for column, label in (("line_width_naa", "NAA width (Hz)"), ("line_width_water", "water width (Hz)")):
            values = np.array(quality.numbers(column))
            if np.isfinite(values).any() and np.isfinite(middle).all():
                panel = Panel(Axis(*limits([values]), label), height=110)
                panel.series += [
                    Series("line", middle, values, colour="c5", style="thin"),
                    Series("dots", middle, values, colour="c5"),
                ]
                panels.append(panel)
                reached += [*(middle - length / 2), *(middle + length / 2)]
                count = count or len(quality.rows)
    if not panels:
        return None
    low, high = min(reached), max(reached)
    for n, panel in enumerate(panels):
        spans = [(max(a / 60, low), min(b / 60, high), text if n == 0 else "") for a, b, text in events]
        panel.spans = [span for span in spans if span[1] > span[0]]
    caption = (
        f"n = {count} frames; bars: {100 * level:g} % interval of the single frame; shaded: events. A ratio that "
        "follows the line width is a sign of line narrowing, not of metabolism."
    )
    return Chart(name, "Frames over time", Axis(low, high, "time (min)"), panels, caption=caption)


def _middles(table: Table) -> tuple[np.ndarray, np.ndarray]:
    onset, length = np.array(table.numbers("onset")) / 60, np.nan_to_num(np.array(table.numbers("duration"))) / 60
    return onset + length / 2, length


def correlation_figure(covariance: Table, name: str) -> Markup | None:
    """Draw the correlation of the amplitudes of the first frame, with the strongest pairs in words."""
    frames = list(dict.fromkeys(row.get("frame", "n/a") for row in covariance.rows))
    rows = [row for row in covariance.rows if row.get("frame", "n/a") == frames[0]] if frames else []
    names = [row["metabolite"] for row in rows if row.get("metabolite") in row]
    if len(names) < 2:
        return None
    part = Table(covariance.path, [row for row in rows if row["metabolite"] in names])
    matrix = np.array([part.numbers(column) for column in names], float)
    sd = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), np.nan))
    correlation = matrix / np.outer(sd, sd)
    known = np.flatnonzero(np.isfinite(sd))
    if known.size < 2:
        return None
    names = [names[k] for k in known]
    correlation = correlation[np.ix_(known, known)]
    colours = diverging(correlation, 1.0)
    cells = []
    for r, row_name in enumerate(names):
        row = [
            Markup('<td style="background:rgb({},{},{})" title="{}"></td>').format(
                *(int(c) for c in colours[r, c_]), f"{row_name} and {column_name}: {correlation[r, c_]:.2f}"
            )
            for c_, column_name in enumerate(names)
        ]
        cells.append(Markup('<tr><th scope="row">{}</th>{}</tr>').format(row_name, Markup("").join(row)))
    head = Markup("").join(Markup('<th scope="col"><span>{}</span></th>').format(n) for n in names)
    pairs = [(correlation[a, b], names[a], names[b]) for a in range(len(names)) for b in range(a)]
    strong = sorted((p for p in pairs if abs(p[0]) >= 0.5), key=lambda p: -abs(p[0]))[:8]
    words = ", ".join(f"{a} and {b} {number(float(r), 2)}" for r, a, b in strong)
    sentence = f"Strongest: {words}." if strong else "No pair reaches ±0.5."
    return Markup(
        '<figure class="chart" id="{}" role="group" aria-label="Correlation of amplitudes"><h4>Correlation of the '
        'amplitudes</h4><div class="scroll"><table class="matrix"><thead><tr><td></td>{}</tr></thead><tbody>{}'
        '</tbody></table></div><p class="scale" aria-hidden="true"><span>−1</span><i></i><span>+1</span></p>'
        "<figcaption>From the covariance of the fit, {} metabolites. {} Two metabolites that go against each other "
        "(near −1) are told apart badly: take their sum.</figcaption></figure>"
    ).format(name, head, Markup("").join(cells), len(names), sentence)


def distribution_figure(
    study: Table, participant: str, name: str, entities: Mapping[str, str] | None = None
) -> Chart | None:
    """Place a spectrum's quality in the study's, among the spectra of the same kind (acquisition, voxel, task)."""
    entities = entities or {}
    session = entities.get("session", "")
    same = [key for key in ("acq", "voi", "task") if key in study.columns]
    rows = [
        row
        for row in study.rows
        if row.get("metric") and all(row[key] in ("n/a", entities.get(key, "n/a")) for key in same)
    ]
    label = participant.removeprefix("sub-")
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    own: list[float] = []
    low, high, names, titles = [], [], [], []
    spectra = 0
    for each in metrics:
        part = Table(study.path, [row for row in rows if row["metric"] == each])
        column = next((c for c in ("after", "value", "before") if np.isfinite(part.numbers(c)).any()), None)
        if column is None:
            continue
        values = np.array(part.numbers(column))
        mine = np.array(
            [row.get("participant", "").removeprefix("sub-") == label
             and (not session or row.get("session", "").removeprefix("ses-") == session) for row in part.rows]
        )  # fmt: skip
        finite = values[np.isfinite(values)]
        if finite.size < 3 or not np.isfinite(values[mine]).any() or np.ptp(finite) == 0:
            continue
        spectra = max(spectra, finite.size)
        value = float(np.nanmean(values[mine]))
        middle = np.median(finite)
        quarter = np.percentile(finite, [25, 75])
        spread = float(np.ptp(quarter)) or float(np.ptp(finite))
        own.append(float(np.clip((value - middle) / spread, -4, 4)))
        low.append(float(np.clip((finite.min() - middle) / spread, -4, 4)))
        high.append(float(np.clip((finite.max() - middle) / spread, -4, 4)))
        names.append(metric(each))
        titles.append(f"{metric(each)}: {number(value)}; study {number(float(middle))} "
                      f"({number(float(quarter[0]))} to {number(float(quarter[1]))})")  # fmt: skip
    if not own:
        return None
    # A row a metric, the first on top: names of metrics are too long to stand side by side.
    row = np.arange(len(own), dtype=float)[::-1]
    panel = Panel(
        Axis(-0.6, len(own) - 0.4, "", ticks=list(zip(row.tolist(), names, strict=True))), height=30 + 24 * len(own)
    )
    gap = np.full(len(own), np.nan)
    ranges = np.column_stack([low, high, gap]).ravel()
    panel.series += [
        Series("line", ranges, np.repeat(row, 3), name="range of the study", colour="soft"),
        Series("dots", np.array(own), row, name="here", colour="c6", titles=titles),
    ]
    marks = [(float(v), f"{v:+d}".replace("-", "−") if v else "0") for v in (-4, -2, 0, 2, 4)]
    axis = Axis(-4.3, 4.3, "distance from the median (ranges between quartiles)", ticks=marks)
    caption = f"n = {spectra} spectra of the study. Point: this one; line: smallest to largest, cut at ±4."
    return Chart(name, "Quality against the study", axis, [panel], caption=caption, zoomable=False)
