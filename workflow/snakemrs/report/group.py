"""The page of the group: who finished, quality of all, concentrations, effects, and how they depend on choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from snakemrs.errors import SnakeMRSError
from snakemrs.report import words
from snakemrs.report.figures import cohort, effects
from snakemrs.report.inputs import GroupInputs, Reader, Table, unique
from snakemrs.report.page import render
from snakemrs.report.participant import plain_grid
from snakemrs.report.tables import Download, Grid, badge, download
from snakemrs.study.settings.report import ReportSettings

STATUS = {"done": "pass", "finished": "pass", "ok": "pass", "complete": "pass", "excluded": "warn", "failed": "fail",
          "missing": "n/a", "to do": "n/a", "n/a": "n/a"}  # fmt: skip
MOST_ROWS = 400
"""Longer tables are shown up to here and downloaded whole."""


@dataclass
class Statistic:
    """One table of results with its figure."""

    title: str
    grid: Grid
    figure: Markup | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class Content:
    """What the template of the group shows."""

    counts: list[tuple[str, str]] = field(default_factory=list)
    figures: dict[str, Markup] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)
    statistics: list[Statistic] = field(default_factory=list)
    not_done: list[str] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)


def group_page(inputs: GroupInputs, settings: ReportSettings) -> str:
    """Make the page of the group, complete in itself."""
    reader = Reader()
    content = Content()
    folder = inputs.folder

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
    flow = reader.table(folder / "flow.tsv") or reader.table(folder / "consort.tsv")
    if flow is not None and flow.rows:
        content.grids["flow"] = plain_grid(flow, "Flow by sequence and period")
    quality = reader.table(folder / "quality.tsv")
    if quality is not None and quality.rows:
        add("quality", "Quality of all", lambda: cohort.quality_charts(quality, "quality"))
        content.grids["quality"] = shortened(quality, "Quality of all spectra")
    concentrations = reader.table(folder / "concentrations.tsv")
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
    clinical = reader.table(folder / "clinical.tsv")
    if clinical is not None and clinical.rows:
        add("clinical", "Clinical scores", lambda: cohort.clinical_chart(clinical, "clinical"))
        content.grids["clinical"] = shortened(clinical, "Clinical scores")
    for n, path in enumerate(sorted((folder / "statistics").rglob("*.tsv"))):
        table = reader.table(path)
        if table is not None and table.rows:
            content.statistics.append(_statistic(table, str(path.relative_to(folder / "statistics")), f"statistic{n}"))
    if not content.statistics:
        content.not_done.append("Statistics: there is no table of results")
    for path in sorted((folder / "sensitivity").rglob("*.tsv")):
        table = reader.table(path)
        if table is None or not table.rows:
            continue
        curve = effects.specification_chart(table, "specification")
        if curve is not None:
            content.figures["specification"] = curve.html()
        content.grids.setdefault("sensitivity", shortened(table, "The primary effect under each choice"))
    shown = (completeness, quality, concentrations, clinical)
    content.downloads = [d for d in (download(t.path, t.rows) for t in shown if t is not None) if d]
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
        unblinded=inputs.unblinded,
    )


def shortened(table: Table, caption: str) -> Grid:
    """Give a table up to `MOST_ROWS` rows; the download has all."""
    if len(table.rows) <= MOST_ROWS:
        return plain_grid(table, caption)
    grid = plain_grid(Table(table.path, table.rows[:MOST_ROWS], table.dictionary), caption)
    grid.caption = f"{caption}: the first {MOST_ROWS} of n = {len(table.rows)} rows; the download has all."
    grid.download = download(table.path, table.rows)
    return grid


def _status(row: Mapping[str, str]) -> str:
    return row.get("status", "n/a").lower()


def counts(completeness: Table, inputs: GroupInputs) -> list[tuple[str, str]]:
    """Count participants and sessions: all, complete, with a failure, with an exclusion."""
    people: dict[str, set[str]] = {}
    sessions: dict[tuple[str, str], set[str]] = {}
    for row in completeness.rows:
        person = row.get("participant", "").removeprefix("sub-")
        people.setdefault(person, set()).add(_status(row))
        sessions.setdefault((person, row.get("session", "")), set()).add(_status(row))
    good = {name for name, verdict in STATUS.items() if verdict == "pass"}

    def tally(units: Mapping[Any, set[str]]) -> tuple[int, int, int, int]:
        complete = sum(states <= good for states in units.values())
        failed = sum("failed" in states for states in units.values())
        excluded = sum("excluded" in states and "failed" not in states for states in units.values())
        return len(units), complete, failed, excluded

    found = []
    for name, (total, complete, failed, excluded) in (("participants", tally(people)), ("sessions", tally(sessions))):
        parts = [f"{complete} complete", f"{failed} with a failed step", f"{excluded} with an exclusion"]
        rest = total - complete - failed - excluded
        found.append((f"{total} {name}", ", ".join(parts + ([f"{rest} incomplete"] if rest else []))))
    absent = set(inputs.participants) - set(people)
    if absent:
        found.append((f"{len(absent)} without any row", ", ".join(sorted(absent))))
    return found


def completeness_grid(table: Table, inputs: GroupInputs) -> Grid:
    """Give participants and sessions by stages."""
    stages = list(dict.fromkeys(row.get("stage", "") for row in table.rows))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in table.rows:
        unit = (row.get("participant", "").removeprefix("sub-"), row.get("session", "").removeprefix("ses-"))
        stage, status = row.get("stage", ""), _status(row)
        known = cells.setdefault(unit, {}).get(stage)
        order = ["fail", "warn", "n/a", "pass"]
        if known is None or order.index(STATUS.get(status, "n/a")) < order.index(STATUS.get(known, "n/a")):
            cells[unit][stage] = status
    body = []
    for (person, session), states in sorted(cells.items()):
        page = inputs.pages.get(person)
        name = Markup('<a href="{}">sub-{}</a>').format(page, person) if page else f"sub-{person}"
        shown = [_state(states[stage]) if stage in states else "" for stage in stages]
        body.append([name, session or "n/a", *shown])
    return Grid(
        ["Participant", "Session", *stages], body, f"n = {len(body)} sessions.", download(table.path, table.rows)
    )


def _state(status: str) -> Markup:
    mark = badge(STATUS.get(status, "n/a"))
    return Markup(str(mark).rsplit("</b>", 1)[0] + "</b> ") + Markup("{}</span>").format(status)


def reasons_grid(table: Table) -> Grid:
    """List what is not done, each with its reason."""
    body = [
        [f"sub-{row.get('participant', '').removeprefix('sub-')}", row.get("session", ""), row.get("stage", ""),
         _state(_status(row)), row.get("reason", "n/a")]
        for row in table.rows
        if STATUS.get(_status(row), "n/a") != "pass"
    ]  # fmt: skip
    return Grid(["Participant", "Session", "Stage", "Status", "Reason"], body, f"n = {len(body)} not done or excluded.")


def _statistic(table: Table, name: str, identifier: str) -> Statistic:
    title = name.removesuffix(".tsv").replace("_", " ").replace("/", ": ")
    model = table.dictionary.get("Model")
    notes = table.notes()
    if isinstance(model, Mapping):
        formula = model.get("formula") or model.get("Formula")
        if formula:
            notes.insert(0, f"Model: {formula}")
        warnings = model.get("warnings") or model.get("Warnings") or []
        notes += [str(w) for w in (warnings if isinstance(warnings, list) else [warnings])]
    grid = shortened(table, title.capitalize())
    for column in ("p", "p_holm", "p_bh", "p_adjusted"):
        if column in table.columns:
            index = table.columns.index(column)
            for row, value in zip(grid.rows, table.numbers(column), strict=False):
                row[index] = words.p_value(value)  # type: ignore[index]
    figure = effects.forest_chart(table, identifier)
    return Statistic(title, grid, figure.html() if figure is not None else None, notes)
