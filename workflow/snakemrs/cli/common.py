"""What `plan`, `run` and `status` share: finding the study, making the plan, printing problems."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from snakemrs.anatomy.precomputed import existing_maps
from snakemrs.cli.checks import check_study
from snakemrs.cli.headers import read_header
from snakemrs.errors import RequestError, SnakeMRSError
from snakemrs.io.atomic import write_text
from snakemrs.study.plan import Plan, Problem
from snakemrs.study.resolve import build_plan
from snakemrs.study.resources import workflow_root


def study_folder(study: str | Path) -> Path:
    """Absolute path of a study that exists."""
    path = Path(study).resolve()
    if not (path / "study.yaml").exists():
        raise RequestError(
            "there is no study here",
            file=path,
            expected="a folder with study.yaml",
            remedy="`snakemrs init RAW STUDY` proposes one, `snakemrs simulate STUDY` makes a virtual one",
        )
    return path


SCHEMA = Path("work/study.schema.json")
"""Where a study keeps the schema of study.yaml, for editors."""


def keep_schema(study: Path) -> None:
    """Put the schema of study.yaml where the file's first line tells editors to look for it."""
    text = (workflow_root() / "config" / "study.schema.json").read_text(encoding="utf-8")
    path = study / SCHEMA
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def make_plan(study: Path) -> Plan:
    """Resolve the study, with a line of progress on a terminal."""

    def progress(done: int, total: int) -> None:
        if os.isatty(2) and total > 20 and (done % 10 == 0 or done == total):
            click.echo(f"\rlooking at raw files: {done} of {total}", nl=done == total, err=True)

    keep_schema(study)
    plan = build_plan(study, read_header, progress, existing_maps)
    plan.problems += check_study(study, plan)
    return plan


def describe(problem: Problem) -> str:
    """One line about a problem."""
    place = problem.file + (f":{problem.line}" if problem.line else "")
    who = f" (sub-{problem.participant})" if problem.participant else ""
    return f"{problem.severity}: {place}{who}: {problem.message}"


ALIKE = 4
"""So many warnings that say the same stand each in a line of its own."""


def in_lines(problems: Sequence[Problem]) -> list[str]:
    """Say all problems: a line each, but one line for many warnings that say the same of many files."""
    alike: dict[Any, list[Problem]] = {}
    for number, problem in enumerate(problems):
        same = problem.message if problem.severity == "warning" and problem.line is None else number
        alike.setdefault(same, []).append(problem)
    lines = []
    for group in alike.values():
        if len(group) <= ALIKE:
            lines += [describe(problem) for problem in group]
            continue
        people = len({problem.participant for problem in group if problem.participant})
        of_whom = f" of {people} participants" if people > 1 else ""
        lines.append(
            f"warning: {group[0].file} and {len(group) - 1} more{of_whom}: {group[0].message}"
            " (`snakemrs plan --json` names each)"
        )
    return lines


def error_content(error: SnakeMRSError) -> dict[str, Any]:
    """An error for a program: what `SnakeMRSError` has, by name."""
    parts = {name: getattr(error, name) for name in ("file", "participant", "line")}
    said = {name: None if (value := getattr(error, name)) is None else str(value) for name in _SAID}
    return {"message": error.message, **parts, **said}


_SAID = ("found", "expected", "remedy")
