"""The primary effect under every defensible choice: the specification curve.

Simonsohn, Simmons & Nelson 2020 (Nat Hum Behav 4:1208). Each choice differs from the primary analysis in one thing.
Choices at the level of tables are refitted here. Those by which sessions are made again (another segmentation, other
constants, another stiffness of the baseline: ``group.sensitivity.variants``) are read from where the workflow made
them, running only the steps that differ; further ones come as tables of frames (``group.sensitivity.tables``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snakemrs.errors import RequestError, SnakeMRSError
from snakemrs.group.analyses import analysed_frames, session_values
from snakemrs.group.collect import Collector, Joined
from snakemrs.group.crossover import period_differences, sign_flip, two_by_two
from snakemrs.group.models import Effect, adapt, fit_effect, options, transform
from snakemrs.group.results import Results
from snakemrs.io.tables import write_table

if TYPE_CHECKING:
    import pandas as pd

    from snakemrs.study.settings.group import GroupSettings

COLUMNS = {
    "group": {"Description": "What is varied"},
    "choice": {"Description": "The choice; all else is as in the primary analysis"},
    "outcome": {"Description": "Outcome"},
    "n_participants": {"Description": "Participants"},
    "n_rows": {"Description": "Rows"},
    "estimate": {"Description": "The primary effect, in units of the transformed outcome"},
    "se": {"Description": "Standard error"},
    "df": {"Description": "Degrees of freedom"},
    "p": {"Description": "Two-sided probability under the null hypothesis"},
    "ci_low": {"Description": "Lower end of the interval"},
    "ci_high": {"Description": "Upper end of the interval"},
    "same_sign": {"Description": "Whether the effect has the sign of the primary analysis"},
    "agrees": {"Description": "Whether sign and verdict (p below alpha or not) are those of the primary analysis"},
    "note": {"Description": "What the reader must know"},
}

LEAVE_ONE_OUT = "leave one out"


class Curve:
    """Collects the specifications of one study."""

    def __init__(self, settings: GroupSettings, primary: Effect) -> None:
        assert primary.estimate is not None
        self.settings, self.primary = settings, primary
        self.outcome = settings.outcomes.primary
        self.rows: list[dict[str, Any]] = []
        self.left_out: list[str] = []
        reference = primary.estimate
        self._sign, self._found = np.sign(reference.estimate), reference.p < settings.alpha

    def add(self, group: str, choice: str, outcome: str | None = None, note: str | None = None, **values: Any) -> None:
        """Add a specification."""
        p, estimate = values.get("p"), values.get("estimate")
        same = None if estimate is None or not np.isfinite(estimate) else bool(np.sign(estimate) == self._sign)
        agrees = None if same is None or p is None else bool(same and (p < self.settings.alpha) == self._found)
        self.rows.append(
            {
                "group": group,
                "choice": choice,
                "outcome": outcome or self.outcome,
                "same_sign": same,
                "agrees": agrees,
                "note": note,
                **values,
            }
        )

    def _same_rows(self, effect: Effect) -> bool:
        mine, primary = effect.model, self.primary.model
        return len(mine.y) == len(primary.y) and bool(np.array_equal(mine.y, primary.y))

    def fit(
        self,
        group: str,
        choice: str,
        frames: pd.DataFrame,
        *,
        outcome: str | None = None,
        fixed: str | None = None,
        note: str | None = None,
        **more: Any,
    ) -> None:
        """Refit the primary model to other rows, another outcome or with other options."""
        outcome = outcome or self.outcome
        try:
            adapted = adapt(frames, outcome, fixed or self.settings.formula, self.settings.effect)
            if adapted.formula is None or adapted.effect != self.primary.term:
                raise RequestError("; ".join(adapted.notes) or "the effect cannot be estimated")
            effect = fit_effect(frames, adapted, **{**options(self.settings), **more})
        except (SnakeMRSError, KeyError) as error:
            self.left_out.append(f"{group}, {choice}: {getattr(error, 'message', error)}")
            return
        if effect.estimate is None:
            return
        e = effect.estimate
        if group != "primary" and not more and outcome == self.outcome and self._same_rows(effect):
            # They are no further choice, and would only raise the share that agrees.
            self.left_out.append(f"{group}, {choice}: the rows are those of the primary analysis")
            return
        said = "; ".join([*([note] if note else []), *effect.model.warnings]) or None
        self.add(
            group,
            choice,
            outcome,
            said,
            n_participants=effect.model.people,
            n_rows=len(effect.model.y),
            estimate=e.estimate,
            se=e.se,
            df=e.df,
            p=e.p,
            ci_low=e.ci_low,
            ci_high=e.ci_high,
        )


def specification_curve(
    joined: Joined,
    settings: GroupSettings,
    results: Results,
    primary: Effect | None,
    study: Path,
    plan: Mapping[str, Any] | None = None,
) -> Curve | None:
    """Refit the primary analysis under every choice; None where there is no primary effect.

    The variants are those that `plan` makes; without one there are none.
    """
    from snakemrs.group.run import frame_table

    if primary is None or primary.estimate is None:
        results.say("sensitivity", "left out", "there is no primary effect to vary")
        return None
    curve = Curve(settings, primary)
    frames = analysed_frames(frame_table(joined.frames), settings)
    every = analysed_frames(frame_table(joined.every_frame), settings)
    curve.fit("primary", "as declared", frames)
    _references(curve, frames)
    _models(curve, frames)
    _quality(curve, every)
    _frames(curve, frames)
    everyone = {str(row["participant"]) for row in (*joined.flow_participants, *joined.every_frame)}
    _participants(curve, frames, results, everyone)
    if plan is not None:
        for name in settings.sensitivity.variants:
            _variant(curve, frames, name, Collector(study, plan, settings, name).collect_spectra())
    for name, place in settings.sensitivity.tables.items():
        from snakemrs.group.output import numeric, read_frame

        path = study / place
        if path.exists():
            curve.fit("tables", name, analysed_frames(numeric(read_frame(path)), settings))
        else:
            curve.left_out.append(f"tables, {name}: {place} does not exist")
    for text in curve.left_out:
        results.say("sensitivity", "left out", text)
    return curve


def _other_references(curve: Curve, frames: pd.DataFrame) -> dict[str, str]:
    """The primary metabolite by other references, where there are values: the outcome by the reference."""
    match = re.search(r"\(?(\w+)_(tnaa|tcr|molar|molal|uncorrected|amplitude)\)?$", curve.outcome)
    if match is None:
        return {}
    metabolite, own = match.groups()
    others = {
        scale: curve.outcome.replace(f"{metabolite}_{own}", f"{metabolite}_{scale}")
        for scale in curve.settings.sensitivity.ratios
        if scale != own
    }
    return {scale: outcome for scale, outcome in others.items() if transform(frames, outcome).notna().any()}


def _references(curve: Curve, frames: pd.DataFrame) -> None:
    """The same metabolite by another reference."""
    for scale, outcome in _other_references(curve, frames).items():
        curve.fit("reference", scale, frames, outcome=outcome)


WHAT_STAGES_VARY = {
    "anatomy": "segmentation",
    "spectra": "preprocessing",
    "voxel": "voxel",
    "fit": "fit",
    "quantify": "constants",
}


def _variant(curve: Curve, primary: pd.DataFrame, name: str, made: Joined) -> None:
    """Sessions made again under other settings.

    A ratio of amplitudes knows nothing of tissue and constants: a choice that leaves the primary outcome as it is, is
    shown for the first other reference that it changes.
    """
    from snakemrs.group.run import frame_table

    changes = curve.settings.sensitivity.variants[name]
    group = " and ".join(WHAT_STAGES_VARY[stage] for stage in changes)
    frames = analysed_frames(frame_table(made.frames), curve.settings)
    if frames.empty:
        curve.left_out.append(f"{group}, {name}: no session has concentrations under this choice")
        return
    for outcome in (curve.outcome, *_other_references(curve, frames).values()):
        if not _same_values(primary, frames, outcome):
            break
    else:
        curve.left_out.append(f"{group}, {name}: all values are those of the primary analysis")
        return
    notes = [] if outcome == curve.outcome else ["the primary outcome does not depend on it"]
    keys = ["participant", "session"]
    lost = set(primary[keys].itertuples(index=False)) - set(frames[keys].itertuples(index=False))
    notes += [f"without sub-{participant} ses-{session}" for participant, session in sorted(lost)]
    curve.fit(group, name, frames, outcome=outcome, note="; ".join(notes) or None)


def _same_values(one: pd.DataFrame, other: pd.DataFrame, outcome: str) -> bool:
    """Whether two tables have the same sessions, frames and values of an outcome."""
    keys = ["participant", "session", "frame"]
    first, second = (
        table[keys].assign(value=transform(table, outcome)).dropna(subset=["value"]).sort_values(keys)
        for table in (one, other)
    )
    return len(first) == len(second) and bool((first.to_numpy() == second.to_numpy()).all())


def _models(curve: Curve, frames: pd.DataFrame) -> None:
    """Other ways to analyse the same rows."""
    settings = curve.settings
    other = "satterthwaite" if settings.df == "kenward-roger" else "kenward-roger"
    curve.fit("model", f"degrees of freedom: {other}", frames, df=other)
    if curve.outcome.startswith("log("):
        plain = curve.outcome[4:-1]
        if plain in frames:
            # Divided by its mean, a difference is comparable with one of logarithms.
            scaled = frames.assign(**{plain: frames[plain] / frames[plain].mean()})
            curve.fit("model", "without logarithm", scaled, outcome=plain, note="divided by the mean of all rows")
    if settings.sensitivity.autoregression and "time_bin" in frames and "onset" in frames:
        ordered = frames.assign(order=frames.groupby(["participant", "session"], observed=True)["onset"].rank("dense"))
        step = _frame_step(frames)
        if step:
            ordered["order"] = (frames["onset"].astype(float) / step).round()
        curve.fit("model", "autoregressive frames", ordered, ar1="order")
    table = session_values(frames, settings, curve.outcome)
    try:
        data = period_differences(table, "change")
        test = two_by_two(data, 1 - settings.alpha)
    except (ValueError, KeyError):
        return
    shared: dict[str, Any] = {"n_participants": test.n, "n_rows": 2 * test.n, "estimate": test.estimate, "se": test.se}
    curve.add(
        "model",
        "one number a session, 2x2 t test",
        df=test.df,
        p=test.p,
        ci_low=test.ci_low,
        ci_high=test.ci_high,
        **shared,
    )
    if settings.sensitivity.permutations:
        p = sign_flip(data, settings.sensitivity.permutations, settings.seed)
        note = f"{settings.sensitivity.permutations} sign flips; p only"
        curve.add("model", "one number a session, sign flips", p=p, note=note, **shared)


def _frame_step(frames: pd.DataFrame) -> float | None:
    """Usual distance of two frames of a session, s."""
    onsets = frames.dropna(subset=["onset"]).sort_values(["participant", "session", "onset"])
    steps = onsets.groupby(["participant", "session"], observed=True)["onset"].diff().dropna().astype(float)
    steps = steps[steps > 0]
    return float(steps.median()) if len(steps) else None


def _quality(curve: Curve, every: pd.DataFrame) -> None:
    """Other limits of quality."""
    if "verdict" not in every:
        return
    keep = {"none": ["pass", "warn", "fail", "n/a"], "fail": ["pass", "warn", "n/a"], "warn": ["pass", "n/a"]}
    for name, verdicts in keep.items():
        if name != curve.settings.exclude:
            rows = every[every["verdict"].isin(verdicts)]
            choice = (
                "nothing is left out" if name == "none" else f"left out: {name}" + (" too" if name == "warn" else "")
            )
            curve.fit("quality", choice, rows)


def _frames(curve: Curve, frames: pd.DataFrame) -> None:
    """Other frames of the active phase."""
    if "time_bin" not in frames or "phase" not in frames:
        return
    active = frames["phase"] == curve.settings.design.active
    last = frames.loc[active, "time_bin"].max()
    if not active.any() or not last > 2:
        return
    curve.fit("frames", "without the first of the active phase", frames[~(active & (frames["time_bin"] == 1))])
    curve.fit("frames", "second half of the active phase", frames[~(active & (frames["time_bin"] <= last / 2))])
    curve.fit("frames", "first half of the active phase", frames[~(active & (frames["time_bin"] > last / 2))])


def _participants(curve: Curve, frames: pd.DataFrame, results: Results, everyone: set[str]) -> None:
    """Other participants: complete pairs, the first period only, without each in turn, missing ones otherwise.

    `everyone` are all participants of the study, those without any valid session too.
    """
    settings = curve.settings
    valid = frames[transform(frames, curve.outcome).notna()]
    sessions = valid.groupby("participant", observed=True)["session"].nunique()
    whole = set(sessions[sessions >= sessions.max()].index)
    curve.fit("participants", "complete pairs", frames[frames["participant"].isin(whole)])
    if "period" in frames:
        periods = sorted(frames["period"].dropna().astype(str).unique())
        first = frames[frames["period"].astype(str) == periods[0]] if periods else frames.iloc[:0]
        curve.fit("participants", "period 1 only", first, note="between participants: no carry-over, less power")
    if settings.sensitivity.leave_one_out and "influence" in results.tables:
        for row in results.tables["influence"][0]:
            curve.add(
                LEAVE_ONE_OUT,
                f"without {row['participant']}",
                n_participants=len(sessions) - 1,
                **{k: row[k] for k in ("estimate", "se", "df", "p", "ci_low", "ci_high")},
            )
    everyone = everyone | {str(p) for p in sessions.index}
    missing = everyone - {str(p) for p in whole}
    if missing and curve.primary.estimate is not None:
        _not_at_random(curve, len(missing), len(everyone - {str(p) for p in sessions.index}), len(everyone))


def _not_at_random(curve: Curve, missing: int, absent: int, people: int) -> None:
    """Pattern mixture (Little 1993, J Am Stat Assoc 88:125): who is incomplete has the effect plus a shift.

    The effect in everyone is the estimate plus the shift times the share of incomplete participants, so that a positive
    shift moves it up and a negative one down, whatever its sign; its standard error is that of the estimate, the share
    being given. `absent` of the `missing` participants have no valid session at all.
    """
    from scipy import stats

    e = curve.primary.estimate
    assert e is not None
    share = missing / people
    half = (e.ci_high - e.ci_low) / 2
    for shift in curve.settings.sensitivity.missing_shift:
        estimate = e.estimate + share * shift
        p = float(2 * stats.t.sf(abs(estimate / e.se), e.df))
        curve.add(
            "missing not at random",
            f"incomplete participants {shift:+g}",
            n_participants=people,
            estimate=estimate,
            se=e.se,
            df=e.df,
            p=p,
            ci_low=estimate - half,
            ci_high=estimate + half,
            note=f"{missing} of {people} participants are incomplete, {absent} of them without any valid session; "
            f"{missing}/{people} x {shift:+g} is added to the effect",
        )


def agreement(curve: Curve) -> list[dict[str, Any]]:
    """Share of choices that agree with the primary analysis: of all, and by what is varied.

    Leaving out one participant after the other gives as many rows as there are participants, and all are nearly the
    primary analysis. Among all choices they count as one, which agrees if every one of them does.
    """
    others = [row for row in curve.rows if row["group"] != "primary"]
    parts = {
        name: [row for row in others if row["group"] == name] for name in dict.fromkeys(r["group"] for r in others)
    }
    singly = parts.get(LEAVE_ONE_OUT, [])
    together = [row for row in others if row["group"] != LEAVE_ONE_OUT]
    if singly:
        together.append({key: _all_of(row[key] for row in singly) for key in ("same_sign", "agrees")})
    rows = []
    for name, part in {"all": together, **parts}.items():
        signs = [row["same_sign"] for row in part if row["same_sign"] is not None]
        verdicts = [row["agrees"] for row in part if row["agrees"] is not None]
        rows.append(
            {
                "group": name,
                "choices": len(part),
                "same_sign": float(np.mean(signs)) if signs else None,
                "agree": float(np.mean(verdicts)) if verdicts else None,
            }
        )
    return rows


def _all_of(values: Iterable[bool | None]) -> bool | None:
    """Whether all that are known are true; None where none is known."""
    known = [value for value in values if value is not None]
    return all(known) if known else None


def write_curve(folder: Path, curve: Curve | None) -> None:
    """Write ``sensitivity/specifications.tsv`` and ``agreement.tsv`` (without rows where there is no effect)."""
    rows = curve.rows if curve is not None else []
    write_table(folder / "specifications.tsv", rows, tuple(COLUMNS), COLUMNS)
    about = {
        "group": {
            "Description": f"What is varied; all: every choice, {LEAVE_ONE_OUT} as one that agrees if all of it does"
        },
        "choices": {"Description": "Number of choices beside the primary analysis"},
        "same_sign": {"Description": "Share with the sign of the primary effect"},
        "agree": {"Description": "Share with its sign and its verdict"},
    }
    write_table(folder / "agreement.tsv", agreement(curve) if curve is not None else [], tuple(about), about)
