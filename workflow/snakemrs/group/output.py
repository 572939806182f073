"""Reading tables for analysis and writing what the analysis gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemrs.errors import RequestError
from snakemrs.group.mixed import ANOVA_COLUMNS, ESTIMATE_COLUMNS, MixedModel
from snakemrs.io.tables import read_table, write_table

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTIONS: dict[str, dict[str, str]] = {
    "term": {"Description": "Fixed effect, in treatment coding: variable[T.level] against the reference level"},
    "estimate": {"Description": "Estimate, in units of the (transformed) outcome"},
    "se": {"Description": "Standard error, adjusted for small samples where the method does so"},
    "df": {"Description": "Denominator degrees of freedom"},
    "t": {"Description": "estimate / se"},
    "p": {"Description": "Two-sided probability under the null hypothesis"},
    "ci_low": {"Description": "Lower end of the confidence interval"},
    "ci_high": {"Description": "Upper end of the confidence interval"},
    "num_df": {"Description": "Numerator degrees of freedom"},
    "den_df": {"Description": "Denominator degrees of freedom"},
    "f": {"Description": "F statistic (scaled, with Kenward-Roger)"},
}


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a TSV file as a DataFrame of text cells; ``n/a`` is missing."""
    import pandas as pd

    rows = read_table(path)
    if not rows:
        raise RequestError("the table has no rows", file=path)
    frame = pd.DataFrame(rows, dtype=object)
    return frame.mask(frame.isin(["n/a", ""]))


def numeric(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns that hold only numbers into numbers; labels such as ``01`` stay text."""
    import pandas as pd

    from snakemrs.group.formula import CATEGORICAL

    result = frame.copy()
    for name in result.columns:
        if name in CATEGORICAL:
            continue
        values = pd.to_numeric(result[name], errors="coerce")
        if not (values.isna() & result[name].notna()).any():
            result[name] = values
    return result


def select(frame: pd.DataFrame, where: str, file: str | Path | None = None) -> pd.DataFrame:
    """Keep the rows that satisfy a pandas query, with their numbers in the file."""
    try:
        kept = numeric(frame).query(where).index
    except Exception as error:
        raise RequestError(
            "the selection of rows cannot be evaluated",
            file=file,
            found=f"{where} ({error})",
            expected="metabolite == 'Glx'",
        ) from None
    if not len(kept):
        raise RequestError("no row satisfies the selection", file=file, found=where)
    return frame.loc[kept]


def write_estimates(path: str | Path, model: MixedModel) -> None:
    """Write the fixed effects (``term estimate se df t p ci_low ci_high``)."""
    rows = [{name: getattr(e, name) for name in ESTIMATE_COLUMNS} for e in model.estimates()]
    notes = {**model.notes(), "Confidence": model.confidence}
    write_table(path, rows, ESTIMATE_COLUMNS, _dictionary(ESTIMATE_COLUMNS, notes))


def write_anova(path: str | Path, model: MixedModel) -> None:
    """Write the type III F tests (``term num_df den_df f p``)."""
    rows = [{"term": t, "num_df": c.num_df, "den_df": c.den_df, "f": c.f, "p": c.p} for t, c in model.anova()]
    write_table(path, rows, ANOVA_COLUMNS, _dictionary(ANOVA_COLUMNS, model.notes()))


def _dictionary(columns: Iterable[str], notes: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: DESCRIPTIONS[name] for name in columns}, "Model": _finite(notes)}


def _finite(value: Any) -> Any:
    """Replace what JSON cannot hold (not-a-number) by null."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def text_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Lay out rows as aligned text."""
    cells = [[_short(cell) for cell in row] for row in rows]
    widths = [max(len(str(c)), *(len(row[i]) for row in cells)) if cells else len(c) for i, c in enumerate(columns)]
    lines = [[str(c) for c in columns], *cells]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _short(cell: Any) -> str:
    if isinstance(cell, float):
        return "n/a" if cell != cell else f"{cell:.4g}"
    return "n/a" if cell is None else str(cell)


def describe(model: MixedModel, anova: bool = False) -> str:
    """Say a model in text: what was fitted, the effects, and all that the reader must know."""
    levels = ", ".join(f"{name} {count}" for name, count in model.levels.items())
    variances = ", ".join(f"{name} {value:.4g}" for name, value in model.variances().items())
    parts = [
        model.formula.text,
        f"{len(model.y)} rows; levels: {levels or 'none'}; {model.df}; REML deviance {model.fit.moments.deviance:.4f}",
        f"variances: {variances}" + (f"; autocorrelation {model.fit.rho:.3f}" if model.fit.rho is not None else ""),
        "",
        text_table(ESTIMATE_COLUMNS, [[getattr(e, c) for c in ESTIMATE_COLUMNS] for e in model.estimates()]),
    ]
    if anova:
        rows = [[t, c.num_df, c.den_df, c.f, c.p] for t, c in model.anova()]
        parts += ["", "type III F tests", text_table(ANOVA_COLUMNS, rows)]
    if model.left_out:
        parts += ["", "left out for missing values: " + "; ".join(model.left_out)]
    parts += [f"! {warning}" for warning in model.warnings]
    return "\n".join(parts)
