"""The view of a running study: one calm table in a terminal, plain lines in a log."""

from __future__ import annotations

import time
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
    """Stages with their counts, what runs now, what failed, time left."""

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

        table = Table(box=None, pad_edge=False)
        for heading in ("stage", "done", "of", "", "now"):
            table.add_column(heading, justify="right" if heading in ("done", "of") else "left")
        jobs = [job for job in record.jobs.values() if job.rule in STAGE_OF_RULE]
        for stage in ORDER:
            total = sum(n for rule, n in record.totals.items() if STAGE_OF_RULE.get(rule) == stage)
            if not total:
                continue
            own = [job for job in jobs if job.stage == stage]
            done = sum(job.state == "done" for job in own)
            failed = sum(job.state == "failed" for job in own)
            bar = "█" * round(20 * done / total) + "░" * (20 - round(20 * done / total))
            now = ", ".join(job.name for job in own if job.state == "running")[:60]
            table.add_row(stage, str(done), str(total), bar + (f" {failed} failed" if failed else ""), now)
        table.caption = self._remaining(jobs, record)
        self._live.update(table)

    def _remaining(self, jobs: list[Job], record: Record) -> str:
        total = sum(n for rule, n in record.totals.items() if rule in STAGE_OF_RULE)
        ended = sum(job.state in ("done", "failed") for job in jobs)
        elapsed = time.time() - self._started
        left = f", about {max(1, round(elapsed / ended * (total - ended) / 60))} min left" if 3 < ended < total else ""
        return f"{ended} of {total} jobs, {elapsed / 60:.1f} min{left}"


def make_view() -> PlainView | LiveView:
    """The view that suits the place: live in a terminal, lines elsewhere."""
    import os

    return LiveView() if os.isatty(2) and os.environ.get("TERM") not in (None, "dumb") else PlainView()
