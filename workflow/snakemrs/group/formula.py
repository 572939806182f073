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
from numpy.typing import NDArray

from snakemrs.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

#: Variables that are categorical whatever their values look like (`period` 1 and 2 is a label, not an amount).
CATEGORICAL = frozenset(
    {"participant", "session", "condition", "phase", "period", "sequence", "sex", "task", "acq", "voi", "run", "kind"}
    | {"metabolite", "site", "scanner", "rater", "visit"}
)
_RANDOM = re.compile(r"\(\s*([^()|]*?)\s*\|\|?\s*([^()|]*?)\s*\)")
_NAME = re.compile(r"`([^`]+)`|\b([A-Za-z_]\w*)\b(?!\s*\()")
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$|^\d{2}[./]\d{2}[./]\d{4}$")


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


def _label(value: Any) -> Any:
    """Write a level as text (1.0 is 1); what is missing stays missing."""
    if value is None or value != value:
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def looks_like_date(values: Any) -> bool:
    """Whether all values are calendar dates."""
    texts = [str(v) for v in values]
    return bool(texts) and all(_DATE.match(t) for t in texts)


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
    result = pd.DataFrame(index=data.index)
    for name in formula.variables:
        column = data[name]
        missing = column.isna() | column.astype(str).str.strip().isin(["n/a", "", "nan", "NaN"])
        present = column[~missing]
        numbers = pd.to_numeric(present, errors="coerce")
        as_label = (
            name in CATEGORICAL
            or name in grouping
            or name in reference
            or isinstance(column.dtype, pd.CategoricalDtype)
        )
        if column.dtype == bool:
            as_label, numbers = True, numbers * float("nan")
        if not as_label and not numbers.isna().any():
            result[name] = pd.to_numeric(column.where(~missing), errors="coerce").astype(float)
            continue
        if name in formula.outcome_variables:
            bad = present[numbers.isna()]
            raise RequestError(
                "the outcome is not a number",
                found=f"{name} = {bad.iloc[0]!r} in row {list(data.index).index(bad.index[0]) + 2}",
                expected="a number or n/a",
            )
        if isinstance(column.dtype, pd.CategoricalDtype) and name not in reference:
            levels = [str(v) for v in column.cat.categories if (present == v).any()]
        else:
            levels = sorted({_label(v) for v in present}, key=natural_key)
        if name in reference:
            if str(reference[name]) not in levels:
                raise RequestError(
                    f"the reference of {name} is not among its levels",
                    found=reference[name],
                    expected=", ".join(levels),
                )
            levels.remove(str(reference[name]))
            levels.insert(0, str(reference[name]))
        text = column.astype(object).where(~missing).map(_label)
        result[name] = pd.Categorical(text, categories=levels)
    return result


@dataclass(frozen=True)
class Design:
    """The fixed part of a model.

    Attributes
    ----------
    X : (n, p) array
        Treatment coding.
    names : tuple of str
        A name a column, as ``condition[T.B]:phase[T.infusion]``.
    terms : tuple of str
        The terms without the intercept.
    contrasts : dict
        By term the rows L of its type III hypothesis L b = 0 (sum-to-zero contrasts over all cells).
    dropped : tuple of str
        Columns left out because others determine them.
    """

    X: NDArray[Any]
    names: tuple[str, ...]
    terms: tuple[str, ...]
    contrasts: dict[str, NDArray[Any]]
    dropped: tuple[str, ...]


def _independent(X: NDArray[Any]) -> list[int]:
    """Columns kept from left to right such that none is determined by those before it."""
    kept: list[int] = []
    norm = np.linalg.norm(X, axis=0)
    basis = np.zeros((len(X), 0))
    for j in range(X.shape[1]):
        rest = X[:, j] - basis @ (basis.T @ X[:, j])
        rest -= basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if norm[j] > 0 and length > 1e-8 * norm[j]:
            kept.append(j)
            basis = np.column_stack([basis, rest / length])
    return kept


def build_design(formula: Formula, data: pd.DataFrame) -> tuple[NDArray[Any], Design]:
    """Evaluate outcome and fixed part on prepared, complete rows.

    Returns
    -------
    y : (n,) array
    design : Design

    Raises
    ------
    RequestError
        If the formula cannot be read or evaluated, or the outcome is not finite (the logarithm of zero).
    """
    import pandas as pd
    from formulaic import Formula as Wilkinson
    from formulaic import model_matrix

    frame = data.copy()
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].cat.remove_unused_categories()
    try:
        with np.errstate(all="ignore"):
            matrices = model_matrix(f"{formula.outcome} ~ {formula.fixed}", frame, na_action="ignore")
            y = np.asarray(matrices.lhs, float)
            treated = matrices.rhs
            terms = [str(term) for term in Wilkinson(formula.fixed)]
            summed = model_matrix(_sum_coded(formula.fixed, terms, frame), frame, na_action="ignore")
    except RequestError:
        raise
    except Exception as error:
        raise RequestError("the formula cannot be evaluated", found=f"{formula.text}: {error}") from None
    if y.ndim != 1 and y.shape[1] != 1:
        raise RequestError("the outcome must be one number a row", found=formula.outcome)
    y = y.reshape(len(frame))
    if not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        values = {name: data[name].iloc[row] for name in formula.outcome_variables}
        raise RequestError("the outcome is not finite", found=f"{formula.outcome} with {values}")
    X = np.asarray(treated, float)
    if not np.isfinite(X).all():
        raise RequestError("a predictor is not finite", found=formula.fixed)
    kept = _independent(X)
    names = [_readable(name) for name in treated.columns]
    dropped = tuple(names[j] for j in range(X.shape[1]) if j not in kept)
    X = X[:, kept]
    S = np.asarray(summed, float)
    kept_s = _independent(S)
    # X b = S c, so c = T b: a term's type III hypothesis is that its sum-coded coefficients c are zero.
    T, *_ = np.linalg.lstsq(S[:, kept_s], X, rcond=None)
    contrasts = {}
    for term, where in summed.model_spec.term_slices.items():
        name = _readable(str(term))
        rows = [i for i, j in enumerate(kept_s) if where.start <= j < where.stop]
        if name != "1" and rows:
            # In echelon form: Satterthwaite's degrees of freedom of several rows depend on how L is written.
            L = np.where(np.abs(T[rows]) > 1e-10, T[rows], 0.0)
            contrasts[name] = np.linalg.solve(L[:, _independent(L)], L)
    return y, Design(X, tuple(names[j] for j in kept), tuple(contrasts), contrasts, dropped)


def _sum_coded(fixed: str, terms: list[str], frame: pd.DataFrame) -> str:
    """The same terms with sum-to-zero contrasts."""
    import pandas as pd

    labels = {name for name in frame.columns if isinstance(frame[name].dtype, pd.CategoricalDtype)}

    def code(factor: str) -> str:
        match = re.fullmatch(r"C\((\w+).*\)", factor)
        name = match.group(1) if match else factor.strip("`")
        if name in labels or match:
            return f"C({name}, contr.sum)"
        return factor

    parts = []
    for term in terms:
        parts.append(":".join(code(factor) for factor in _factors(term)))
    return " + ".join(parts) if "1" in terms else " + ".join(["0", *parts])


def _factors(term: str) -> list[str]:
    """Split a term at its colons, not at those within brackets."""
    parts, depth, current = [], 0, ""
    for letter in term:
        depth += (letter in "([") - (letter in ")]")
        if letter == ":" and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [*parts, current]


def _readable(name: str) -> str:
    return re.sub(r"C\((\w+)(?:,[^()]*(?:\([^()]*\))?[^()]*)?\)", r"\1", str(name))
