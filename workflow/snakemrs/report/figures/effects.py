"""Estimates with their intervals, and how the primary one depends on choices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from snakemrs.report.figures.chart import Axis, Chart, Panel, Series, limits
from snakemrs.report.inputs import Table
from snakemrs.report.words import number, p_value, term, with_interval


class Forest:
    """Estimates as rows: a name, a bar for the interval, a dot for the estimate."""

    def __init__(self, name: str, title: str, rows: list[tuple[str, float, float, float, str]], caption: str) -> None:
        self.name, self.title, self.rows, self.caption = name, title, rows, caption

    def html(self) -> Markup:
        """Give the figure as HTML: a chart with one narrow panel a row would be heavier than this list."""
        values = np.array([row[1:4] for row in self.rows], float)
        # One very uncertain row must not squeeze the others: its bar is cut at the edge, its numbers stand beside it.
        width = values[:, 2] - values[:, 1]
        usual = width <= 6 * np.median(width)
        low, high = limits([values[usual]], include=[0.0], margin=0.04)
        axis = Axis(low, high)
        cut = " A bar cut at the edge goes on." if not usual.all() else ""
        zero = 100 * float(axis.position(0.0))
        lines = []
        for text, estimate, left, right, note in self.rows:
            a, b, c = (100 * float(np.clip(axis.position(v), -0.1, 1.1)) for v in (left, right, estimate))
            apart = left > 0 or right < 0
            lines.append(
                Markup(
                    '<li><span class="forest-name">{}</span><span class="forest-bar" title="{}"><i class="zero" '
                    'style="left:{}%"></i><i class="reach{}" style="left:{}%;width:{}%"></i><i class="point{}" '
                    'style="left:{}%"></i></span><span class="forest-value">{}</span></li>'
                ).format(
                    text,
                    note,
                    f"{zero:.2f}",
                    " apart" if apart else "",
                    f"{a:.2f}",
                    f"{max(b - a, 0.2):.2f}",
                    " apart" if apart else "",
                    f"{c:.2f}",
                    note,
                )
            )
        ticks = Markup("").join(
            Markup('<span style="left:{}%">{}</span>').format(f"{100 * p:.2f}", t) for p, t in axis.marks(5)
        )
        return Markup(
            '<figure class="chart forest" id="{}" role="group" aria-label="{}"><ul>{}</ul><div class="forest-axis">'
            '<span></span><div class="xticks">{}</div><span></span></div><figcaption>{}</figcaption></figure>'
        ).format(self.name, self.title, Markup("").join(lines), ticks, self.caption + cut)


def forest_chart(table: Table, name: str) -> Forest | None:
    """Draw the estimates of a table that has ``estimate ci_low ci_high``, without the intercept."""
    columns = set(table.columns)
    if not {"estimate", "ci_low", "ci_high"} <= columns:
        return None
    telling = ("analysis", "outcome", "metabolite", "contrast", "term", "name", "effect", "participant")
    heads = [column for column in table.columns if column in telling]
    rows = []
    for row, estimate, low, high in zip(
        table.rows, table.numbers("estimate"), table.numbers("ci_low"), table.numbers("ci_high"), strict=True
    ):
        text = " · ".join(term(row[c]) if c == "term" else row[c] for c in heads if row[c] != "n/a") or "estimate"
        if not np.isfinite([estimate, low, high]).all() or row.get("term", "").lower() in ("intercept", "(intercept)"):
            continue
        note = with_interval(estimate, low, high)
        if "p" in columns:
            note += f", p {p_value(Table(table.path, [row]).numbers('p')[0])}"
        rows.append((text, estimate, low, high, note))
    if not rows or len(rows) > 60:
        return None
    model = table.dictionary.get("Model")
    level = float(model.get("Confidence", 0.95)) if isinstance(model, dict) else 0.95
    used = model.get("Rows") if isinstance(model, dict) else None
    size = f"n = {used} rows. " if used else ""
    caption = f"{size}Dot: estimate; bar: {100 * level:g} % confidence interval; orange where it leaves out zero."
    return Forest(name, "Estimates", rows, caption)


def specification_chart(table: Table, name: str) -> Chart | None:
    """Draw the primary effect for each choice, sorted, with what was chosen underneath."""
    if not {"estimate", "ci_low", "ci_high"} <= set(table.columns):
        return None
    estimate = np.array(table.numbers("estimate"))
    known = np.flatnonzero(np.isfinite(estimate))
    if known.size < 2:
        return None
    order = known[np.argsort(estimate[known], kind="stable")]
    low, high = np.array(table.numbers("ci_low"))[order], np.array(table.numbers("ci_high"))[order]
    estimate = estimate[order]
    rows = [table.rows[k] for k in order]
    x = np.arange(len(rows), dtype=float)
    choices = [c for c in ("group", "outcome") if c in table.columns and 1 < len({row[c] for row in rows}) <= 14]
    names = [" · ".join(row[c] for c in ("group", "choice") if row.get(c, "n/a") != "n/a") for row in rows]
    titles = [f"{name}: {with_interval(e, a, b)}" for name, e, a, b in zip(names, estimate, low, high, strict=True)]
    top = Panel(Axis(*limits([low, high], include=[0.0]), "primary effect"), height=260, lines=[0.0])
    apart = (low > 0) | (high < 0)
    top.series += [
        Series("bars", x, low, high, name="interval", colour="soft"),
        Series("dots", x, np.where(apart, estimate, np.nan), name="leaves out zero", colour="c6", titles=titles),
        Series("dots", x, np.where(apart, np.nan, estimate), name="holds zero", colour="c5", titles=titles),
    ]
    own = np.array([row.get("group") == "primary" for row in rows])
    if own.any():
        top.series.append(
            Series("dots", x, np.where(own, estimate, np.nan), name="as declared", colour="ink", titles=titles)
        )
    panels = [top]
    for choice in choices:
        levels = sorted({row[choice] for row in rows})
        places = {level: n for n, level in enumerate(levels)}
        panel = Panel(
            Axis(
                -0.6,
                len(levels) - 0.4,
                "",
                ticks=[(float(n), level) for level, n in places.items()],
            ),
            height=16 + 20 * len(levels),
            zoom_y=False,
        )
        panel.series.append(Series("dots", x, [places[row[choice]] for row in rows], style="small", colour="ink"))
        panels.append(panel)
    sign = np.sign(np.median(estimate))
    same = int(np.sum(np.sign(estimate) == sign))
    caption = (
        f"n = {len(rows)} choices, sorted by estimate; bars: 95 % confidence intervals. {same} of {len(rows)} "
        f"({100 * same / len(rows):.0f} %) have the sign of the median, {int(apart.sum())} leave out zero."
    )
    if known.size < len(table.rows):
        caption += f" {len(table.rows) - known.size} gave no estimate."
    axis = Axis(-0.7, len(rows) - 0.3, "choice", ticks=[])
    return Chart(name, "Specification curve", axis, panels, caption=caption, zoomable=False)


def dynamic_forest(betas: Table, name: str, metabolites: Sequence[str]) -> Forest | None:
    """Draw the change of each metabolite per unit of each regressor, in per cent of its constant.

    Regressors of drift are left out; tNAA and tCr stay in as controls, which must be flat.
    """
    rows = []
    columns = [betas.numbers(column) for column in ("percent", "ci_low", "ci_high")]
    for row, percent, low, high in zip(betas.rows, *columns, strict=True):
        regressor, metabolite = row.get("regressor", ""), row.get("metabolite", "")
        if (
            regressor.startswith("drift")
            or metabolite not in metabolites
            or not np.isfinite([percent, low, high]).all()
        ):
            continue
        note = with_interval(percent, low, high, " %")
        rows.append((f"{regressor} · {metabolite}", percent, low, high, note))
    if not rows:
        return None
    widths = [
        f"line width {number(beta)} ± {number(sd, 2)} Hz per unit of {row['regressor']}"
        for row, beta, sd in zip(betas.rows, betas.numbers("beta"), betas.numbers("beta_sd"), strict=True)
        if row.get("metabolite") == "line_width"
    ]
    caption = (
        "n = 1 session, all transients fitted jointly. Dot: change in per cent of the constant, per unit of the "
        "regressor; bar: 95 % interval; orange where it leaves out zero."
    )
    if widths:
        caption += f" Modelled beside it: {'; '.join(widths)}."
    return Forest(name, "Dynamic fit", rows, caption)
