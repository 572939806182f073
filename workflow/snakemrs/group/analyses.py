"""The trial's analyses of the spectra, in one step from the settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.group.crossover import PeriodDifferences, effect_size, period_differences, session_change, two_by_two
from snakemrs.group.join import column_name
from snakemrs.group.models import (
    Adapted,
    Effect,
    adapt,
    counts,
    effect_columns,
    fit_effect,
    options,
    terms_of,
    transform,
    values_of,
    without_undefined,
)
from snakemrs.group.multiplicity import benjamini_hochberg, holm
from snakemrs.group.results import Results
from snakemrs.group.scrutiny import scrutinise

if TYPE_CHECKING:
    import pandas as pd

    from snakemrs.study.settings.group import GroupSettings


#: Fewest participants of a model.
LEAST = 3


def analysed_frames(frames: pd.DataFrame, settings: GroupSettings) -> pd.DataFrame:
    """The frames of the primary analysis: baseline and active phase (all, where there are no phases)."""
    if "phase" not in frames or frames["phase"].dropna().empty:
        return frames
    phases = [settings.design.baseline, settings.design.active]
    return frames[frames["phase"].isin(phases)]


def model_outcome(
    results: Results,
    frames: pd.DataFrame,
    settings: GroupSettings,
    outcome: str,
    family: str,
    analysis: str = "mixed model",
) -> Effect | None:
    """Fit the declared model to one outcome and add its effect."""
    adapted = adapt(frames, outcome, settings.formula, settings.effect)
    for note in adapted.notes:
        results.say(analysis, "left out", note)
    if adapted.formula is None:
        return None
    try:
        effect = fit_effect(frames, adapted, **options(settings))
    except RequestError as error:
        if error.message.startswith("refused"):
            raise
        results.say(analysis, "left out", f"{outcome}: {error.message}")
        return None
    for warning in effect.model.warnings:
        results.say(analysis, "warning", f"{outcome}: {warning}")
    for text in effect.model.left_out:
        results.say(analysis, "left out", f"{outcome}: participant {text}")
    if adapted.effect:
        said = "; ".join(effect.model.warnings) or None
        results.add(analysis, outcome, family, effect.name or effect.term, **values_of(effect), note=said)
    return effect


def outcomes_of(settings: GroupSettings) -> list[tuple[str, str]]:
    """Give all declared outcomes with their family, each once."""
    declared = settings.outcomes
    listed = [(declared.primary, "primary")]
    for family in ("secondary", "parts", "exploratory"):
        listed += [(outcome, family) for outcome in getattr(declared, family)]
    seen: dict[str, str] = {}
    for outcome, family in listed:
        seen.setdefault(outcome, family)
    return list(seen.items())


def session_values(frames: pd.DataFrame, settings: GroupSettings, outcome: str) -> pd.DataFrame:
    """One number a session: the change from baseline, or where there are no phases the mean."""
    table = frames.assign(value=transform(frames, outcome)).dropna(subset=["value"])
    if "phase" in table and len(set(table["phase"].dropna())) > 1:
        return session_change(table, "value", settings.design.baseline, settings.design.active)
    keys = ["participant", "session"]
    design = [c for c in ("condition", "period", "sex", "sequence") if c in table.columns]
    table = table.groupby(keys, observed=True).agg({"value": "mean", **dict.fromkeys(design, "first")}).reset_index()
    return table.rename(columns={"value": "change"})


def summary_test(
    results: Results, frames: pd.DataFrame, settings: GroupSettings, outcome: str, family: str
) -> PeriodDifferences | None:
    """Add the period-adjusted test of one number a session."""
    table = session_values(frames, settings, outcome)
    try:
        if not {"condition", "period"} <= set(table.columns):
            raise ValueError("the sessions have no condition and period")
        data = period_differences(table, "change")
        test = two_by_two(data, 1 - settings.alpha)
    except ValueError as error:
        results.say("2x2 test", "left out", f"{outcome}: {error}")
        return None
    if data.incomplete:
        people = ", ".join(data.incomplete)
        results.say("2x2 test", "left out", f"{outcome}: participants with one period only: {people}")
    absent = sorted({str(p) for p in frames["participant"]} - {*data.participants, *data.incomplete})
    if absent:
        results.say(
            "2x2 test", "left out", f"{outcome}: participants without a value in any period: {', '.join(absent)}"
        )
    name = f"{data.conditions[1]} - {data.conditions[0]}"
    shared = {"n_participants": test.n, "n_rows": 2 * test.n, "df": test.df}
    results.add(
        "2x2 test",
        outcome,
        family,
        name,
        estimate=test.estimate,
        se=test.se,
        statistic=test.t,
        p=test.p,
        ci_low=test.ci_low,
        ci_high=test.ci_high,
        **shared,
    )
    if family == "primary":
        note = "shown, decides nothing: a pre-test for carry-over makes the type I error larger"
        results.add("2x2 test", outcome, "design", "period", estimate=test.period_effect, p=test.period_p, **shared)
        results.add(
            "2x2 test",
            outcome,
            "design",
            "carry-over",
            estimate=test.carryover,
            p=test.carryover_p,
            note=note,
            **shared,
        )
        g, se = effect_size(test)
        results.add(
            "effect size",
            outcome,
            family,
            f"g_z, {name}",
            estimate=g,
            se=se,
            n_participants=test.n,
            note="standardised by the SD of the differences between conditions within sequences; Hedges' correction",
        )
    return data


def dynamic_test(results: Results, functional: pd.DataFrame, frames: pd.DataFrame, settings: GroupSettings) -> None:
    """Add the 2x2 test of the change that the dynamic fit gave for each session, of the primary metabolite.

    Parameters
    ----------
    functional : DataFrame
        A row a session and metabolite: ``percent`` (change of the amplitude), ``percent_tnaa`` (of the ratio to tNAA).
    frames : DataFrame
        Frames of the primary analysis, which name the spectra that count.
    """
    match = re.search(r"([a-z0-9]+_([a-z]+))\)?$", settings.outcomes.primary)
    if match is None:
        return
    primary, reference = match.groups()
    column = "percent_tnaa" if reference == "tnaa" else "percent"
    outcome = primary if reference == "tnaa" else primary.removesuffix(reference) + "amplitude"
    own = functional["metabolite"].map(lambda name: column_name(str(name), reference)) == primary
    keys = ["participant", "session", "acq", "voi", "run"]
    chosen = set(frames[keys].astype(str).itertuples(index=False, name=None))
    mine = np.array([key in chosen for key in functional[keys].astype(str).itertuples(index=False, name=None)])
    rows = functional[own & mine].assign(change=lambda table: table[column].astype(float)).dropna(subset=["change"])
    try:
        data = period_differences(rows, "change")
        test = two_by_two(data, 1 - settings.alpha)
    except (ValueError, KeyError) as error:
        results.say("dynamic fit", "left out", f"{outcome}, 2x2 test: {error}")
        return
    results.add(
        "dynamic fit",
        outcome,
        "secondary view",
        f"{data.conditions[1]} - {data.conditions[0]}",
        n_participants=test.n,
        n_rows=2 * test.n,
        estimate=test.estimate,
        se=test.se,
        df=test.df,
        statistic=test.t,
        p=test.p,
        ci_low=test.ci_low,
        ci_high=test.ci_high,
        note="2x2 test of the change from baseline that the dynamic fit gave for each session, percent",
    )


def time_course(results: Results, frames: pd.DataFrame, settings: GroupSettings, outcome: str) -> None:
    """Test the time course of the active phase against baseline, by frame and by the regressor of the event."""
    if "condition" not in frames or "phase" not in frames or len(set(frames["phase"].dropna())) < 2:
        results.say("time course", "left out", f"{outcome}: sessions are not divided into phases")
        return
    rest = [":".join(t) for t in terms_of(settings.formula) if not {"condition", "phase"} & set(t)]
    baseline = frames["phase"] == settings.design.baseline
    if "time_bin" in frames:
        course = frames.assign(time=np.where(baseline, "baseline", frames["time_bin"].astype(str)))
        fixed = " + ".join(["condition*time", *rest])
        adapted = adapt(course, outcome, fixed, "condition:time")
        effect = try_fit(results, "time course", course, adapted, settings, reference={"time": "baseline"})
        if effect is not None and adapted.effect == "condition:time":
            results.add("time course", outcome, "secondary view", "condition:time (frames)", **values_of(effect))
            for name in effect_columns(effect.model, "condition:time"):
                e = effect.model.estimate(name)
                results.add(
                    "time course",
                    outcome,
                    "by frame",
                    name,
                    estimate=e.estimate,
                    se=e.se,
                    df=e.df,
                    statistic=e.t,
                    p=e.p,
                    ci_low=e.ci_low,
                    ci_high=e.ci_high,
                    **counts(effect.model),
                )
    if "regressor" in frames and frames["regressor"].notna().any():
        adapted = adapt(frames, outcome, " + ".join(["condition*regressor", *rest]), "condition:regressor")
        effect = try_fit(results, "time course", frames, adapted, settings)
        if effect is not None and adapted.effect == "condition:regressor":
            tau = settings.design.time_constant / 60
            note = f"1 - exp(-t / {tau:g} min) from the onset of the event"
            results.add("time course", outcome, "secondary view", effect.name, **values_of(effect), note=note)


def try_fit(
    results: Results, analysis: str, data: pd.DataFrame, adapted: Adapted, settings: GroupSettings, **more: Any
) -> Effect | None:
    """Fit an adapted formula; say why it cannot be fitted where it cannot (a refused model is refused)."""
    for note in adapted.notes:
        results.say(analysis, "left out", note)
    if adapted.formula is None:
        return None
    try:
        effect = fit_effect(data, adapted, **{**options(settings), **more})
    except RequestError as error:
        if error.message.startswith("refused"):
            raise
        results.say(analysis, "left out", f"{adapted.formula}: {error.message}")
        return None
    for warning in effect.model.warnings:
        results.say(analysis, "warning", f"{adapted.formula}: {warning}")
    return effect


def by_sex(results: Results, frames: pd.DataFrame, settings: GroupSettings, outcome: str) -> None:
    """Test whether the effect differs between women and men, and give it in each."""
    parts = settings.effect.split(":")
    rest = [":".join(t) for t in terms_of(settings.formula) if not {*parts, "sex"} & set(t)]
    adapted = adapt(frames, outcome, " + ".join(["*".join([*parts, "sex"]), *rest]), ":".join([*parts, "sex"]))
    if adapted.effect is None or "sex" not in adapted.effect:
        results.say("by sex", "left out", f"{outcome}: there are not women and men under each condition")
        return
    effect = try_fit(results, "by sex", frames, adapted, settings)
    if effect is None:
        return
    results.add("by sex", outcome, "secondary view", effect.name or effect.term, **values_of(effect))
    names = effect.model.design.names
    base = effect_columns(effect.model, settings.effect)
    third = effect_columns(effect.model, adapted.effect)
    if len(base) != 1 or len(third) != 1:
        return
    levels = list(effect.model.data["sex"].cat.categories)
    for level in levels:
        row = np.zeros(len(names))
        row[names.index(base[0])] = 1
        if level != levels[0]:
            row[names.index(third[0])] = 1
        e = effect.model.combination(row, f"{base[0]}, sex {level}")
        here = (effect.model.data["sex"] == level).to_numpy()
        people = len(set(effect.model.participant[here].tolist())) if effect.model.participant is not None else 0
        results.add(
            "by sex",
            outcome,
            "secondary view",
            e.term,
            estimate=e.estimate,
            se=e.se,
            df=e.df,
            statistic=e.t,
            p=e.p,
            ci_low=e.ci_low,
            ci_high=e.ci_high,
            n_participants=people,
            n_rows=int((effect.model.data["sex"] == level).sum()),
        )


def describe_outcomes(results: Results, frames: pd.DataFrame, settings: GroupSettings) -> None:
    """Table of means and standard deviations over participants, by condition and phase."""
    columns = ("outcome", "condition", "phase", "n_participants", "n_sessions", "n_frames", "mean", "sd", "cv_percent")
    by = [c for c in ("condition", "phase") if c in frames and frames[c].notna().any()]
    rows: list[dict[str, Any]] = []
    import re

    for outcome, _ in outcomes_of(settings):
        column = re.sub(r"^\w+\((.*)\)$", r"\1", outcome)
        if column not in frames:
            continue
        for key, part in frames.groupby(by, observed=True, dropna=False) if by else [((), frames)]:
            part = part.dropna(subset=[column])
            means = part.groupby("participant", observed=True)[column].mean()
            if means.empty:
                continue
            spread = float(means.std(ddof=1)) if len(means) > 1 else None
            rows.append(
                {
                    "outcome": column,
                    **dict(zip(by, key, strict=True)),
                    "n_participants": len(means),
                    "n_sessions": len(part.drop_duplicates(["participant", "session"])),
                    "n_frames": len(part),
                    "mean": float(means.mean()),
                    "sd": spread,
                    "cv_percent": 100 * spread / float(means.mean()) if spread is not None and means.mean() else None,
                }
            )
    about = {
        "outcome": {"Description": "Column of frames.tsv, untransformed"},
        "condition": {"Description": "Masked code"},
        "phase": {"Description": "Phase of the session"},
        "n_participants": {"Description": "Participants"},
        "n_sessions": {"Description": "Sessions"},
        "n_frames": {"Description": "Frames"},
        "mean": {"Description": "Mean over participants of their own mean"},
        "sd": {"Description": "Standard deviation between participants"},
        "cv_percent": {"Description": "Standard deviation between participants by mean", "Units": "percent"},
    }
    results.tables["summary"] = (rows, columns, about)


def adjust_families(results: Results) -> None:
    """Correct for the number of outcomes: Holm among the secondary, Benjamini-Hochberg among the exploratory ones."""
    for family, method in (("secondary", holm), ("exploratory", benjamini_hochberg)):
        for analyses in (("mixed model", "clinical"), ("2x2 test", "clinical 2x2 test")):
            rows = [
                row for row in results.rows if row["family"] == family and row["analysis"] in analyses and "p" in row
            ]
            if rows:
                adjusted = method(np.array([float(row["p"]) for row in rows]))
                for row, value in zip(rows, adjusted, strict=True):
                    row["p_adjusted"] = float(value)


def analyse_spectra(frames: pd.DataFrame, settings: GroupSettings) -> tuple[Results, Effect | None]:
    """Run all analyses of the spectra.

    Parameters
    ----------
    frames : DataFrame
        A row a frame, or a spectrum where there are no frames: ``participant session`` and, where known, ``condition
        period sequence sex phase frame time_bin regressor``, and columns of outcomes (``glx_tnaa``).

    Returns
    -------
    results : Results
    primary : Effect or None
        The primary model; None where the data cannot answer it (the statements say why).

    Notes
    -----
    `adjust_families` is called once the clinical analyses are added: they share the secondary family.
    """
    results = Results()
    describe_outcomes(results, frames, settings)
    used = analysed_frames(frames, settings)
    primary: Effect | None = None
    people = used["participant"].nunique()
    if people < LEAST:
        text = f"{people} participants: means only; a model between participants needs {LEAST} at least"
        results.say("all models", "left out", text)
        return results, None
    for outcome, family in outcomes_of(settings):
        if transform(used, outcome).notna().sum() == 0:
            results.say("mixed model", "left out", f"{outcome}: no value in any session")
            continue
        count = without_undefined(used, outcome)[1]
        if count:
            text = (
                f"{outcome}: {count} of {len(used)} rows are zero or negative and have no logarithm: taken as missing"
            )
            results.say("mixed model", "warning" if count > 0.02 * len(used) else "left out", text)
        effect = model_outcome(results, used, settings, outcome, family)
        if family == "primary":
            primary = effect
        if family in ("primary", "secondary", "parts"):
            summary_test(results, used, settings, outcome, family)
    outcome = settings.outcomes.primary
    if primary is not None and primary.term:
        time_course(results, used, settings, outcome)
        by_sex(results, used, settings, outcome)
        scrutinise(results, used, settings, primary)
    return results, primary
