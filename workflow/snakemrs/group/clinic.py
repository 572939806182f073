"""The trial's analyses of the clinical scores, and of what links them to the spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snakemrs.group.analyses import LEAST, session_values, try_fit
from snakemrs.group.association import compare_correlations, correlate, mediate
from snakemrs.group.binary import paired_binary
from snakemrs.group.crossover import period_differences, two_by_two
from snakemrs.group.formula import natural_key
from snakemrs.group.instruments import CutOff
from snakemrs.group.models import adapt, values_of
from snakemrs.group.results import Results

if TYPE_CHECKING:
    import pandas as pd

    from snakemrs.study.settings.group import GroupSettings

BASELINES = ("baseline", "pre")


def choose_visits(visits: list[str], settings: GroupSettings) -> tuple[str | None, str | None, str | None]:
    """Name the visits before and after treatment, and why there are none where there are not."""
    clinical = settings.clinical
    before = clinical.baseline or next((v for v in BASELINES if v in visits), None)
    others = [v for v in visits if v != before]
    after = clinical.followup or (others[0] if len(others) == 1 else None)
    if before is None or before not in visits:
        return (
            None,
            None,
            f"no visit before treatment among {', '.join(visits) or 'none'}: name it in clinical.baseline",
        )
    if after is None or after not in visits:
        return (
            before,
            None,
            f"the visit after treatment is not clear ({', '.join(others)}): name it in clinical.followup",
        )
    return before, after, None


def analyse_clinic(
    results: Results,
    clinical: pd.DataFrame,
    frames: pd.DataFrame | None,
    settings: GroupSettings,
    remission_also: Sequence[CutOff] = (),
    people: Sequence[str] = (),
) -> None:
    """Add the analyses of the primary instrument, and its association with the primary outcome of the spectra.

    Parameters
    ----------
    clinical : DataFrame
        Rows of `snakemrs.group.clinical.clinical_rows` with ``condition period sex sequence``.
    frames : DataFrame or None
        Frames of the primary analysis.
    remission_also : sequence of CutOff
        Further cut-offs of remission, shown as sensitivity analysis.
    people : sequence of str
        All participants of the study, so that those without scores are named.
    """
    key = settings.clinical.primary
    _say_other_instruments(results, clinical, key)
    scores = clinical[clinical["instrument"] == key] if len(clinical) else clinical
    if scores.empty:
        results.say("clinical", "left out", f"there are no scores of {key}")
        return
    visits = list(dict.fromkeys(scores["visit"]))
    before, after, problem = choose_visits(visits, settings)
    if problem or before is None or after is None:
        results.say("clinical", "left out", f"{key}: {problem}")
        return
    for visit in visits:
        if visit not in (before, after):
            text = f"{key}: the visit {visit or '(unnamed)'} is in no analysis: the change is from {before} to {after}"
            results.say("clinical", "left out", text)
    number = scores["participant"].nunique()
    if number < LEAST:
        results.say("clinical", "left out", f"{key}: {number} participants: a model needs {LEAST} at least")
        return
    pair = scores[scores["visit"].isin([before, after])].copy()
    pair["time"] = np.where(pair["visit"] == before, "before", "after")
    _say_unchanged(results, pair, people, key)
    rest = [c for c in ("period", "sex") if c in pair]
    # People differ in how they respond, whatever the condition: without (1|participant:time) that would be taken for
    # error of the effect of condition, which is a difference within people.
    fixed = " + ".join(["condition*time", *rest])
    adapted = adapt(pair, "total", fixed, "condition:time", ("participant:time",))
    effect = try_fit(results, "clinical", pair, adapted, settings, reference={"time": "before"})
    for text in effect.model.left_out if effect is not None else ():
        results.say("clinical", "left out", f"{key}, model of the total: participant {text}")
    if effect is not None and adapted.effect == "condition:time":
        results.add("clinical", key, "secondary", effect.name, **values_of(effect), note=f"{before} to {after}, points")
    changes = pair[pair["visit"] == after].dropna(subset=["change"])
    _compare_changes(results, changes, (before, after), settings, remission_also)
    if frames is not None and len(frames):
        _associate(results, frames, changes, settings)


def _compare_changes(
    results: Results,
    changes: pd.DataFrame,
    visits: tuple[str, str],
    settings: GroupSettings,
    remission_also: Sequence[CutOff],
) -> None:
    """Add the 2x2 test of the change, and the paired comparison of response and remission."""
    key = settings.clinical.primary
    try:
        data = period_differences(changes, "change")
        test = two_by_two(data, 1 - settings.alpha)
    except (ValueError, KeyError) as error:
        results.say("clinical", "left out", f"{key}, 2x2 test: {error}")
        return
    if data.incomplete:
        people = ", ".join(data.incomplete)
        results.say("clinical", "left out", f"{key}: change in one period only: {people}")
    name = f"{data.conditions[1]} - {data.conditions[0]}"
    results.add(
        "clinical 2x2 test",
        key,
        "secondary",
        name,
        n_participants=test.n,
        n_rows=2 * test.n,
        estimate=test.estimate,
        se=test.se,
        df=test.df,
        statistic=test.t,
        p=test.p,
        ci_low=test.ci_low,
        ci_high=test.ci_high,
        note=f"change from {visits[0]} to {visits[1]}, points",
    )
    further = {f"remission at {cut}": cut.met(changes["total"]).astype(float) for cut in remission_also}
    binary = {name: changes[name].astype(float) for name in ("response", "remission")} | further
    signs = dict(zip(data.participants, data.sign, strict=True))
    _responders(results, changes, binary, data.conditions, signs, key, settings)


def _say_other_instruments(results: Results, clinical: pd.DataFrame, key: str) -> None:
    """Name the instruments that are scored and not analysed, with their visits."""
    for name in dict.fromkeys(clinical["instrument"]):
        if name != key:
            visits = ", ".join(
                dict.fromkeys(v or "(unnamed)" for v in clinical.loc[clinical["instrument"] == name, "visit"])
            )
            text = f"{name}: scored ({visits}) and in clinical.tsv, but in no analysis: group.clinical.primary is {key}"
            results.say("clinical", "left out", text)


def _say_unchanged(results: Results, pair: pd.DataFrame, people: Sequence[str], key: str) -> None:
    """Name who has no change in any period: neither the 2x2 test nor what follows from it counts them."""
    scored = set(pair.loc[pair["total"].notna(), "participant"].astype(str))
    changed = set(pair.loc[pair["change"].notna(), "participant"].astype(str))
    never = [p for p in people if p not in scored]
    if never:
        results.say("clinical", "left out", f"{key}: no score before or after treatment: {', '.join(never)}")
    unchanged = sorted(set(pair["participant"].astype(str)) - changed - set(never))
    if unchanged:
        results.say("clinical", "left out", f"{key}: no change in either period: {', '.join(unchanged)}")


def _wide(table: pd.DataFrame, value: str, conditions: tuple[str, str]) -> pd.DataFrame:
    """A row a participant, a column a condition."""
    clean = table.dropna(subset=[value, "condition"]).assign(condition=lambda d: d["condition"].astype(str))
    wide = clean.pivot_table(index="participant", columns="condition", values=value, observed=True)
    return wide.reindex(columns=list(conditions)).dropna()


def _responders(
    results: Results,
    changes: pd.DataFrame,
    binary: Mapping[str, pd.Series],
    conditions: tuple[str, str],
    signs: dict[str, float],
    key: str,
    settings: GroupSettings,
) -> None:
    for outcome, values in binary.items():
        wide = _wide(changes.assign(value=values), "value", conditions)
        if wide.empty:
            results.say("paired outcome", "left out", f"{key} {outcome}: nobody has it under both conditions")
            continue
        sequence = np.array([signs.get(str(p), np.nan) for p in wide.index])
        known = np.isfinite(sequence).all()
        found = paired_binary(
            wide[conditions[0]].to_numpy(),
            wide[conditions[1]].to_numpy(),
            sequence if known else None,
            1 - settings.alpha,
        )
        counts = f"{found.first} of {found.n} under {conditions[0]}, {found.second} under {conditions[1]}"
        only = f"{found.only_first} only under {conditions[0]}, {found.only_second} only under {conditions[1]}"
        results.add(
            "paired outcome",
            f"{key} {outcome}",
            "secondary view",
            f"{conditions[1]} - {conditions[0]}",
            n_participants=found.n,
            n_rows=2 * found.n,
            estimate=found.difference,
            ci_low=found.ci_low,
            ci_high=found.ci_high,
            p=found.p_period if known else found.p_mcnemar,
            note=f"{counts}; {only}; exact McNemar p = {found.p_mcnemar:.3g}, mid-p = {found.p_mid:.3g}; "
            + ("p adjusted for the period (Mainland-Gart)" if known else "not adjusted for the period"),
        )


def _associate(results: Results, frames: pd.DataFrame, changes: pd.DataFrame, settings: GroupSettings) -> None:
    outcome = settings.outcomes.primary
    spectra = session_values(frames, settings, outcome)
    if "condition" not in spectra or "condition" not in changes:
        return
    codes = sorted({str(c) for c in changes["condition"].dropna()}, key=natural_key)
    if len(codes) != 2:
        return
    conditions = (codes[0], codes[1])
    x, y = _wide(spectra, "change", conditions), _wide(changes, "change", conditions)
    people = sorted(set(x.index) & set(y.index))
    level, draws, seed = 1 - settings.alpha, settings.bootstrap, settings.seed
    if len(people) < 4:
        results.say("association", "left out", f"{len(people)} participants have both changes under both conditions")
        return
    mediator, clinic = x.loc[people].to_numpy(), y.loc[people].to_numpy()
    sequence = _sequence(results, people, changes)
    adjusted = "not adjusted for the sequence" if sequence is None else "adjusted for the sequence"
    shared: dict[str, Any] = {"n_participants": len(people), "n_rows": len(people)}
    pair = f"{outcome} with {settings.clinical.primary}"
    dx, dy = mediator[:, 1] - mediator[:, 0], clinic[:, 1] - clinic[:, 0]
    for kind in ("pearson", "spearman"):
        found = correlate(dx, dy, kind, draws, seed, level, sequence)
        results.add(
            "association",
            pair,
            "exploratory link",
            f"{kind} r of the differences between conditions",
            estimate=found.estimate,
            p=found.p,
            ci_low=found.ci_low,
            ci_high=found.ci_high,
            note=found.note or f"{adjusted}; BCa, {draws} samples by participant",
            **shared,
        )
    first, second = np.column_stack([mediator[:, 0], clinic[:, 0]]), np.column_stack([mediator[:, 1], clinic[:, 1]])
    compared = compare_correlations(first, second, draws, seed, level, sequence)
    results.add(
        "association",
        pair,
        "exploratory link",
        f"Fisher z of r under {conditions[1]} minus r under {conditions[0]}",
        estimate=compared.estimate,
        p=compared.p,
        ci_low=compared.ci_low,
        ci_high=compared.ci_high,
        note=compared.note or f"{adjusted}; p by Steiger's test of two correlations of the same people, interval BCa",
        **shared,
    )
    for name, path in mediate(mediator, clinic, draws, seed, level, sequence).items():
        results.add(
            "mediation",
            pair,
            "exploratory link",
            name,
            estimate=path.estimate,
            ci_low=path.ci_low,
            ci_high=path.ci_high,
            note=path.note or f"exploratory: the mediator was not randomised; {adjusted}",
            **shared,
        )


def _sequence(results: Results, people: list[str], changes: pd.DataFrame) -> np.ndarray | None:
    """Sequence of each participant, or None where there are not two; then it is said what that costs."""
    signs: dict[str, float] = {}
    why = "the sequence is not known"
    try:
        data = period_differences(changes, "change")
        signs = dict(zip(data.participants, data.sign, strict=True))
    except (ValueError, KeyError) as error:
        why = str(error)
    sequence = np.array([signs.get(str(p), np.nan) for p in people])
    if np.isfinite(sequence).all():
        if len(set(sequence.tolist())) > 1:
            return sequence
        why = "all are of one sequence"
    text = (
        f"not adjusted for the sequence ({why}): an effect of the period in both changes looks like a link of the two"
    )
    results.say("association", "warning", text)
    return None
