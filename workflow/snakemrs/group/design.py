"""The design matrix of the fixed effects, and what each term's type III hypothesis is in it.

Terms of plain variables are coded here: treatment coding for the estimates, sum-to-zero coding for the type III tests.
What needs more (functions of variables, chosen contrasts, interactions without main effects) is left to formulaic.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snakemrs.errors import RequestError
from snakemrs.group.formula import Formula, row_of

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
Term = tuple[str, ...]
FUNCTIONS = {"log": np.log, "log10": np.log10, "sqrt": np.sqrt, "exp": np.exp}


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

    X: Array
    names: tuple[str, ...]
    terms: tuple[str, ...]
    contrasts: dict[str, Array]
    dropped: tuple[str, ...]


def _independent(X: Array) -> list[int]:
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


@dataclass(frozen=True)
class _Matrix:
    """A design matrix: its columns with their names, and the columns of each term."""

    X: Array
    names: list[str]
    slices: dict[str, slice]


def build_design(formula: Formula, data: pd.DataFrame) -> tuple[Array, Design]:
    """Evaluate outcome and fixed part on prepared, complete rows.

    Returns
    -------
    y : (n,) array
    design : Design

    Raises
    ------
    RequestError
        If the formula cannot be read or evaluated, or the outcome is not finite (the logarithm of zero): with its row.
    """
    import pandas as pd

    frame = data.copy()
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].cat.remove_unused_categories()
    try:
        with np.errstate(all="ignore"):
            y = _outcome(formula.outcome, frame)
            terms = _plain_terms(formula.fixed, frame)
            if terms is not None:
                treated, summed = _code(terms, frame, "treatment"), _code(terms, frame, "sum")
            else:
                treated, summed = _by_formulaic(formula.fixed, frame)
    except RequestError:
        raise
    except Exception as error:
        raise RequestError("the formula cannot be evaluated", found=f"{formula.text}: {error}") from None
    if y.ndim != 1 and y.shape[1] != 1:
        raise RequestError("the outcome must be one number a row", found=formula.outcome)
    y = y.reshape(len(frame))
    if not np.isfinite(y).all():
        bad = np.flatnonzero(~np.isfinite(y))
        row = int(bad[0])
        values = ", ".join(f"{name} = {data[name].iloc[row]:g}" for name in formula.outcome_variables)
        only = formula.outcome_variables[0] if len(formula.outcome_variables) == 1 else ""
        choose = f'select the others (--where "{only} > 0"), or ' if only else ""
        raise RequestError(
            f"the outcome is not finite in {len(bad)} rows",
            found=f"{formula.outcome} with {values} in {row_of(data, row)}",
            expected="a number above 0 where a logarithm is taken",
            remedy=f"write n/a where nothing was measured, {choose}choose an outcome without logarithm",
        )
    if not np.isfinite(treated.X).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(treated.X))[0])
        raise RequestError(
            "a predictor is not finite",
            found=f"{treated.names[column]} in {row_of(data, row)}",
            remedy="write n/a where nothing was measured, or leave the transformation out",
        )
    return y, _design(treated, summed)


def _design(treated: _Matrix, summed: _Matrix) -> Design:
    """Leave out dependent columns and write the type III hypotheses in treatment coding."""
    X = treated.X
    kept = _independent(X)
    dropped = tuple(treated.names[j] for j in range(X.shape[1]) if j not in kept)
    X = X[:, kept]
    kept_s = _independent(summed.X)
    # X b = S c, so c = T b: a term's type III hypothesis is that its sum-coded coefficients c are zero.
    T, *_ = np.linalg.lstsq(summed.X[:, kept_s], X, rcond=None)
    contrasts = {}
    for term, where in summed.slices.items():
        rows = [i for i, j in enumerate(kept_s) if where.start <= j < where.stop]
        if term != "1" and rows:
            # In echelon form: Satterthwaite's degrees of freedom of several rows depend on how L is written.
            L = np.where(np.abs(T[rows]) > 1e-10, T[rows], 0.0)
            contrasts[term] = np.linalg.solve(L[:, _independent(L)], L)
    return Design(X, tuple(treated.names[j] for j in kept), tuple(contrasts), contrasts, dropped)


def _outcome(expression: str, frame: pd.DataFrame) -> Array:
    plain = re.fullmatch(r"(?:(\w+)\()?\s*(\w+)\s*(\))?", expression)
    if plain and plain.group(2) in frame and bool(plain.group(1)) == bool(plain.group(3)):
        values = frame[plain.group(2)].to_numpy(float)
        if not plain.group(1):
            return values
        if plain.group(1) in FUNCTIONS:
            result: Array = FUNCTIONS[plain.group(1)](values)
            return result
    from formulaic import model_matrix

    return np.asarray(model_matrix(f"0 + {{{expression}}}", frame, na_action="ignore"), float)


def _plain_terms(fixed: str, frame: pd.DataFrame) -> list[Term] | None:
    """The terms, where all are products of columns, with an intercept and every main effect of an interaction."""
    from formulaic import Formula as Wilkinson

    found = [tuple(str(factor) for factor in term.factors) for term in Wilkinson(fixed)]
    if ("1",) not in found:
        return None
    terms = [term for term in found if term != ("1",)]
    if not all(factor in frame.columns for term in terms for factor in term):
        return None
    known = {frozenset(term) for term in terms}
    for term in terms:
        for size in range(1, len(term)):
            if any(frozenset(part) not in known for part in itertools.combinations(term, size)):
                return None
    return terms


def _code(terms: Sequence[Term], frame: pd.DataFrame, coding: str) -> _Matrix:
    """Code plain terms: categories by treatment (first level the reference) or sum-to-zero contrasts."""
    import pandas as pd

    coded: dict[str, tuple[Array, list[str]]] = {}
    for name in dict.fromkeys(factor for term in terms for factor in term):
        column = frame[name]
        if not isinstance(column.dtype, pd.CategoricalDtype):
            coded[name] = (column.to_numpy(float)[:, None], [name])
            continue
        levels = [str(level) for level in column.cat.categories]
        ones = np.eye(len(levels))[column.cat.codes.to_numpy()]
        if coding == "sum":
            matrix, labels = ones[:, :-1] - ones[:, -1:], [f"{name}[S.{level}]" for level in levels[:-1]]
        else:
            matrix, labels = ones[:, 1:], [f"{name}[T.{level}]" for level in levels[1:]]
        coded[name] = (matrix, labels)
    columns, names, slices = [np.ones((len(frame), 1))], ["Intercept"], {}
    for term in terms:
        block, labels = coded[term[0]]
        for factor in term[1:]:
            right, more = coded[factor]
            block = (block[:, :, None] * right[:, None, :]).reshape(len(frame), -1)
            labels = [f"{a}:{b}" for a in labels for b in more]
        slices[":".join(term)] = slice(len(names), len(names) + len(labels))
        columns.append(block)
        names += labels
    return _Matrix(np.hstack(columns), names, slices)


def _by_formulaic(fixed: str, frame: pd.DataFrame) -> tuple[_Matrix, _Matrix]:
    """Code any formula that formulaic understands, in treatment and in sum-to-zero coding."""
    from formulaic import Formula as Wilkinson
    from formulaic import model_matrix

    terms = [str(term) for term in Wilkinson(fixed)]
    found = []
    for text in (fixed, _sum_coded(fixed, terms, frame)):
        matrix = model_matrix(text, frame, na_action="ignore")
        slices = {_readable(str(term)): where for term, where in matrix.model_spec.term_slices.items()}
        found.append(_Matrix(np.asarray(matrix, float), [_readable(name) for name in matrix.columns], slices))
    return found[0], found[1]


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
