"""`snakemrs plan`: the dry run."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from snakemrs.cli.checks import estimate
from snakemrs.cli.common import error_content, in_lines, make_plan, study_folder
from snakemrs.cli.lock import exclusive
from snakemrs.cli.machine import check_profile, disk_needed
from snakemrs.cli.snakemake import (
    STAGE_OF_RULE,
    Job,
    Record,
    announced,
    command_line,
    environment,
    follow,
    profile_folder,
)
from snakemrs.cli.unchanged import is_unchanged
from snakemrs.errors import EXIT_BAD_REQUEST, EXIT_DONE, EXIT_SOME_FAILED, SnakeMRSError
from snakemrs.study.config import STAGES
from snakemrs.study.plan import Plan
from snakemrs.study.variants import in_words as changes_in_words


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--profile", default="local", show_default=True, help="Profile of the later run.")
@click.option("--participant-label", "labels", multiple=True, help="Only these participants.")
@click.option("--containers", type=click.Choice(["none", "apptainer"]), default="none", help="As of the later run.")
@click.option("--cores", type=click.IntRange(1), help="Processors of the later run, for the estimate [default: all].")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
def plan(study: Path, profile: str, labels: tuple[str, ...], containers: str, cores: int | None, as_json: bool) -> None:
    """Check a study and say what would run and why; nothing is started.

    Exit code 0: the study can run. 1: it can, but not for every participant. 2: it cannot.

    \b
    Example:
        snakemrs plan STUDY
    """
    try:
        folder = study_folder(study)
        # A run reads the plan and the links to the images until it ends: neither may change meanwhile.
        with exclusive(folder):
            status = plan_study(folder, profile, labels, containers == "apptainer", cores, as_json)
    except SnakeMRSError as error:
        if as_json:
            click.echo(json.dumps({"runnable": False, "error": error_content(error)}))
        raise
    raise SystemExit(status)


def plan_study(
    study: Path, profile: str, labels: tuple[str, ...], in_images: bool, cores: int | None, as_json: bool
) -> int:
    """Plan a study and print what would run; give the exit code."""
    folder = profile_folder(profile)
    resolved = make_plan(study)
    resolved.save(study)
    lacking, inside = check_profile(study, resolved, folder, in_images or profile == "apptainer")
    resolved.problems += lacking
    record = (
        Record() if is_unchanged(study, resolved, bool(inside)) else dry_run(study, resolved, profile, labels, inside)
    )
    work = explain(record, study, resolved)
    rules = Counter(job.rule for job in record.jobs.values())
    seconds = estimate(rules, measured_seconds(study), cores or os.cpu_count() or 1)
    megabytes = disk_needed(study, resolved)
    errors = [p for p in resolved.problems if p.severity == "error"]
    runnable = not any(problem.machine for problem in errors)
    if as_json:
        content: dict[str, Any] = {
            "study": resolved.name,
            "participants": len(resolved.participants),
            "sessions": len(resolved.sessions),
            "spectra": len(resolved.spectra),
            "jobs": dict(Counter(job.stage for job in record.jobs.values())),
            "work": [
                {"rule": job.rule, "stage": job.stage, "name": job.name, "reason": job.reason}
                for job in record.jobs.values()
            ],
            "why": work,
            "problems": [vars(p) for p in resolved.problems],
            "estimated_seconds": round(seconds),
            "estimated_megabytes": round(megabytes),
            "runnable": runnable,
        }
        click.echo(json.dumps(content))
    else:
        click.echo(
            f"{resolved.name}: {len(resolved.participants)} participants, {len(resolved.sessions)} sessions, "
            f"{len(resolved.spectra)} spectra, {len(resolved.anatomies)} T1w"
        )
        for line in in_lines(resolved.problems):
            click.echo(line)
        if not record.jobs:
            click.echo("Everything is up to date: nothing would run.")
        else:
            counts = Counter(job.stage for job in record.jobs.values())
            click.echo(f"{sum(counts.values())} jobs would run:")
            for stage, count in counts.items():
                click.echo(f"  {stage:<10}{count:>6}")
            click.echo(f"about {max(1, round(seconds / 60))} min and {megabytes:.0f} MB in all (an estimate)")
            for line in folded(work):
                click.echo(f"  {line}")
        if not runnable:
            click.echo("Nothing can run on this machine until that is mended (above: errors without a participant).")
    return EXIT_BAD_REQUEST if not runnable else EXIT_SOME_FAILED if errors else EXIT_DONE


def measured_seconds(study: Path) -> dict[str, float]:
    """Mean seconds a job of each rule took in the study's runs so far."""
    taken: dict[str, list[float]] = {}
    for path in sorted((study / "work" / "events").glob("*-*.jsonl"))[-5:]:
        record = Record()
        for event in announced(path.read_text(encoding="utf-8").splitlines()):
            record.take(event)
        for job in record.jobs.values():
            if job.state == "done":
                taken.setdefault(job.rule, []).append(job.finished - job.started)
    return {rule: sum(values) / len(values) for rule, values in taken.items()}


def dry_run(study: Path, plan: Plan, profile: str, labels: tuple[str, ...] = (), inside: Sequence[str] = ()) -> Record:
    """Ask Snakemake what it would do; `inside` are the options of a run in containers.

    Raises
    ------
    SnakeMRSError
        If Snakemake itself refuses (exit code 2).
    """
    events = study / "work" / "events" / "plan.jsonl"
    output = study / "logs" / "plan.log"
    output.unlink(missing_ok=True)
    # Our executor notes what would run and why; quiet of rules and progress, Snakemake ends there.
    mode = ["--executor", "snakemrs", "--quiet", "rules", "progress"]
    arguments = [*mode, "--cores", "1", *inside, "--", *targets(plan, labels)]
    own_logs = study / ".snakemake" / "log"
    before = set(own_logs.glob("*"))
    status, record = follow(command_line(study, profile, arguments), environment(events, plan.created), events, output)
    for log in set(own_logs.glob("*")) - before:  # nothing ran that it could tell of
        log.unlink()
    if status != 0:
        error = SnakeMRSError(
            "Snakemake cannot work out what to run", file=output, found="; ".join(record.messages)[:500] or None
        )
        error.exit_code = EXIT_BAD_REQUEST
        raise error
    jobs = {n: job for n, job in record.jobs.items() if job.rule in STAGE_OF_RULE}
    record.jobs = dict(sorted(jobs.items(), key=lambda item: (STAGES.index(item[1].stage), item[1].name)))
    return record


def targets(plan: Plan, labels: tuple[str, ...]) -> list[str]:
    """Targets of Snakemake: everything, or the pages of some participants."""
    from snakemrs.errors import RequestError
    from snakemrs.study.plan import DERIVATIVES
    from snakemrs.study.tables import nearest

    wanted = [label.removeprefix("sub-") for text in labels for label in text.split(",") if label]
    for label in wanted:
        if label not in plan.participants:
            raise RequestError(
                "no such participant",
                participant=label,
                expected=", ".join(plan.participants[:20]),
                remedy=nearest(label, plan.participants),
            )
    return [f"{DERIVATIVES}/sub-{label}.html" for label in wanted]


def explain(record: Record, study: Path, plan: Plan) -> list[str]:
    """Say in words why jobs run: a line a participant, a choice of the sensitivity analysis, the group."""
    by_unit: dict[str, list[Job]] = {}
    for job in record.jobs.values():
        match = re.match(r"sub-[A-Za-z0-9]+", job.name)
        unit = f"choice {job.variant}" if job.variant else match.group() if match else "group"
        by_unit.setdefault(unit, []).append(job)
    lines: list[str] = []
    for unit in sorted(by_unit, key=lambda name: (name == "group", name.startswith("choice"), name)):
        causes = [cause for job in by_unit[unit] if (cause := in_words(job, study, plan))]
        if "not yet ingested" in causes and not any(cause.startswith("raw file") for cause in causes):
            causes = ["new, nothing made yet"]
        if unit == "group" and any(cause.startswith("new") for line in lines for cause in [line.split(": ", 1)[1]]):
            causes = ["new participant"]
        stages = ", ".join(dict.fromkeys(job.stage for job in by_unit[unit]))
        if choice := by_unit[unit][0].variant:
            changes = plan.settings["group"]["sensitivity"]["variants"][choice]
            unit = f"{unit} ({changes_in_words(changes)})"
        lines.append(f"{unit}: {'; '.join(dict.fromkeys(causes)) or 'follows from the above'} → {stages}")
    return lines


ALIKE = 8
"""So many participants for whom the same would run have a line each; of more, one line names so many."""


def folded(lines: Sequence[str]) -> list[str]:
    """Say in one line of many participants what `explain` says the same of each."""
    alike: dict[str, list[str]] = {}
    for line in lines:
        unit, cause = line.split(": ", 1)
        alike.setdefault(cause if unit.startswith("sub-") else line, []).append(unit)
    result = []
    for cause, units in alike.items():
        if not units[0].startswith("sub-"):
            result.append(cause)
        elif len(units) <= ALIKE:
            result += [f"{unit}: {cause}" for unit in units]
        else:
            named = ", ".join(units[:ALIKE])
            result.append(f"{named} and {len(units) - ALIKE} more (`--json` names each): {cause}")
    return result


def in_words(job: Job, study: Path, plan: Plan) -> str | None:
    """The cause of a job in words; None where it only follows from another job."""
    reason = job.reason
    if "Params have changed" in reason:
        if job.rule == "ingest":
            scan = next((s for s in plan.scans if s.bids.endswith(f"/{job.unit}.nii.gz")), None)
            if scan is not None and scan.sha256 in reason:
                when = time.strftime("%Y-%m-%d", time.localtime((study / plan.raw / scan.path).stat().st_mtime))
                return f"raw file replaced on {when} ({scan.path})"
            return "ingest settings or version changed"
        tables = {"group": "tables (participants, sessions, phenotype), ", "ingest": "tables, "}.get(job.stage, "")
        return f"{job.stage}: {tables}settings or version changed"
    if "Set of input files has changed" in reason:
        return "other inputs than before" if job.rule != "group" else "other participants or choices than before"
    if "Updated input files" in reason and "Missing output files" not in reason:
        return f"an input of {job.stage} changed"
    if "Missing output files" in reason:
        return {"ingest": "not yet ingested", "segment": "no segmentation yet"}.get(job.rule, f"no {job.stage} yet")
    if "Software environment" in reason:
        return "another container image"
    return None
