"""What the logger plugin changes in Snakemake."""

from __future__ import annotations

import copy
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import snakemake.api  # noqa: F401 - its modules import each other: only this one can be the first
from snakemake.dag import DAG
from snakemake.iocontainers import InputFiles, Namedlist
from snakemake.scheduling.job_scheduler import JobScheduler

from snakemake_logger_plugin_snakemrs import (
    expect_no_environments,
    share_empty_sets,
    share_what_is_equal,
    wake_only_when_needed,
)


def scheduler(free_jobs: int) -> Any:
    limiter = SimpleNamespace(timespan=0.01, get_free_jobs=lambda: free_jobs)
    return SimpleNamespace(job_rate_limiter=limiter, _open_jobs=threading.Semaphore(0))


def test_the_scheduler_sleeps_until_a_job_ends_where_no_job_is_held_back() -> None:
    wake_only_when_needed()
    ours = scheduler(free_jobs=98)
    JobScheduler._schedule_reevalutation(ours, 0.01)
    assert not ours._open_jobs.acquire(timeout=0.2)


def test_it_looks_again_after_a_while_where_the_limit_of_jobs_held_some_back() -> None:
    wake_only_when_needed()
    ours = scheduler(free_jobs=0)
    JobScheduler._schedule_reevalutation(ours, 0.01)
    assert ours._open_jobs.acquire(timeout=5)


def test_waiting_for_a_queue_of_inputs_is_left_as_it_is() -> None:
    wake_only_when_needed()
    ours = scheduler(free_jobs=98)
    JobScheduler._schedule_reevalutation(ours, 0.05)
    assert ours._open_jobs.acquire(timeout=5)


def test_options_are_not_worked_out_in_search_of_conda_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(DAG, "update_conda_envs", lambda graph: asked.append(graph))
    expect_no_environments()
    without, with_one = (
        SimpleNamespace(workflow=SimpleNamespace(rules=[SimpleNamespace(conda_env=env)])) for env in (None, "env.yaml")
    )
    for graph in (without, with_one):
        DAG.update_conda_envs(graph)
    assert asked == [with_one]


def test_lists_of_files_share_their_guards_and_keep_their_names() -> None:
    share_what_is_equal()
    one, other = InputFiles(fromdict={"svs": "a", "index": "b"}), InputFiles(fromdict={"svs": "c"})
    assert (one.svs, one.index, other.svs, list(one)) == ("a", "b", "c", ["a", "b"])
    assert one.sort is other.sort
    assert one._allowed_overrides is other._allowed_overrides
    for refused, name in ((other.index, "index"), (other.sort, "sort"), (copy.deepcopy(other).sort, "sort")):
        with pytest.raises(AttributeError, match=rf"{name}\(\) cannot be used"):
            refused()
    assert Namedlist(toclone=one).svs == "a"


def test_jobs_share_the_sets_that_are_empty_and_keep_the_others() -> None:
    names = ("temp_output", "protected_output", "touch_output", "pipe_or_service_output", "_queue_input")
    one, other = (SimpleNamespace(**{name: set() for name in names}) for _ in range(2))
    one.temp_output.add("file")
    for job in (one, other):
        share_empty_sets(job)
    assert one.temp_output == {"file"}
    assert other.temp_output is one.touch_output is other.touch_output
    assert not other.temp_output
