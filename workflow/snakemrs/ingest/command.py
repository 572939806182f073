"""The command ``snakemrs ingest``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--convert",
    "pairs",
    type=(click.Path(path_type=Path), click.Path(path_type=Path)),
    multiple=True,
    required=True,
    metavar="RAW OUT",
    help="Raw file (or DICOM folder) and the BIDS image to make of it; again for more.",
)
@click.option(
    "--no-reference",
    is_flag=True,
    help="Leave out a water reference inside RAW that is not itself asked for as an OUT.",
)
@click.option("--participant", default=None, metavar="LABEL", help="Participant, for messages.")
@click.option("--settings", default=None, metavar="S", help="JSON text or file with the section `ingest`.")
def ingest(
    pairs: tuple[tuple[Path, Path], ...], no_reference: bool, participant: str | None, settings: str | None
) -> None:
    """Convert raw scanner files to BIDS: NIfTI-MRS or T1w with complete sidecars and nothing personal.

    OUT ends in _svs.nii.gz, _mrsref.nii.gz or _T1w.nii.gz. A water reference inside the raw file is written beside. All
    outputs are written, or none.

    \b
    Example:
        snakemrs ingest --convert raw/act.SDAT bids/sub-01/mrs/sub-01_voi-acc_svs.nii.gz \\
                        --convert raw/ref.SDAT bids/sub-01/mrs/sub-01_voi-acc_mrsref.nii.gz
    """
    from snakemrs.ingest.convert import convert_all
    from snakemrs.study.settings import load_settings
    from snakemrs.study.settings.ingest import IngestSettings

    chosen = load_settings(IngestSettings, settings)
    for line in convert_all(list(pairs), chosen, participant, reference=not no_reference):
        click.echo(line)
