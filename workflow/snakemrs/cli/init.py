"""The command ``snakemrs init``: look through raw files and propose a study."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from snakemrs.cli.common import SCHEMA, keep_schema
from snakemrs.errors import RequestError
from snakemrs.study.tables import nearest

_OWN = ("study.yaml", "scans.tsv", "participants.tsv")


@click.command()
@click.argument("raw", type=click.Path(path_type=Path))
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--name", default=None, help="Name of the study (default: name of the folder STUDY).")
@click.option(
    "--force",
    is_flag=True,
    help="Propose anew where STUDY has a study already (study.yaml and scans.tsv are replaced).",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def init(raw: Path, study: Path, name: str | None, force: bool, as_json: bool) -> None:
    """Look through RAW and propose a study in STUDY.

    Every file is recognised by its header and signal, whatever its name: which vendor, spectrum or water reference,
    T1w image. Participants and sessions come from names such as sub-01/ses-01, else from folders, never from headers.
    Writes scans.tsv, study.yaml and participants.tsv to STUDY, and the schema for editors; nothing outside STUDY.

    \b
    Example:
        snakemrs init RAW STUDY
        snakemrs plan STUDY
    """
    if raw.exists() and not raw.is_dir():
        raise RequestError("this is a file", file=raw, expected="the folder that holds the raw files")
    if not raw.is_dir():
        beside = [path.name for path in raw.absolute().parent.glob("*") if path.is_dir()]
        raise RequestError("the folder of raw files does not exist", file=raw, remedy=nearest(raw.name, beside))
    there = [file for file in _OWN if (study / file).exists()]
    if there and not force:
        raise RequestError(
            "there is a study already",
            file=study,
            found=", ".join(there),
            remedy="name another folder, or give --force",
        )
    if study.exists() and not study.is_dir():
        raise RequestError("this is no folder", file=study)

    root = raw.resolve()
    found, rows = look_through_folder(root, study.resolve())
    write_study(study, root, name or study.resolve().name, rows, found)
    if as_json:
        click.echo(json.dumps(_summary(study, rows, found), indent=2))
        return
    _print(study, rows, found)


def look_through_folder(raw: Path, study: Path) -> tuple[list[Any], list[dict[str, str]]]:
    """Recognise the files of a folder, with progress on a terminal, and place them.

    Returns
    -------
    found : list of Found
        Every file, placed or not.
    rows : list of dict
        Rows of scans.tsv.

    Raises
    ------
    RequestError
        If there is no single-voxel spectrum.
    """
    from snakemrs.ingest.propose import look_through, propose

    def progress(count: int) -> None:
        if os.isatty(2) and count and count % 20 == 0:
            click.echo(f"\rlooked at {count} files", nl=False, err=True)

    found = look_through(raw, study if study != raw else None, progress)
    rows = propose(found)
    if not any(row["suffix"] == "svs" for row in rows):
        reasons = [f"{item.path}: {_why_not(item)}" for item in found[:5]]
        reasons += [f"and {len(found) - 5} more files"] if len(found) > 5 else []
        raise RequestError(
            "no single-voxel spectrum was found",
            file=raw,
            found="\n            ".join(reasons) or "no file",
            expected="raw MRS files of Siemens, Philips, GE, UIH or Bruker, or NIfTI-MRS",
            remedy="name another folder if the spectra lie elsewhere; convert other formats with spec2nii",
        )
    return found, rows


def write_study(study: Path, raw: Path, name: str, rows: list[dict[str, str]], found: list[Any]) -> None:
    """Write scans.tsv, participants.tsv and study.yaml; tables of a BIDS dataset where the study has none."""
    from snakemrs.io.atomic import write_text

    write_tables(study, raw, rows)
    write_text(study / "study.yaml", _study_yaml(name, raw, rows, found))
    keep_schema(study)


def write_tables(study: Path, raw: Path, rows: list[dict[str, str]], replace: bool = False) -> None:
    """Write scans.tsv and participants.tsv; take sessions, phenotype and events over from a BIDS dataset.

    Parameters
    ----------
    rows : list of dict
        Rows of scans.tsv.
    replace : bool
        Let the dataset's sessions, phenotype and events replace those of the study.
    """
    from snakemrs.ingest.pairing import COLUMNS
    from snakemrs.io.tables import write_table

    write_table(study / "scans.tsv", rows, COLUMNS)
    table, columns = _participants(raw, study, sorted({row["participant"] for row in rows}))
    write_table(study / "participants.tsv", table, columns)
    if (raw / "dataset_description.json").exists():
        _take_over_tables(raw, study, rows, replace)


def _take_over_tables(raw: Path, study: Path, rows: list[dict[str, str]], replace: bool) -> None:
    from snakemrs.io.atomic import write_text
    from snakemrs.io.tables import read_table, write_table

    scanned = {(row["participant"], row["session"]) for row in rows}
    sessions: list[dict[str, str]] = []
    for participant in sorted({participant for participant, _ in scanned}):
        table = raw / f"sub-{participant}" / f"sub-{participant}_sessions.tsv"
        for row in read_table(table) if table.exists() else []:
            if (participant, row.get("session_id", "").removeprefix("ses-")) in scanned:
                sessions.append({"participant_id": f"sub-{participant}", **row})
    if sessions and (replace or not (study / "sessions.tsv").exists()):
        write_table(study / "sessions.tsv", sessions, list(dict.fromkeys(key for row in sessions for key in row)))
    copies = {study / "phenotype" / path.name: path for path in sorted((raw / "phenotype").glob("*"))}
    for target, source in copies.items():
        if source.suffix in (".tsv", ".json") and (replace or not target.exists()):
            write_text(target, source.read_text(encoding="utf-8-sig"))
    if replace or not (study / "events.tsv").exists():
        _take_over_events(raw, study, rows)


def _take_over_events(raw: Path, study: Path, rows: list[dict[str, str]]) -> None:
    """Write the events of a dataset's spectra as the one table of the study; where they differ, with whom they concern.

    Raises
    ------
    RequestError
        If spectra of one session have different events.
    """
    from snakemrs.io.events import EVENTS, OWNERS
    from snakemrs.io.tables import read_table, write_table

    found: dict[tuple[str, str], Path] = {}
    for row in filter(_is_svs, rows):
        path = raw / row["path"].replace("_svs.nii", "_events.tsv").removesuffix(".gz")
        if not path.exists():
            continue
        first = found.setdefault((row["participant"], row["session"]), path)
        if path.read_bytes() != first.read_bytes():
            raise RequestError(
                "two spectra of one session have different events",
                file=path,
                expected=f"the same as {first.name}",
                remedy="analyse one of them in a study of its own (`snakemrs init`, then scans.tsv)",
            )
    tables = {who: read_table(path) for who, path in found.items()}
    for path in [] if tables else sorted(raw.glob("task-*_events.tsv"))[:1]:
        tables["", ""] = read_table(path)
    different = len({str(table) for table in tables.values()}) > 1
    out: list[dict[str, str]] = []
    for (participant, session), table in tables.items() if different else list(tables.items())[:1]:
        owner = {"participant_id": f"sub-{participant}", "session_id": f"ses-{session}"} if different else {}
        out += [{**row, **owner} for row in table]
    if out:
        columns = list(dict.fromkeys(key for row in out for key in row if key not in OWNERS))
        write_table(study / EVENTS, out, [*columns, *(OWNERS if different else ())])


def _is_svs(row: dict[str, str]) -> bool:
    return row["suffix"] == "svs" and row["path"].endswith(("_svs.nii", "_svs.nii.gz"))


def _participants(raw: Path, study: Path, people: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Take participants.tsv over from a BIDS dataset, else from the study; a row for each who was scanned."""
    from snakemrs.io.tables import read_table

    sources = [study / "participants.tsv"]
    if (raw / "dataset_description.json").exists():
        sources.insert(0, raw / "participants.tsv")
    source = next((path for path in sources if path.exists()), None)
    known = {row.get("participant_id", "").removeprefix("sub-"): row for row in read_table(source)} if source else {}
    columns = list(next(iter(known.values()))) if known else ["participant_id"]
    return [known.get(label, {}) | {"participant_id": f"sub-{label}"} for label in people], columns


def _study_yaml(name: str, raw: Path, rows: list[dict[str, str]], found: list[Any]) -> str:
    nulled = any(row["acq"] == "mm" for row in rows)
    missing = sorted({key for item in found if item.row and item.row["suffix"] == "svs" for key in _missing(item)})
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "# Proposed by `snakemrs init`. Check with `snakemrs plan`; every key: docs/reference/study.md.",
        f"name: {json.dumps(name, ensure_ascii=False)}",
        "# Folder of the raw files; paths in scans.tsv are relative to it.",
        f"raw: {json.dumps(str(raw), ensure_ascii=False)}",
    ]
    if nulled:
        lines += [
            "# `acq` of the inversion-nulled scans; true takes them as the macromolecules of the fit.",
            "macromolecule_acq: mm",
            "measured_macromolecules: false",
        ]
    if missing:
        lines += ["# Not in the headers; give it (s) from the scan protocol:", "# ingest:"]
        lines += [f"#   {key}: {'0.030' if key == 'echo_time' else '2.0'}" for key in missing]
    return "\n".join(lines) + "\n"


def _missing(item: Any) -> list[str]:
    return [key for key in ("echo_time", "repetition_time") if getattr(item.raw, key) is None]


def _why_not(item: Any) -> str:
    """Why a file was not placed, and what it may be of use for."""
    if item.raw.path.suffix.lower() == ".basis":
        return "a basis set by its name: give its path as `basis` in study.yaml to fit with it"
    return str(item.note or item.raw.why)


def _summary(study: Path, rows: list[dict[str, str]], found: list[Any]) -> dict[str, Any]:
    return {
        "study": str(study),
        "participants": sorted({row["participant"] for row in rows}),
        "scans": rows,
        "found": [
            {**item.raw.summary(), "path": item.path, "placed": item.row is not None, "note": item.note}
            for item in found
        ],
    }


def _print(study: Path, rows: list[dict[str, str]], found: list[Any]) -> None:
    placed = sorted((item for item in found if item.row is not None), key=lambda item: item.path)
    left = [item for item in found if item.row is None]
    people = {row["participant"] for row in rows}
    sessions = {(row["participant"], row["session"]) for row in rows}
    click.echo(f"{len(people)} participants, {len(sessions)} sessions, {len(rows)} scans\n")
    header = ("participant", "session", "suffix", "acq", "voi", "run", "file", "what it is")
    table = [header] + [
        (*(item.row[key] for key in ("participant", "session", "suffix", "acq", "voi", "run")), item.path, item.note)
        for item in placed
    ]
    table = [tuple("" if cell == "n/a" else str(cell) for cell in row) for row in table]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if left:
        click.echo(f"\nNot placed ({len(left)}):")
        for item in left:
            click.echo(f"  {item.path}: {_why_not(item)}")
    if guessed := sorted(
        {item.row["participant"] for item in placed if f"sub-{item.row['participant']}" not in item.path}
    ):
        click.echo(f"\nTaken for participants by their folders, for want of sub-… in a name: {', '.join(guessed)}.")
    click.echo("\nWhatever is wrong can be put right in scans.tsv.")
    click.echo(f"\nWritten: {', '.join(str(study / file) for file in _OWN)}")
    click.echo(f"Next: snakemrs plan {study}")
