"""The command ``snakemrs basis``: simulate (the default), show, convert."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

# Written by other modules of this stage; imported only when used.
LATER = {
    "show": ("snakemrs.fit.basis_show", "show", "Draw the signals of a basis."),
    "convert": ("snakemrs.fit.basis_convert", "convert", "Write a basis in another format."),
}


class BasisGroup(click.Group):
    """A group whose default subcommand is ``simulate``: options may come first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``simulate`` in front of options."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["simulate", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the subcommands."""
        return ["simulate", *LATER]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand when it is used."""
        if cmd_name in LATER:
            module, attribute, _ = LATER[cmd_name]
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without importing them."""
        rows = [
            ("simulate", "Simulate a basis with ideal pulses (the default)."),
            *((k, v[2]) for k, v in LATER.items()),
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=BasisGroup)
def basis() -> None:
    """Simulate, show or convert basis sets.

    \b
    Example:
        snakemrs basis --sequence press --te 0.030 --te1 0.011 --frequency 123.2 \\
            --bandwidth 4000 --points 2048 --output BASIS
    """


@basis.command()
@click.option(
    "--sequence",
    required=True,
    type=click.Choice(["press", "steam", "slaser", "spin-echo", "pulse-acquire"], case_sensitive=False),
    help="Pulse sequence.",
)
@click.option("--te", type=float, required=True, help="Echo time in seconds (0.030 is 30 ms).")
@click.option("--te1", type=float, help="First echo time of PRESS in seconds [default: half of TE].")
@click.option("--tm", type=float, help="Mixing time of STEAM in seconds.")
@click.option("--frequency", type=float, required=True, help="Spectrometer frequency in MHz.")
@click.option("--bandwidth", type=float, required=True, help="Spectral width in Hz.")
@click.option("--points", type=click.IntRange(2), required=True, help="Points of each signal.")
@click.option("--metabolites", help="Names separated by commas [default: all in the table].")
@click.option(
    "--macromolecules/--no-macromolecules", default=True, help="With macromolecules and lipids.", show_default=True
)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write.")
def simulate(
    sequence: str,
    te: float,
    te1: float | None,
    tm: float | None,
    frequency: float,
    bandwidth: float,
    points: int,
    metabolites: str | None,
    macromolecules: bool,
    output: Path,
) -> None:
    """Simulate a basis by density matrices with ideal pulses.

    Writes a json file a metabolite, readable by FSL-MRS too, and basis.json, which says what it is.

    \b
    Example:
        snakemrs basis simulate --sequence press --te 0.030 --te1 0.011 --frequency 123.2 \\
            --bandwidth 4000 --points 2048 --output BASIS
    """
    from snakemrs.spins.basis_formats import write_json_folder
    from snakemrs.spins.macromolecules import joined, parametric_signals
    from snakemrs.spins.simulation import simulate_basis

    names = [name.strip() for name in metabolites.split(",") if name.strip()] if metabolites else None
    made = simulate_basis(
        sequence.lower(),
        te,
        te1,
        spectrometer_frequency=frequency,
        bandwidth=bandwidth,
        points=points,
        names=names,
        mixing_time=tm,
    )
    if macromolecules:
        extra = parametric_signals(spectrometer_frequency=frequency, bandwidth=bandwidth, points=points)
        made = joined(made, extra)
    write_json_folder(made, output)
    click.echo(f"{len(made.names)} signals in {output}: {', '.join(made.names)}")
