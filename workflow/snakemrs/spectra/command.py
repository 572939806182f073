"""The command ``snakemrs preprocess``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snakemrs.errors import RequestError
from snakemrs.io.tables import parse_number, read_table

if TYPE_CHECKING:
    from snakemrs.spectra.frames import Event


def read_events(path: Path, kinds: tuple[str, ...]) -> list[Event]:
    """Read events.tsv (BIDS): onset, duration and, where there is one, trial_type; only `kinds`, if any are given.

    Raises
    ------
    RequestError
        If a column is missing, a time is no number, or none of `kinds` occurs.
    """
    from snakemrs.spectra.frames import Event

    rows = read_table(path)
    for column in ("onset", "duration"):
        if rows and column not in rows[0]:
            raise RequestError("the events have no such column", file=path, expected=column, found=", ".join(rows[0]))
    events = []
    for line, row in enumerate(rows, start=2):
        try:
            onset, duration = parse_number(row["onset"]), parse_number(row["duration"])
        except ValueError:
            raise RequestError(
                "a time of an event is no number", file=path, line=line, found=f"{row['onset']}, {row['duration']}"
            ) from None
        if onset is None or (duration is not None and duration < 0):
            raise RequestError("an event needs an onset and no negative duration", file=path, line=line)
        kind = row.get("trial_type", "n/a")
        kind = "event" if kind == "n/a" else kind
        if not kinds or kind in kinds:
            events.append(Event(onset, duration or 0.0, kind))
    if kinds and not events:
        known = sorted({row.get("trial_type", "n/a") for row in rows})
        raise RequestError("no event of these types", file=path, found=", ".join(known), expected=", ".join(kinds))
    return events


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
    happened = read_events(events, chosen.event_types) if events is not None else []

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
