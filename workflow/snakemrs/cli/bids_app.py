"""`snakemrs BIDS_DIR OUT participant|group`: the form in which BIDS Apps are called."""

from __future__ import annotations

from pathlib import Path

import click

from snakemrs.cli.common import make_plan
from snakemrs.cli.init import look_through_folder, write_study, write_tables
from snakemrs.cli.lock import exclusive
from snakemrs.cli.run import run_study
from snakemrs.errors import RequestError

LEVELS = ("participant", "group")
_LABELS = ("--participant-label", "--participant_label")


class BidsAppCommand(click.Command):
    """A command without a name of its own, whose ``--participant-label`` takes several words."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage with the positional words first, where they must stand."""
        formatter.write_usage("snakemrs", "BIDS_DIR OUT {participant|group} [OPTIONS]")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option for each of its words."""
        spread: list[str] = []
        option = ""
        for word in args:
            if word.startswith("-"):
                option = word if word in _LABELS else ""
                spread += [] if option else [word]
            else:
                spread += [option, word] if option else [word]
        return super().parse_args(ctx, spread)


@click.command(cls=BidsAppCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("bids_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("level", type=click.Choice(LEVELS))
@click.option(
    *_LABELS, "labels", multiple=True, metavar="LABEL…", help="Only these participants, with or without sub-."
)
@click.option("--cores", "--n_cpus", "cores", type=click.IntRange(1), help="Processors to use [default: all].")
@click.option("--profile", default="local", show_default=True, help="local, slurm, or a folder with a profile.")
@click.option(
    "--containers",
    type=click.Choice(["none", "apptainer"]),
    default="none",
    show_default=True,
    help="Run every step in its container image.",
)
def bids_app(
    bids_dir: Path,
    out: Path,
    level: str,
    labels: tuple[str, ...],
    cores: int | None,
    profile: str,
    containers: str,
) -> None:
    """Run a BIDS dataset that holds MRS, as a BIDS App is called.

    OUT becomes a study: settings in OUT/study.yaml, results in OUT/derivatives/snakemrs. BIDS_DIR is only read. The
    level `participant` makes each participant's derivatives and page; the level `group` what is left of them, then the
    statistics, the group page and the methods text. Called again, only what changed in BIDS_DIR is done again.

    \b
    Example:
        snakemrs BIDS_DIR OUT participant --participant-label 01 02
        snakemrs BIDS_DIR OUT group
    """
    if labels and level == "group":
        raise RequestError(
            "the group level takes every participant",
            found=f"--participant-label {' '.join(labels)}",
            remedy="leave the option out, or say `participant`",
        )
    dataset, study = bids_dir.resolve(), out.resolve()
    _check_folders(dataset, study)
    with exclusive(study) as lock:
        refresh(dataset, study)
        if level == "participant":
            labels = labels or tuple(make_plan(study).participants)
        status = run_study(study, cores, profile, labels, lock=lock, containers=containers)
    raise SystemExit(status)


def _check_folders(dataset: Path, study: Path) -> None:
    if not (dataset / "dataset_description.json").exists():
        raise RequestError(
            "this is no BIDS dataset",
            file=dataset,
            expected="dataset_description.json in it",
            remedy="for files as the scanner wrote them: `snakemrs init RAW STUDY`",
        )
    if study == dataset or dataset.is_relative_to(study):
        raise RequestError("OUT would write into BIDS_DIR", file=study, remedy="name another folder for OUT")
    if study.exists() and not study.is_dir():
        raise RequestError("OUT is no folder", file=study)
    started = (study / "study.yaml").exists() or not study.exists()
    if not started and {path.name for path in study.iterdir()} - {"work"}:
        raise RequestError(
            "OUT is not empty and holds no study of SnakeMRS",
            file=study,
            remedy="name an empty or new folder, such as OUT/snakemrs",
        )


def refresh(dataset: Path, study: Path) -> None:
    """Bring the study up to date with the dataset; study.yaml and the rows of scans.tsv stay, new scans are added.

    Raises
    ------
    RequestError
        If the study was made from another folder, or the dataset holds no single-voxel spectrum.
    """
    from snakemrs.io.tables import read_table
    from snakemrs.study.config import load_config

    found, rows = look_through_folder(dataset, study)
    if not (study / "study.yaml").exists():
        write_study(study, dataset, study.name, rows, found)
        return
    source = (study / load_config(study / "study.yaml").raw).resolve()
    if source != dataset:
        raise RequestError(
            "OUT was made from another dataset",
            file=study / "study.yaml",
            found=f"raw: {source}",
            expected=dataset,
            remedy="name another OUT; if the dataset has moved, change `raw` in study.yaml",
        )
    kept = read_table(study / "scans.tsv")
    listed = {(row["path"], row["suffix"]) for row in kept}
    new = [row for row in rows if (row["path"], row["suffix"]) not in listed]
    write_tables(study, dataset, kept + new, replace=True)
