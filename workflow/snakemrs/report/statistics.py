"""Results of the stage group as sections of a page: effects by family, models, assumptions, what was said."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from markupsafe import Markup

from snakemrs.report import words
from snakemrs.report.figures.effects import Forest, forest_chart
from snakemrs.report.grids import shortened
from snakemrs.report.inputs import Reader, Table
from snakemrs.report.tables import Grid

TITLES = {
    "primary": "Primary outcome",
    "secondary": "Secondary outcomes (Holm)",
    "parts": "Numerators and denominators apart",
    "exploratory": "Exploratory outcomes (Benjamini–Hochberg)",
    "by frame": "By frame",
    "secondary view": "Other views of the primary outcome",
}
MOST_BYTES = 400_000
"""A figure of the stage larger than this stays beside the page."""


@dataclass
class Statistic:
    """A group of results: figures, a table, notes."""

    title: str
    grid: Grid | None = None
    figures: list[Markup] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    open: bool = False
    more: bool = False


def statistics(reader: Reader, folder: Path) -> tuple[list[Statistic], list[str]]:
    """Read ``group/statistics``.

    Returns
    -------
    statistics : list of Statistic
        Results by family first, then the other tables (`more` is set).
    statements : list of str
        Warnings, overrides and what was left out.
    """
    found: list[Statistic] = []
    results = reader.table(folder / "results.tsv")
    if results is not None and results.rows:
        found += _families(results)
    statements = reader.table(folder / "statements.tsv")
    said = [] if statements is None else [
        f"{row.get('analysis', '')}: {row.get('kind', '')}: {row.get('text', '')}" for row in statements.rows
    ]  # fmt: skip
    for n, path in enumerate(sorted(folder.rglob("*.tsv"))):
        if path.name in ("results.tsv", "statements.tsv"):
            continue
        table = reader.table(path)
        if table is not None and table.rows:
            found.append(_single(table, str(path.relative_to(folder)), f"statistic{n}"))
    pictures = [_picture(path) for path in sorted(folder.rglob("*.svg")) if path.stat().st_size <= MOST_BYTES]
    if pictures:
        found.append(Statistic("Figures of the assumptions", figures=pictures, more=True))
    return found, said


def _families(results: Table) -> list[Statistic]:
    """Results on one axis where they have one unit: per cent by family, the rest by analysis."""
    percent = results.numbers("percent_low")
    groups: dict[str, list[int]] = {}
    for n, row in enumerate(results.rows):
        in_percent = np.isfinite(percent[n])
        family, analysis = row.get("family", "n/a"), row.get("analysis", "n/a")
        key = TITLES.get(family, family.capitalize()) if in_percent else analysis.capitalize()
        groups.setdefault(key, []).append(n)
    order = {title: n for n, title in enumerate(TITLES.values())}
    found: list[Statistic] = []
    others: list[int] = []
    for key in sorted(groups, key=lambda k: order.get(k, len(order))):
        part = Table(results.path, [results.rows[n] for n in groups[key]], results.dictionary)
        forest = _forest(part, f"effects{len(found)}")
        if forest is None:
            others += groups[key]
            continue
        notes = list(dict.fromkeys(row["note"] for row in part.rows if row.get("note", "n/a") != "n/a"))
        found.append(Statistic(key, _tests(part, f"{key}: each test"), [forest.html()], notes[:4]))
    if others:
        part = Table(results.path, [results.rows[n] for n in sorted(others)], results.dictionary)
        found.append(Statistic("Further tests, without an interval", _tests(part, "Further tests"), open=True))
    return found


def _tests(part: Table, caption: str) -> Grid:
    """Give tests as a table without the columns that none of them has."""
    kept = [c for c in part.columns if any(row[c] != "n/a" for row in part.rows)]
    slim = Table(part.path, [{c: row[c] for c in kept} for row in part.rows], part.dictionary)
    grid = shortened(slim, caption)
    _p_values(grid, slim)
    return grid


def _forest(part: Table, name: str) -> Forest | None:
    in_percent = bool(np.isfinite(part.numbers("percent_low")).any())
    columns = ("percent", "percent_low", "percent_high") if in_percent else ("estimate", "ci_low", "ci_high")
    values = [part.numbers(column) for column in columns]
    p, adjusted = part.numbers("p"), part.numbers("p_adjusted")
    telling = [c for c in ("outcome", "analysis") if len({row.get(c) for row in part.rows}) > 1]
    heads = [*telling, "term"]
    rows = []
    sizes = set()
    for n, row in enumerate(part.rows):
        estimate, low, high = (column[n] for column in values)
        if not np.isfinite([estimate, low, high]).all():
            continue
        unit = " %" if in_percent else ""
        note = words.with_interval(estimate, low, high, unit)
        if np.isfinite(p[n]):
            note += f", p {words.p_value(p[n])}"
        if np.isfinite(adjusted[n]):
            note += f", adjusted {words.p_value(adjusted[n])}"
        sizes.add(row.get("n_participants", "n/a"))
        text = " · ".join(words.term(row[c]) if c == "term" else row[c] for c in heads if row.get(c, "n/a") != "n/a")
        rows.append((text, estimate, low, high, note))
    if not rows:
        return None
    size = f"n = {', '.join(sorted(sizes))} participants. " if sizes - {"n/a"} else ""
    size += "".join(f"{part.rows[0][c]}. " for c in ("outcome", "analysis") if c not in telling and part.rows[0].get(c))
    what = "change of the ratio in per cent" if in_percent else "estimate in units of the outcome"
    caption = f"{size}Dot: {what}; bar: confidence interval; orange where it leaves out zero."
    return Forest(name, "Estimates", rows, caption)


def _single(table: Table, name: str, identifier: str) -> Statistic:
    title = name.removesuffix(".tsv").replace("_", " ").replace("/", ": ").capitalize()
    notes = table.notes()
    model = table.dictionary.get("Model")
    if isinstance(model, Mapping):
        if model.get("Formula"):
            df = model.get("DegreesOfFreedom")
            notes.insert(0, f"Model: {model['Formula']}; {model.get('Rows', '?')} rows" + (f"; {df}" if df else ""))
        warnings = model.get("Warnings")
        notes += [str(warning) for warning in warnings] if isinstance(warnings, list) else []
    grid = shortened(table, title)
    _p_values(grid, table)
    figure = forest_chart(table, identifier)
    return Statistic(title, grid, [figure.html()] if figure is not None else [], notes, more="primary" not in name)


def _p_values(grid: Grid, table: Table) -> None:
    """Write p values as such."""
    for column in ("p", "p_adjusted"):
        head = column.replace("_", " ")
        if head in grid.columns:
            index = list(grid.columns).index(head)
            for row, value in zip(grid.rows, table.numbers(column), strict=False):
                row[index] = words.p_value(value)  # type: ignore[index]


def _picture(path: Path) -> Markup:
    """A figure of the stage as an image: an SVG inside ``img`` runs no script and loads nothing."""
    address = "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()
    name = path.stem.replace("_", " ")
    return Markup(
        '<figure class="chart paper"><img src="{0}" alt="{1}"><figcaption>{1}; n in the titles of its panels.'
        "</figcaption></figure>"
    ).format(address, name.capitalize())
