"""Tables of the stages as tables of a page."""

from __future__ import annotations

from typing import Any

import numpy as np

from snakemrs.report import words
from snakemrs.report.inputs import Table
from snakemrs.report.lights import rule_of
from snakemrs.report.tables import Grid, badge, download

LABELS = ("participant", "session", "task", "acq", "voi", "run", "frame", "period")
"""Columns that name things, though they may look like numbers."""
MOST_ROWS = 400
MOST_CELLS = 4000
"""Longer tables are shown up to here and downloaded whole."""


def concentrations_grid(table: Table, metabolites: tuple[str, ...] | None, caption: str) -> Grid:
    """Give concentrations as a table: every value with its standard deviation, ``n/a`` where it is not known."""
    rows = {row["metabolite"]: row for row in table.rows if row.get("metabolite")}
    names = [m for m in metabolites if m in rows] if metabolites is not None else list(rows)
    pairs = [("ratio_tcr", "/ tCr"), ("ratio_tnaa", "/ tNAA"), ("molar", "mmol/l"), ("molal", "mmol/kg")]
    body = []
    for name in names:
        part = Table(table.path, [rows[name]])
        cells = [words.plus_minus(part.numbers(c)[0], part.numbers(f"{c}_sd")[0]) for c, _ in pairs]
        body.append([name, *cells, words.number(part.numbers("crlb_percent")[0], 2)])
    heads = ["Metabolite", *(head for _, head in pairs), "CRLB %"]
    note = (
        "Value ± standard deviation, n = 1 spectrum. CRLB: Cramér–Rao bound as share of the amplitude; large for a "
        "small concentration by nature, and no reason by itself to leave it out."
    )
    return Grid(heads, body, f"{caption}. {note}", download(table.path, table.rows), frozenset(range(1, len(heads))))


def quality_grid(table: Table) -> Grid:
    """Give quality before and after with verdict and rule."""
    body = []
    for row in table.rows:
        part = Table(table.path, [row])
        unit = row.get("unit", "")
        body.append(
            [
                words.metric(row.get("metric", "")),
                words.count_or_number(part.numbers("before")[0]),
                words.count_or_number(part.numbers("after")[0]),
                "" if unit in ("n/a", "1") else unit,
                badge(row.get("verdict", "n/a")),
                rule_of(row),
            ]
        )
    heads = ["Metric", "Before", "After", "Unit", "Verdict", "Rule"]
    return Grid(
        heads,
        body,
        "Quality before and after preprocessing, n = 1 spectrum.",
        download(table.path, table.rows),
        frozenset({1, 2}),
    )


def tissue_grid(table: Table) -> Grid:
    """Give the tissue fractions of the voxel."""
    row = table.rows[0]
    part = Table(table.path, [row])

    def share(column: str) -> str:
        value, sd = part.numbers(column)[0], part.numbers(f"{column}_sd")[0]
        text = words.percent(value)
        return f"{text} (± {words.number(100 * sd, 2)})" if np.isfinite(sd) else text

    names = (("gm", "Grey matter"), ("wm", "White matter"), ("csf", "CSF"), ("outside", "Outside the head"))
    body = [[label, share(column)] for column, label in names]
    body.append(["Volume", f"{words.number(part.numbers('volume_mm3')[0] / 1000)} ml"])
    return Grid(
        ["Tissue", "Share of the voxel"], body, "Tissue in the voxel.", download(table.path, table.rows), frozenset({1})
    )


def plain_grid(table: Table, caption: str, counted: bool = True) -> Grid:
    """Give any table as it is, numbers shortened, verdicts as badges; `counted` says how many rows in the caption."""
    # A column that nobody fills tells nothing here; the download has it.
    columns = [c for c in table.columns if any(row[c] != "n/a" for row in table.rows)]
    parts = {column: table.numbers(column) for column in columns}
    body = []
    for n, row in enumerate(table.rows):
        cells: list[Any] = []
        for column in columns:
            value = parts[column][n]
            if column == "verdict":
                cells.append(badge(row[column]))
            else:
                # Labels such as 01 and whole numbers stay as written.
                short = len(row[column]) <= 5 or not np.isfinite(value)
                cells.append(row[column] if short else words.number(value, 4))
        body.append(cells)
    numeric = frozenset(
        n for n, column in enumerate(columns) if column not in LABELS and np.isfinite(parts[column]).any()
    )
    return Grid(
        [c.replace("_", " ") for c in columns],
        body,
        f"{caption}, n = {len(body)}." if counted else f"{caption}.",
        download(table.path, table.rows),
        numeric,
    )


def shortened(table: Table, caption: str) -> Grid:
    """Give a table up to `MOST_ROWS` rows; the download has all."""
    most = max(20, min(MOST_ROWS, MOST_CELLS // max(1, len(table.columns))))
    if len(table.rows) <= most:
        return plain_grid(table, caption)
    grid = plain_grid(Table(table.path, table.rows[:most], table.dictionary), caption)
    grid.caption = f"{caption}: the first {most} of n = {len(table.rows)} rows; the download has all."
    grid.download = download(table.path, table.rows)
    return grid
