"""The command ``snakemrs preprocess``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snakemrs.errors import RequestError

if TYPE_CHECKING:
    from snakemrs.io.events import Event


def chosen_events(path: Path, name: str, kinds: tuple[str, ...]) -> list[Event]:
    """Read the events that concern a file; only `kinds`, if any are given.

    Raises
    ------
    RequestError
        If the table cannot be read, or none of `kinds` occurs in it.
    """
    from snakemrs.io.events import read_events

    events = read_events(path, name)
    chosen = [event for event in events if not kinds or event.kind in kinds]
    if events and not chosen:
        known = sorted({event.kind for event in events})
        raise RequestError("no event of these types", file=path, found=", ".join(known), expected=", ".join(kinds))
    return chosen


@click.command()
@click.argument("svs", type=click.Path(path_type=Path))
@click.option("--water", type=click.Path(path_type=Path), help="Unsuppressed water of the same voxel (NIfTI-MRS).")
@click.option("--events", type=click.Path(path_type=Path), help="events.tsv: no frame reaches over an event's edge.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Prefix of what is written.")
@click.option("--settings", help="Section `spectra` of study.yaml: JSON text, or a YAML or JSON file.")
def preprocess(svs: Path, water: Path | None, events: Path | None, output: Path, settings: str | None) -> None:
    """Combine coils, align transients, correct eddy currents, remove residual water; say how good it all is.

    SVS is a NIfTI-MRS file, raw (coils, transients) or averaged.

    \b
    Example:
        snakemrs preprocess sub-01_svs.nii.gz --water sub-01_mrsref.nii.gz --output out/sub-01
    """
    # The matrices are small: more threads only wait for each other (many times slower on a busy machine). To be set
    # before numpy is imported.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

    from snakemrs.study.settings import load_settings
    from snakemrs.study.settings.spectra import SpectraSettings

    chosen = load_settings(SpectraSettings, settings)
    happened = chosen_events(events, svs.name, chosen.event_types) if events is not None else []

    from snakemrs.io.nifti_mrs import read
    from snakemrs.spectra.output import write_result
    from snakemrs.spectra.process import correct
    from snakemrs.spectra.timing import check_timing

    image = read(svs)
    reference = None if water is None else read(water)
    check_timing(image, happened, chosen)
    done = correct(image, reference, chosen)
    rows = write_result(done, image, reference, happened, chosen, output)
    for note in done.notes:
        click.echo(f"{svs.name}: {note}")
    overall = rows[-1]
    rule = f" ({overall['rule']})" if overall["rule"] else ""
    click.echo(f"{svs.name}: quality {overall['verdict']}{rule}")
