"""Models that would give a wrong answer: found before they are fitted, refused with the reason.

Each refusal has a name; who knows better overrides it by that name, and the override is printed with the result.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.group.dates import looks_like_date
from snakemrs.group.formula import Formula, random_name

if TYPE_CHECKING:
    import pandas as pd

#: Name of each refusal and why it is one.
REASONS = {
    "no-session-term": (
        "several rows of one session (frames) share that session's own deviation, but the model has no random term for "
        "the session"
    ),
    "overlapping-windows": (
        "rows are overlapping windows (sliding averages): they share transients, so they are not separate observations "
        "and every standard error is too small"
    ),
    "baseline-covariate": (
        "the baseline of each period is a covariate in a model with random participants: it correlates with the random "
        "effect, and the treatment effect is biased (Kenward & Roger 2010, Biostatistics 11:1)"
    ),
    "date-predictor": "a calendar date is a predictor: a date is no amount, and dates identify people",
}
#: What it costs to leave the session out (docs/benchmarks/statistics.md): between sessions, and within them.
_BETWEEN = "at a nominal 5 % such a model finds an effect of condition in 27 % of studies without any"
_WITHIN = (
    "what differs between sessions (condition) is found too often where there is nothing; what differs within them "
    "(phase, condition x phase) is found in 3 % instead of 5 % of studies without an effect, and loses power"
)
_REMEDIES = {
    "overlapping-windows": "use the frames that do not overlap; keep sliding windows for figures",
    "baseline-covariate": "use the baseline as outcome rows (condition*phase), or the change from baseline",
    "date-predictor": "use period, or days since a common start",
}
#: Names of the columns of participant and session, the first that is there counts (BIDS tables have those with _id).
PERSON_COLUMNS = ("participant", "participant_id", "subject", "subject_id")
SESSION_COLUMNS = ("session", "session_id")
_BASELINE = re.compile(r"(^|_)(baseline|bl|base|pre)(_|$)", re.IGNORECASE)
_OVERLAP_COLUMNS = ("sliding", "overlapping", "overlap")
_TRUE = {"true", "1", "1.0", "yes", "t"}


def check_model(formula: Formula, data: pd.DataFrame, allow: Iterable[str] = ()) -> list[str]:
    """Refuse a model that would give a wrong answer.

    Parameters
    ----------
    formula : Formula
    data : DataFrame
        The rows that would be fitted, with all columns of the table.
    allow : iterable of str
        Names of refusals that are overridden.

    Returns
    -------
    list of str
        A sentence for every override that mattered, to be printed with the result.

    Raises
    ------
    RequestError
        With the reason, and the name of the override.
    """
    allow = set(allow)
    unknown = allow - set(REASONS)
    if unknown:
        raise RequestError("there is no such override", found=", ".join(sorted(unknown)), expected=", ".join(REASONS))
    said = []
    for name, found in (
        ("no-session-term", _missing_session_term(formula, data)),
        ("overlapping-windows", _overlapping(data)),
        ("baseline-covariate", _baseline_covariate(formula, data)),
        ("date-predictor", _dates(formula, data)),
    ):
        if found is None:
            continue
        reason, remedy = REASONS[name], _REMEDIES.get(name, "")
        if name == "no-session-term":
            columns = session_columns(data) or []
            inner = [
                p
                for p in formula.predictors
                if p in data and data.groupby(columns, observed=True)[p].nunique().max() > 1
            ]
            reason += f": {_WITHIN if inner else _BETWEEN}"
            remedy = f"add (1|{random_name(tuple(columns))})"
        if name not in allow:
            raise RequestError(
                f"refused ({name}): {reason}",
                found=found,
                remedy=f"{remedy}; or override with --allow {name} (the override is printed with the result)",
            )
        said.append(f"OVERRIDDEN {name}: {reason} (here: {found})")
    return said


def session_columns(data: pd.DataFrame) -> list[str] | None:
    """Columns that together name a participant's session; None where the table has no such thing."""
    person = person_column(data)
    if person is None:
        return None
    people = data.groupby(person, observed=True)
    for name in itertools.chain(SESSION_COLUMNS, _starting(data, "ses-"), ("period", "condition")):
        if name in data.columns and people[name].nunique().max() > 1:
            return [person, name]
    return [person]


def person_column(data: pd.DataFrame) -> str | None:
    """Column that names the participant: one of `PERSON_COLUMNS`, or one of labels that begin with ``sub-``."""
    names = itertools.chain(PERSON_COLUMNS, _starting(data, "sub-"))
    return next((name for name in names if name in data.columns), None)


def _starting(data: pd.DataFrame, prefix: str) -> Iterator[str]:
    """Columns whose every value begins with a prefix."""
    for name in data.columns:
        values = data[name].dropna().unique()
        if len(values) and all(isinstance(value, str) and value.startswith(prefix) for value in values):
            yield str(name)


def _codes(data: pd.DataFrame, names: Iterable[str]) -> np.ndarray:
    codes: np.ndarray = data.groupby(list(names), sort=False, dropna=False, observed=True).ngroup().to_numpy()
    return codes


def _same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = len({(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)})
    return pairs == len(set(a.tolist())) == len(set(b.tolist()))


def _missing_session_term(formula: Formula, data: pd.DataFrame) -> str | None:
    columns = session_columns(data)
    if columns is None:
        return None
    session = _codes(data, columns)
    repeated = np.bincount(session).max() if len(session) else 0
    if repeated < 2:
        return None
    if any(_same_partition(_codes(data, names), session) for names in formula.random):
        return None
    terms = ", ".join(f"(1|{random_name(names)})" for names in formula.random) or "no random term"
    return f"up to {repeated} rows in each {' x '.join(columns)}, and {terms}"


def _overlapping(data: pd.DataFrame) -> str | None:
    columns = session_columns(data)
    if columns is None:
        return None
    keys = [*columns, *(name for name in ("metabolite", "acq", "voi", "task", "run", "kind") if name in data.columns)]
    for name in _OVERLAP_COLUMNS:
        if name in data.columns and data[name].astype(str).str.lower().isin(_TRUE).any():
            marked = data[data[name].astype(str).str.lower().isin(_TRUE)]
            if np.bincount(_codes(marked, keys)).max() > 1:
                return f"column {name} is true in {len(marked)} rows"
    if {"onset", "duration"} <= set(data.columns):
        import pandas as pd

        times = data[keys].copy()
        times["start"] = pd.to_numeric(data["onset"], errors="coerce")
        times["end"] = times["start"] + pd.to_numeric(data["duration"], errors="coerce")
        times = times.dropna(subset=["start", "end"]).drop_duplicates().sort_values("start", kind="stable")
        # A key that is n/a (no acq, no run) is a key like any other.
        before = times.groupby(keys, sort=False, dropna=False, observed=True)["end"].shift()
        # Times come with rounding of the repetition time: a hundredth of a window is no overlap.
        over = before - times["start"] > 0.01 * (times["end"] - times["start"])
        if over.any():
            return f"{int(over.sum())} windows begin before the one before them ends (onset, duration)"
    return None


def _baseline_covariate(formula: Formula, data: pd.DataFrame) -> str | None:
    import pandas as pd

    columns = session_columns(data)
    if columns is None or len(columns) < 2 or not any(names == (columns[0],) for names in formula.random):
        return None
    outcome = formula.outcome_variables[0] if formula.outcome_variables else ""
    for name in formula.predictors:
        if name not in data.columns:
            continue
        values = pd.to_numeric(data[name], errors="coerce")
        if values.notna().sum() < 0.5 * len(values) or values.nunique() < 3:
            continue
        frame = data[columns].assign(value=values.round(9)).dropna()
        by_session = frame.groupby(columns, observed=True)["value"].nunique().max()
        by_participant = frame.groupby(columns[0], observed=True)["value"].nunique().max()
        if by_session != 1 or by_participant == 1:
            continue
        if _BASELINE.search(name):
            return f"{name} differs between the sessions of a participant"
        if "phase" in data.columns and outcome in data.columns:
            base = data[data["phase"].astype(str) == "baseline"]
            mean = (
                pd.to_numeric(base[outcome], errors="coerce").groupby([base[c] for c in columns], observed=True).mean()
            )
            joined = (
                frame.drop_duplicates().set_index(columns)["value"].to_frame().join(mean.rename("baseline")).dropna()
            )
            if len(joined) > 3 and np.corrcoef(joined["value"], joined["baseline"])[0, 1] > 0.9999:
                return f"{name} is the baseline of {outcome} in each session"
    return None


def _dates(formula: Formula, data: pd.DataFrame) -> str | None:
    import pandas as pd

    for name in formula.predictors:
        if name not in data.columns:
            continue
        column = data[name].dropna()
        column = column[~column.astype(str).isin(["n/a", ""])]
        if pd.api.types.is_datetime64_any_dtype(column.dtype) or looks_like_date(column.unique()[:50]):
            return f"{name} = {column.iloc[0]}"
    return None
