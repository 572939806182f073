"""Snakemake's events as JSON lines: with the executor plugin, the one place that imports Snakemake.

Snakemake finds it by its name (``--logger snakemrs``). It appends to the file that SNAKEMRS_EVENTS names, which
`snakemrs.cli` follows: counts for the dry run, progress, failures with their logs, under every executor.
"""

from __future__ import annotations

import gc
import json
import os
from contextlib import suppress
from logging import LogRecord
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

_FIELDS = (
    "stats",
    "jobid",
    "job_id",
    "jobids",
    "job_ids",
    "rule_name",
    "wildcards",
    "reason",
    "log",
    "output",
    "done",
    "total",
    "threads",
)
_WANTED = {
    LogEvent.JOB_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.JOB_FINISHED,
    LogEvent.JOB_ERROR,
    LogEvent.GROUP_ERROR,
    LogEvent.PROGRESS,
    LogEvent.ERROR,
    LogEvent.RUN_INFO,
}


def spare_the_graph() -> None:
    """Look for garbage more seldom: the graph of a thousand participants is a million objects that all stay.

    Python's own thresholds go through them again and again, for a sixth of a dry run's time.
    """
    gc.set_threshold(200_000, 50, 1000)


def share_what_is_equal() -> None:
    """Let jobs share what is the same for all of them: a tenth of the memory of a graph.

    Each job of Snakemake's (9.27) has five sets, of temporary files and the like, and some six lists of files or
    parameters, with two guards and a list of names each. The sets are filled when a job is made, and only read after.
    """
    try:
        from snakemake.iocontainers import AttributeGuard, Namedlist
        from snakemake.jobs import Job
    except ImportError:  # another Snakemake
        return
    if getattr(Job.__init__, "shares", False):
        return
    make_job, make_list, guards, names = Job.__init__, Namedlist.__init__, {}, ["index", "sort"]

    def guard(cls: Any, name: str = "") -> Any:
        """The one guard of that name; without a name one of its own, to be copied into."""
        return guards.setdefault(name, object.__new__(cls)) if name else object.__new__(cls)

    def init_list(self: Any, *args: Any, **options: Any) -> None:
        make_list(self, *args, **options)
        if getattr(self, "_allowed_overrides", None) == names:
            self._allowed_overrides = names

    def init_job(self: Any, *args: Any, **options: Any) -> None:
        make_job(self, *args, **options)
        share_empty_sets(self)

    init_job.shares = True  # type: ignore[attr-defined]
    AttributeGuard.__new__, Namedlist.__init__, Job.__init__ = guard, init_list, init_job


_NOTHING: frozenset[Any] = frozenset()
_SETS = ("temp_output", "protected_output", "touch_output", "pipe_or_service_output", "_queue_input")


def share_empty_sets(job: Any) -> None:
    """Replace those sets of a job that are empty by one that cannot be added to."""
    for name in _SETS:
        if getattr(job, name, None) == _NOTHING:
            setattr(job, name, _NOTHING)


def announce_slurm_jobs() -> None:
    """Let the Slurm executor announce its jobs, as every other executor does.

    Its ``run_jobs`` (2.6) replaces that of the base class and leaves out the announcement: without it there is no
    job_info, and so neither progress nor the name of what failed.
    """
    try:
        from snakemake_executor_plugin_slurm import Executor
    except ImportError:  # not installed: then nobody asks for it
        return
    submit = Executor.run_jobs
    if getattr(submit, "announces", False):
        return

    def run_jobs(self: Any, jobs: list[Any]) -> None:
        for job in jobs:
            self.printjob(job)
        submit(self, jobs)

    run_jobs.announces = True  # type: ignore[attr-defined]
    Executor.run_jobs = run_jobs


def wake_only_when_needed() -> None:
    """Let the scheduler look again after a while only where the limit of jobs a second held jobs back.

    Snakemake's scheduler (9.27) sets a timer each time it has looked, which makes it look again and set the next; the
    end of each job begins another such chain. After some hundred jobs it looks at all ready jobs hundreds of times a
    second, and a processor does nothing else. The end of a job wakes it without any timer.
    """
    try:
        from snakemake.scheduling.job_scheduler import JobScheduler
    except ImportError:  # another Snakemake, with another scheduler
        return
    later = getattr(JobScheduler, "_schedule_reevalutation", None)
    if later is None or getattr(later, "is_spared", False):
        return

    def schedule(self: Any, delay: float) -> None:
        limiter = self.job_rate_limiter
        if limiter is not None and delay == limiter.timespan and limiter.get_free_jobs() > 0:
            return
        later(self, delay)

    schedule.is_spared = True  # type: ignore[attr-defined]
    JobScheduler._schedule_reevalutation = schedule


def expect_no_environments() -> None:
    """Let Snakemake look for conda environments only where a rule has one: no step of ours does.

    To see whether a job has one it (9.27) works out the options of all jobs, which a dry run needs for nothing else,
    and keeps them.
    """
    try:
        from snakemake.dag import DAG
    except ImportError:  # another Snakemake
        return
    update = getattr(DAG, "update_conda_envs", None)
    if update is None or getattr(update, "is_spared", False):
        return

    def update_where_any(self: Any) -> None:
        if any(rule.conda_env for rule in self.workflow.rules):
            update(self)

    update_where_any.is_spared = True  # type: ignore[attr-defined]
    DAG.update_conda_envs = update_where_any


class LogHandler(LogHandlerBase):  # type: ignore[misc]
    """Append the events that SnakeMRS follows to a file."""

    def __post_init__(self) -> None:
        spare_the_graph()
        self.path = os.environ.get("SNAKEMRS_EVENTS", os.devnull)
        self.stream = open(self.path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - a line at a time, to the end
        share_what_is_equal()
        announce_slurm_jobs()
        wake_only_when_needed()
        expect_no_environments()

    def emit(self, record: LogRecord) -> None:
        """Write one event as one line."""
        event = getattr(record, "event", None)
        if event not in _WANTED:
            return
        line: dict[str, Any] = {"event": str(event), "time": record.created}
        for name in _FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = value
        if event == LogEvent.ERROR:
            line["message"] = record.getMessage()
        # On a full disk the line waits in the buffer until there is room; an error here would end all reporting.
        with suppress(OSError):
            self.stream.write(json.dumps(line, default=str) + "\n")

    @property
    def writes_to_stream(self) -> bool:
        """Snakemake keeps its own stream."""
        return False

    @property
    def writes_to_file(self) -> bool:
        """Events go to a file."""
        return True

    @property
    def baseFilename(self) -> str:  # noqa: N802 - Snakemake asks file handlers for it by logging's name
        """The file that is written."""
        return self.path

    @property
    def has_filter(self) -> bool:
        """All events arrive; `emit` chooses."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Events are written as JSON."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """No graph is drawn."""
        return False
