"""What the mixed model assumes, checked: normal residuals and effects, equal spread, no autocorrelation, influence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snakemrs.errors import RequestError
from snakemrs.group.mixed import MixedModel, fit_mixed
from snakemrs.group.reml import block_patterns

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """Residuals and predicted random effects of a model.

    Attributes
    ----------
    residuals : (n,) array
        Outcome minus fixed and predicted random effects.
    fitted : (n,) array
        Fixed and predicted random effects.
    effects : dict
        By random term the best linear unbiased predictor of each level.
    """

    residuals: Array
    fitted: Array
    effects: dict[str, Array]


def predict(model: MixedModel) -> Predictions:
    """Predict the random effects: u_k = t_k Z_k' V^-1 (y - X b) (Henderson 1975, Biometrics 31:423)."""
    from snakemrs.group.formula import random_name

    groups = [
        model.data.groupby(list(names), sort=False, observed=True).ngroup().to_numpy() for names in model.formula.random
    ]
    n = len(model.y)
    e = model.y - model.design.X @ model.inference.beta
    weighted = np.zeros(n)
    variances = model.fit.variances
    for pattern in block_patterns(n, groups):
        size = pattern.rows.shape[1]
        V = np.tensordot(variances[:-1], pattern.same, axes=1) + variances[-1] * np.eye(size)
        weighted[pattern.rows] = np.linalg.solve(V, e[pattern.rows].T).T
    effects, total = {}, np.zeros(n)
    for names, codes, variance in zip(model.formula.random, groups, variances, strict=False):
        level = variance * np.bincount(codes, weights=weighted)
        effects[random_name(names)] = level
        total += level[codes]
    return Predictions(e - total, model.y - e + total, effects)


def _row(check: str, value: float, p: float, verdict: bool | None, meaning: str) -> dict[str, Any]:
    word = "n/a" if verdict is None else ("pass" if verdict else "look")
    return {"check": check, "value": value, "p": p, "verdict": word, "meaning": meaning}


def check_assumptions(model: MixedModel, by: str = "condition") -> list[dict[str, Any]]:
    """Check a model; ``look`` is no failure but a reason to look at the figure and the sensitivity analyses.

    Returns
    -------
    list of dict
        ``check value p verdict meaning``.
    """
    found = predict(model)
    r = found.residuals / max(float(np.std(found.residuals)), 1e-300)
    rows = []
    w, p = stats.shapiro(r[:4999])
    rows.append(_row("residuals normal (Shapiro-Wilk W)", w, p, p > 0.01, "the residuals follow a normal distribution"))
    for name, effects in found.effects.items():
        if name == "participant" and len(effects) > 3 and np.ptp(effects) > 0:
            w, p = stats.shapiro(effects)
            text = "participants' effects follow a normal distribution"
            rows.append(_row(f"effects of {name} normal (Shapiro-Wilk W)", w, p, p > 0.01, text))
    rho, p = stats.spearmanr(np.abs(r), found.fitted)
    rows.append(
        _row("spread against fitted values (Spearman)", rho, p, p > 0.01, "the spread does not grow with the value")
    )
    if by in model.data:
        parts = [r[(model.data[by] == level).to_numpy()] for level in model.data[by].cat.categories]
        parts = [part for part in parts if len(part) > 2]
        if len(parts) > 1:
            f, p = stats.levene(*parts, center="median")
            rows.append(
                _row(f"equal spread by {by} (Brown-Forsythe)", f, p, p > 0.01, f"the spread is equal under each {by}")
            )
    rows.append(
        _row(
            "largest residual (in standard deviations)",
            float(np.abs(r).max()),
            float("nan"),
            bool(np.abs(r).max() < 4.5),
            "no single frame stands apart",
        )
    )
    return rows


def lag_one(model: MixedModel, order: Array) -> tuple[float, int]:
    """Correlation of neighbouring residuals within a session, and the number of pairs.

    Parameters
    ----------
    order : (n,) array
        Place in time of each row.
    """
    found = predict(model).residuals
    sessions = model.data.groupby(list(model.formula.random[-1]), sort=False, observed=True).ngroup().to_numpy()
    index = np.lexsort((order, sessions))
    same = np.diff(sessions[index]) == 0
    first, second = found[index][:-1][same], found[index][1:][same]
    if len(first) < 4:
        return float("nan"), len(first)
    return float(np.corrcoef(first, second)[0, 1]), len(first)


def leave_one_out(
    data: pd.DataFrame, formula: str, term: str, unit: str = "participant", **options: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    """Fit again without each participant (of five or more): ``participant estimate se df p ci_low ci_high``.

    Returns
    -------
    rows : list of dict
    failed : list of str
        Why there is no row without a participant (the only one of their sex).
    """
    rows, failed = [], []
    labels = sorted(data[unit].dropna().unique(), key=str)
    for label in labels if len(labels) > 4 else []:
        try:
            model = fit_mixed(data[data[unit] != label], formula, **options)
            effect = model.estimate(term)
        except RequestError as error:
            failed.append(f"without {unit} {label} the model cannot be fitted: {error.message}")
            continue
        except KeyError:
            failed.append(f"without {unit} {label} the model has no {term}")
            continue
        if not model.fit.converged:
            failed.append(f"without {unit} {label} the model does not converge: {model.fit.message}")
            continue
        rows.append(
            {
                unit: label,
                "estimate": effect.estimate,
                "se": effect.se,
                "df": effect.df,
                "p": effect.p,
                "ci_low": effect.ci_low,
                "ci_high": effect.ci_high,
            }
        )
    return rows, failed
