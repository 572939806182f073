"""All participants in one figure: quality, concentrations, time course by masked condition, clinical scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from snakemrs.report.figures.chart import Axis, Chart, Panel, Series, limits
from snakemrs.report.inputs import Row, Table
from snakemrs.report.words import metric, number

COLOURS = ("c2", "c6", "c3", "c7", "c1", "c5")
FIRST_METRICS = (
    "snr",
    "line_width_naa",
    "line_width_water",
    "residual_water",
    "rejected_transients",
    "drift",
    "gm",
    "csf",
)
MOST_METRICS = 9


def spread(count: int, width: float = 0.5) -> np.ndarray:
    """Sideways places of dots that would lie on each other: even, and the same each time."""
    golden = 0.6180339887498949
    return (np.mod(golden * np.arange(1, count + 1), 1.0) - 0.5) * width


def _unit(row: Row) -> str:
    parts = [f"sub-{row.get('participant', '').removeprefix('sub-')}"]
    if row.get("session", "n/a") not in ("n/a", ""):
        parts.append(f"ses-{row['session'].removeprefix('ses-')}")
    parts += [row[key] for key in ("acq", "voi", "task") if row.get(key, "n/a") not in ("n/a", "")]
    return " ".join(parts)


def long_quality(table: Table) -> dict[str, list[tuple[Row, float]]]:
    """Give quality by metric, from a long table (``metric after``) or a wide one (a column a metric)."""
    found: dict[str, list[tuple[Row, float]]] = {}
    if "metric" in table.columns:
        column = next((c for c in ("after", "value") if c in table.columns), "after")
        values = table.numbers(column)
        fallback = table.numbers("before") if "before" in table.columns else values
        for row, value, other in zip(table.rows, values, fallback, strict=True):
            found.setdefault(row["metric"], []).append((row, value if np.isfinite(value) else other))
        return found
    keys = {"participant", "session", "task", "acq", "voi", "run", "verdict", "rule", "period", "age"}
    for column in table.columns:
        if column not in keys:
            values = table.numbers(column)
            if np.isfinite(values).any():
                found[column] = list(zip(table.rows, values, strict=True))
    return found


def quality_charts(table: Table, name: str) -> Markup | None:
    """Draw each metric of all spectra by session; verdicts by colour and row of the legend."""
    metrics = long_quality(table)
    chosen = [m for m in FIRST_METRICS if m in metrics] + [m for m in metrics if m not in FIRST_METRICS]
    charts: list[Chart] = []
    for each in chosen:
        rows = [(row, value) for row, value in metrics[each] if np.isfinite(value)]
        if len(rows) < 2 or len({value for _, value in rows}) < 2:
            continue
        charts.append(_by_session(each, rows, f"{name}-{len(charts)}"))
        if len(charts) == MOST_METRICS:
            break
    if not charts:
        return None
    return Markup('<div class="two three">{}</div>').format(Markup("").join(chart.html() for chart in charts))


def _by_session(each: str, rows: list[tuple[Row, float]], name: str) -> Chart:
    sessions = sorted({row.get("session", "n/a") for row, _ in rows})
    unit = next((row["unit"] for row, _ in rows if row.get("unit", "n/a") not in ("n/a", "", "1")), "")
    values = np.array([value for _, value in rows])
    panel = Panel(Axis(*limits([values]), ""), height=170)
    for verdict, colour, text in (
        ("pass", "c2", "good"),
        ("warn", "c1", "look at it"),
        ("fail", "c6", "failed"),
        ("", "soft", ""),
    ):
        part = [
            (row, v)
            for row, v in rows
            if (row.get("verdict", "") if row.get("verdict") in ("pass", "warn", "fail") else "") == verdict
        ]
        if not part:
            continue
        x = np.array([sessions.index(row.get("session", "n/a")) for row, _ in part], float)
        for k in range(len(sessions)):
            here = np.flatnonzero(x == k)
            x[here] += spread(here.size)
        titles = [f"{_unit(row)}: {number(v)}" for row, v in part]
        panel.series.append(
            Series("dots", x, [v for _, v in part], name=text, colour=colour, style="small", titles=titles)
        )
    for k, session in enumerate(sessions):
        here = np.array([v for row, v in rows if row.get("session", "n/a") == session])
        panel.series.append(Series("line", [k - 0.32, k + 0.32], [np.median(here)] * 2, colour="ink", style="thick"))
    axis = Axis(
        -0.6,
        len(sessions) - 0.4,
        "",
        ticks=[(float(k), s if s.startswith("ses-") or s == "n/a" else f"ses-{s}") for k, s in enumerate(sessions)],
    )
    title = metric(each) + (f" ({unit})" if unit else "")
    return Chart(name, title, axis, [panel], caption=f"n = {len(rows)} spectra; line: median.", zoomable=False)


def _static(table: Table) -> list[Row]:
    """Rows of the mean spectrum of each session."""
    if "kind" not in table.columns:
        return table.rows
    kinds = {row["kind"] for row in table.rows}
    return [row for row in table.rows if row["kind"] == "static"] if "static" in kinds else table.rows


def concentrations_chart(table: Table, name: str, metabolites: Sequence[str]) -> Chart | None:
    """Draw the short list for all participants: molal where known, else ratio to tCr; median and quartiles in front."""
    rows = _static(table)
    kinds = (("molal", "molal (mmol/kg)"), ("molar", "molar (mmol/l)"), ("ratio_tcr", "ratio to tCr"))
    for column, label in kinds:  # noqa: B007
        part = Table(table.path, rows)
        if column in table.columns and np.isfinite(part.numbers(column)).any():
            break
    else:
        return None
    names = [m for m in metabolites if any(row.get("metabolite") == m for row in rows)]
    if not names:
        return None
    x, y, titles = [], [], []
    boxes = []
    people: set[str] = set()
    for k, each in enumerate(names):
        mine = Table(table.path, [row for row in rows if row.get("metabolite") == each])
        values = np.array(mine.numbers(column))
        good = np.flatnonzero(np.isfinite(values))
        if not good.size:
            continue
        x += (k + spread(good.size, 0.55)).tolist()
        y += values[good].tolist()
        titles += [f"{_unit(mine.rows[g])}: {each} {number(float(values[g]))}" for g in good]
        people |= {mine.rows[g].get("participant", "") for g in good}
        boxes.append((k, *np.percentile(values[good], [25, 50, 75])))
    panel = Panel(Axis(*limits([y], include=[0.0]), label), height=280)
    panel.series.append(Series("dots", x, y, name="spectra", colour="c5", style="small", titles=titles))
    at = np.array([b[0] for b in boxes], float)
    panel.series.append(
        Series("bars", at + 0.36, [b[1] for b in boxes], [b[3] for b in boxes], name="quartiles", colour="ink")
    )
    panel.series.append(Series("dots", at + 0.36, [b[2] for b in boxes], name="median", colour="ink"))
    axis = Axis(-0.6, len(names) - 0.4, "", ticks=[(float(k), m) for k, m in enumerate(names)])
    spectra = max((sum(1 for row in rows if row.get("metabolite") == m) for m in names), default=0)
    caption = f"n = {len(people)} participants, {spectra} spectra; black dot and bar: median and quartiles."
    return Chart(name, "Concentrations", axis, [panel], caption=caption, zoomable=False)


def course_chart(table: Table, name: str, numerator: str, denominator: str, level: float) -> Chart | None:
    """Draw the ratio over the frames by masked condition: mean of participants with interval, each behind it."""
    column = {"tNAA": "ratio_tnaa", "tCr": "ratio_tcr"}.get(denominator, "ratio_tnaa")
    rows = [row for row in table.rows if row.get("kind", "frames") == "frames" and row.get("metabolite") == numerator]
    part = Table(table.path, rows)
    if len(rows) < 4 or column not in table.columns:
        return None
    onset, length = np.array(part.numbers("onset")), np.nan_to_num(np.array(part.numbers("duration")))
    minutes, values = (onset + length / 2) / 60, np.array(part.numbers(column))
    if not (np.isfinite(values) & np.isfinite(minutes)).any():
        return None
    by = next((c for c in ("condition", "masked_condition", "arm", "group") if c in table.columns), None)
    conditions = sorted({row[by] for row in rows}) if by else ["all"]
    panel = Panel(Axis(0, 1, f"{numerator}/{denominator}"), height=320)
    behind, front, captions, seen = [], [], [], [values]
    for k, condition in enumerate(conditions):
        colour = COLOURS[k % len(COLOURS)]
        mine = [n for n, row in enumerate(rows) if not by or row[by] == condition]
        units: dict[tuple[str, str], list[int]] = {}
        for n in mine:
            units.setdefault((rows[n].get("participant", ""), rows[n].get("session", "")), []).append(n)
        xs: list[float] = []
        ys: list[float] = []
        for members in units.values():
            members.sort(key=lambda n: minutes[n])
            xs += [*minutes[members].tolist(), np.nan]
            ys += [*values[members].tolist(), np.nan]
        behind.append(Series("line", xs, ys, name=f"{condition}: each", colour=colour, style="thin faint"))
        at, mean, low, high = mean_course(minutes[mine], values[mine], [rows[n].get("frame", "") for n in mine], level)
        label = condition if by else "mean"
        seen += [low, high]
        front += [
            Series("band", at, low, high, name=f"{label}: interval", colour=colour),
            Series("line", at, mean, name=label, colour=colour, style="thick" if k == 0 else "thick dashed"),
            Series("dots", at, mean, name=label, colour=colour),
        ]
        captions.append(f"{label}: n = {len({p for p, _ in units})} participants, {len(units)} sessions")
    panel.series = behind + front
    # A mean of two or three has a very wide interval; it must not squeeze what was measured.
    inner, outer = limits([values]), limits(seen)
    room = inner[1] - inner[0]
    panel.axis = Axis(max(outer[0], inner[0] - room), min(outer[1], inner[1] + room), panel.axis.label)
    closer = Panel(Axis(*_close(front), f"{numerator}/{denominator}, means"), height=220, series=front)
    caption = f"{'; '.join(captions)}. Thick: mean of the sessions; thin: each session; "
    caption += f"band: {100 * level:g} % confidence interval of the mean (t)."
    axis = Axis(*limits([minutes], margin=0.03), "time (min)")
    return Chart(name, f"{numerator}/{denominator} over time", axis, [panel, closer], caption=caption)


def _close(front: list[Series]) -> tuple[float, float]:
    """Limits for the means and their bands; a band of two or three sessions, many times wider, is cut."""
    means = np.concatenate([np.asarray(s.y, float) for s in front if s.kind == "line"])
    bands = np.concatenate([np.concatenate([s.y, s.y2]) for s in front if s.kind == "band"])
    low, high = limits([means, bands])
    inner = limits([means], margin=3.0)
    return max(low, inner[0]), min(high, inner[1])


def mean_course(
    minutes: np.ndarray, values: np.ndarray, frames: Sequence[str], level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean over sessions of each frame, with its t interval.

    Returns
    -------
    at, mean, low, high : ndarray, shape (frames,)
        The interval is missing where a frame has fewer than two sessions.
    """
    from scipy.special import stdtrit

    found = []
    for frame in dict.fromkeys(frames):
        here = np.array([f == frame for f in frames]) & np.isfinite(values)
        count = int(here.sum())
        if not count:
            continue
        mean = float(values[here].mean())
        reach = np.nan
        if count > 1:
            reach = float(stdtrit(count - 1, 0.5 + level / 2) * values[here].std(ddof=1) / np.sqrt(count))
        found.append((float(np.nanmean(minutes[here])), mean, mean - reach, mean + reach))
    found.sort()
    array = np.array(found, float).reshape(-1, 4)
    return array[:, 0], array[:, 1], array[:, 2], array[:, 3]


def clinical_chart(table: Table, name: str) -> Chart | None:
    """Draw total scores of each participant over the visits, by masked condition."""
    score = next((c for c in table.columns if c.endswith("total") or c in ("score", "value")), None)
    visit = next((c for c in ("visit", "timepoint", "time") if c in table.columns), None)
    if score is None or visit is None:
        return None
    if "instrument" in table.columns:  # one instrument a figure: the first, which is the study's primary one
        first = table.rows[0]["instrument"]
        table = table.where(instrument=first)
    visits = list(dict.fromkeys(row[visit] for row in table.rows))
    by = next((c for c in ("condition", "masked_condition", "arm") if c in table.columns), None)
    conditions = sorted({row[by] for row in table.rows}) if by else ["all"]
    values = np.array(table.numbers(score))
    if not np.isfinite(values).any() or len(visits) < 2:
        return None
    panel = Panel(
        Axis(
            *limits([values], include=[0.0]), f"{table.rows[0].get('instrument', '')} {score}".replace("_", " ").strip()
        ),
        height=240,
    )
    captions = []
    for k, condition in enumerate(conditions):
        mine = [n for n, row in enumerate(table.rows) if not by or row[by] == condition]
        units: dict[tuple[str, str], list[int]] = {}
        for n in mine:
            units.setdefault((table.rows[n].get("participant", ""), table.rows[n].get("session", "")), []).append(n)
        xs: list[float] = []
        ys: list[float] = []
        for members in units.values():
            members.sort(key=lambda n: visits.index(table.rows[n][visit]))
            xs += [*(float(visits.index(table.rows[n][visit])) for n in members), np.nan]
            ys += [*(float(values[n]) for n in members), np.nan]
        colour = COLOURS[k % len(COLOURS)]
        means = [np.nanmean([values[n] for n in mine if table.rows[n][visit] == v] or [np.nan]) for v in visits]
        panel.series.insert(0, Series("line", xs, ys, name=f"{condition}: each", colour=colour, style="thin faint"))
        panel.series.append(Series("line", range(len(visits)), means, name=condition, colour=colour, style="thick"))
        captions.append(f"{condition}: n = {len(units)} sessions")
    axis = Axis(-0.3, len(visits) - 0.7, "", ticks=[(float(k), v) for k, v in enumerate(visits)])
    return Chart(
        name,
        "Clinical scores",
        axis,
        [panel],
        caption=f"{'; '.join(captions)}. Thick: mean; thin: each.",
        zoomable=False,
    )


def association_chart(frames: Table, clinical: Table, name: str, outcome: str, phases: tuple[str, str]) -> Chart | None:
    """Draw the change of the outcome in a session against the clinical change of that session, by masked condition.

    Parameters
    ----------
    frames : Table
        ``group/frames.tsv``: ``participant session phase condition`` and the outcomes.
    clinical : Table
        ``group/clinical.tsv``: ``participant session instrument visit change``.
    outcome : str
        Column of `frames`, such as ``glx_tnaa``.
    phases : (str, str)
        Names of the phases before and during the event.
    """
    if outcome not in frames.columns or "phase" not in frames.columns or "change" not in clinical.columns:
        return None
    means: dict[tuple[str, str], dict[str, list[float]]] = {}
    condition: dict[tuple[str, str], str] = {}
    for row, value in zip(frames.rows, frames.numbers(outcome), strict=True):
        unit = (row["participant"], row["session"])
        if np.isfinite(value) and row.get("verdict") != "fail":
            means.setdefault(unit, {}).setdefault(row["phase"], []).append(value)
        condition[unit] = row.get("condition", "n/a")
    first = clinical.rows[0].get("instrument", "")
    scores = {
        (row["participant"], row["session"]): change
        for row, change in zip(clinical.rows, clinical.numbers("change"), strict=True)
        if np.isfinite(change) and row.get("instrument", "") == first
    }
    points = [
        (unit, 100 * (float(np.mean(part[phases[1]])) / float(np.mean(part[phases[0]])) - 1), scores[unit])
        for unit, part in sorted(means.items())
        if phases[0] in part and phases[1] in part and unit in scores
    ]
    if len(points) < 3:
        return None
    x, y = np.array([p[1] for p in points]), np.array([p[2] for p in points])
    panel = Panel(Axis(*limits([y], include=[0.0]), f"change of {first} (points)"), height=300, lines=[0.0])
    captions = []
    for k, each in enumerate(sorted({condition[p[0]] for p in points})):
        mine = np.array([condition[p[0]] == each for p in points])
        titles = [
            f"sub-{p[0][0]} ses-{p[0][1]}: {number(p[1])} %, {number(p[2])}" for p in points if condition[p[0]] == each
        ]
        label = each if each != "n/a" else "sessions"
        panel.series.append(
            Series(
                "dots",
                x[mine],
                y[mine],
                name=label,
                colour=COLOURS[k % len(COLOURS)],
                style="ring" if k else "",
                titles=titles,
            )
        )
        captions.append(f"{label}: n = {int(mine.sum())} sessions")
    low, high = limits([x], include=[0.0])
    axis = Axis(low, high, f"change of {outcome.replace('_', '/', 1)}, {phases[1]} against {phases[0]} (%)")
    caption = f"{'; '.join(captions)}. A dot a session; last visit with a change. The test is in the table of effects."
    return Chart(name, "Change of metabolite and of score", axis, [panel], caption=caption)
