"""`snakemrs run`: everything of a study, or what is left of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import click

from snakemrs.cli.cluster import executor_of, participant_of
from snakemrs.cli.common import in_lines, make_plan, study_folder
from snakemrs.cli.containers import container_arguments
from snakemrs.cli.failures import failures_of, write_outcome
from snakemrs.cli.frozen import code_version, freeze
from snakemrs.cli.loaded import loaded
from snakemrs.cli.lock import exclusive
from snakemrs.cli.plan import targets
from snakemrs.cli.provenance import keep, restore
from snakemrs.cli.snakemake import STAGE_OF_RULE, Record, command_line, environment, follow, profile_folder
from snakemrs.cli.status import print_status, summarise
from snakemrs.cli.unchanged import forget, is_unchanged, remember
from snakemrs.cli.view import make_view
from snakemrs.errors import EXIT_BAD_REQUEST, EXIT_DONE, EXIT_SOME_FAILED, SnakeMRSError
from snakemrs.io.atomic import sweep
from snakemrs.study.plan import DERIVATIVES, Failure, Plan

KEEP_SECONDS = 15.0
"""How often the records of how outputs were made are kept a second time."""
SHARE = 0.05
"""Share of a run's time that keeping records, and showing where it is, may each take: both grow with the study."""


class Spaced:
    """Something done again and again while a run works: some seconds apart, and for no more than its share of time."""

    def __init__(self, action: Callable[..., None], seconds: float = 0.0) -> None:
        self._action, self._seconds = action, seconds
        self._due = time.monotonic() + seconds

    def __call__(self, *arguments: object) -> None:
        """Do it, where it is due."""
        begun = time.monotonic()
        if begun >= self._due:
            self._action(*arguments)
            taken = time.monotonic() - begun
            self._due = begun + taken + max(self._seconds, taken / SHARE)


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--cores", type=click.IntRange(1), help="Processors to use on this machine [default: all].")
@click.option("--profile", default="local", show_default=True, help="local, slurm, or a folder with a profile.")
@click.option("--participant-label", "labels", multiple=True, help="Only these participants; the group is left alone.")
@click.option(
    "--containers",
    type=click.Choice(["none", "apptainer"]),
    default="none",
    show_default=True,
    help="Run every step in its container image.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome for a program.")
@click.argument("snakemake_options", nargs=-1, type=click.UNPROCESSED)
def run(
    study: Path,
    cores: int | None,
    profile: str,
    labels: tuple[str, ...],
    containers: str,
    as_json: bool,
    snakemake_options: tuple[str, ...],
) -> None:
    """Run a study: only what is not up to date is done.

    Options after ``--`` go to Snakemake. Exit code 0: done. 1: some participants failed, the others are finished.
    2: the request is wrong, nothing was started. 130: interrupted.

    \b
    Example:
        snakemrs run STUDY --cores 4
        snakemrs run STUDY --participant-label 01,02
        snakemrs run STUDY --profile slurm -- --retries 1
        snakemrs run STUDY --containers apptainer
    """
    folder = study_folder(study)
    with exclusive(folder) as lock:
        status = run_study(folder, cores, profile, labels, list(snakemake_options), as_json, lock, containers)
    raise SystemExit(status)


def run_study(
    study: Path,
    cores: int | None,
    profile: str,
    labels: tuple[str, ...] = (),
    options: list[str] | None = None,
    as_json: bool = False,
    lock: int | None = None,
    containers: str = "none",
) -> int:
    """Plan and run a study; give the exit code.

    A participant whose step fails holds up nobody: the others are finished, then a further pass makes the pages and the
    group without what failed, which they name. Passes end when nothing new fails.
    """
    if profile == "apptainer":  # that profile says nothing of what must be mounted
        containers = "apptainer"
    plan = make_plan(study)
    plan.save(study)
    if restored := restore(study):
        click.echo(f"Snakemake's records were lost: {restored} put back from the derivatives.", err=True)
    for line in in_lines(plan.problems):
        click.echo(line, err=True)
    wanted = targets(plan, labels)
    mode = (
        "each in its container (apptainer)" if containers == "apptainer" else "in this environment, not in containers"
    )
    click.echo(f"Steps run {mode}.", err=True)
    started, version = time.time(), code_version()
    if containers == "apptainer":
        container_arguments(study, plan)  # lays the links to the images, which are part of the study's state
    in_images = containers == "apptainer"
    failures: list[Failure] = []
    ran = 0
    touched = {Path(page).stem for page in wanted}
    unchanged = not options and is_unchanged(study, plan, in_images)
    code = None if unchanged else freeze(study)  # one for all passes
    if code is not None:
        sweep(study / "bids", study / "derivatives")
    while code is not None:
        forget(study)
        record = _pass(study, plan, code, cores, profile, wanted, options or [], lock, containers)
        ran += sum(job.rule in STAGE_OF_RULE for job in record.jobs.values())
        touched |= {participant_of(job) for job in record.jobs.values()}
        known = {(failure.unit, failure.stage) for failure in failures}
        found = [f for f in failures_of(record.failed, plan, study) if (f.unit, f.stage) not in known]
        if not found:
            break
        failures += found
        plan.failed = failures
        plan.save(study)
    write_outcome(study, ran, failures, plan, touched if wanted or options else None)
    refused = any(problem.severity == "error" for problem in plan.problems)
    # With code that was exchanged meanwhile something may be left to do.
    if not (failures or refused or wanted or options) and version == code_version():
        remember(study, plan, in_images)
    summary = summarise(study)
    if as_json:
        click.echo(json.dumps({**summary, "jobs": ran}, indent=2))
    else:
        print_status(summary)
        click.echo(f"{ran} jobs ran in {(time.time() - started) / 60:.1f} min" if ran else "Nothing to do: up to date.")
        page = study / DERIVATIVES / "index.html"
        if page.exists():
            click.echo(f"Report: {page}")
    return EXIT_SOME_FAILED if failures or refused else EXIT_DONE


def _pass(
    study: Path,
    plan: Plan,
    code: Path,
    cores: int | None,
    profile: str,
    wanted: list[str],
    options: list[str],
    lock: int | None,
    containers: str,
) -> Record:
    """One run of Snakemake with its view."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    events = study / "work" / "events" / f"{stamp}-{os.getpid()}.jsonl"
    output = study / "logs" / f"snakemake-{stamp}.log"
    local = ["--cores", str(cores or os.cpu_count() or 1)]
    inside = container_arguments(study, plan, code) if containers == "apptainer" else []
    command = command_line(study, profile, [*local, *inside, *options, *wanted], code)
    around = environment(events, plan.created, code)
    here = not inside and executor_of(profile_folder(profile)) == "local"
    with make_view() as view, loaded(around, _begins_with(study, plan)) if here else nullcontext(around) as known:
        show, keep_records = Spaced(view.update), Spaced(keep, KEEP_SECONDS)

        def on_change(record: Record) -> None:
            show(record)
            keep_records(study)

        try:
            status, record = follow(command, known, events, output, on_change, lock)
            view.update(record)
        finally:
            keep(study)
    if status != 0 and not record.failed:
        error = SnakeMRSError(
            "Snakemake stopped before any step failed",
            file=output,
            found="; ".join(record.messages)[:800] or f"exit status {status}",
        )
        error.exit_code = EXIT_BAD_REQUEST
        raise error
    return record


def _begins_with(study: Path, plan: Plan) -> list[str]:
    """Commands of the steps that wait for no other, where there is work for them."""
    first = {
        "ingest": (scan.bids for scan in plan.scans),
        "segment": (f"{anatomy.prefix}_label-GM_probseg.nii.gz" for anatomy in plan.anatomies),
    }
    return [command for command, paths in first.items() if not all((study / path).exists() for path in paths)]
