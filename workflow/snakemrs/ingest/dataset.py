"""The files at the root of the BIDS dataset: description, README, participants, sessions, phenotype."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakemrs import __version__
from snakemrs.errors import RequestError
from snakemrs.io.atomic import write_json, write_text
from snakemrs.io.tables import MISSING, write_table

BIDS_VERSION = "1.10.0"
Rows = Sequence[Mapping[str, Any]]

_DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "participant_id": {"Description": "Label of the participant"},
    "session_id": {"Description": "Label of the session; it never tells the treatment"},
    "age": {"Description": "Age of the participant", "Units": "year"},
    "sex": {"Description": "Sex of the participant", "Levels": {"F": "female", "M": "male", "O": "other"}},
    "handedness": {"Description": "Handedness", "Levels": {"left": "left", "right": "right", "ambidextrous": "both"}},
    "group": {"Description": "Group of the participant"},
    "period": {"Description": "Period of the crossover, counted from 1"},
    "condition": {"Description": "Condition of the session, masked until the result is frozen"},
    "site": {"Description": "Site of measurement"},
}

_README = """# {name}

Magnetic resonance spectroscopy in BIDS, made by SnakeMRS {version} from the scanner's files. The spectra (`mrs/`) are
NIfTI-MRS: `svs` single-voxel spectra, `mrsref` water references. Names, dates of birth, identifiers, addresses and
names of raw files were not taken over.
"""


def write_dataset(
    bids: str | Path,
    name: str,
    participants_rows: Rows,
    sessions_rows: Rows = (),
    phenotype: Mapping[str, Rows] | None = None,
    *,
    dictionaries: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    description: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write what a BIDS dataset has at its root, so that it passes the BIDS validator.

    Parameters
    ----------
    bids : path
        Root of the dataset.
    name : str
        Name of the study.
    participants_rows : sequence of mappings
        Rows of participants.tsv; `participant_id` (or `participant`) with or without ``sub-``.
    sessions_rows : sequence of mappings
        Rows of all sessions with `participant_id` and `session_id`; one ``sub-XX_sessions.tsv`` is written for each
        participant. A column that participants.tsv has too is written as ``session_<column>``: BIDS wants it so.
    phenotype : mapping of str to sequence of mappings, optional
        By measure: rows with `participant_id` and, where there are several rows of a participant, `session_id`. Several
        rows of a participant are made wide (``madrs_total_ses-01``), since BIDS refuses the long form.
    dictionaries : mapping, optional
        By table (``participants``, ``sessions``, measure): description of columns.
    description : mapping, optional
        Further keys of dataset_description.json (Authors, License, ...).

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    RequestError
        If a row has no participant, or two rows tell the same.
    """
    bids, dictionaries = Path(bids), dictionaries or {}
    written = [bids / "dataset_description.json", bids / "README.md", bids / ".bidsignore"]
    write_json(written[0], _description(name, description))
    write_text(written[1], _README.format(name=name, version=__version__))
    # Nothing of ours is outside BIDS, but macOS and editors leave files.
    write_text(written[2], ".DS_Store\n*~\n")

    people = _by_participant(participants_rows, "participants.tsv")
    rows = [{"participant_id": f"sub-{label}", **row} for label, (row,) in _single(people, "participants.tsv").items()]
    written.append(_table(bids / "participants.tsv", rows, "participant_id", dictionaries.get("participants")))
    taken = {column for row in rows for column in row}

    for label, own in _by_participant(sessions_rows, "sessions.tsv").items():
        sessions = []
        for row in own:
            session = str(row.get("session_id", row.get("session", ""))).removeprefix("ses-")
            if not session or session == MISSING:
                continue
            rest = {k: v for k, v in row.items() if k not in ("session_id", "session")}
            sessions.append(
                {"session_id": f"ses-{session}", **{f"session_{k}" if k in taken else k: v for k, v in rest.items()}}
            )
        if sessions:
            path = bids / f"sub-{label}" / f"sub-{label}_sessions.tsv"
            own_words = {
                (f"session_{k}" if k in taken and k != "session_id" else k): v
                for k, v in dictionaries.get("sessions", {}).items()
            }
            written.append(_table(path, sessions, "session_id", own_words))

    for measure, content in (phenotype or {}).items():
        wide, words = widen(measure, content, dictionaries.get(measure, {}))
        written.append(_table(bids / "phenotype" / f"{measure}.tsv", wide, "participant_id", words))
    return written


def widen(
    measure: str, rows: Rows, dictionary: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[list[dict[str, Any]], dict[str, Mapping[str, Any]]]:
    """Give one row a participant: what was a row a session (and time) becomes columns named for them.

    Raises
    ------
    RequestError
        If two rows of a participant are told apart by nothing.
    """
    dictionary = dictionary or {}
    people = _by_participant(rows, f"phenotype/{measure}.tsv")
    keys = [k for k in ("session_id", "session", "time", "visit", "timepoint") if any(k in row for row in rows)]
    if not any(len(own) > 1 for own in people.values()):
        keys = []
    wide: list[dict[str, Any]] = []
    words: dict[str, Mapping[str, Any]] = {}
    for label, own in people.items():
        merged: dict[str, Any] = {"participant_id": f"sub-{label}"}
        for row in own:
            parts = [_slug(row[key]) for key in keys if row.get(key) not in (None, "", MISSING)]
            for column, value in row.items():
                if column in keys:
                    continue
                name = "_".join([column, *parts])
                if name in merged:
                    raise RequestError(
                        "two rows of one participant and session",
                        file=f"phenotype/{measure}.tsv",
                        participant=label,
                        found=" ".join([column, *parts]),
                        expected="a column `session_id` (and `time`) that tells the rows apart",
                    )
                merged[name] = value
                word = dict(dictionary.get(column, {"Description": column.replace("_", " ")}))
                if parts:
                    word["Description"] = f"{word.get('Description', column)} ({', '.join(parts)})"
                words[name] = word
        wide.append(merged)
    return wide, words


def _slug(value: Any) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", str(value)).strip("-")


def _by_participant(rows: Rows, table: str) -> dict[str, list[dict[str, Any]]]:
    """Group rows by label (without ``sub-``), sorted; the column of the participant is taken out."""
    people: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        label = str(row.get("participant_id", row.get("participant", ""))).removeprefix("sub-")
        if not label or label == MISSING:
            raise RequestError("a row has no participant", file=table, expected="a column participant_id")
        people.setdefault(label, []).append(
            {k: v for k, v in row.items() if k not in ("participant_id", "participant")}
        )
    return dict(sorted(people.items()))


def _single(people: dict[str, list[dict[str, Any]]], table: str) -> dict[str, list[dict[str, Any]]]:
    for label, own in people.items():
        if len(own) > 1:
            raise RequestError("the participant has more than one row", file=table, participant=label)
    return people


def _table(path: Path, rows: Rows, index: str, words: Mapping[str, Mapping[str, Any]] | None) -> Path:
    columns = [index, *dict.fromkeys(column for row in rows for column in row if column != index)]
    plain = {column: {"Description": column.replace("_", " ")} for column in columns}
    dictionary: dict[str, Mapping[str, Any]] = {}
    for column in columns:
        known = _DESCRIPTIONS.get(column) or _DESCRIPTIONS.get(column.removeprefix("session_"))
        dictionary[column] = (words or {}).get(column) or known or plain[column]
    write_table(path, rows, columns, dictionary)
    return path


def _description(name: str, more: Mapping[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "SnakeMRS", "Version": __version__}],
    }
    content.update(more or {})
    return content
