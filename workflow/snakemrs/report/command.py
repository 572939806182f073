"""Command of the stage report: ``snakemrs report participant|group|methods``."""

from __future__ import annotations

from pathlib import Path

import click

from snakemrs.study.settings import load_settings
from snakemrs.study.settings.report import ReportSettings

_PLAN = click.option(
    "--plan", "plan_path", type=click.Path(path_type=Path), required=True, help="work/plan.json of the study."
)
_SETTINGS = click.option(
    "--settings", help="JSON text or a file: section `report` of study.yaml; the plan's where not given."
)


@click.group()
def report() -> None:
    """Make the pages of participants and of the group.

    \b
    Example:
        snakemrs report participant --plan STUDY/work/plan.json --participant 01 --output sub-01.html
        snakemrs report group --plan STUDY/work/plan.json --output index.html
        snakemrs report methods --plan STUDY/work/plan.json --output DIR

    Each page is one file that opens offline: figures, tables to download and the script that zooms are inside.
    """


@report.command()
@_PLAN
@click.option("--participant", required=True, help="Label, with or without sub-.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Page to write (.html).")
@_SETTINGS
def participant(plan_path: Path, participant: str, output: Path, settings: str | None) -> None:
    """Make the page of one participant.

    \b
    Example:
        snakemrs report participant --plan STUDY/work/plan.json --participant 01 --output sub-01.html
    """
    from snakemrs.io.atomic import write_text
    from snakemrs.report.from_plan import open_plan, participant_inputs, report_settings
    from snakemrs.report.participant import participant_page

    study, plan = open_plan(plan_path)
    command = f"snakemrs report participant --participant {participant}"
    inputs = participant_inputs(study, plan, participant, command)
    given = load_settings(ReportSettings, settings) if settings else None
    write_text(output, participant_page(inputs, report_settings(plan, given)))
    click.echo(output)


@report.command()
@_PLAN
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Page to write (.html).")
@click.option(
    "--with-pages",
    is_flag=True,
    help="Also show, on the participants' pages beside OUTPUT, where each spectrum's quality stands among the study's.",
)
@_SETTINGS
def group(plan_path: Path, output: Path, with_pages: bool, settings: str | None) -> None:
    """Make the page of the group.

    \b
    Example:
        snakemrs report group --plan STUDY/work/plan.json --output index.html
    """
    from snakemrs.io.atomic import write_text
    from snakemrs.report.distribution import refresh_pages
    from snakemrs.report.from_plan import group_inputs, open_plan, participant_inputs, report_settings
    from snakemrs.report.group import group_page

    study, plan = open_plan(plan_path)
    inputs = group_inputs(study, plan, output, "snakemrs report group")
    given = load_settings(ReportSettings, settings) if settings else None
    if with_pages:  # first: the page of the group must be newer than those that it was made after
        people = [participant_inputs(study, plan, label) for label in plan.participants]
        refresh_pages(output.parent, inputs.folder / "quality.tsv", people)
    write_text(output, group_page(inputs, report_settings(plan, given)))
    click.echo(output)


@report.command()
@_PLAN
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@_SETTINGS
def methods(plan_path: Path, output: Path, settings: str | None) -> None:
    """Write methods text (Markdown, LaTeX), bibliography and reporting checklists.

    \b
    Example:
        snakemrs report methods --plan STUDY/work/plan.json --output STUDY/derivatives/snakemrs

    Gives methods.md, methods.tex, references.bib, mrsinmrs.tsv, consort.tsv and CITATION.cff, filled from the records
    of the steps that ran. What the files do not say is listed as missing.
    """
    from snakemrs.report.from_plan import evidence_of, open_plan, report_settings
    from snakemrs.report.methods.write import write_methods

    study, plan = open_plan(plan_path)
    given = load_settings(ReportSettings, settings) if settings else None
    for path in write_methods(output, evidence_of(study, plan), plan.name, report_settings(plan, given)):
        click.echo(path)
