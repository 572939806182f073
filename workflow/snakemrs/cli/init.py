"""The command ``snakemrs init``: look through raw files and propose a study."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from snakemrs.errors import RequestError

_OWN = ("study.yaml", "scans.tsv", "participants.tsv")


@click.command()
@click.argument("raw", type=click.Path(path_type=Path))
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--name", default=None, help="Name of the study (default: name of the folder STUDY).")
@click.option("--force", is_flag=True, help="Propose anew where STUDY has a study already (study.yaml is replaced).")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def init(raw: Path, study: Path, name: str | None, force: bool, as_json: bool) -> None:
    """Look through RAW and propose a study in STUDY.

    Every file is recognised by its header and signal, whatever its name: which vendor, spectrum or water reference,
    T1w image. Participants and sessions come from names such as sub-01/ses-01, else from folders, never from headers.
    Writes STUDY/scans.tsv, STUDY/study.yaml, STUDY/participants.tsv; nothing outside STUDY.

    \b
    Example:
        snakemrs init RAW STUDY
        snakemrs plan STUDY
    """
    from snakemrs.ingest.propose import look_through, propose

    if not raw.is_dir():
        raise RequestError("the folder of raw files does not exist", file=raw)
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

    def progress(count: int) -> None:
        if os.isatty(2) and count and count % 20 == 0:
            click.echo(f"\rlooked at {count} files", nl=False, err=True)

    root = raw.resolve()
    found = look_through(root, study.resolve() if study.resolve() != root else None, progress)
    rows = propose(found)
    if not any(row["suffix"] == "svs" for row in rows):
        reasons = "; ".join(f"{item.path}: {item.note or item.raw.why}" for item in found[:5])
        raise RequestError(
            "no single-voxel spectrum was found",
            file=raw,
            found=reasons or "no file",
            expected="raw MRS files of Siemens, Philips, GE, UIH or Bruker, or NIfTI-MRS",
        )
    write_study(study, root, name or study.resolve().name, rows, found)
    if as_json:
        click.echo(json.dumps(_summary(study, rows, found), indent=2))
        return
    _print(study, rows, found)


def write_study(study: Path, raw: Path, name: str, rows: list[dict[str, str]], found: list[Any]) -> None:
    """Write scans.tsv, participants.tsv and study.yaml."""
    from snakemrs.ingest.pairing import COLUMNS
    from snakemrs.io.atomic import write_text
    from snakemrs.io.tables import write_table

    write_table(study / "scans.tsv", rows, COLUMNS)
    people = sorted({row["participant"] for row in rows})
    table, columns = _participants(raw, people)
    write_table(study / "participants.tsv", table, columns)
    write_text(study / "study.yaml", _study_yaml(name, raw, rows, found))
    if (raw / "dataset_description.json").exists():
        _take_over_tables(raw, study, {(row["participant"], row["session"]) for row in rows})


def _take_over_tables(raw: Path, study: Path, scanned: set[tuple[str, str]]) -> None:
    """Take sessions and phenotype over from a BIDS dataset, where the study has none."""
    from snakemrs.io.atomic import write_text
    from snakemrs.io.tables import read_table, write_table

    sessions: list[dict[str, str]] = []
    for participant in sorted({participant for participant, _ in scanned}):
        table = raw / f"sub-{participant}" / f"sub-{participant}_sessions.tsv"
        for row in read_table(table) if table.exists() else []:
            if (participant, row.get("session_id", "").removeprefix("ses-")) in scanned:
                sessions.append({"participant_id": f"sub-{participant}", **row})
    if sessions and not (study / "sessions.tsv").exists():
        write_table(study / "sessions.tsv", sessions, list(dict.fromkeys(key for row in sessions for key in row)))
    for source in sorted((raw / "phenotype").glob("*")):
        target = study / "phenotype" / source.name
        if source.suffix in (".tsv", ".json") and not target.exists():
            write_text(target, source.read_text(encoding="utf-8-sig"))


def _participants(raw: Path, people: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Take participants.tsv over from a BIDS dataset; else one row a participant."""
    from snakemrs.io.tables import read_table

    source = raw / "participants.tsv"
    known: dict[str, dict[str, str]] = {}
    if (raw / "dataset_description.json").exists() and source.exists():
        known = {row.get("participant_id", "").removeprefix("sub-"): row for row in read_table(source)}
    columns = list(next(iter(known.values()))) if known else ["participant_id"]
    return [known.get(label, {}) | {"participant_id": f"sub-{label}"} for label in people], columns


def _study_yaml(name: str, raw: Path, rows: list[dict[str, str]], found: list[Any]) -> str:
    nulled = any(row["acq"] == "mm" for row in rows)
    missing = sorted({key for item in found if item.row and item.row["suffix"] == "svs" for key in _missing(item)})
    lines = [
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
            click.echo(f"  {item.path}: {item.note or item.raw.why}")
    click.echo(f"\nWritten: {', '.join(str(study / file) for file in _OWN)}")
    click.echo(f"Next: snakemrs plan {study}")
