"""The summaries of the dynamic fits of all sessions in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snakemrs.io.tables import Row, parse_number

SUMMARY: dict[str, dict[str, str]] = {
    "kind": {"Description": "metabolite, sum or line_width"},
    "metabolite": {"Description": "Metabolite or sum; line_width for the line width"},
    "control": {"Description": "Whether it must stay flat"},
    "baseline": {"Description": "Amplitude in the baseline", "Units": "of the data; Hz for line_width"},
    "change": {"Description": "Response less baseline, dynamic fit", "Units": "of the data; Hz for line_width"},
    "change_sd": {"Description": "Its standard deviation", "Units": "of the data; Hz for line_width"},
    "percent": {"Description": "Change over the baseline", "Units": "%"},
    "percent_sd": {"Description": "Its standard deviation", "Units": "%"},
    "ci_low": {"Description": "Lower end of the 95 % interval of percent (Fieller)", "Units": "%"},
    "ci_high": {"Description": "Upper end of the 95 % interval of percent (Fieller)", "Units": "%"},
    "percent_tnaa": {"Description": "Change of the ratio to tNAA", "Units": "%"},
    "percent_tnaa_sd": {"Description": "Its standard deviation", "Units": "%"},
    "auc": {"Description": "Area of percent over the response", "Units": "% min"},
    "peak": {"Description": "Highest point of the smoothed course", "Units": "%"},
    "time_to_peak": {"Description": "When, after the start of the response", "Units": "s"},
    "frames_percent": {"Description": "The same change in frames fitted one by one", "Units": "%"},
    "frames_z": {"Description": "Frames less dynamic fit, in standard deviations of that difference"},
    "frames_agree": {"Description": "Whether the frames say the same"},
}
MOLAL: dict[str, dict[str, str]] = {
    "molal_change": {"Description": "Change of the concentration, tissue-corrected", "Units": "mmol/kg"},
    "molal_change_sd": {"Description": "Its standard deviation", "Units": "mmol/kg"},
}
TEXT = ("kind", "metabolite", "control", "frames_agree")


def summary_of(
    identity: Mapping[str, Any], summary: Sequence[Row], concentrations: Sequence[Row]
) -> list[dict[str, Any]]:
    """Rows of a session: its summary with who and when, and the change of concentration where there is one.

    Parameters
    ----------
    identity : mapping
        Participant, session, …, condition, period.
    summary : sequence of Row
        ``…_desc-dynamic_summary.tsv``.
    concentrations : sequence of Row
        ``…_desc-dynamic_concentrations.tsv``, whose contrasts are frames named ``response-baseline``.
    """
    changes = {row["metabolite"]: row for row in concentrations if row["frame"].endswith("-baseline")}
    rows = []
    for row in summary:
        cells = {name: row.get(name) if name in TEXT else _number(row.get(name)) for name in SUMMARY}
        change = changes.get(row["metabolite"], {})
        molal = {"molal_change": _number(change.get("molal")), "molal_change_sd": _number(change.get("molal_sd"))}
        rows.append({**identity, **cells, **molal})
    return rows


def _number(cell: str | None) -> float | None:
    return None if cell is None else parse_number(cell)
