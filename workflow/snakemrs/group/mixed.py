"""Mixed models of a table: from a formula and rows to estimates, tests and what must be said about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snakemrs.errors import RequestError
from snakemrs.group.dates import as_days, looks_like_date
from snakemrs.group.design import Design, build_design
from snakemrs.group.formula import Formula, parse_formula, prepare, random_name
from snakemrs.group.inference import Contrast, DegreesOfFreedom, Inference
from snakemrs.group.refusals import check_model, person_column, session_columns
from snakemrs.group.reml import RemlFit, fit_reml

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
ESTIMATE_COLUMNS = ("term", "estimate", "se", "df", "t", "p", "ci_low", "ci_high")
ANOVA_COLUMNS = ("term", "num_df", "den_df", "f", "p")


@dataclass(frozen=True)
class Estimate:
    """A linear combination of fixed effects with its uncertainty."""

    term: str
    estimate: float
    se: float
    df: float
    t: float
    p: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class MixedModel:
    """A fitted mixed model.

    Attributes
    ----------
    formula : Formula
    df : str
        Method of the degrees of freedom.
    design : Design
    y : (n,) array
    data : DataFrame
        The rows that were fitted (prepared columns).
    fit : RemlFit
    inference : Inference
    levels : dict
        Number of levels of each random term.
    confidence : float
        Of the intervals.
    warnings : tuple of str
        What the reader must know: singular, not converged, overridden refusals, columns without information.
    left_out : tuple of str
        Rows left out for missing values, by participant.
    participant : (n,) array or None
        Participant of each row, where the table has them.
    """

    formula: Formula
    df: str
    design: Design
    y: Array
    data: pd.DataFrame
    fit: RemlFit
    inference: Inference
    levels: dict[str, int]
    confidence: float = 0.95
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = field(default=())
    participant: Array | None = None

    @property
    def people(self) -> int:
        """Number of participants; 0 where the table has none."""
        return 0 if self.participant is None else len(set(self.participant.tolist()))

    def combination(self, row: Array, name: str = "") -> Estimate:
        """Estimate l' b for one row l of length p."""
        row = np.asarray(row, float)
        estimate = float(row @ self.inference.beta)
        variance = float(row @ self.inference.covariance @ row)
        # With very few participants the adjusted covariance may have no positive variance: then there is no test.
        se = float(np.sqrt(variance)) if variance > 0 else float("nan")
        df = self.inference.degrees_of_freedom(row)
        t = estimate / se
        p = float(2 * stats.t.sf(abs(t), df)) if df > 0 else float("nan")
        half = float(stats.t.ppf(0.5 + self.confidence / 2, df)) * se if df > 0 else float("nan")
        return Estimate(name, estimate, se, df, t, p, estimate - half, estimate + half)

    def estimates(self) -> list[Estimate]:
        """Estimate every fixed effect."""
        identity = np.eye(len(self.design.names))
        return [self.combination(identity[i], name) for i, name in enumerate(self.design.names)]

    def estimate(self, term: str) -> Estimate:
        """Estimate one fixed effect by its name."""
        if term not in self.design.names:
            raise KeyError(term)
        return self.combination(np.eye(len(self.design.names))[self.design.names.index(term)], term)

    def anova(self) -> list[tuple[str, Contrast]]:
        """Test every term (type III: each given all others, sum-to-zero contrasts)."""
        return [(term, self.inference.contrast(L)) for term, L in self.design.contrasts.items()]

    def variances(self) -> dict[str, float]:
        """Variance of each random term and of the residual."""
        names = [random_name(grouping) for grouping in self.formula.random]
        return dict(zip([*names, "residual"], (float(v) for v in self.fit.variances), strict=True))

    def notes(self) -> dict[str, Any]:
        """Everything about the model that its tables do not hold, for a JSON dictionary."""
        return {
            "Formula": self.formula.text,
            "DegreesOfFreedom": self.df,
            "Estimation": "restricted maximum likelihood (REML)",
            "Coding": "treatment coding in the estimates; type III F tests with sum-to-zero contrasts",
            "Rows": len(self.y),
            "Levels": self.levels,
            "VarianceComponents": self.variances(),
            "Autocorrelation": self.fit.rho,
            "RestrictedDeviance": self.fit.moments.deviance,
            "Converged": self.fit.converged,
            "Singular": bool(self.fit.boundary),
            "LeftOut": list(self.left_out),
            "Warnings": list(self.warnings),
        }


def fit_mixed(
    data: pd.DataFrame,
    formula: str | Formula,
    df: DegreesOfFreedom = "kenward-roger",
    *,
    reference: Mapping[str, str] | None = None,
    allow: Iterable[str] = (),
    ar1: str | None = None,
    confidence: float = 0.95,
) -> MixedModel:
    """Fit a mixed model with random intercepts to the rows of a table.

    Parameters
    ----------
    data : DataFrame
        A row an observation; cells may be text, ``n/a`` is missing.
    formula : str
        See `snakemrs.group.formula`.
    df : {"kenward-roger", "satterthwaite", "residual"}
        Method of the degrees of freedom.
    reference : mapping, optional
        Reference level by variable.
    allow : iterable of str
        Refusals to override (`snakemrs.group.refusals.REASONS`).
    ar1 : str, optional
        Column of the place in time (``frame``, ``onset``; in any unit): the residuals of a session follow a first-order
        autoregression, with the correlation of the closest rows as parameter.
    confidence : float
        Of the intervals.

    Raises
    ------
    RequestError
        For a model that is refused or cannot be determined by the rows.
    """
    import pandas as pd

    parsed = parse_formula(formula) if isinstance(formula, str) else formula
    prepared = prepare(data, parsed, reference)
    complete = prepared.notna().all(axis=1)
    if ar1 is not None:
        if ar1 not in data.columns:
            raise RequestError("the column of the autoregression does not exist", found=ar1)
        complete &= pd.to_numeric(data[ar1], errors="coerce").notna()
    rows, used = prepared[complete], data[complete]
    if rows.empty:
        raise RequestError("no row has all the columns of the formula", found=parsed.text)
    warnings = check_model(parsed, used, allow)
    if "date-predictor" in set(allow):
        rows = _dates_to_days(rows, used, parsed)
    y, design = build_design(parsed, rows)
    if np.ptp(y) == 0:
        raise RequestError(
            "the outcome has the same value in every row: nothing can be tested",
            found=f"{parsed.outcome} = {y[0]:g} in {len(y)} rows",
            remedy="choose another outcome, or rows in which it varies (--where)",
        )
    alike = {name: rows[name].iloc[0] for name in parsed.predictors if len(rows[name].unique()) == 1}
    warnings += [f"{name} is {value} in every row: left out, with every term of it" for name, value in alike.items()]
    dropped = [name for name in design.dropped if name not in alike]
    if dropped:
        warnings.append(f"determined by the others, left out: {', '.join(dropped)}")
    groups, levels = [], {}
    for names in parsed.random:
        codes = rows.groupby(list(names), sort=False, observed=True).ngroup().to_numpy()
        groups.append(codes)
        levels[random_name(names)] = int(codes.max()) + 1
    for name, count in levels.items():
        if count == len(y):
            raise RequestError(
                f"the random term (1|{name}) has a level for every row: it cannot be told from the residual",
                found=f"{count} levels in {len(y)} rows",
                remedy="leave the term out, or give the rows that repeat it (frames)",
            )
        if count < 2:
            raise RequestError(
                f"the random term (1|{name}) has only one level",
                found=f"{', '.join(str(rows[part].iloc[0]) for part in name.split(':'))} in {len(y)} rows",
                expected="two levels at least, for a test many more",
                remedy="choose rows of more of them (--where), or leave the term out: then it holds for this one alone",
            )
    for name, codes in zip(levels, groups, strict=True):
        if _is_saturated(design.X, codes):
            raise RequestError(
                f"the fixed effects have a parameter for every level of (1|{name}): nothing is left to test them by",
                found=f"{levels[name]} levels; {_many_levels(rows, parsed)}",
                remedy="leave out predictors with many levels, or give amounts (age) as numbers",
            )
    series = time = None
    if ar1 is not None:
        columns = session_columns(used)
        if columns is None:
            raise RequestError(
                "an autoregressive residual needs the columns participant and session (or participant_id, session_id)"
            )
        series = used.groupby(columns, sort=False, observed=True).ngroup().to_numpy()
        time = pd.to_numeric(used[ar1]).to_numpy(float)
        if pd.DataFrame({"s": series, "t": time}).duplicated().any():
            raise RequestError(f"two rows of one session have the same {ar1}", found=ar1)
    try:
        fit = fit_reml(design.X, y, groups, series, time)
    except ValueError as error:
        raise RequestError(
            f"the model cannot be fitted: {error}",
            found=parsed.text,
            remedy="fewer fixed effects, or more rows; see whether the outcome follows from a predictor",
        ) from None
    if fit.boundary:
        zero = ", ".join(list(levels)[i] for i in fit.boundary)
        warnings.append(f"singular fit: the variance of {zero} is estimated as zero")
    inference = Inference(fit, df, len(y))
    person = person_column(used)
    known = np.diag(inference.covariance) > 0
    if not known.any():
        fit = replace(fit, converged=False, message=fit.message or "no effect has a standard error")
    if not fit.converged:
        warnings.append(
            f"NOT CONVERGED: {fit.message or 'the likelihood is not at its maximum'}; do not use the result"
        )
    elif fit.message:
        warnings.append(fit.message)
    if not known.all():
        warnings.append("too few levels for a small-sample adjustment: effects without standard error have no test")
    return MixedModel(
        formula=parsed,
        df=df,
        design=design,
        y=y,
        data=rows,
        fit=fit,
        inference=inference,
        levels=levels,
        confidence=confidence,
        warnings=tuple(warnings),
        left_out=_left_out(data, complete),
        participant=None if person is None else used[person].astype(str).to_numpy(),
    )


def _is_saturated(X: Array, codes: Array) -> bool:
    """Whether the indicators of all levels of a grouping are combinations of the columns of X."""
    count = np.bincount(codes)
    if len(count) > X.shape[1]:
        return False
    Q = np.linalg.qr(X)[0]
    inside = np.zeros((len(count), Q.shape[1]))
    np.add.at(inside, codes, Q)
    return bool(np.all(count - (inside**2).sum(axis=1) < 1e-8 * count))


def _many_levels(rows: pd.DataFrame, formula: Formula) -> str:
    """Name the categorical predictor with the most levels."""
    import pandas as pd

    labels = [n for n in formula.predictors if isinstance(rows[n].dtype, pd.CategoricalDtype)]
    levels = {n: len(rows[n].unique()) for n in labels}
    name = max(levels, key=lambda key: levels[key], default="")
    return f"{name} has {levels[name]} levels" if name else formula.fixed


def _left_out(data: pd.DataFrame, complete: pd.Series) -> tuple[str, ...]:
    """Say how many rows were left out for missing values, by participant."""
    gone = data[~complete]
    if gone.empty:
        return ()
    person = person_column(data)
    if person is None:
        return (f"{len(gone)} rows with missing values",)
    counts = gone.groupby(person, observed=True).size()
    return tuple(f"{participant}: {count} rows with missing values" for participant, count in counts.items())


def _dates_to_days(rows: pd.DataFrame, used: pd.DataFrame, formula: Formula) -> pd.DataFrame:
    """Count an allowed date as days since the first."""
    rows = rows.copy()
    for name in formula.predictors:
        if name in used.columns and looks_like_date(used[name].unique()):
            rows[name] = as_days(used[name], name)
    return rows
