"""Events of a session (events.tsv, BIDS): what happened when, in seconds from the first transient.

A study has one table of events. Where sessions differ, its columns ``participant_id`` and ``session_id`` say whom a row
concerns; a row with neither, or with ``n/a`` there, concerns all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from snakemrs.errors import RequestError
from snakemrs.io.tables import MISSING, parse_number, read_table

EVENTS = "events.tsv"
"""The table, in the study's folder."""
OWNERS = {"participant_id": "sub", "session_id": "ses"}
"""Columns that say whom a row concerns, and the entity in a file's name that they are compared with."""


@dataclass(frozen=True)
class Event:
    """An event: `onset` and `duration` in seconds from the first transient, `kind` its trial type."""

    onset: float
    duration: float
    kind: str


def owner_of(row: Mapping[str, str]) -> tuple[str, str]:
    """Participant and session that a row of the events concerns, each an empty text where it concerns all."""
    cells = (row.get(column, MISSING).removeprefix(f"{entity}-") for column, entity in OWNERS.items())
    participant, session = ("" if cell == MISSING else cell for cell in cells)
    return participant, session


def owners(participant: str, session: str) -> list[tuple[str, str]]:
    """Give all that `owner_of` may say of a row that concerns a session."""
    return list(product(("", participant), ("", session)))


def concerns(row: Mapping[str, str], name: str) -> bool:
    """Say whether a row of the events concerns a file, by the entities ``sub-…`` and ``ses-…`` of its name."""
    for entity, wanted in zip(OWNERS.values(), owner_of(row), strict=True):
        own = re.search(rf"(?:^|_){entity}-([A-Za-z0-9]+)", name)
        if wanted and (own is None or own[1] != wanted):
            return False
    return True


def read_events(path: Path, name: str = "") -> list[Event]:
    """Read the events that concern a file.

    Parameters
    ----------
    path : Path
        Table with the columns ``onset duration`` and, where there are any, ``trial_type participant_id session_id``.
    name : str
        Name of the file.

    Raises
    ------
    RequestError
        If a column is missing or a time is no number.
    """
    rows = read_table(path)
    for column in ("onset", "duration"):
        if rows and column not in rows[0]:
            raise RequestError("the events have no such column", file=path, expected=column, found=", ".join(rows[0]))
    events = []
    for line, row in enumerate(rows, start=2):
        try:
            onset, duration = parse_number(row["onset"]), parse_number(row["duration"])
        except ValueError:
            raise RequestError(
                "a time of an event is no number", file=path, line=line, found=f"{row['onset']}, {row['duration']}"
            ) from None
        if onset is None or (duration is not None and duration < 0):
            raise RequestError("an event needs an onset and no negative duration", file=path, line=line)
        if concerns(row, name):
            kind = row.get("trial_type", MISSING)
            events.append(Event(onset, duration or 0.0, "event" if kind in ("", MISSING) else kind))
    return events
