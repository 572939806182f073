"""The command ``snakemrs ingest-dataset``: the files at the root of the BIDS dataset of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command("ingest-dataset")
@click.option("--study", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the study.")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="The BIDS dataset.")
def ingest_dataset(study: Path, output: Path) -> None:
    """Write description, README, participants, sessions and phenotype of the BIDS dataset.

    \b
    Example:
        snakemrs ingest-dataset --study STUDY --output STUDY/bids
    """
    from snakemrs.ingest.dataset import write_dataset

    name, participants, sessions, phenotype, dictionaries, description = read_study_tables(study)
    written = write_dataset(
        output, name, participants, sessions, phenotype, dictionaries=dictionaries, description=description
    )
    written += write_events(study, output)
    click.echo(f"{output}: {len(written)} files at the root of the dataset")


def write_events(study: Path, output: Path) -> list[Path]:
    """Write the events of the study (STUDY/events.tsv) beside each spectrum that has a task, as BIDS wants them."""
    from snakemrs.io.events import EVENTS, OWNERS, concerns
    from snakemrs.io.tables import read_table, write_table
    from snakemrs.study.bids import raw_path
    from snakemrs.study.tables import read_scans

    events, scans = study / EVENTS, study / "scans.tsv"
    if not events.exists() or not scans.exists():
        return []
    rows = read_table(events)
    columns = [column for column in rows[0] if column not in OWNERS] if rows else []
    if columns[:2] != ["onset", "duration"]:
        return []
    words = _dictionary(events)
    dictionary = {column: words.get(column, {"Description": column.replace("_", " ")}) for column in columns}
    written = []
    for scan in read_scans(scans):
        if scan.suffix == "svs" and scan.task:
            path = output / raw_path(scan.entities, "svs").replace("_svs.nii.gz", "_events.tsv")
            mine = [{c: row[c] for c in columns} for row in rows if concerns(row, path.name)]
            if not mine:
                path.unlink(missing_ok=True)
                path.with_suffix(".json").unlink(missing_ok=True)
                continue
            write_table(path, mine, columns, dictionary)
            written.append(path)
    return written


StudyTables = tuple[str, list[Any], list[Any], dict[str, list[Any]], dict[str, Any], dict[str, Any]]


def read_study_tables(study: Path) -> StudyTables:
    """Read name, participants, sessions, phenotype, dictionaries and further description of a study.

    Participants that scans.tsv has and participants.tsv has not are added without particulars.
    """
    from snakemrs.errors import RequestError
    from snakemrs.io.tables import read_table
    from snakemrs.study.config import load_config

    config_path = study / "study.yaml"
    if not config_path.exists():
        raise RequestError("this is no study", file=study, expected="study.yaml in it")
    config = load_config(config_path)
    description = {"Authors": list(config.authors)} if config.authors else {}

    tables: dict[str, list[Any]] = {}
    dictionaries: dict[str, Any] = {}
    for table in ("participants", "sessions", "scans"):
        path = study / f"{table}.tsv"
        tables[table] = read_table(path) if path.exists() else []
        dictionaries[table] = _dictionary(path)
    phenotype: dict[str, list[Any]] = {}
    for path in sorted((study / "phenotype").glob("*.tsv")):
        phenotype[path.stem] = list(read_table(path))
        dictionaries[path.stem] = _dictionary(path)

    def label(row: dict[str, str]) -> str:
        return row.get("participant_id", row.get("participant", "")).removeprefix("sub-")

    known = {label(row) for row in tables["participants"]}
    scanned = dict.fromkeys(label(row) for row in tables["scans"])
    participants = [
        *(row for row in tables["participants"] if not scanned or label(row) in scanned),
        *({"participant_id": f"sub-{p}"} for p in scanned if p and p not in known),
    ]
    kept = {label(row) for row in participants}
    sessions = [row for row in tables["sessions"] if label(row) in kept]
    # Rows of people without a scan (`snakemrs plan` names them) have no place in the dataset.
    phenotype = {measure: [row for row in rows if label(row) in kept] for measure, rows in phenotype.items()}
    phenotype = {measure: rows for measure, rows in phenotype.items() if rows}
    return config.name, participants, sessions, phenotype, dictionaries, description


def _dictionary(path: Path) -> dict[str, Any]:
    import json

    beside = path.with_suffix(".json")
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in content.items() if isinstance(v, dict)} if isinstance(content, dict) else {}
