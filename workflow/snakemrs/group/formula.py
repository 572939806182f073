"""Model formulas: ``log(glx_tnaa) ~ condition*phase + period + sex + (1|participant) + (1|participant:session)``.

The fixed part is Wilkinson notation read by formulaic; categorical variables get treatment coding (the first level, or
the one named, is the reference). Random intercepts are written ``(1|g)``, ``(1|a:b)`` and ``(1|a/b)``, which is
``(1|a) + (1|a:b)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snakemrs.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

#: Variables that are categorical whatever their values look like (`period` 1 and 2 is a label, not an amount).
CATEGORICAL = frozenset(
    {
        "participant",
        "participant_id",
        "session",
        "session_id",
        "condition",
        "phase",
        "period",
        "sequence",
        "sex",
        "task",
        "acq",
        "voi",
        "run",
        "kind",
    }
    | {"metabolite", "site", "scanner", "rater", "visit"}
)
_RANDOM = re.compile(r"\(\s*([^()|]*?)\s*\|\|?\s*([^()|]*?)\s*\)")
_NAME = re.compile(r"`([^`]+)`|\b([A-Za-z_]\w*)\b(?!\s*\()")


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    Attributes
    ----------
    text : str
        As it was given.
    outcome : str
        Left side, with its transformation.
    fixed : str
        Right side without the random terms.
    random : tuple of tuple of str
        The variables that form each grouping: ``("participant",)``, ``("participant", "session")``.
    """

    text: str
    outcome: str
    fixed: str
    random: tuple[tuple[str, ...], ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """All columns that the formula needs, in order of appearance."""
        grouping = tuple(name for names in self.random for name in names)
        return tuple(dict.fromkeys((*_names(self.outcome), *_names(self.fixed), *grouping)))

    @property
    def predictors(self) -> tuple[str, ...]:
        """The columns of the fixed part."""
        return _names(self.fixed)

    @property
    def outcome_variables(self) -> tuple[str, ...]:
        """The columns of the left side."""
        return _names(self.outcome)


def _names(expression: str) -> tuple[str, ...]:
    """Columns that an expression names: neither its functions nor its quoted levels."""
    found = [a or b for a, b in _NAME.findall(re.sub(r"'[^']*'|\"[^\"]*\"", "", expression))]
    return tuple(dict.fromkeys(name for name in found if name not in ("np", "contr", "True", "False")))


def random_name(names: tuple[str, ...]) -> str:
    """Name a grouping as it is written: ``participant:session``."""
    return ":".join(names)


def parse_formula(text: str) -> Formula:
    """Split a formula into outcome, fixed part and random intercepts.

    Raises
    ------
    RequestError
        For a formula without outcome, or with a random term other than an intercept.
    """
    if text.count("~") != 1:
        raise RequestError("the formula needs one '~'", found=text, expected="outcome ~ predictors + (1|participant)")
    outcome, right = (part.strip() for part in text.split("~"))
    if not outcome:
        raise RequestError("the formula has no outcome on its left side", found=text)
    random: list[tuple[str, ...]] = []
    for effect, grouping in _RANDOM.findall(right):
        if effect != "1":
            raise RequestError(
                "only random intercepts are fitted",
                found=f"({effect}|{grouping})",
                expected="(1|participant), (1|participant:session) or (1|participant/session)",
                remedy="a slope of a factor over participants is the intercept (1|participant:factor)",
            )
        names = [name.strip().strip("`") for name in re.split(r"[:/]", grouping)]
        if not all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names):
            raise RequestError("the grouping of a random term is not understood", found=f"(1|{grouping})")
        if "/" in grouping:
            random += [tuple(names[: i + 1]) for i in range(len(names))]
        else:
            random.append(tuple(names))
    fixed = _RANDOM.sub("", right)
    if "|" in fixed:
        raise RequestError("a random term is not understood", found=fixed.strip(), expected="(1|participant)")
    fixed = re.sub(r"\+(\s*\+)+", "+", fixed).strip().strip("+").strip() or "1"
    return Formula(text.strip(), outcome, fixed, tuple(dict.fromkeys(random)))


def natural_key(value: Any) -> tuple[int, float, str]:
    """Sort labels as people do: numbers by amount, before text."""
    try:
        return (0, float(value), "")
    except (TypeError, ValueError):
        return (1, 0.0, str(value))


def _is_missing(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and value.strip() in ("", "n/a", "nan", "NaN"))


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _label(value: Any) -> str:
    """Write a level as text (1.0 is 1)."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def row_of(data: pd.DataFrame, position: int) -> str:
    """Name a row as its line in the table's file (the first row is line 2); rows keep their number when selected."""
    label = data.index[position]
    return f"row {int(label) + 2}" if isinstance(label, (int, np.integer)) else f"row {label}"


def prepare(data: pd.DataFrame, formula: Formula, reference: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Give the columns of the formula as numbers or categories, with rows in their order and missing ones kept as NaN.

    Parameters
    ----------
    data : DataFrame
        Cells may be text (``n/a`` missing), as read from a table.
    reference : mapping, optional
        The reference level of a categorical variable.

    Raises
    ------
    RequestError
        For a column that is not there, a reference that is no level, or text where numbers are needed.
    """
    import difflib

    import pandas as pd

    reference = dict(reference or {})
    unknown = [name for name in formula.variables if name not in data.columns]
    if unknown:
        near = difflib.get_close_matches(unknown[0], list(data.columns), n=1)
        raise RequestError(
            "the formula names a column that the table does not have",
            found=", ".join(unknown),
            expected=f"one of {', '.join(map(str, data.columns))}",
            remedy=f"did you mean '{near[0]}'?" if near else None,
        )
    grouping = {name for names in formula.random for name in names}
    columns: dict[str, Any] = {}
    for name in formula.variables:
        column = data[name]
        category = isinstance(column.dtype, pd.CategoricalDtype)
        as_label = name in CATEGORICAL or name in grouping or name in reference or category or column.dtype == bool
        as_label = as_label or re.search(rf"\bC\(\s*{re.escape(name)}\b", formula.fixed) is not None
        if not as_label and pd.api.types.is_numeric_dtype(column.dtype):
            columns[name] = column.to_numpy(float)
            continue
        # Cells repeat: what they are is found out once a distinct value.
        codes, distinct = pd.factorize(column)
        values = [None if _is_missing(value) else value for value in distinct]
        numbers = [_number(value) for value in values]
        if not as_label and all(n is not None or v is None for n, v in zip(numbers, values, strict=True)):
            known = np.array([np.nan if n is None else n for n in [*numbers, None]], dtype=float)
            columns[name] = known[codes]
            continue
        words = [i for i, (n, v) in enumerate(zip(numbers, values, strict=True)) if n is None and v is not None]
        count = np.bincount(codes[codes >= 0], minlength=len(values))
        mostly = count[words].sum() < sum(count[i] for i, n in enumerate(numbers) if n is not None)
        if words and (name in formula.outcome_variables or (mostly and not as_label)):
            bad = words[0]
            where = row_of(data, int(np.flatnonzero(codes == bad)[0]))
            outcome = name in formula.outcome_variables
            raise RequestError(
                "the outcome is not a number" if outcome else "a column of numbers holds a value that is none",
                found=f"column {name}, {where}: {values[bad]}",
                expected="a number or n/a",
                remedy=None if outcome else f"correct the cell; or write C({name}) if the numbers are labels",
            )
        labels = [None if value is None else _label(value) for value in values]
        present = {label for label in labels if label is not None}
        if category and name not in reference:
            levels = [_label(v) for v in column.cat.categories if _label(v) in present]
        else:
            levels = sorted(present, key=natural_key)
        if name in reference:
            chosen = str(reference[name])
            if chosen not in levels:
                raise RequestError(
                    f"the reference of {name} is not among its levels", found=chosen, expected=", ".join(levels)
                )
            levels = [chosen, *(level for level in levels if level != chosen)]
        place = {level: number for number, level in enumerate(levels)}
        lookup = np.array([-1 if label is None else place[label] for label in [*labels, None]], dtype=int)
        columns[name] = pd.Categorical.from_codes(lookup[codes].tolist(), dtype=pd.CategoricalDtype(levels))
    return pd.DataFrame(columns, index=data.index)
