"""Who was allocated, attended, measured, analysed and scored, and why not (CONSORT for crossover trials).

CONSORT extension to crossover trials: Dwan et al. 2019, BMJ 366:l4378. A line a participant and session says what
became of it; the flow by sequence and period is counted from these lines and from nothing else, so that both agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from snakemrs.group.formula import natural_key
from snakemrs.io.tables import MISSING, Row

if TYPE_CHECKING:
    import pandas as pd

    from snakemrs.group.collect import Joined
    from snakemrs.study.settings.group import GroupSettings

Place = tuple[str, str]
"""Participant and session."""
STEPS = ("attended", "measured", "analysed")


def sequences(design: Mapping[Place, Mapping[str, Any]]) -> dict[str, str | None]:
    """Give the order of the conditions of each participant (``AB``), from condition by period.

    Who left after one of two periods is still of a sequence: with two conditions the other period had the other one.
    """
    periods = sorted({str(row["period"]) for row in design.values() if row.get("period")}, key=natural_key)
    conditions = sorted({str(row["condition"]) for row in design.values() if row.get("condition")}, key=natural_key)
    found: dict[str, str | None] = {}
    for participant in {p for p, _ in design}:
        own = {
            str(row["period"]): str(row["condition"])
            for (p, _), row in design.items()
            if p == participant and row.get("period") and row.get("condition")
        }
        if len(own) == 1 and len(periods) == len(conditions) == 2:
            ((period, condition),) = own.items()
            other = next(p for p in periods if p != period)
            own[other] = next(c for c in conditions if c != condition)
        found[participant] = "".join(own[p] for p in periods) if own and set(own) == set(periods) else None
    return found


def count_flow(
    joined: Joined,
    settings: GroupSettings,
    participants: Iterable[Row],
    design: Mapping[Place, Mapping[str, Any]],
    scanned: Iterable[Place],
    measured: Iterable[Place],
    lost: Mapping[Place, str],
) -> None:
    """Add the flow to the joined tables of a study.

    Parameters
    ----------
    scanned, measured : iterable of (participant, session)
        Sessions with a raw file, and those with a spectrum.
    lost : mapping
        What the study's tables say of a session (or a participant: the session empty) in their column ``reason``.
    """
    analysed, lacking = primary_values(joined.frames, settings)
    reasons = {("lost", place): why for place, why in lost.items()}
    for row in sorted(joined.completeness, key=lambda row: row["status"] != "failed"):
        place = (str(row["participant"]), str(row["session"]))
        if row["status"] in ("failed", "missing", "excluded"):
            reasons.setdefault(("analysed", place), f"{row['stage']} {row['status']}: {row['reason']}")
        elif row["stage"] == "group" and row["reason"] and place in lacking:
            lacking[place] += f" ({row['reason']})"
    reasons |= {("analysed", place): why for place, why in lacking.items()}
    scored: dict[str, set[Place]] = {}
    for row in joined.clinical:
        if row["instrument"] == settings.clinical.primary:
            place, visit = (str(row["participant"]), str(row["session"])), str(row["visit"])
            there = scored.setdefault(visit, set())
            if row["total"] is not None:
                there.add(place)
            else:
                reasons[visit, place] = str(row["how"])
    for problem in joined.problems:
        if problem.severity == "refused" and problem.instrument == settings.clinical.primary:
            reasons[problem.visit, (problem.participant, problem.session)] = f"refused: {problem.message}"
    people = {row["participant_id"].removeprefix("sub-"): row for row in participants}
    reached = {"attended": {*scanned}.union(*scored.values()), "measured": measured, "analysed": analysed}
    joined.flow_participants = flow_lines(design, people, reached, scored, reasons)
    joined.flow = flow(joined.flow_participants)


def primary_values(frames: Sequence[Mapping[str, Any]], settings: GroupSettings) -> tuple[set[Place], dict[Place, str]]:
    """Give the sessions with a value of the primary outcome, and what the others with frames lack.

    A value is the change from baseline to the active phase (the mean, where there are no phases), in a session whose
    condition and period are known: what the 2x2 test takes.
    """
    from snakemrs.group.analyses import analysed_frames, session_values
    from snakemrs.group.models import transform
    from snakemrs.group.run import frame_table

    table = frame_table([dict(row) for row in frames])
    if table.empty:
        return set(), {}
    used, outcome = analysed_frames(table, settings), settings.outcomes.primary
    values = session_values(used, settings, outcome).dropna(subset=["change"])
    valued = set(zip(values["participant"].astype(str), values["session"].astype(str), strict=True))
    there = used[transform(used, outcome).notna()]
    phases = (settings.design.baseline, settings.design.active)
    divided = "phase" in there and len(set(there["phase"].dropna())) > 1
    good, lacking = set(), {}
    for place, rows in table.groupby([table["participant"].astype(str), table["session"].astype(str)], observed=True):
        key = (str(place[0]), str(place[1]))
        absent = [name for name in ("condition", "period") if name not in rows or rows[name].isna().all()]
        if key in valued and not absent:
            good.add(key)
        elif key in valued:
            lacking[key] = f"its {' and '.join(absent)} is not known"
        else:
            mine = _rows_of(there, key)
            missing = [phase for phase in phases if divided and not (mine["phase"] == phase).any()]
            where = f" in the phase {' and '.join(missing)}" if missing and len(mine) else ""
            lacking[key] = f"no value of {outcome}{where}"
    return good, lacking


def _rows_of(table: pd.DataFrame, place: Place) -> pd.DataFrame:
    return table[(table["participant"].astype(str) == place[0]) & (table["session"].astype(str) == place[1])]


def flow_lines(
    design: Mapping[Place, Mapping[str, Any]],
    people: Mapping[str, Mapping[str, Any]],
    reached: Mapping[str, Iterable[Place]],
    scored: Mapping[str, Iterable[Place]],
    reasons: Mapping[tuple[str, Place], str],
) -> list[dict[str, Any]]:
    """Say of each participant and session what was reached, and why the rest was not.

    Parameters
    ----------
    design : mapping
        (participant, session) -> row with ``sequence period condition``.
    people : mapping
        Participant -> row of participants.tsv, with ``sequence`` where the study says it there.
    reached : mapping
        Each of `STEPS` -> its sessions.
    scored : mapping
        Visit -> sessions with a score.
    reasons : mapping
        (step or visit, session) -> why it is not reached; the step ``lost`` holds what the study's tables say.
    """
    periods = sorted({str(row["period"]) for row in design.values() if row.get("period")}, key=natural_key)
    steps = {step: set(reached.get(step, ())) for step in STEPS}
    visits = {visit: set(places) for visit, places in scored.items()}
    made = sequences(design)
    lines = []
    for participant in sorted({p for p, _ in design} | set(people), key=natural_key):
        own = sorted((k for k in design if k[0] == participant), key=lambda k: natural_key(k[1]))
        told = next((design[k].get("sequence") for k in own if design[k].get("sequence")), None)
        sequence = told or _known(people.get(participant, {}).get("sequence")) or made.get(participant)
        for place in own:
            row = design[place]
            line: dict[str, Any] = {
                "participant": participant,
                "session": place[1],
                "sequence": sequence,
                "period": row.get("period"),
                "condition": row.get("condition"),
                "allocated": True,
                **{step: place in steps[step] for step in STEPS},
                **{f"scored_{visit}": place in places for visit, places in visits.items()},
            }
            line["reason"] = _why(line, place, reasons)
            lines.append(line)
        absent: list[str | None] = [p for p in periods if p not in {str(design[k].get("period")) for k in own}]
        if any(design[k].get("period") is None for k in own):
            absent = []
        for period in absent or ([] if own else [None]):
            told_why = reasons.get(("lost", (participant, "")))
            what = f"no session of period {period}" if own and period else "no session at all"
            lines.append(
                {
                    "participant": participant,
                    "session": None,
                    "sequence": sequence,
                    "period": period,
                    "condition": None,
                    "allocated": True,
                    **dict.fromkeys((*STEPS, *(f"scored_{visit}" for visit in visits)), False),
                    "reason": f"{what}: {told_why}" if told_why else what,
                }
            )
    return lines


def _known(cell: Any) -> Any:
    return None if cell in (None, "", MISSING) else cell


def _why(line: Mapping[str, Any], place: Place, reasons: Mapping[tuple[str, Place], str]) -> str | None:
    """Why a session did not get to each step: the first step of the spectra that was not reached, and each visit."""
    told = reasons.get(("lost", place)) or reasons.get(("lost", (place[0], "")))
    usual = {
        "attended": "planned, neither scanned nor scored",
        "measured": "no spectrum to analyse",
        "analysed": "not in the primary analysis",
    }
    parts = []
    first = next((step for step in STEPS if not line[step]), None)
    if first is not None:
        parts.append(reasons.get((first, place), usual[first]) + (f" ({told})" if told else ""))
    if line["attended"]:
        for name, there in line.items():
            if name.startswith("scored_") and not there:
                visit = name.removeprefix("scored_")
                parts.append(f"{visit}: {reasons.get((visit, place), 'no score')}")
    return "; ".join(parts) or None


def flow(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Count persons by sequence and period; the row ``all`` of a sequence counts who got there in every period."""
    counted = [c for line in lines[:1] for c in line if c in STEPS or c.startswith("scored_")]
    periods = sorted({str(line["period"]) for line in lines if line["period"]}, key=natural_key)
    rows = []
    for sequence in sorted({line["sequence"] or MISSING for line in lines}):
        own = [line for line in lines if (line["sequence"] or MISSING) == sequence]
        people = {line["participant"] for line in own}
        loose = [MISSING] if any(line["period"] is None for line in own) else []
        for period in [*periods, *loose]:
            here = [line for line in own if (line["period"] or MISSING) == period]
            conditions = {str(line["condition"]) for line in here if line["condition"]}
            rows.append(
                {
                    "sequence": sequence,
                    "period": period,
                    "condition": "/".join(sorted(conditions)) or MISSING,
                    "allocated": len(people),
                    **{c: len({line["participant"] for line in here if line[c]}) for c in counted},
                }
            )
        row = {"sequence": sequence, "period": "all", "condition": "all", "allocated": len(people)}
        for c in counted:
            reached = {
                p: {str(line["period"] or "") for line in own if line["participant"] == p and line[c]} for p in people
            }
            row[c] = sum(bool(there) and set(periods) <= there for there in reached.values())
        rows.append(row)
    return rows
