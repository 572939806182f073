"""`snakemrs demo`: a small virtual study from raw files to the group page."""

from __future__ import annotations

import time
from pathlib import Path

import click

from snakemrs.cli.lock import exclusive
from snakemrs.cli.run import run_study
from snakemrs.errors import RequestError
from snakemrs.study.plan import DERIVATIVES


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"))
@click.option("--participants", default=4, show_default=True, type=click.IntRange(2), help="Virtual participants.")
@click.option("--cores", default=2, show_default=True, type=click.IntRange(1), help="Processors to use.")
@click.option("--seed", default=1, show_default=True, help="Seed of the virtual scanner.")
@click.pass_context
def demo(context: click.Context, folder: Path, participants: int, cores: int, seed: int) -> None:
    """Simulate a small crossover study, run it all, say where the report is (FOLDER: demo).

    A demo that was interrupted is continued.

    \b
    Example:
        snakemrs demo
    """
    from snakemrs.scanner.command import simulate

    started = time.time()
    study = folder.resolve()
    if not (study / "study.yaml").exists():
        if study.exists() and any(study.iterdir()):
            raise RequestError("the folder is not empty and holds no study", file=study, remedy="name another folder")
        click.echo(f"A virtual scanner writes {participants} participants × 2 sessions to {study}")
        context.invoke(simulate, study=study, participants=participants, seed=seed)
    with exclusive(study) as lock:
        status = run_study(study, cores, "local", lock=lock)
    click.echo(f"Demo finished in {(time.time() - started) / 60:.1f} min.")
    click.echo(f"Open {study / DERIVATIVES / 'index.html'}")
    raise SystemExit(status)
