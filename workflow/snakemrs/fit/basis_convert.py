"""The command ``snakemrs basis convert``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("basis", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--bandwidth", type=float, help="Hz; only for plain text, which does not say it.")
@click.option("--frequency", type=float, help="MHz; only for plain text, which does not say it.")
def convert(basis: Path, output: Path, bandwidth: float | None, frequency: float | None) -> None:
    """Convert a basis set: to LCModel where OUTPUT ends in .basis, else to a folder of json (FSL-MRS).

    \b
    Example:
        snakemrs basis convert osprey.mat press30.BASIS
        snakemrs basis convert press30.BASIS press30_json
    """
    from snakemrs.spins.basis_formats import read_basis, write_json_folder, write_lcmodel

    read = read_basis(basis, dwell_time=None if bandwidth is None else 1 / bandwidth, spectrometer_frequency=frequency)
    if output.suffix.lower() == ".basis":
        write_lcmodel(read, output)
    else:
        write_json_folder(read, output)
    click.echo(f"{len(read.names)} entries: {output}")
    if "warning" in read.notes:
        click.echo(str(read.notes["warning"]), err=True)
