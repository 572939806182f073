"""`snakemrs status`: participants × stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from snakemrs.cli.common import study_folder
from snakemrs.errors import EXIT_DONE, EXIT_SOME_FAILED
from snakemrs.io.tables import read_table
from snakemrs.study.plan import PLAN_PATH, PlannedSpectrum, load_plan

STAGES = ("ingest", "anatomy", "spectra", "voxel", "fit", "quantify", "report")
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
    outcome_path = study / "work" / "outcome.json"
    outcome = json.loads(outcome_path.read_text(encoding="utf-8")) if outcome_path.exists() else {"failures": []}
    failures: list[dict[str, Any]] = outcome["failures"]
    rows = [_row(study, spectrum, [f for f in failures if f["unit"] == spectrum.stem]) for spectrum in plan.spectra]
    return {"study": plan.name, "spectra": rows, "failures": failures}


def _row(study: Path, spectrum: PlannedSpectrum, failures: list[dict[str, Any]]) -> dict[str, Any]:
    stem = f"{spectrum.folder}/{spectrum.stem}"
    files: dict[str, str | None] = {
        "ingest": spectrum.svs,
        "anatomy": f"{spectrum.anatomy}_desc-brain_mask.nii.gz" if spectrum.anatomy else None,
        "spectra": f"{stem}_desc-preproc_svs.nii.gz",
        "voxel": f"{stem}_tissue.tsv" if spectrum.anatomy else None,
        "fit": f"{stem}_desc-static_amplitudes.tsv" if spectrum.fitted else None,
        "quantify": f"{stem}_desc-static_concentrations.tsv" if spectrum.fitted else None,
        "report": f"derivatives/snakemrs/sub-{spectrum.participant}.html",
    }
    states: dict[str, str] = {}
    for stage, path in files.items():
        if path is None:
            states[stage] = "n/a"
        elif any(failure["stage"] == stage for failure in failures):
            states[stage] = "failed"
        else:
            states[stage] = "done" if (study / path).exists() else ("held up" if failures else "to do")
    verdict, rule = _verdict(study / f"{stem}_desc-preproc_quality.tsv")
    return {
        "participant": spectrum.participant,
        "session": spectrum.session,
        "spectrum": spectrum.stem,
        "stages": states,
        "quality": verdict,
        "rule": rule,
        "reasons": [failure["reason"] for failure in failures],
        "logs": [failure["log"] for failure in failures],
    }


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
    for failure in summary["failures"]:
        click.echo(f"\nfailed: {failure['unit']} at {failure['stage']}: {failure['reason']}\n  log: {failure['log']}")
    excluded = [row for row in summary["spectra"] if row["quality"] == "fail"]
    for row in excluded:
        click.echo(f"\nquality fails: {row['spectrum']}: {row['rule']}")
