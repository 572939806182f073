"""The command ``snakemrs simulate``."""

from __future__ import annotations

from pathlib import Path

import click

VENDORS = ("philips", "philips-list", "siemens", "ge")
PRESETS = ("realistic", "null", "large", "drift-only", "bold-only")


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--vendor", type=click.Choice(VENDORS), default="philips", show_default=True, help="Whose raw files.")
@click.option("--preset", type=click.Choice(PRESETS), default="realistic", show_default=True, help="What is true.")
@click.option("--participants", type=click.IntRange(1, 9999), default=4, show_default=True, help="How many people.")
@click.option("--sessions", type=click.IntRange(1, 9), default=2, show_default=True, help="Sessions of each.")
@click.option("--transients", type=click.IntRange(1), help="Of a session [default: of the vendor; a multiple of 8].")
@click.option("--t1w", type=click.Choice(["nifti", "dicom"]), default="nifti", show_default=True, help="T1w images as.")
@click.option("--whole-head", is_flag=True, help="T1w images with skull and scalp [default: brain only].")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed, the same bytes.")
def simulate(
    study: Path,
    vendor: str,
    preset: str,
    participants: int,
    sessions: int,
    transients: int | None,
    t1w: str,
    whole_head: bool,
    seed: int,
) -> None:
    """Write a virtual study to STUDY as a scanner would, with its truth.

    A crossover trial of ketamine after placebo or naltrexone: raw spectra transient by transient with water
    references, T1w images, masked conditions, MADRS scores; and truth/, which the pipeline never reads.
    Philips SDAT/SPAR (philips) and DATA/LIST (philips-list, 8 coils), Siemens twix (32 coils), GE P-files (8 coils).

    \b
    Example:
        snakemrs simulate STUDY --vendor philips --preset realistic --participants 4 --seed 1
        snakemrs run STUDY
    """
    from snakemrs.scanner.study import write_study

    def say(text: str) -> None:
        click.echo(f"  {text}")

    write_study(study, vendor, preset, participants, sessions, seed, transients, t1w, whole_head=whole_head, say=say)
    click.echo(f"{study}: {participants} participants × {sessions} sessions, preset {preset}, {vendor}")
    click.echo(f"What is true stands in {study / 'truth'}; `snakemrs run {study}` does not read it.")
