"""The part of a participant's page on a session over time: what the dynamic fit says, and how far to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snakemrs.report.inputs import Table
from snakemrs.report.tables import Grid, badge, download
from snakemrs.report.words import number, plus_minus, with_interval

HEADS = ("", "change", "ratio to tNAA", "area (% min)", "peak", "time to peak (min)", "in frames", "both agree")


def summary_grid(summary: Table, metabolites: Sequence[str]) -> Grid | None:
    """Give the summary of a session: a row a metabolite, intervals of 95 %, and the change of line width."""
    columns = {column: summary.numbers(column) for column in summary.columns}
    rows: list[list[Any]] = []
    for n, row in enumerate(summary.rows):
        name = row["metabolite"]
        if name == "line_width":
            width = plus_minus(columns["change"][n], columns["change_sd"][n])
            rows.append(["line width", f"{width} Hz", *[""] * 6])
        if name not in metabolites:
            continue

        def spread(key: str, scale: float = 1.0, n: int = n) -> str:
            value, low, high = (columns[f"{key}{part}"][n] * scale for part in ("", "_low", "_high"))
            return with_interval(value, low, high)

        agrees = {"true": badge("pass", "yes"), "false": badge("fail", "no")}.get(row.get("frames_agree", ""), "n/a")
        control = " (control)" if row.get("control") == "true" else ""
        rows.append(
            [
                f"{name}{control}",
                with_interval(columns["percent"][n], columns["ci_low"][n], columns["ci_high"][n], " %"),
                f"{plus_minus(columns['percent_tnaa'][n], columns['percent_tnaa_sd'][n])} %" if name != "tNAA" else "",
                spread("auc"),
                f"{spread('peak')} %",
                spread("time_to_peak", 1 / 60),
                f"{plus_minus(columns['frames_percent'][n], columns['frames_sd'][n])} %",
                agrees,
            ]
        )
    if not rows:
        return None
    caption = "Response less baseline, in per cent of the baseline; in brackets 95 % intervals, ± standard deviations."
    return Grid(HEADS, rows, caption, download(summary.path, summary.rows))


def doubts(record: dict[str, Any]) -> list[str]:
    """What a reader of a dynamic fit must know."""
    dynamic = record.get("dynamic")
    if not isinstance(dynamic, dict):
        return []
    found = [] if dynamic.get("status") in (None, "ok") else [f"Dynamic fit: {dynamic['status']}"]
    found += [f"Dynamic fit: {text}" for text in dynamic.get("warnings") or []]
    left = dynamic.get("left_out") or []
    if left:
        found.append(f"Dynamic fit: {number(len(left))} transients were left out, as in the mean")
    return found
