"""Clinical scores: from phenotype tables (wide or long) to one checked total a participant, session and visit.

A row that cannot be right (an item out of range, a total that is not the sum, a visit twice, an impossible date, an
unknown participant) is refused with its row and column: it enters no analysis and is listed, and nobody else is held
up. What is only unusual (a visit outside its window, another rater) is flagged and kept.
"""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snakemrs.group.instruments import CutOff, Instrument
from snakemrs.io.tables import MISSING, Row, read_table

_SESSION = re.compile(r"^(?:ses|session)-?([a-z0-9]+)$")
_PERIOD = re.compile(r"^period-?([a-z0-9]+)$")
_VISIT = re.compile(
    r"^(baseline|pre|post|screening|followup|endpoint|acute|d(ay)?-?\d+|w(eek)?\d+|\d+h|h\d+|v(isit)?\d+)$",
    re.IGNORECASE,
)
_IDENTITY = {"participant_id", "participant", "session_id", "session", "period", "visit", "time", "instrument"}


@dataclass(frozen=True)
class ClinicalProblem:
    """Something wrong (`refused`) or unusual (`flagged`) in a table, with its place."""

    severity: str
    file: str
    row: int | None
    column: str
    participant: str
    message: str
    session: str = ""
    visit: str = ""
    instrument: str = ""

    def __str__(self) -> str:
        place = (
            f"{self.file}" + (f":{self.row}" if self.row else "") + (f", column {self.column}" if self.column else "")
        )
        who = f", sub-{self.participant}" if self.participant else ""
        return f"{self.severity}: {place}{who}: {self.message}"


@dataclass
class Visit:
    """An instrument at one visit, as it stands in a table."""

    participant: str
    session: str
    visit: str
    instrument: str
    file: str
    row: int
    items: dict[int, str] = field(default_factory=dict)
    total: str | None = None
    date: str | None = None
    day: str | None = None
    rater: str | None = None
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """A checked total."""

    participant: str
    session: str
    visit: str
    instrument: str
    total: float | None
    how: str
    day: float | None = None
    rater: str | None = None
    flags: tuple[str, ...] = ()


def read_phenotype(
    folder: Path, instruments: Mapping[str, Instrument], visits: Iterable[str], periods: Mapping[tuple[str, str], str]
) -> tuple[list[Visit], list[ClinicalProblem]]:
    """Read all tables of ``phenotype/``.

    Long: ``participant_id``, ``session_id`` (or ``period``), ``visit``, and items (``item_1``, ``madrs_1``), ``total``,
    ``date``, ``day``, ``rater``. Wide (a row a participant, as BIDS wants it): the same with session and visit in the
    name, as ``ses-01_baseline_total`` or ``madrs_ses01_day1_item_3``.

    Parameters
    ----------
    visits : iterable of str
        Names of visits beside the usual ones.
    periods : mapping
        Session of a participant's period: ``("01", "2") -> "02"``.
    """
    found: list[Visit] = []
    problems: list[ClinicalProblem] = []
    known_visits = {v.lower() for v in visits}
    for path in sorted(folder.glob("*.tsv")):
        rows = read_table(path)
        key = _instrument_of(path.stem, instruments)
        for number, row in enumerate(rows, start=2):
            if (problem := _other_instrument(row, number, path, key, instruments)) is not None:
                problems.append(problem)
                continue
            if key is None and "instrument" not in row and not any(_leading(c, instruments) for c in row):
                problems.append(
                    ClinicalProblem(
                        "flagged",
                        path.name,
                        None,
                        "",
                        "",
                        f"no instrument is called '{path.stem}': the table is not used",
                    )
                )
                break
            found += _visits_of(row, number, path.name, key, instruments, known_visits, periods, problems)
    return found, list(dict.fromkeys(problems))


def _instrument_of(name: str, instruments: Mapping[str, Instrument]) -> str | None:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    for key in instruments:
        if plain == re.sub(r"[^a-z0-9]", "", key):
            return key
    return None


def _other_instrument(
    row: Row, number: int, path: Path, key: str | None, instruments: Mapping[str, Instrument]
) -> ClinicalProblem | None:
    """A row whose column ``instrument`` is not what its table is called, or no instrument at all."""
    named = row.get("instrument", MISSING)
    if named in (MISSING, "") or (found := _instrument_of(named, instruments)) == key is not None:
        return None
    if found is not None and key is None:
        return None
    what = f"no instrument is called '{named}'" if found is None else f"'{named}' in a table that is called {path.stem}"
    participant = (row.get("participant_id") or row.get("participant") or "").removeprefix("sub-")
    return ClinicalProblem("refused", path.name, number, "instrument", participant, f"{what}: the row is not used")


def _leading(column: str, instruments: Mapping[str, Instrument]) -> str | None:
    """The instrument that a column's name begins with."""
    lower = column.lower()
    return next((key for key in sorted(instruments, key=len, reverse=True) if re.match(rf"{key}(_|\d|$)", lower)), None)


def _visits_of(
    row: Row,
    number: int,
    file: str,
    key: str | None,
    instruments: Mapping[str, Instrument],
    known_visits: set[str],
    periods: Mapping[tuple[str, str], str],
    problems: list[ClinicalProblem],
) -> list[Visit]:
    participant = (row.get("participant_id") or row.get("participant") or "").removeprefix("sub-")
    session = (row.get("session_id") or row.get("session") or "").removeprefix("ses-")
    if not session and row.get("period"):
        session = periods.get((participant, row["period"]), row["period"])
    visit = row.get("visit") or row.get("time") or ""
    place_column = next((c for c in ("session_id", "session", "period") if row.get(c)), "session_id")
    named = _instrument_of(row.get("instrument", ""), instruments)
    collected: dict[tuple[str, str, str], Visit] = {}
    for column, cell in row.items():
        if column in _IDENTITY:
            continue
        own_session, own_visit, own_column, rest = session, visit, place_column, []
        for token in column.lower().split("_"):
            in_session, in_period = _SESSION.match(token), _PERIOD.match(token)
            if in_session:
                own_session, own_column = in_session.group(1), column
            elif in_period:
                own_session, own_column = periods.get((participant, in_period.group(1)), in_period.group(1)), column
            elif token in known_visits or _VISIT.match(token):
                own_visit = token
            else:
                rest.append(token)
        name = "_".join(rest)
        own_key = _leading(name, instruments) or key or named
        if own_key is None:
            problems.append(_not_understood(file, column))
            continue
        measure = re.sub(rf"^{own_key}_?", "", name)
        place = (own_key, own_session, own_visit.lower())
        entry = collected.get(place) or Visit(participant, own_session, own_visit.lower(), own_key, file, number)
        entry.columns.setdefault("session", own_column)
        item = re.fullmatch(r"(?:item|q)?_?(\d+)", measure)
        if item:
            entry.items[int(item.group(1))] = cell
            entry.columns[f"item {int(item.group(1))}"] = column
        elif measure in ("total", "score", "sum", ""):
            entry.total = cell
            entry.columns["total"] = column
        elif measure in ("date", "day", "days", "rater"):
            setattr(entry, "day" if measure == "days" else measure, cell)
            entry.columns["day" if measure == "days" else measure] = column
        else:
            problems.append(_not_understood(file, column))
            continue
        collected[place] = entry
    held = [v for v in collected.values() if v.items or v.total is not None]
    # In a wide table a visit that did not take place is a set of n/a; in a long one it is a row, kept as missing.
    return [v for v in held if visit or any(c not in (MISSING, "") for c in [*v.items.values(), v.total or MISSING])]


def _not_understood(file: str, column: str) -> ClinicalProblem:
    return ClinicalProblem("flagged", file, None, column, "", "the column is not understood and not used")


def check_visits(
    visits: Sequence[Visit],
    instruments: Mapping[str, Instrument],
    participants: Iterable[str],
    windows: Mapping[str, tuple[float, float]] | None = None,
    session_dates: Mapping[tuple[str, str], str] | None = None,
    order: Sequence[str] = (),
    sessions: Container[tuple[str, str]] | None = None,
) -> tuple[list[Score], list[ClinicalProblem]]:
    """Check the visits and score them.

    Parameters
    ----------
    participants : iterable of str
        Labels that the study knows.
    windows : mapping, optional
        First and last allowed day of a visit.
    session_dates : mapping, optional
        Date of each session, where the days of the visits are to be counted from it.
    order : sequence of str
        Visits in the order of time: one dated before an earlier one of its session is impossible.
    sessions : container of (participant, session), optional
        Sessions that the study has; a score of another one is refused.

    Returns
    -------
    scores : list of Score
        The visits that are not refused.
    problems : list of ClinicalProblem
    """
    known = set(participants)
    windows, session_dates = windows or {}, session_dates or {}
    problems: list[ClinicalProblem] = []
    places: dict[tuple[str, str, str, str], list[Visit]] = defaultdict(list)
    for visit in visits:
        places[visit.participant, visit.session, visit.visit, visit.instrument].append(visit)
    dates: dict[tuple[str, str, str], dict[str, datetime.date]] = defaultdict(dict)
    scores: list[Score] = []
    raters: dict[tuple[str, str], str] = {}
    for visit in sorted(visits, key=lambda v: order.index(v.visit) if v.visit in order else len(order)):
        instrument = instruments[visit.instrument]
        refusals = list(_refusals(visit, instrument, known))
        unknown = sessions is not None and visit.session and (visit.participant, visit.session) not in sessions
        if unknown and visit.participant in known:
            text = f"sub-{visit.participant} has no session '{visit.session}' in scans.tsv or sessions.tsv"
            refusals.append(_problem("refused", visit, "session", text))
        same = places[visit.participant, visit.session, visit.visit, visit.instrument]
        if len(same) > 1:
            rows = ", ".join(str(v.row) for v in same)
            text = f"the visit {visit.visit or '(unnamed)'} of ses-{visit.session} stands in rows {rows}: none is used"
            refusals.append(_problem("refused", visit, "visit", text))
        date = _date(visit.date)
        if date is not None:
            earlier = dates[visit.participant, visit.session, visit.instrument]
            later = [name for name, other in earlier.items() if other > date and _before(name, visit.visit, order)]
            if later:
                text = f"{visit.date} lies before the visit {later[0]} ({earlier[later[0]]})"
                refusals.append(_problem("refused", visit, "date", text))
            earlier[visit.visit] = date
        if refusals:
            problems += refusals
            continue
        flags = []
        day = _number(visit.day)
        base = _date(session_dates.get((visit.participant, visit.session)))
        if day is None and date is not None and base is not None:
            day = float((date - base).days)
        if visit.visit in windows and day is not None and not windows[visit.visit][0] <= day <= windows[visit.visit][1]:
            flags.append(f"day {day:g} outside the window {windows[visit.visit][0]:g} to {windows[visit.visit][1]:g}")
        if visit.rater not in (None, "", MISSING):
            first = raters.setdefault((visit.participant, visit.instrument), str(visit.rater))
            if first != visit.rater:
                flags.append(f"rater {visit.rater}, before {first}")
        problems += [_problem("flagged", visit, "day" if "window" in flag else "rater", flag) for flag in flags]
        total, how = _total(visit, instrument)
        if total is None and _number(visit.total) is not None:
            flags.append(f"the total {visit.total} is not used: it cannot be checked against the items that are there")
            text = f"{flags[-1]} ({how}); give all items, or the total alone"
            problems.append(_problem("flagged", visit, "total", text))
        rater = None if visit.rater in (None, "", MISSING) else visit.rater
        scores.append(
            Score(visit.participant, visit.session, visit.visit, visit.instrument, total, how, day, rater, tuple(flags))
        )
    scores.sort(
        key=lambda s: (s.instrument, s.participant, s.session, order.index(s.visit) if s.visit in order else 99)
    )
    return scores, problems


def _problem(severity: str, visit: Visit, column: str, text: str) -> ClinicalProblem:
    return ClinicalProblem(
        severity,
        visit.file,
        visit.row,
        visit.columns.get(column, column),
        visit.participant,
        text,
        visit.session,
        visit.visit,
        visit.instrument,
    )


def _before(first: str, second: str, order: Sequence[str]) -> bool:
    return first in order and second in order and order.index(first) < order.index(second)


def _number(cell: str | None) -> float | None:
    try:
        return None if cell is None or cell in ("", MISSING) else float(cell)
    except ValueError:
        return None


def _date(cell: str | None) -> datetime.date | None:
    try:
        return None if cell in (None, "", MISSING) else datetime.date.fromisoformat(str(cell)[:10])
    except ValueError:
        return None


def _refusals(visit: Visit, instrument: Instrument, known: set[str]) -> Iterable[ClinicalProblem]:
    if visit.participant not in known:
        yield _problem("refused", visit, "participant_id", f"unknown participant '{visit.participant}'")
    for item, cell in sorted(visit.items.items()):
        if not 1 <= item <= len(instrument.ranges):
            text = f"{instrument.name} has {len(instrument.ranges)} items, not an item {item}"
            yield _problem("refused", visit, f"item {item}", text)
            continue
        value, (low, high) = _number(cell), instrument.ranges[item - 1]
        if cell not in (MISSING, "") and value is None:
            yield _problem("refused", visit, f"item {item}", f"'{cell}' is no number")
        elif value is not None and (not low <= value <= high or value != round(value)):
            yield _problem(
                "refused", visit, f"item {item}", f"{cell} is out of range: {low:g} to {high:g}, whole numbers"
            )
    total = _number(visit.total)
    if visit.total not in (None, "", MISSING) and total is None:
        yield _problem("refused", visit, "total", f"'{visit.total}' is no number")
    if total is not None:
        low, high = instrument.total
        if not low <= total <= high:
            yield _problem("refused", visit, "total", f"{visit.total} is out of range: {low:g} to {high:g}")
        elif _has_items(visit):
            made, how = instrument.score([_number(visit.items.get(i + 1)) for i in range(len(instrument.ranges))])
            if made is not None and abs(made - total) > (0.501 if how.startswith("prorated") else 1e-6):
                yield _problem(
                    "refused", visit, "total", f"{visit.total} is not the sum of the items, {made:g} ({how})"
                )
    if visit.date not in (None, "", MISSING) and _date(visit.date) is None:
        yield _problem("refused", visit, "date", f"'{visit.date}' is no date (year-month-day)")


def _has_items(visit: Visit) -> bool:
    """Whether any item is given; a table of totals may have columns of items that are all n/a."""
    return any(_number(cell) is not None for cell in visit.items.values())


def _total(visit: Visit, instrument: Instrument) -> tuple[float | None, str]:
    """Total of the items, where any is given, and of the column ``total`` where none is."""
    total = _number(visit.total)
    if _has_items(visit) or (visit.items and total is None):
        return instrument.score([_number(visit.items.get(i + 1)) for i in range(len(instrument.ranges))])
    return total, "total as given" if total is not None else "missing"


def clinical_rows(
    scores: Sequence[Score],
    instruments: Mapping[str, Instrument],
    baseline: str,
    remission: Mapping[str, float] | None = None,
) -> list[dict[str, object]]:
    """Add to each total its change from the baseline of the same session, response and remission."""
    remission = remission or {}
    start = {(s.instrument, s.participant, s.session): s.total for s in scores if s.visit == baseline}
    rows: list[dict[str, object]] = []
    for s in scores:
        instrument = instruments[s.instrument]
        base = start.get((s.instrument, s.participant, s.session))
        after = s.visit != baseline
        change = s.total - base if after and s.total is not None and base is not None else None
        response = None
        if change is not None and instrument.response is not None and base:
            response = int(instrument.improvement(change) >= instrument.response * base)
        cut = remission.get(s.instrument, instrument.remission)
        remitted = None
        if after and s.total is not None and cut is not None:
            remitted = int(CutOff(cut, instrument.worse).met(s.total))
        rows.append(
            {
                "participant": s.participant,
                "session": s.session,
                "instrument": s.instrument,
                "visit": s.visit,
                "total": s.total,
                "baseline": base,
                "change": change,
                "response": response,
                "remission": remitted,
                "how": s.how,
                "day": s.day,
                "rater": s.rater,
                "flags": "; ".join(s.flags) or None,
            }
        )
    return rows
