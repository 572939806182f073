"""The primary model under scrutiny: its assumptions, the influence of single participants, its power."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snakemrs.group.assumptions import check_assumptions, lag_one, leave_one_out
from snakemrs.group.models import Effect, counts, options, without_undefined
from snakemrs.group.power import power_curve, smallest_detectable
from snakemrs.group.results import Results

if TYPE_CHECKING:
    import pandas as pd

    from snakemrs.study.settings.group import GroupSettings


def scrutinise(results: Results, frames: pd.DataFrame, settings: GroupSettings, effect: Effect) -> None:
    """Assumptions, influence of single participants, power: of the primary model."""
    outcome = settings.outcomes.primary
    model = effect.model
    rows = check_assumptions(model)
    if "frame" in frames and len(model.formula.random) == 2:
        order = frames.loc[model.data.index, "frame"].astype(float).to_numpy()
        rho, pairs = lag_one(model, order)
        rows.append(
            {
                "check": "correlation of neighbouring frames",
                "value": rho,
                "p": None,
                "verdict": "pass" if abs(rho) < 0.3 else "look",
                "meaning": f"{pairs} pairs; residuals of a fitted model are slightly negative. At 0.3 the type I error "
                "of 5 % becomes 7.5 %: see the autoregressive model in the sensitivity analysis",
            }
        )
    about = {
        "check": {"Description": "What is checked"},
        "value": {"Description": "Its statistic"},
        "p": {"Description": "Probability of it where the assumption holds; below 0.01 it is marked"},
        "verdict": {"Description": "pass, or look: a reason to look at the figure, no failure"},
        "meaning": {"Description": "What passing means"},
    }
    results.tables["assumptions"] = (rows, ("check", "value", "p", "verdict", "meaning"), about)
    if effect.estimate is None:
        return
    e = effect.estimate
    people = counts(model)["n_participants"]
    if e.df > 2:
        detectable = smallest_detectable(e.se, e.df, settings.power, settings.alpha)
        results.add(
            "power",
            outcome,
            "primary",
            f"smallest effect found with {settings.power:.0%} power",
            estimate=detectable,
            se=e.se,
            df=e.df,
            n_participants=people,
            note="from the standard error of this study; not from its effect",
        )
        sizes = sorted({people, *(n for n in (8, 12, 16, 20, 26, 32, 40, 60, 80, 120))})
        reference = np.log(1.05) if outcome.startswith("log(") else detectable
        table = [
            {"n_participants": n, "power": p, "detectable": d}
            for n, p, d in power_curve(float(reference), e.se, e.df, people, sizes, settings.alpha, settings.power)
        ]
        what = "5 % (of the ratio)" if outcome.startswith("log(") else f"{detectable:.3g}"
        notes = {
            "n_participants": {"Description": "Participants with both periods, all else as in this study"},
            "power": {"Description": f"Power to find an effect of {what}"},
            "detectable": {
                "Description": f"Smallest effect found with {settings.power:.0%} power, in units of the outcome"
            },
        }
        results.tables["power"] = (table, ("n_participants", "power", "detectable"), notes)
    assert model.formula.text
    influence, failed = leave_one_out(
        without_undefined(frames, outcome)[0], model.formula.text, effect.name, **options(settings)
    )
    for text in failed:
        results.say("leave one out", "left out", text)
    notes = {
        "participant": {"Description": "Left out"},
        "estimate": {"Description": "Effect without this participant"},
        "se": {"Description": "Standard error"},
        "df": {"Description": "Degrees of freedom"},
        "p": {"Description": "Two-sided probability"},
        "ci_low": {"Description": "Lower end of the interval"},
        "ci_high": {"Description": "Upper end of the interval"},
    }
    results.tables["influence"] = (influence, tuple(notes), notes)
