"""The tables of a study: scans, participants, sessions, phenotype; problems are named with line and column."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from snakemrs.errors import RequestError
from snakemrs.io.events import owner_of
from snakemrs.io.tables import MISSING, Row, read_table
from snakemrs.study.bids import LABEL, SUFFIX_FOLDERS, stem
from snakemrs.study.plan import Problem, by_participant

SCAN_COLUMNS = ("path", "participant", "session", "suffix", "task", "acq", "voi", "run")


class Scan(BaseModel):
    """A row of scans.tsv: a raw file and what it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    participant: str
    session: str
    suffix: Literal["svs", "mrsref", "T1w"]
    task: str | None = None
    acq: str | None = None
    voi: str | None = None
    run: str | None = None

    @field_validator("participant", "session", "task", "acq", "voi", "run")
    @classmethod
    def _label(cls, value: str | None) -> str | None:
        if value is not None and not LABEL.fullmatch(value):
            raise ValueError("letters and digits only (a BIDS label)")
        return value

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        if not value or ".." in Path(value).parts:
            raise ValueError("a path inside the folder of the raw files")
        return value

    @property
    def entities(self) -> dict[str, str | None]:
        """The entities of the BIDS name."""
        return {name: getattr(self, name) for name in SCAN_COLUMNS if name not in ("path", "suffix")}

    @property
    def stem(self) -> str:
        """The BIDS name without suffix."""
        return stem(self.entities)


SEXES = ("F", "M", "O", "f", "m", "o", "female", "male", "other", "FEMALE", "MALE", "OTHER", "Female", "Male", "Other")
"""What BIDS allows in the column sex."""


class TableRow(BaseModel):
    """A row of participants.tsv or of a phenotype table; columns of the study's own are allowed."""

    model_config = ConfigDict(extra="allow", frozen=True)

    participant_id: str

    @field_validator("participant_id")
    @classmethod
    def _label(cls, value: str) -> str:
        label = value.removeprefix("sub-")
        if not LABEL.fullmatch(label):
            raise ValueError("letters and digits (a BIDS label), with or without sub-")
        return label


class ParticipantRow(TableRow):
    """A row of participants.tsv."""

    sex: str | None = None
    age: float | None = Field(default=None, ge=0, le=130)

    @field_validator("sex")
    @classmethod
    def _sex(cls, value: str | None) -> str | None:
        if value is not None and value not in SEXES:
            raise ValueError(f"one of {', '.join(SEXES[:3])} (or female, male, other)")
        return value


class SessionRow(TableRow):
    """A row of sessions.tsv: the design of the trial. The condition is a masked code."""

    session_id: str
    period: int | None = Field(default=None, ge=1)
    condition: str | None = None

    @field_validator("session_id")
    @classmethod
    def _session(cls, value: str) -> str:
        label = value.removeprefix("ses-")
        if not LABEL.fullmatch(label):
            raise ValueError("letters and digits (a BIDS label), with or without ses-")
        return label


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """A remedy that names the valid word nearest to `name`."""
    near = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.55)
    return f"did you mean '{near[0]}'?" if near else None


def _check_columns(rows: list[Row], path: Path, valid: Iterable[str], required: Iterable[str]) -> None:
    columns = list(rows[0]) if rows else []
    for column in columns:
        if column not in valid:
            raise RequestError(
                f"unknown column '{column}'",
                file=path,
                line=1,
                found=column,
                expected=", ".join(valid),
                remedy=nearest(column, valid),
            )
    for column in required:
        if column not in columns:
            raise RequestError(
                f"the column '{column}' is missing", file=path, line=1, found=", ".join(columns), expected=column
            )


def read_scans(path: Path) -> list[Scan]:
    """Read scans.tsv.

    Raises
    ------
    RequestError
        For an unknown column or suffix, a label that BIDS does not allow, a file or a name that occurs twice, two
        water references for one spectrum: with line, what was found and what was expected.
    """
    rows = read_table(path)
    if not rows:
        raise RequestError("no scan is listed", file=path, expected="a row a raw file")
    _check_columns(rows, path, SCAN_COLUMNS, ("path", "participant", "session", "suffix"))
    scans: list[Scan] = []
    lines: dict[tuple[str, str], int] = {}
    paths: dict[tuple[str, bool], int] = {}
    for line, row in enumerate(rows, start=2):
        cells = {key: value for key, value in row.items() if value not in ("", MISSING)}
        for key, prefix in (("participant", "sub-"), ("session", "ses-")):
            if key in cells:
                cells[key] = cells[key].removeprefix(prefix)
        try:
            scan = Scan.model_validate(cells)
        except ValidationError as error:
            first = error.errors()[0]
            column = str(first["loc"][0]) if first["loc"] else "row"
            found = row.get(column)
            remedy = nearest(str(found), SUFFIX_FOLDERS) if column == "suffix" else None
            raise RequestError(
                f"wrong value in column '{column}'",
                file=path,
                line=line,
                participant=row.get("participant") or None,
                found=found or "an empty cell",
                expected=str(first["msg"]).removeprefix("Value error, "),
                remedy=remedy,
            ) from None
        name = (scan.stem, scan.suffix)
        # A raw file may hold a spectrum and its water reference (GE, DATA/LIST, XA), and then stands in two rows.
        place = (scan.path, scan.suffix == "mrsref")
        if place in paths:
            raise RequestError(
                "a file is listed twice", file=path, line=line, found=f"{scan.path}, also in line {paths[place]}"
            )
        if name in lines:
            what = "two water references for one spectrum" if scan.suffix == "mrsref" else "two scans of one name"
            raise RequestError(
                what,
                file=path,
                line=line,
                participant=scan.participant,
                found=f"{scan.stem}_{scan.suffix}, also in line {lines[name]}",
                expected="one",
                remedy="tell them apart by `acq`, `voi` or `run`, or remove one",
            )
        paths[place] = lines[name] = line
        scans.append(scan)
    own = by_participant(scans)
    for scan in scans:
        if scan.suffix == "svs":
            water_of(scan, own[scan.participant], path)  # refuses two that fit equally well
    return scans


def water_of(spectrum: Scan, scans: Iterable[Scan], path: Path | None = None) -> Scan | None:
    """Find the water reference of a spectrum: same participant, session, acq and voi; task and run as near as can be.

    Raises
    ------
    RequestError
        If two fit equally well.
    """
    fitting: list[tuple[int, Scan]] = []
    for scan in scans:
        if scan.suffix != "mrsref" or (scan.participant, scan.session) != (spectrum.participant, spectrum.session):
            continue
        if scan.acq != spectrum.acq or scan.voi != spectrum.voi:
            continue
        if any(getattr(scan, key) not in (None, getattr(spectrum, key)) for key in ("task", "run")):
            continue
        fitting.append((sum(getattr(scan, key) is not None for key in ("task", "run")), scan))
    if not fitting:
        return None
    best = max(score for score, _ in fitting)
    winners = [scan for score, scan in fitting if score == best]
    if len(winners) > 1:
        raise RequestError(
            "two water references for one spectrum",
            file=path,
            participant=spectrum.participant,
            found=f"{winners[0].path} and {winners[1].path} for {spectrum.stem}",
            expected="one",
            remedy="tell them apart by `acq`, `voi` or `run`, or remove one",
        )
    return winners[0]


def read_participants(path: Path, scanned: set[str]) -> tuple[list[Row], list[Problem]]:
    """Read participants.tsv (BIDS: participant_id and columns of one's own); absent is allowed.

    Returns
    -------
    rows : list of dict
        As in the file, ``participant_id`` with ``sub-``.
    problems : list of Problem
        Participants without a scan, and scanned participants that are not listed.
    """
    if not path.exists():
        return [], []
    rows = read_table(path)
    if rows:
        _require(rows, path, "participant_id")
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        label = _checked(ParticipantRow, row, path, line).participant_id
        if label in seen:
            raise RequestError(
                "a participant is listed twice",
                file=path,
                line=line,
                participant=label,
                found=f"also in line {seen[label]}",
            )
        seen[label] = line
    problems = [
        Problem("warning", "no scan is listed in scans.tsv", str(path), line, label)
        for label, line in seen.items()
        if label not in scanned
    ]
    problems += [
        Problem("warning", "the participant is not in participants.tsv", str(path), None, label)
        for label in sorted(scanned - set(seen))
    ]
    return rows, problems


def read_sessions(path: Path, scanned: set[tuple[str, str]], participant_columns: Iterable[str]) -> list[Row]:
    """Read sessions.tsv (participant_id session_id and columns such as period and masked condition); may be absent.

    Raises
    ------
    RequestError
        For a session without a scan, a session listed twice, or a column that participants.tsv has too.
    """
    if not path.exists():
        return []
    rows = read_table(path)
    if not rows:
        return rows
    for column in ("participant_id", "session_id"):
        _require(rows, path, column)
    for column in set(participant_columns) & set(rows[0]) - {"participant_id"}:
        raise RequestError(
            f"the column '{column}' stands in participants.tsv too",
            file=path,
            line=1,
            expected="different names: they are joined into one table",
        )
    seen: dict[tuple[str, str], int] = {}
    for line, row in enumerate(rows, start=2):
        checked = _checked(SessionRow, row, path, line)
        assert isinstance(checked, SessionRow)
        label, session = checked.participant_id, checked.session_id
        if (label, session) in seen:
            raise RequestError("a session is listed twice", file=path, line=line, participant=label, found=session)
        seen[label, session] = line
        if (label, session) not in scanned:
            known = sorted(s for p, s in scanned if p == label)
            raise RequestError(
                "a session without a scan",
                file=path,
                line=line,
                participant=label,
                found=f"ses-{session}",
                expected=f"a session of scans.tsv ({', '.join(known) or 'this participant has none'})",
                remedy=nearest(session, known) or "add its raw files to scans.tsv, or remove the row",
            )
    return rows


def check_phenotype(path: Path, known: set[str]) -> list[Problem]:
    """Look through a phenotype table: rows of unknown participants and empty cells are errors that stop nobody else."""
    rows = read_table(path)
    if not rows:
        return [Problem("warning", "the table has no rows", str(path))]
    _require(rows, path, "participant_id")
    problems = []
    for line, row in enumerate(rows, start=2):
        label = _checked(TableRow, row, path, line).participant_id
        if label not in known:
            hint = nearest(label, known)
            text = f"unknown participant '{row['participant_id']}': the row is left out" + (
                f" ({hint})" if hint else ""
            )
            problems.append(Problem("error", text, str(path), line, label))
        problems += [
            Problem(
                "error",
                f"empty cell in column '{column}': taken as missing; write n/a if it is",
                str(path),
                line,
                label,
            )
            for column, cell in row.items()
            if cell == ""
        ]
    return problems


def check_events(path: Path, scanned: set[tuple[str, str]]) -> list[Problem]:
    """Look through the table of events: rows that concern nobody who was scanned are errors that stop nobody else."""
    known = {("", "")}.union(scanned, ((p, "") for p, _ in scanned), (("", s) for _, s in scanned))
    rows = read_table(path) if path.exists() else []
    return [
        Problem("error", f"the event concerns no scan: {' '.join(owner_of(row))}", str(path), line)
        for line, row in enumerate(rows, start=2)
        if owner_of(row) not in known
    ]


def _require(rows: list[Row], path: Path, column: str) -> None:
    if column not in rows[0]:
        raise RequestError(
            f"the column '{column}' is missing",
            file=path,
            line=1,
            found=", ".join(rows[0]),
            expected=column,
            remedy=nearest(column, rows[0]),
        )


def _checked(model: type[TableRow], row: Row, path: Path, line: int) -> TableRow:
    """Validate a row; the first complaint becomes an error with column, line and what was expected."""
    cells = {key: value for key, value in row.items() if value not in ("", MISSING)}
    try:
        return model.model_validate(cells)
    except ValidationError as error:
        first = error.errors()[0]
        column = str(first["loc"][0])
        found = row.get(column) or "an empty cell"
        raise RequestError(
            f"wrong value in column '{column}'",
            file=path,
            line=line,
            participant=row.get("participant_id") or None,
            found=found,
            expected=str(first["msg"]).removeprefix("Value error, "),
            remedy=nearest(found, SEXES) if column == "sex" else None,
        ) from None
