"""Commands of the stage group: ``snakemrs stats`` (a model of a table) and ``snakemrs group`` (join and analyse)."""

from __future__ import annotations

from pathlib import Path

import click

from snakemrs.errors import RequestError


def _pairs(values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, sign, level = value.partition("=")
        if not sign:
            raise RequestError("a reference is written variable=level", found=value)
        pairs[name.strip()] = level.strip()
    return pairs


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--formula", required=True, help="The model; random intercepts as (1|group).")
@click.option(
    "--df",
    type=click.Choice(["kenward-roger", "satterthwaite", "residual"]),
    default="kenward-roger",
    show_default=True,
    help="Method of the degrees of freedom.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Table of estimates (TSV).")
@click.option("--anova", is_flag=True, help="Also type III F tests, to OUTPUT with _anova before .tsv.")
@click.option("--where", help="Use only these rows: a pandas query, as \"metabolite == 'Glx'\".")
@click.option("--reference", multiple=True, metavar="VARIABLE=LEVEL", help="Reference level (repeatable).")
@click.option(
    "--ar1", metavar="COLUMN", help="First-order autoregressive residuals along this column, in each session."
)
@click.option(
    "--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True, help="Of the intervals."
)
@click.option(
    "--allow", multiple=True, metavar="NAME", help="Override a refusal by its name (printed with the result)."
)
def stats(
    table: Path,
    formula: str,
    df: str,
    output: Path,
    anova: bool,
    where: str | None,
    reference: tuple[str, ...],
    ar1: str | None,
    confidence: float,
    allow: tuple[str, ...],
) -> None:
    """Fit a mixed model to the rows of TABLE (TSV) by REML and test its fixed effects.

    \b
    Example:
        snakemrs stats frames.tsv --df kenward-roger --output effects.tsv --formula \\
            "log(glx_tnaa) ~ condition*phase + period + sex + (1|participant) + (1|participant:session)"

    Models that would give a wrong answer are refused with the reason: frames without a term for their session,
    overlapping windows as rows, a period's baseline as covariate beside random participants, dates as predictors.
    """
    from snakemrs.group.mixed import fit_mixed
    from snakemrs.group.output import describe, read_frame, select, write_anova, write_estimates

    if output.suffix != ".tsv":
        raise RequestError("the output is a TSV table", found=output.name, expected="a name ending in .tsv")
    data = read_frame(table)
    if where:
        data = select(data, where, table)
    try:
        model = fit_mixed(
            data,
            formula,
            df,  # type: ignore[arg-type]
            reference=_pairs(reference),
            allow=allow,
            ar1=ar1,
            confidence=confidence,
        )
    except RequestError as error:
        error.file = error.file or str(table)
        raise
    write_estimates(output, model)
    if anova:
        write_anova(output.with_name(f"{output.stem}_anova.tsv"), model)
    click.echo(describe(model, anova=anova))


@click.command()
@click.option("--plan", type=click.Path(path_type=Path), required=True, help="The study's plan, work/plan.json.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder of the joined tables.")
@click.option("--settings", help="Section `group` of study.yaml, as JSON text or a file.")
def group(plan: Path, output: Path, settings: str | None) -> None:
    """Join the tables of all sessions with the design and the clinical scores, and run the declared analyses.

    \b
    Example:
        snakemrs group --plan STUDY/work/plan.json --output STUDY/derivatives/snakemrs/group

    Participants without all sessions or scores are kept and named; nothing is left out in silence.
    """
    from snakemrs.group.run import run_group
    from snakemrs.study.settings import load_settings
    from snakemrs.study.settings.group import GroupSettings

    for line in run_group(plan, output, load_settings(GroupSettings, settings)):
        click.echo(line)
