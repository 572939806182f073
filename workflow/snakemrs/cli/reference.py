"""The reference of the command line, generated from the commands themselves.

``python -m snakemrs.cli.reference`` writes ``docs/reference/commands.md``; a test holds it against the commands.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click

from snakemrs.cli.bids_app import bids_app
from snakemrs.cli.main import COMMANDS, cli
from snakemrs.io.atomic import write_text
from snakemrs.study.resources import workflow_root

PAGE = Path("docs/reference/commands.md")

_HEAD = """# Commands

Generated from the commands by `python -m snakemrs.cli.reference`. `snakemrs COMMAND --help` prints the same.

Exit codes: 0 done; 1 some participants failed (the others are finished); 2 the request or the configuration is wrong;
130 interrupted.
"""


def command_reference() -> str:
    """Every command with its arguments, options and example, as a page of Markdown."""
    context = click.Context(cli, info_name="snakemrs")
    parts = [_HEAD, _section("BIDS_DIR OUT participant|group", bids_app)]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        parts.append(_section(name, command))
        if isinstance(command, click.Group):
            parts += [_section(f"{name} {sub}", part, "###") for sub, part in command.commands.items()]
    return "\n".join(parts)


def _section(name: str, command: click.Command, mark: str = "##") -> str:
    lines = [f"{mark} snakemrs {name}", "", *_description(inspect.cleandoc(command.help or ""))]
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    if arguments:
        lines += ["Takes " + ", ".join(f"`{_name(p)}`" for p in arguments) + ".", ""]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        lines += ["| option | default | meaning |", "|---|---|---|"]
        lines += [f"| {_words(p)} | {_default(p)} | {_cell(p.help or '')} |" for p in options]
        lines.append("")
    return "\n".join(lines)


def _name(argument: click.Argument) -> str:
    name = argument.human_readable_name
    return f"[{name}…]" if argument.nargs == -1 else name


def _description(text: str) -> list[str]:
    """The help with its example as a block of code; paragraphs that keep their lines are marked by click with \\b."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        kept = paragraph.startswith("\b\n")
        title, _, rest = paragraph.removeprefix("\b\n").partition("\n")
        if kept:
            lines += [title.strip(), "", *(f"    {line.strip()}" for line in rest.splitlines()), ""]
        else:
            lines += [re.sub(r"``([^`]+)``", r"`\1`", " ".join(paragraph.split())), ""]
    return lines


def _words(option: click.Option) -> str:
    names = "/".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    choices = option.type.choices if isinstance(option.type, click.Choice) else ()
    value = " \\| ".join(map(str, choices)) or option.metavar or option.type.name
    return f"{names} {_cell(value) if not choices else value}"


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    if option.default is None or option.is_flag or option.multiple or not isinstance(option.default, (str, int, float)):
        return ""
    return f"`{option.default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Write the page."""
    write_text(workflow_root() / PAGE, command_reference())


if __name__ == "__main__":
    main()
