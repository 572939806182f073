"""`snakemrs status`: participants × stages."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from snakemrs.cli.common import study_folder
from snakemrs.cli.failures import OF_ALL, read_failures
from snakemrs.errors import EXIT_DONE, EXIT_SOME_FAILED
from snakemrs.io.tables import read_table
from snakemrs.study.goals import Goals
from snakemrs.study.plan import DERIVATIVES, PLAN_PATH, PlannedSpectrum, load_plan

STAGES = ("ingest", "anatomy", "spectra", "voxel", "fit", "quantify", "group", "report")
MARKS = {"done": "done", "failed": "FAILED", "to do": "to do", "n/a": "–", "held up": "held up"}


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
def status(study: Path, as_json: bool) -> None:
    """Say which participants are done, failed (why, which log), excluded (by which rule) or to do.

    \b
    Example:
        snakemrs status STUDY
    """
    summary = summarise(study_folder(study))
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        print_status(summary)
    raise SystemExit(EXIT_SOME_FAILED if summary["failures"] else EXIT_DONE)


def summarise(study: Path) -> dict[str, Any]:
    """Look at the plan, the last run's outcome and the files that are there."""
    plan = load_plan(study / PLAN_PATH)
    failures = [asdict(failure) for failure in read_failures(study)]
    goals = Goals(plan)
    rows = [_row(study, spectrum, goals.labels(spectrum), failures) for spectrum in plan.spectra]
    return {"study": plan.name, "spectra": rows, "of_all": _of_all(study, goals, failures), "failures": failures}


def _row(
    study: Path, spectrum: PlannedSpectrum, labels: tuple[str, ...], failures: list[dict[str, Any]]
) -> dict[str, Any]:
    """A spectrum's stages; `labels`: its fits (static, frames, dynamic)."""
    page = f"report_participant sub-{spectrum.participant}"
    failures = [f for f in failures if f["unit"] in (spectrum.stem, page)]
    stem = f"{spectrum.folder}/{spectrum.stem}"
    files: dict[str, list[str]] = {
        "ingest": [spectrum.svs],
        "anatomy": [f"{spectrum.anatomy}_desc-brain_mask.nii.gz"] if spectrum.anatomy else [],
        "spectra": [f"{stem}_desc-preproc_svs.nii.gz"],
        "voxel": [f"{stem}_tissue.tsv"] if spectrum.anatomy else [],
        "fit": [f"{stem}_desc-{label}_amplitudes.tsv" for label in labels],
        "quantify": [f"{stem}_desc-{label}_concentrations.tsv" for label in labels],
        "group": [],
        "report": [f"{DERIVATIVES}/sub-{spectrum.participant}.html"],
    }
    verdict, rule = _verdict(study / f"{stem}_desc-preproc_quality.tsv")
    return {
        "participant": spectrum.participant,
        "session": spectrum.session,
        "spectrum": spectrum.stem,
        "stages": {stage: _state(study, stage, paths, failures) for stage, paths in files.items()},
        "quality": verdict,
        "rule": rule,
        "reasons": [failure["reason"] for failure in failures],
        "logs": [failure["log"] for failure in failures],
    }


def _of_all(study: Path, goals: Goals, failures: list[dict[str, Any]]) -> dict[str, str]:
    """The stages of the study as a whole; a group that a session is newer than is to do."""
    files: dict[str, list[str]] = {
        **{stage: [] for stage in STAGES},
        "ingest": ["bids/dataset_description.json"],
        "group": [f"{DERIVATIVES}/group/concentrations.tsv"],
        "report": [f"{DERIVATIVES}/index.html", f"{DERIVATIVES}/methods.md"],
    }
    own = [failure for failure in failures if failure["unit"] in OF_ALL]
    states = {stage: _state(study, stage, paths, own) for stage, paths in files.items()}
    if states["group"] == "done":
        made = (study / files["group"][0]).stat().st_mtime
        sessions = [study / path for path in goals.of_sessions()]
        if any(path.exists() and path.stat().st_mtime > made for path in sessions):
            states["group"] = states["report"] = "to do"
    return states


def _state(study: Path, stage: str, paths: list[str], failures: list[dict[str, Any]]) -> str:
    """What became of a stage whose files are `paths`."""
    if not paths:
        return "n/a"
    if any(failure["stage"] == stage for failure in failures):
        return "failed"
    if all((study / path).exists() for path in paths):
        return "done"
    return "held up" if failures else "to do"


def _verdict(path: Path) -> tuple[str | None, str | None]:
    """The worst verdict of a spectrum's quality table, and the rules behind it."""
    if not path.exists():
        return None, None
    rows = [row for row in read_table(path) if row.get("verdict") in ("pass", "warn", "fail")]
    for verdict in ("fail", "warn", "pass"):
        rules = [row["rule"] for row in rows if row["verdict"] == verdict]
        if rules:
            return verdict, "; ".join(rules) if verdict != "pass" else None
    return None, None


def print_status(summary: dict[str, Any]) -> None:
    """Print the summary as a table a person can read."""
    width = max([len("spectrum"), *(len(row["spectrum"]) for row in summary["spectra"])])
    click.echo(f"{'spectrum':<{width}}  " + "  ".join(f"{stage:<8}" for stage in STAGES) + "  quality")
    for row in summary["spectra"]:
        cells = "  ".join(f"{MARKS[row['stages'][stage]]:<8}" for stage in STAGES)
        click.echo(f"{row['spectrum']:<{width}}  {cells}  {row['quality'] or ''}")
    cells = "  ".join(f"{MARKS[summary['of_all'][stage]]:<8}" for stage in STAGES)
    click.echo(f"{'all':<{width}}  {cells}")
    for failure in summary["failures"]:
        click.echo(f"\nfailed: {failure['unit']} at {failure['stage']}: {failure['reason']}\n  log: {failure['log']}")
    excluded = [row for row in summary["spectra"] if row["quality"] == "fail"]
    for row in excluded:
        click.echo(f"\nquality fails: {row['spectrum']}: {row['rule']}")
