"""The view of a running study: one calm table in a terminal, plain lines in a log."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any

import click

from snakemrs.cli.snakemake import STAGE_OF_RULE, Job, Record

ORDER = ("ingest", "anatomy", "spectra", "voxel", "fit", "quantify", "group", "report")


class PlainView:
    """A line a finished or failed job."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, record: Record) -> None:
        """Say what is new."""
        total = sum(n for rule, n in record.totals.items() if rule in STAGE_OF_RULE)
        for jobid, job in record.jobs.items():
            if job.rule in STAGE_OF_RULE and job.state in ("done", "failed") and self._said.get(jobid) != job.state:
                self._said[jobid] = job.state
                count = f"[{len(self._said)}/{total}]" if total else ""
                click.echo(
                    f"{count} {job.stage} {job.name}: {job.state} ({job.finished - job.started:.1f} s)", err=True
                )


class LiveView:
    """Participants × stages: who is worked on, who failed; the sums of all; time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._started = time.time()
        self._live = Live(console=Console(stderr=True), refresh_per_second=4, transient=False)

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._live.__exit__(*exc)

    def update(self, record: Record) -> None:
        """Draw anew."""
        from rich.table import Table

        stages, rows, left_out = grid(record, self._live.console.height - 6)
        table = Table(box=None, pad_edge=False)
        table.add_column("")
        for stage in stages:
            table.add_column(stage, min_width=8)
        for name, cells in rows:
            table.add_row(name, *cells, style="red" if any("failed" in cell for cell in cells) else None)
        caption = remaining(record, time.time() - self._started)
        table.caption = caption + (f"; {left_out} more participants begun" if left_out else "")
        self._live.update(table)


def grid(record: Record, height: int) -> tuple[list[str], list[tuple[str, list[str]]], int]:
    """The table of a running study.

    Parameters
    ----------
    record : Record
        What the run has said so far.
    height : int
        Lines there are for participants.

    Returns
    -------
    stages : list of str
        Those with jobs in this run, in the order of a study.
    rows : list of (name, cells)
        First the sums of all participants, then a line each for those who are worked on or have failed, and for those
        last done where there is room. Participants stand in their order, so that lines do not jump.
    left_out : int
        Participants begun for whom there was no room.
    """
    jobs = [job for job in record.jobs.values() if job.rule in STAGE_OF_RULE]
    totals = {stage: sum(n for r, n in record.totals.items() if STAGE_OF_RULE.get(r) == stage) for stage in ORDER}
    stages = [stage for stage in ORDER if totals[stage]]
    done = Counter(job.stage for job in jobs if job.state == "done")
    rows = [("all", [f"{done[stage]}/{totals[stage]}" for stage in stages])]
    by_participant: dict[str, list[Job]] = {}
    for job in jobs:
        if found := re.match(r"sub-[A-Za-z0-9]+", job.unit):
            by_participant.setdefault(found.group(), []).append(job)
    urgency = {name: _urgency(own) for name, own in by_participant.items()}
    shown = sorted(sorted(by_participant), key=urgency.__getitem__, reverse=True)[: max(height, 1)]
    rows += [
        (name, [_cell([j for j in by_participant[name] if j.stage == s]) for s in stages]) for name in sorted(shown)
    ]
    return stages, rows, len(by_participant) - len(shown)


def _urgency(jobs: list[Job]) -> tuple[int, float]:
    """Failed before running before done; what is done, by when."""
    states = {job.state for job in jobs}
    rank = 2 if "failed" in states else 1 if "running" in states else 0
    return rank, max(job.finished for job in jobs)


def _cell(jobs: list[Job]) -> str:
    """A participant's stage in a word."""
    states = Counter(job.state for job in jobs)
    if states["failed"]:
        return "failed"
    if states["running"]:
        return "now"
    return f"{states['done']} done" if states["done"] else "·"


def remaining(record: Record, elapsed: float) -> str:
    """How far the run is, and the time left, once there is something to judge it by."""
    total = sum(n for rule, n in record.totals.items() if rule in STAGE_OF_RULE)
    ended = sum(job.state in ("done", "failed") for job in record.jobs.values() if job.rule in STAGE_OF_RULE)
    left = f", about {max(1, round(elapsed / ended * (total - ended) / 60))} min left" if 3 < ended < total else ""
    return f"{ended} of {total} jobs, {elapsed / 60:.1f} min{left}"


def make_view() -> PlainView | LiveView:
    """The view that suits the place: live in a terminal, lines elsewhere."""
    import os

    return LiveView() if os.isatty(2) and os.environ.get("TERM") not in (None, "dumb") else PlainView()
