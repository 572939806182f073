"""The page of the group: who finished, quality of all, concentrations, effects, and how they depend on choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from snakemrs.errors import SnakeMRSError
from snakemrs.report.figures import cohort, effects
from snakemrs.report.grids import MOST_ROWS, plain_grid, shortened
from snakemrs.report.inputs import GroupInputs, Reader, Table, unique
from snakemrs.report.methods.checklists import mrsinmrs
from snakemrs.report.methods.text import paragraphs
from snakemrs.report.page import render
from snakemrs.report.statistics import Statistic, statistics
from snakemrs.report.tables import Grid, badge, download
from snakemrs.study.settings.report import ReportSettings

STATUS = {"done": "pass", "finished": "pass", "ok": "pass", "complete": "pass", "excluded": "warn", "failed": "fail",
          "missing": "n/a", "to do": "n/a", "n/a": "n/a"}  # fmt: skip


@dataclass
class Content:
    """What the template of the group shows."""

    counts: list[tuple[str, str]] = field(default_factory=list)
    figures: dict[str, Markup] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)
    statistics: list[Statistic] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    methods: list[tuple[str, str]] = field(default_factory=list)
    not_done: list[str] = field(default_factory=list)


def group_page(inputs: GroupInputs, settings: ReportSettings) -> str:
    """Make the page of the group, complete in itself."""
    reader = Reader()
    content = Content()
    folder = inputs.folder
    # The masked results stay where they are; the opened ones are copies with the treatments' names.
    opened = folder / "unblinded" if inputs.unblinded is not None and (folder / "unblinded").is_dir() else folder
    key = (inputs.unblinded or {}).get("key", {})

    def read(path: Path) -> Table | None:
        """Read a table; conditions by their names once the key is open."""
        table = reader.table(path)
        return table if table is None or not key else named(table, key)

    def add(key: str, what: str, make: Callable[[], Any], missing: str = "") -> None:
        try:
            made = make()
        except (SnakeMRSError, ValueError, KeyError, IndexError) as error:
            text = error.message if isinstance(error, SnakeMRSError) else f"{type(error).__name__}: {error}"
            content.not_done.append(f"{what}: {text}")
            return
        if made is None:
            if missing:
                content.not_done.append(f"{what}: {missing}")
            return
        content.figures[key] = made.html() if hasattr(made, "html") else made

    completeness = reader.table(folder / "completeness.tsv")
    if completeness is not None and completeness.rows:
        content.grids["completeness"] = completeness_grid(completeness, inputs)
        content.grids["reasons"] = reasons_grid(completeness)
        content.counts = counts(completeness, inputs)
    else:
        content.not_done.append("Who finished: the table completeness.tsv is not there")
    flow = reader.table(opened / "flow.tsv")
    if flow is not None and flow.rows:
        content.grids["flow"] = plain_grid(flow, "Participants at each step", counted=False)
    lines = reader.table(opened / "flow_participants.tsv")
    if lines is not None and (lost := [row for row in lines.rows if row.get("reason", "n/a") != "n/a"]):
        content.grids["lost"] = shortened(
            Table(lines.path, lost, lines.dictionary), "Who did not get to each step, and why"
        )
    quality = reader.table(folder / "quality.tsv")
    if quality is not None and quality.rows:
        add("quality", "Quality of all", lambda: cohort.quality_charts(quality, "quality"))
        content.grids["quality"] = shortened(quality, "Quality of all spectra")
    concentrations = read(folder / "concentrations.tsv")
    if concentrations is not None and concentrations.rows:
        add(
            "concentrations",
            "Concentrations",
            lambda: cohort.concentrations_chart(concentrations, "concentrations", settings.metabolites),
            "no concentration is known",
        )
        add(
            "course",
            "Time course",
            lambda: cohort.course_chart(
                concentrations, "course", settings.numerator, settings.denominator, settings.interval
            ),
            f"no frames with {settings.numerator}/{settings.denominator}",
        )
        content.grids["concentrations"] = shortened(concentrations, "Concentrations of all")
        content.not_done += concentrations.notes()
    clinical = read(folder / "clinical.tsv")
    if clinical is not None and clinical.rows:
        add("clinical", "Clinical scores", lambda: cohort.clinical_chart(clinical, "clinical"))
        content.grids["clinical"] = shortened(clinical, "Clinical scores")
        frames = read(folder / "frames.tsv")
        if frames is not None and frames.rows:
            outcome = f"{settings.numerator}_{settings.denominator}".lower()
            add(
                "association",
                "Change of metabolite and of score",
                lambda: cohort.association_chart(frames, clinical, "association", outcome, inputs.phases),
            )
    content.statistics, content.statements = statistics(reader, opened / "statistics")
    if not content.statistics:
        content.not_done.append("Effects: there is no table of results")
    choices = reader.table(opened / "sensitivity" / "specifications.tsv")
    if choices is not None and choices.rows:
        add("specification", "Specification curve", lambda: effects.specification_chart(choices, "specification"))
        content.grids["sensitivity"] = shortened(choices, "The primary effect under each choice")
    agreement = reader.table(opened / "sensitivity" / "agreement.tsv")
    if agreement is not None and agreement.rows:
        content.grids["agreement"] = plain_grid(
            agreement,
            "Share of choices with the sign and verdict of the primary; among all, leaving out each participant counts "
            "as one choice, which agrees if every one of these rows does",
        )
    excluded = reader.table(folder / "excluded.tsv")
    if excluded is not None and excluded.rows:
        content.grids["excluded"] = shortened(excluded, "Left out of the analyses by a rule of quality")
    if inputs.evidence is not None:
        content.methods = paragraphs(inputs.evidence)
        content.grids["mrsinmrs"] = mrsinmrs_grid(inputs.evidence)
    content.not_done = unique(content.not_done)
    pages = [(label, inputs.pages.get(label)) for label in inputs.participants]
    return render(
        "group.html.j2",
        study=settings.title or inputs.study,
        content=content,
        pages=pages,
        failures=list(inputs.failures.items()),
        problems=reader.problems,
        changed=inputs.changed,
        versions=list(inputs.versions.items()),
        command=inputs.command,
        images=list(inputs.images.items()),
        unblinded=inputs.unblinded,
    )


def mrsinmrs_grid(evidence: Any) -> Grid:
    """Give the reporting checklist; what is missing says so."""
    meaning = {"filled": "pass", "partly": "warn", "missing": "fail"}
    rows = mrsinmrs(evidence)
    body = [
        [row["item"], row["value"] or "", badge(meaning.get(str(row["status"]), "n/a"), str(row["status"]))]
        for row in rows
    ]
    missing = sum(row["status"] == "missing" for row in rows)
    caption = f"MRSinMRS (Lin et al. 2021): n = {len(rows)} items, {missing} missing in the study's files."
    return Grid(["Item", "Value", "Status"], body, caption)


def named(table: Table, key: Mapping[str, str]) -> Table:
    """Give conditions the names of the treatments."""
    if "condition" not in table.columns:
        return table
    rows = [{**row, "condition": key.get(row["condition"], row["condition"])} for row in table.rows]
    return Table(table.path, rows, table.dictionary)


def _status(row: Mapping[str, str]) -> str:
    return row.get("status", "n/a").lower()


def counts(completeness: Table, inputs: GroupInputs) -> list[tuple[str, str]]:
    """Count participants and sessions: all, complete, with a failure, with an exclusion.

    A stage that does not apply (status ``n/a``) counts neither way.
    """
    people: dict[str, set[str]] = {}
    sessions: dict[tuple[str, str], set[str]] = {}
    for row in completeness.rows:
        person = row.get("participant", "").removeprefix("sub-")
        people.setdefault(person, set()).add(_status(row))
        sessions.setdefault((person, row.get("session", "")), set()).add(_status(row))
    good = {name for name, verdict in STATUS.items() if verdict == "pass"} | {"n/a"}

    def tally(units: Mapping[Any, set[str]]) -> tuple[int, int, int, int]:
        complete = sum(states <= good for states in units.values())
        failed = sum("failed" in states for states in units.values())
        excluded = sum("excluded" in states and "failed" not in states for states in units.values())
        return len(units), complete, failed, excluded

    found = []
    for name, (total, complete, failed, excluded) in (("participants", tally(people)), ("sessions", tally(sessions))):
        parts = [f"{complete} complete", f"{failed} with a failed step", f"{excluded} with an exclusion"]
        rest = total - complete - failed - excluded
        found.append((f"{total} {name}", ", ".join(parts + ([f"{rest} with a missing step"] if rest else []))))
    absent = set(inputs.participants) - set(people)
    if absent:
        found.append((f"{len(absent)} without any row", ", ".join(sorted(absent))))
    return found


def completeness_grid(table: Table, inputs: GroupInputs) -> Grid:
    """Give spectra (or sessions, where the table knows no spectra) by stages."""
    stages = list(dict.fromkeys(row.get("stage", "") for row in table.rows))
    by_spectrum = "spectrum" in table.columns
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in table.rows:
        person = row.get("participant", "").removeprefix("sub-")
        unit = (person, row.get("session", "").removeprefix("ses-"), row.get("spectrum", ""))
        stage, status = row.get("stage", ""), _status(row)
        known = cells.setdefault(unit, {}).get(stage)
        order = ["fail", "warn", "n/a", "pass"]
        if known is None or order.index(STATUS.get(status, "n/a")) < order.index(STATUS.get(known, "n/a")):
            cells[unit][stage] = status
    body = []
    for (person, session, spectrum), states in sorted(cells.items()):
        page = inputs.pages.get(person)
        name = Markup('<a href="{}">sub-{}</a>').format(page, person) if page else f"sub-{person}"
        where = _short_stem(spectrum, person, session) if by_spectrum else ""
        shown = ["" if states.get(stage, "n/a") == "n/a" else _state(states[stage]) for stage in stages]
        body.append([name, session or "n/a", *([where] if by_spectrum else []), *shown])
    heads = ["Participant", "Session", *(["Spectrum"] if by_spectrum else []), *stages]
    caption = f"n = {len(body)} {'spectra' if by_spectrum else 'sessions'}; empty: does not apply."
    return Grid(heads, body, caption, download(table.path, table.rows))


def _short_stem(stem: str, person: str, session: str) -> str:
    """What tells a spectrum from the others of its session."""
    kept = [part for part in stem.split("_") if part not in (f"sub-{person}", f"ses-{session}")]
    return " ".join(kept) or stem


def _state(status: str) -> Markup:
    return badge(STATUS.get(status, "n/a"), status)


def reasons_grid(table: Table) -> Grid:
    """List what failed, is missing or was excluded, each with its reason; one line where a whole session shares it."""
    body: list[list[Any]] = []
    for row in table.rows:
        status = _status(row)
        if status == "n/a" or STATUS.get(status, "n/a") == "pass":
            continue
        person, session = row.get("participant", "").removeprefix("sub-"), row.get("session", "")
        where = _short_stem(row.get("spectrum", ""), person, session)
        body.append([f"sub-{person}", session, where, row.get("stage", ""), _state(status), row.get("reason", "n/a")])
    heads = ["Participant", "Session", "Spectrum", "Stage", "Status", "Reason"]
    caption = f"n = {len(body)} failed, missing or excluded."
    if len(body) > MOST_ROWS:
        caption = f"The first {MOST_ROWS} of n = {len(body)}; the table of participants and stages has all to download."
    return Grid(heads, body[:MOST_ROWS], caption)
