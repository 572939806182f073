"""What a page is made from: files by the contract between the stages (docs/reference/files.md), and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemrs.errors import SnakeMRSError
from snakemrs.io.tables import MISSING, Row, parse_number, read_table


@dataclass(frozen=True)
class Table:
    """A table with its dictionary.

    Attributes
    ----------
    path : Path
        The TSV file.
    rows : list of dict
        Cells are text.
    dictionary : dict
        The JSON beside it; empty where there is none.
    """

    path: Path
    rows: list[Row]
    dictionary: dict[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.rows[0]) if self.rows else []

    def numbers(self, column: str) -> list[float]:
        """Give a column as numbers; not-a-number where it is missing, absent or no number."""
        return [number(row.get(column, MISSING)) for row in self.rows]

    def where(self, **cells: str) -> Table:
        """Give the rows whose cells equal `cells`."""
        rows = [row for row in self.rows if all(row.get(k) == v for k, v in cells.items())]
        return Table(self.path, rows, self.dictionary)

    def notes(self) -> list[str]:
        """Give the dictionary's ``Notes`` as sentences, whatever shape they have."""
        return flatten_notes(self.dictionary.get("Notes"))


def number(cell: str) -> float:
    """Read a cell as a number; not-a-number where it is missing or no number."""
    try:
        value = parse_number(cell)
    except ValueError:
        return float("nan")
    return float("nan") if value is None else value


def flatten_notes(notes: Any) -> list[str]:
    """Turn notes (a text, a list, a mapping of subject to notes) into a list of sentences without repetition."""
    if notes is None or notes == "":
        return []
    if isinstance(notes, Mapping):
        # BIDS dictionaries nest everything under Description; that word tells nothing.
        found = [
            text if key == "Description" else f"{key}: {text}"
            for key, value in notes.items()
            for text in flatten_notes(value)
        ]
    elif isinstance(notes, (list, tuple)):
        found = [text for value in notes for text in flatten_notes(value)]
    else:
        found = [str(notes)]
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class SpectrumInputs:
    """One spectrum of a participant and where its files lie.

    Attributes
    ----------
    stem : str
        BIDS name without suffix, such as ``sub-01_ses-01_acq-press_voi-acc``.
    mrs : Path
        Folder of its derivatives.
    anatomy : Path or None
        Prefix of the anatomy that belongs to it (another session's where it has none).
    mask : Path or None
        The voxel's mask in T1w space.
    entities : dict
        ``session task acq voi run``, those that it has.
    fitted : bool
        False for scans that serve others (inversion-nulled macromolecules).
    raw : Path or None
        Its file in the BIDS dataset, for the sidecar.
    events : Path or None
        Its events.tsv.
    """

    stem: str
    mrs: Path
    anatomy: Path | None = None
    mask: Path | None = None
    entities: Mapping[str, str] = field(default_factory=dict)
    fitted: bool = True
    raw: Path | None = None
    events: Path | None = None

    @property
    def session(self) -> str:
        """Label of the session; empty where there is none."""
        return self.entities.get("session", "")

    @property
    def title(self) -> str:
        """How a person would call it."""
        parts = [f"session {self.session}"] if self.session else []
        parts += [f"{key} {self.entities[key]}" for key in ("voi", "acq", "task", "run") if self.entities.get(key)]
        return ", ".join(parts) or self.stem

    def path(self, ending: str) -> Path | None:
        """Give ``{mrs}/{stem}_{ending}`` if it exists."""
        path = self.mrs / f"{self.stem}_{ending}"
        return path if path.exists() else None

    def of_anatomy(self, ending: str) -> Path | None:
        """Give ``{anatomy}_{ending}`` if it exists."""
        if self.anatomy is None:
            return None
        path = self.anatomy.with_name(f"{self.anatomy.name}_{ending}")
        return path if path.exists() else None


@dataclass(frozen=True)
class Changed:
    """A setting that differs from its default."""

    name: str
    value: str
    default: str


@dataclass(frozen=True)
class RawFile:
    """A raw file of the participant and its SHA-256."""

    name: str
    sha256: str
    use: str = ""


@dataclass(frozen=True)
class ParticipantInputs:
    """All that the page of a participant is made from.

    Attributes
    ----------
    participant : str
        Label without ``sub-``.
    spectra : tuple of SpectrumInputs
        In the order of the page.
    failures : dict
        Unit (a session, a spectrum) and why it could not be done.
    changed : tuple of Changed
        Settings that differ from the default.
    raw : tuple of RawFile
        What the scanner wrote.
    study : str
        Title of the study.
    versions : dict
        Program and version.
    command : str
        What was typed, for the provenance.
    images : dict
        Container images of the run, by tool family; empty without containers.
    """

    participant: str
    spectra: tuple[SpectrumInputs, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[Changed, ...] = ()
    raw: tuple[RawFile, ...] = ()
    study: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupInputs:
    """All that the page of the group is made from.

    Attributes
    ----------
    folder : Path
        ``group/``.
    participants : tuple of str
        Labels without ``sub-``, all that the study has.
    pages : dict
        Participant and address of the page, relative.
    """

    folder: Path
    participants: tuple[str, ...]
    pages: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[Changed, ...] = ()
    study: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    evidence: Any = None
    """What really ran (`methods.evidence.Evidence`), for the methods text; None leaves it out."""
    phases: tuple[str, str] = ("baseline", "infusion")
    """Names of the phases before and during the event."""
    unblinded: Mapping[str, Any] | None = None
    """Record of `snakemrs unblind` (time, hash, key, changes); None while the conditions are masked."""


class Reader:
    """Reads what there is and remembers what could not be read: a damaged file costs its figure, not the page."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def table(self, path: Path | None) -> Table | None:
        """Read a table with its dictionary; None where it is absent or damaged."""
        if path is None or not path.exists():
            return None
        try:
            return Table(path, read_table(path), self.json(path.with_suffix(".json")) or {})
        except SnakeMRSError as error:
            self.problems.append(str(error).replace("\n", "; "))
            return None

    def json(self, path: Path | None) -> dict[str, Any] | None:
        """Read a JSON file; None where it is absent or damaged."""
        if path is None or not path.exists():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            self.problems.append(f"{path.name}: cannot be read as JSON ({error})")
            return None
        return content if isinstance(content, dict) else {"content": content}

    def image(self, path: Path | None) -> Any:
        """Read a NIfTI-MRS image; None where it is absent or damaged."""
        from snakemrs.io import nifti_mrs

        if path is None or not path.exists():
            return None
        try:
            return nifti_mrs.read(path)
        except SnakeMRSError as error:
            self.problems.append(str(error).replace("\n", "; "))
            return None


def unique(texts: Iterable[str]) -> list[str]:
    """Drop repetitions, keep the order."""
    return list(dict.fromkeys(texts))
