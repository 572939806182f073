"""The one table of results: a row a test, whatever analysis it comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

RESULT_COLUMNS = (
    "analysis",
    "outcome",
    "family",
    "term",
    "n_participants",
    "n_rows",
    "estimate",
    "se",
    "df",
    "statistic",
    "p",
    "p_adjusted",
    "ci_low",
    "ci_high",
    "percent",
    "percent_low",
    "percent_high",
    "note",
)
RESULT_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "analysis": {"Description": "Which analysis (docs/science/group.md)"},
    "outcome": {"Description": "Outcome with its transformation"},
    "family": {"Description": "primary, secondary (Holm), parts, exploratory (Benjamini-Hochberg)"},
    "term": {"Description": "Effect; conditions are masked codes until the study is unblinded"},
    "n_participants": {"Description": "Participants in this analysis"},
    "n_rows": {"Description": "Rows (frames, sessions, visits or pairs) in this analysis"},
    "estimate": {
        "Description": "Estimate, in units of the transformed outcome (a difference of logarithms, points, r)"
    },
    "se": {"Description": "Standard error"},
    "df": {"Description": "Denominator degrees of freedom"},
    "statistic": {"Description": "t, or F where the term has several degrees of freedom (then there is no estimate)"},
    "p": {"Description": "Two-sided probability under the null hypothesis"},
    "p_adjusted": {"Description": "p adjusted within the family"},
    "ci_low": {"Description": "Lower end of the interval of level 1 - alpha"},
    "ci_high": {"Description": "Upper end of the interval"},
    "percent": {"Description": "The effect of a logarithm as change of the ratio", "Units": "percent"},
    "percent_low": {"Description": "Lower end of its interval", "Units": "percent"},
    "percent_high": {"Description": "Upper end of its interval", "Units": "percent"},
    "note": {"Description": "What the reader must know"},
}


@dataclass
class Results:
    """Rows of results, tables by name, and what was said along the way."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, tuple[list[dict[str, Any]], tuple[str, ...], dict[str, Any]]] = field(default_factory=dict)
    statements: list[dict[str, str]] = field(default_factory=list)

    def say(self, analysis: str, kind: str, text: str) -> None:
        """Note something: ``note`` (for the methods), ``warning`` (changes what can be believed), ``left out``."""
        row = {"analysis": analysis, "kind": kind, "text": text}
        if row not in self.statements:
            self.statements.append(row)

    def add(self, analysis: str, outcome: str, family: str, term: str, **values: Any) -> dict[str, Any]:
        """Add a row; a difference of logarithms is given in percent too."""
        row: dict[str, Any] = {"analysis": analysis, "outcome": outcome, "family": family, "term": term, **values}
        if outcome.startswith("log(") and analysis not in ("association", "mediation", "effect size", "power"):
            for column, source in (("percent", "estimate"), ("percent_low", "ci_low"), ("percent_high", "ci_high")):
                value = row.get(source)
                if value is not None and math.isfinite(value):
                    row[column] = 100 * math.expm1(value)
        self.rows.append(row)
        return row

    def find(self, analysis: str, outcome: str | None = None, term: str | None = None) -> dict[str, Any] | None:
        """Give the first row of an analysis (of an outcome, of a term)."""
        for row in self.rows:
            if row["analysis"] == analysis and outcome in (None, row["outcome"]) and term in (None, row["term"]):
                return row
        return None
