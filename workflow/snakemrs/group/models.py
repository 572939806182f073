"""From the model that the study declares to the one that its data can answer: what is left out is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.group.design import FUNCTIONS
from snakemrs.group.formula import parse_formula
from snakemrs.group.mixed import Estimate, MixedModel, fit_mixed

if TYPE_CHECKING:
    import pandas as pd

    from snakemrs.study.settings.group import GroupSettings


@dataclass(frozen=True)
class Adapted:
    """A formula that fits the data.

    Attributes
    ----------
    formula : str or None
        None where the data cannot answer it at all; `notes` then says why.
    effect : str or None
        The term of interest in it.
    notes : tuple of str
    """

    formula: str | None
    effect: str | None
    notes: tuple[str, ...] = field(default=())


def terms_of(fixed: str) -> list[tuple[str, ...]]:
    """The terms of a fixed part, each as its factors, main effects first."""
    from formulaic import Formula as Wilkinson

    return [tuple(str(f) for f in term.factors) for term in Wilkinson(fixed) if str(term) not in ("1", "0")]


def transform(data: pd.DataFrame, outcome: str) -> pd.Series:
    """Evaluate an outcome such as ``log(glx_tnaa)``; missing where it is not positive or not there."""
    import pandas as pd

    parsed = parse_formula(f"{outcome} ~ 1")
    if any(name not in data.columns for name in parsed.outcome_variables):
        return pd.Series(np.nan, index=data.index)
    numbers = {name: pd.to_numeric(data[name], errors="coerce") for name in parsed.outcome_variables}
    plain = re.fullmatch(r"(?:(\w+)\()?\s*(\w+)\s*\)?", outcome)
    if plain is None or (plain.group(1) and plain.group(1) not in FUNCTIONS):
        raise RequestError(
            "the outcome is not understood", found=outcome, expected="a column, or log(…), log10(…), sqrt(…) of one"
        )
    values = numbers[plain.group(2)]
    with np.errstate(all="ignore"):
        result = FUNCTIONS[plain.group(1)](values) if plain.group(1) else values
    return pd.Series(np.where(np.isfinite(result), result, np.nan), index=data.index)


def without_undefined(data: pd.DataFrame, outcome: str) -> tuple[pd.DataFrame, int]:
    """Take values that have no transformation (the logarithm of a ratio of zero) for missing, and count them."""
    columns = [name for name in parse_formula(f"{outcome} ~ 1").outcome_variables if name in data.columns]
    undefined = transform(data, outcome).isna() & data[columns].notna().all(axis=1)
    if not columns or not undefined.any():
        return data, 0
    return data.assign(**{name: data[name].mask(undefined) for name in columns}), int(undefined.sum())


def adapt(data: pd.DataFrame, outcome: str, fixed: str, effect: str, random_too: tuple[str, ...] = ()) -> Adapted:
    """Leave out the terms that these rows hold nothing about, and choose the random terms that they allow.

    Parameters
    ----------
    data : DataFrame
        Rows with the columns ``participant session`` and those of the formula.
    outcome, fixed, effect : str
        As in the settings: ``log(glx_tnaa)``, ``condition*phase + period + sex``, ``condition:phase``.
    random_too : tuple of str
        Further groupings, such as ``participant:time``, used where several rows share each of their levels.
    """
    value = transform(data, outcome)
    rows = data[value.notna()]
    notes: list[str] = []
    if rows.empty:
        return Adapted(None, None, (f"{outcome}: no value in any session",))
    people = rows["participant"].nunique()
    if people < 3:
        return Adapted(
            None,
            None,
            (f"{outcome}: values of {people} participants; a model between participants needs three",),
        )
    terms = terms_of(fixed)
    variables = list(dict.fromkeys(f for term in terms for f in term))
    gone: dict[str, str] = {}
    for name in variables:
        column = re.sub(r"^C\((\w+).*\)$", r"\1", name)
        if column not in rows or rows[column].dropna().empty:
            gone[name] = "the study has no such column, or no values in it"
        elif rows[column].dropna().astype(str).nunique() < 2:
            gone[name] = f"only one value ({rows[column].dropna().iloc[0]})"
    between = [
        name
        for name in variables
        if name not in gone and name in rows and rows.groupby("participant", observed=True)[name].nunique().max() == 1
    ]
    free = people - 1
    for name in between:
        levels = rows[name].dropna().astype(str).nunique() - 1
        if free - levels < 1:
            gone[name] = f"{people} participants are too few for it"
        else:
            free -= levels
    kept = [term for term in terms if not set(term) & set(gone)]
    notes += [f"{outcome}: '{name}' is left out: {why}" for name, why in gone.items()]
    parts = [":".join(term) for term in kept]
    sessions = rows.groupby(["participant", "session"], observed=True).size()
    per_person = sessions.groupby("participant").size()
    random = []
    if sessions.groupby("participant").sum().max() > 1:
        random.append("(1|participant)")
    if sessions.max() > 1 and per_person.max() > 1:
        random.append("(1|participant:session)")
    for grouping in random_too:
        sizes = rows.groupby(grouping.split(":"), observed=True).size()
        if random and sizes.max() > 1:
            random.append(f"(1|{grouping})")
    formula = f"{outcome} ~ {' + '.join([*(parts or ['1']), *random])}"
    wanted = set(effect.split(":"))
    present = [":".join(term) for term in kept if set(term) == wanted]
    if not present and "condition" in parts and "condition" in wanted:
        notes.append(f"{outcome}: '{effect}' cannot be estimated; the effect is that of condition")
        present = ["condition"]
    if not present:
        notes.append(f"{outcome}: '{effect}' cannot be estimated from these data")
    return Adapted(formula, present[0] if present else None, tuple(notes))


def effect_columns(model: MixedModel, term: str) -> list[str]:
    """Names of the coefficients of a term (``condition:phase`` -> ``condition[T.B]:phase[T.infusion]``)."""
    wanted = sorted(term.split(":"))
    return [n for n in model.design.names if sorted(re.sub(r"\[[^\]]*\]", "", part) for part in n.split(":")) == wanted]


@dataclass(frozen=True)
class Effect:
    """A model and its effect of interest."""

    model: MixedModel
    term: str
    name: str
    estimate: Estimate | None


def fit_effect(data: pd.DataFrame, adapted: Adapted, **options: Any) -> Effect:
    """Fit an adapted formula and take out its effect (the estimate, where the term has one degree of freedom)."""
    assert adapted.formula is not None
    data, _ = without_undefined(data, parse_formula(adapted.formula).outcome)
    model = fit_mixed(data, adapted.formula, **options)
    names = effect_columns(model, adapted.effect) if adapted.effect else []
    estimate = model.estimate(names[0]) if len(names) == 1 else None
    return Effect(model, adapted.effect or "", names[0] if len(names) == 1 else "", estimate)


def options(settings: GroupSettings) -> dict[str, Any]:
    """Options of every model."""
    return {"df": settings.df, "allow": settings.allow, "confidence": 1 - settings.alpha}


def counts(model: MixedModel) -> dict[str, int]:
    """Give the number of participants and of rows of a model."""
    return {"n_participants": model.people, "n_rows": len(model.y)}


def values_of(effect: Effect) -> dict[str, Any]:
    """Values of a row of results from an effect with one degree of freedom, or its F test."""
    if effect.estimate is not None:
        e = effect.estimate
        return {
            **counts(effect.model),
            "estimate": e.estimate,
            "se": e.se,
            "df": e.df,
            "statistic": e.t,
            "p": e.p,
            "ci_low": e.ci_low,
            "ci_high": e.ci_high,
        }
    test = dict(effect.model.anova()).get(effect.term)
    if test is None:
        return counts(effect.model)
    return {**counts(effect.model), "df": test.den_df, "statistic": test.f, "p": test.p}
