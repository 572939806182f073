"""The command ``snakemrs fit``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snakemrs.errors import EXIT_SOME_FAILED, RequestError, SnakeMRSError
from snakemrs.study.settings import load_settings
from snakemrs.study.settings.fit import FitSettings
from snakemrs.study.settings.functional import FunctionalSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snakemrs.fit.run import Job, Outcome


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--basis",
    type=click.Path(path_type=Path),
    help="LCModel .BASIS, Osprey .mat, NIfTI-MRS, or a folder of json or text. Without it one is simulated.",
)
@click.option(
    "--water",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Water reference; once for all DATA, or once for each.",
)
@click.option("--macromolecules", type=click.Path(path_type=Path), help="Measured (inversion-nulled) macromolecules.")
@click.option("--design", type=click.Path(path_type=Path), help="Dynamic fit: regressors, a row a transient.")
@click.option("--events", type=click.Path(path_type=Path), help="Dynamic fit: events.tsv that the design is made from.")
@click.option("--frames", type=click.Path(path_type=Path), help="Dynamic fit: amplitudes of frames to compare with.")
@click.option("--regressors", type=click.Path(path_type=Path), help="Dynamic fit: regressors of one's own over time.")
@click.option("--functional", help="Dynamic fit: section 'functional' of study.yaml, as --settings.")
@click.option("--label", type=click.Choice(["static", "frames", "dynamic"]), help="Name of the results.")
@click.option(
    "--output",
    required=True,
    help="Folder; or, with one DATA, a path that ends in its stem (its name without _desc-… or suffix).",
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--settings", help="JSON text, or a YAML/JSON file with the section 'fit' of study.yaml.")
def fit(
    data: tuple[Path, ...],
    basis: Path | None,
    water: tuple[Path, ...],
    macromolecules: Path | None,
    design: Path | None,
    events: Path | None,
    frames: Path | None,
    regressors: Path | None,
    functional: str | None,
    label: str | None,
    output: str,
    jobs: int,
    settings: str | None,
) -> None:
    """Linear-combination fit of preprocessed spectra (NIfTI-MRS): amplitudes with their uncertainty.

    \b
    Example:
        snakemrs fit sub-01_desc-preproc_svs.nii.gz --basis press30.BASIS \\
            --water sub-01_desc-preproc_mrsref.nii.gz --output results/sub-01
        snakemrs fit spectra/*_svs.nii.gz --basis press30.BASIS --output results --jobs 4
        snakemrs fit sub-01_desc-transients_svs.nii.gz --events events.tsv --output results/sub-01
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # one thread a spectrum: small matrices gain nothing from more
    chosen = load_settings(FitSettings, settings)
    if len(water) not in (0, 1, len(data)):
        raise RequestError(
            "water references and spectra differ in number",
            found=f"{len(water)} for {len(data)} spectra",
            expected="none, one for all, or one for each, in the same order",
        )
    if design is not None or events is not None:
        from snakemrs.fit.functional.run import DynamicJob, fit_dynamic_file

        if len(data) != 1:
            raise RequestError("a dynamic fit takes one file of transients", found=f"{len(data)} files")
        if design is not None and events is not None:
            raise RequestError("a design says all that events would", expected="--design or --events, not both")
        job = _jobs(data, output, basis, water, macromolecules, label or "dynamic", chosen)[0]
        over_time = load_settings(FunctionalSettings, functional)
        _say(fit_dynamic_file(job, DynamicJob(design, events, frames, regressors, over_time)))
        return
    work = _jobs(data, output, basis, water, macromolecules, label, chosen)
    outcomes = _run(work, jobs)
    for outcome in outcomes:
        _say(outcome)
    errors = [outcome for outcome in outcomes if outcome.error is not None]
    if len(outcomes) == 1 and errors and errors[0].error is not None:
        raise errors[0].error
    if len(outcomes) > 1:
        click.echo(f"{len(outcomes) - len(errors)} of {len(outcomes)} files fitted")
    if errors:
        sys.exit(EXIT_SOME_FAILED)


def _jobs(
    data: tuple[Path, ...],
    output: str,
    basis: Path | None,
    water: tuple[Path, ...],
    macromolecules: Path | None,
    label: str | None,
    settings: FitSettings,
) -> list[Job]:
    from snakemrs.fit.run import Job

    # The path up to the stem ends in the name of the data; anything else is a folder, there or not.
    is_folder = len(data) > 1 or output.endswith("/") or Path(output).is_dir() or Path(output).name != stem_of(data[0])
    work = []
    for number, path in enumerate(data):
        prefix = str(Path(output) / stem_of(path)) if is_folder else output
        reference = None if not water else water[number if len(water) > 1 else 0]
        work.append(Job(path, prefix, basis, reference, macromolecules, label, settings))
    prefixes = [job.prefix for job in work]
    twice = next((p for p in prefixes if prefixes.count(p) > 1), None)
    if twice is not None:
        raise RequestError("two files would write the same results", found=twice, remedy="fit them into two folders")
    return work


def stem_of(path: Path) -> str:
    """BIDS name of a spectrum without description and suffix."""
    name = path.name.removesuffix(".gz").removesuffix(".nii").removesuffix("_svs")
    start, _, description = name.rpartition("_desc-")
    return start if start and "_" not in description else name


def _run(work: list[Job], jobs: int) -> list[Outcome]:
    """Fit all files, with a progress bar where somebody looks."""
    results: Iterator[Outcome]
    if jobs == 1 or len(work) == 1:
        results = map(_one, work)
    else:
        from concurrent.futures import ProcessPoolExecutor

        pool = ProcessPoolExecutor(min(jobs, len(work)))
        results = pool.map(_one, work, chunksize=max(1, len(work) // (8 * jobs)))
    if len(work) == 1:
        return list(results)
    done = []
    with click.progressbar(length=len(work), label="fit", file=sys.stderr) as bar:
        for outcome in results:
            done.append(outcome)
            bar.update(1)
    return done


def _one(job: Job) -> Outcome:
    from snakemrs.fit.run import Outcome, fit_file

    try:
        return fit_file(job)
    except SnakeMRSError as error:
        error.file = error.file or str(job.data)
        return Outcome(job.data, 0, 0, 0, (), error)


def _say(outcome: Outcome) -> None:
    if outcome.error is not None:
        click.echo(f"snakemrs: {outcome.error}", err=True)
        return
    total = outcome.ok + outcome.doubtful + outcome.failed
    parts = [
        f"{n} {word}"
        for n, word in ((outcome.ok, "ok"), (outcome.doubtful, "doubtful"), (outcome.failed, "failed"))
        if n
    ]
    frames = "" if total == 1 else f"{total} frames: "
    click.echo(f"{outcome.data.name}: {frames}{', '.join(parts)}")
    for message in outcome.messages:
        click.echo(f"  {message}")
