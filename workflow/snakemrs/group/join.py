"""The tables of all sessions joined with the design of the trial: pure functions on lists of rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from snakemrs.group.flow import sequences
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

    Columns of participants.tsv and sessions.tsv are kept under their names. ``sequence``, where the tables do not say
    it, is made from condition by period (``AB``, `snakemrs.group.flow.sequences`).
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
    if {"condition", "period"} <= set(extra):
        made = sequences(table)
        for (participant, _), row in table.items():
            row["sequence"] = row.get("sequence") or made[participant]
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
