"""The tables of all sessions joined with the design of the trial: pure functions on lists of rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from snakemrs.group.formula import natural_key
from snakemrs.io.events import Event
from snakemrs.io.tables import MISSING, Row, parse_number

#: What a column of ratios or concentrations is called, by its column in concentrations.tsv.
SCALES = {
    "tnaa": "ratio_tnaa",
    "tcr": "ratio_tcr",
    "molar": "molar",
    "molal": "molal",
    "uncorrected": "uncorrected",
    "amplitude": "amplitude",
}
ENTITIES = ("participant", "session", "task", "acq", "voi", "run")


def design_table(
    sessions: Sequence[tuple[str, str]], participants: Sequence[Row], session_rows: Sequence[Row]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Give sex, age, period, condition … of every (participant, session), and the sequence of conditions.

    Columns of participants.tsv and sessions.tsv are kept under their names. ``sequence`` is made from condition by
    period (``AB``), where a participant has both.
    """
    people = {row["participant_id"].removeprefix("sub-"): row for row in participants}
    visits = {
        (row["participant_id"].removeprefix("sub-"), row["session_id"].removeprefix("ses-")): row
        for row in session_rows
    }
    extra = [c for row in participants[:1] for c in row if c != "participant_id"]
    extra += [c for row in session_rows[:1] for c in row if c not in ("participant_id", "session_id")]
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for participant, session in sorted(
        set(sessions) | set(visits), key=lambda k: (natural_key(k[0]), natural_key(k[1]))
    ):
        both = {**people.get(participant, {}), **visits.get((participant, session), {})}
        table[participant, session] = {c: _cell(both.get(c)) for c in dict.fromkeys(extra)}
    if "sequence" not in extra and {"condition", "period"} <= set(extra):
        for participant in {p for p, _ in table}:
            own = [row for (p, _), row in table.items() if p == participant and row["condition"] and row["period"]]
            own.sort(key=lambda row: natural_key(row["period"]))
            sequence = "".join(row["condition"] for row in own) if len(own) > 1 else None
            for (p, _), row in table.items():
                if p == participant:
                    row["sequence"] = sequence
    return table


def _cell(value: str | None) -> str | None:
    return None if value in (None, "", MISSING) else value


def phase_of(onset: float | None, duration: float | None, events: Sequence[Event], settings: Any) -> str | None:
    """Phase of a frame by its middle: before, during or after the event that divides the session."""
    if onset is None:
        return None
    dividing = (
        [e for e in events if e.kind == settings.event] if settings.event else [e for e in events if e.duration > 0]
    )
    if not dividing:
        return None
    event = min(dividing, key=lambda e: e.onset)
    middle = onset + (duration or 0.0) / 2
    if middle < event.onset:
        return str(settings.baseline)
    return str(settings.active if middle < event.onset + event.duration else settings.after)


def regressor_of(onset: float | None, duration: float | None, events: Sequence[Event], settings: Any) -> float | None:
    """Mean of 1 - exp(-t/tau) over a frame, t the time since the onset of the event (0 before it)."""
    import math

    if onset is None:
        return None
    dividing = (
        [e for e in events if e.kind == settings.event] if settings.event else [e for e in events if e.duration > 0]
    )
    if not dividing:
        return None
    tau, start = float(settings.time_constant), min(e.onset for e in dividing)
    length = duration or 0.0
    first, last = max(onset - start, 0.0), max(onset + length - start, 0.0)
    if length <= 0:
        return 1 - math.exp(-first / tau)
    return ((last - first) + tau * (math.exp(-last / tau) - math.exp(-first / tau))) / length


def column_name(metabolite: str, scale: str) -> str:
    """Name of an outcome's column: ``glx_tnaa``; letters and digits of the metabolite, in lower case."""
    return f"{re.sub(r'[^a-z0-9]+', '', metabolite.lower())}_{scale}"


def widen(rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Turn a row a metabolite into a row a frame (or spectrum), a column an outcome.

    Parameters
    ----------
    rows : iterable of mappings
        With `keys`, ``metabolite`` and the columns of concentrations.tsv.
    keys : sequence of str
        Columns that name a frame and are kept.
    """
    frames: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row.get(k) for k in (*ENTITIES, "kind", "frame"))
        frame = frames.setdefault(key, {k: row.get(k) for k in keys})
        for scale, column in SCALES.items():
            value = row.get(column)
            number = parse_number(value) if isinstance(value, str) else value
            if number is not None:
                frame[column_name(str(row["metabolite"]), scale)] = number
    return list(frames.values())


def completeness(
    units: Sequence[Mapping[str, Any]], failures: Mapping[str, tuple[str, str]]
) -> list[dict[str, str | None]]:
    """Say of every session and stage whether it is done.

    Parameters
    ----------
    units : sequence of mappings
        For each spectrum: ``participant session stem`` and ``stages``: stage -> True (done), False, or None (does not
        apply).
    failures : mapping
        stem -> (stage, reason).
    """
    rows: list[dict[str, str | None]] = []
    for unit in units:
        failed = failures.get(unit["stem"])
        for stage, done in unit["stages"].items():
            reason = None
            if done is None:
                status = "n/a"
            elif failed and failed[0] == stage:
                status, reason = "failed", failed[1]
            elif done:
                status = "done"
            else:
                status = "missing"
                reason = f"{failed[0]} failed: {failed[1]}" if failed else "not there; has this step run?"
            rows.append(
                {
                    "participant": unit["participant"],
                    "session": unit["session"],
                    "spectrum": unit["stem"],
                    "stage": stage,
                    "status": status,
                    "reason": reason,
                }
            )
    return rows


def flow(
    design: Mapping[tuple[str, str], Mapping[str, Any]],
    analysed: Iterable[tuple[str, str]],
    measured: Iterable[tuple[str, str]],
    scored: Mapping[str, Iterable[tuple[str, str]]],
    allocated: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Count everyone by sequence and period (CONSORT extension to crossover trials, Dwan et al. 2019, BMJ 366:l4378).

    Parameters
    ----------
    design : mapping
        (participant, session) -> row with ``sequence`` and ``period``.
    analysed, measured : iterable of (participant, session)
        Sessions in the primary analysis; sessions with a spectrum.
    scored : mapping
        Visit -> sessions with a clinical score.
    allocated : iterable of str
        Further participants (participants.tsv) without any session.
    """
    analysed, measured = set(analysed), set(measured)
    visits = {name: set(keys) for name, keys in scored.items()}
    periods = sorted({row.get("period") or MISSING for row in design.values()}, key=natural_key)
    people: dict[str, set[str]] = {}
    for (participant, _), row in design.items():
        people.setdefault(row.get("sequence") or MISSING, set()).add(participant)
    alone = set(allocated) - {p for p, _ in design}
    if alone:
        people.setdefault(MISSING, set()).update(alone)
    rows = []
    for sequence in sorted(people):
        members = people[sequence]
        for period in periods:
            here = {
                key for key, row in design.items() if key[0] in members and (row.get("period") or MISSING) == period
            }
            row = {
                "sequence": sequence,
                "period": period,
                "condition": "/".join(sorted({str(design[k].get("condition") or MISSING) for k in here})) or MISSING,
                "allocated": len(members),
                "attended": len({p for p, _ in here}),
                "measured": len({p for p, s in here & measured}),
                "analysed": len({p for p, s in here & analysed}),
            }
            row.update({f"scored_{visit}": len({p for p, _ in here & keys}) for visit, keys in visits.items()})
            rows.append(row)
        whole = {p for p in members if sum(1 for k in analysed if k[0] == p) >= max(len(periods), 1)}
        rows.append(
            {
                "sequence": sequence,
                "period": "all",
                "condition": "all",
                "allocated": len(members),
                "attended": sum(1 for p in members if sum(1 for k in design if k[0] == p) >= len(periods)),
                "measured": sum(1 for p in members if sum(1 for k in measured if k[0] == p) >= len(periods)),
                "analysed": len(whole),
                **{
                    f"scored_{visit}": sum(1 for p in members if sum(1 for k in keys if k[0] == p) >= len(periods))
                    for visit, keys in visits.items()
                },
            }
        )
    return rows
