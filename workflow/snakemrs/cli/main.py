"""The command ``snakemrs``: finds each subcommand when it is called, so that help starts at once."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

import click

from snakemrs import __version__
from snakemrs.errors import EXIT_INTERRUPTED, SnakeMRSError, of_the_machine

# command -> (module, attribute, one line of help). The modules are imported only when their command runs.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("snakemrs.cli.init", "init", "Look through raw files and propose a study."),
    "plan": ("snakemrs.cli.plan", "plan", "Check everything and say what would run (a dry run)."),
    "run": ("snakemrs.cli.run", "run", "Run a study."),
    "status": ("snakemrs.cli.status", "status", "Say which participants are done, failed, excluded or to do."),
    "unblind": ("snakemrs.cli.unblind", "unblind", "Open the treatment key of a frozen, masked result."),
    "simulate": ("snakemrs.scanner.command", "simulate", "Write a virtual study as a scanner would, with its truth."),
    "demo": ("snakemrs.cli.demo", "demo", "Simulate a small study, run it all, say where the report is."),
    "ingest": ("snakemrs.ingest.command", "ingest", "Convert raw scanner files to BIDS (NIfTI-MRS, T1w, sidecars)."),
    "ingest-dataset": ("snakemrs.ingest.dataset_command", "ingest_dataset", "Describe the BIDS dataset of a study."),
    "segment": ("snakemrs.anatomy.command", "segment", "Brain mask and tissue maps from a T1w image."),
    "preprocess": ("snakemrs.spectra.command", "preprocess", "Combine, align and correct transients."),
    "voxel": ("snakemrs.voxel.command", "voxel", "Voxel mask in T1w space and tissue fractions."),
    "basis": ("snakemrs.fit.basis_command", "basis", "Simulate, show or convert basis sets."),
    "fit": ("snakemrs.fit.command", "fit", "Linear-combination fit of spectra."),
    "quantify": ("snakemrs.quantify.command", "quantify", "Ratios and concentrations with their uncertainty."),
    "stats": ("snakemrs.group.command", "stats", "Mixed models of a table."),
    "group": ("snakemrs.group.command", "group", "Join all tables of a study and analyse them."),
    "report": ("snakemrs.report.command", "report", "Pages of participants and of the group."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List all commands, in the order of a study."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find a command; name the nearest one where there is none."""
        import difflib

        name = args[0] if args else ""
        if name and name not in COMMANDS:
            if args[2:3] in (["participant"], ["group"]):
                from snakemrs.cli.bids_app import bids_app

                return "BIDS App", bids_app, args
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            if not near and os.path.isdir(name):
                hint = " For a BIDS dataset: snakemrs BIDS_DIR OUT participant, then snakemrs BIDS_DIR OUT group."
            raise click.UsageError(f"There is no command '{name}'.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="snakemrs")
def cli() -> None:
    """From the scanner's MRS files to the group statistics with one command.

    \b
    Example:
        snakemrs init RAW STUDY      look through raw files, propose a study
        snakemrs plan STUDY          check everything, say what would run
        snakemrs run STUDY --cores 4

    \b
    As a BIDS App, for a BIDS dataset that holds MRS:
        snakemrs BIDS_DIR OUT participant --participant-label 01 02
        snakemrs BIDS_DIR OUT group
    """


def interrupt(number: int, _: object) -> None:
    """Take a batch system's end as an interruption; the same signal once more does not disturb the clearing up."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; a foreseen error is printed without traceback."""
    os.environ.setdefault("NO_ET", "1")
    # Settings are checked by nothing that happens to be installed beside; to look for it takes as long as a model.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Matrices here are small: threads of the linear algebra cost more than they give, and jobs share the machine.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, interrupt)
    try:
        cli(prog_name="snakemrs", standalone_mode=False)
    except SnakeMRSError as error:
        click.echo(f"snakemrs: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (OSError, MemoryError) as error:
        told = of_the_machine(error)
        if told is None:
            raise
        click.echo(f"snakemrs: {told}", err=True)
        sys.exit(told.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("snakemrs: interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)


if __name__ == "__main__":
    main()
