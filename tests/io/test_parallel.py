"""Work shared out to all processors gives what it gives on one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from snakemrs.io import parallel
from snakemrs.io.parallel import on_all_processors

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors, asked from the beginning."""
    monkeypatch.setattr(parallel, "ALONE", 0.0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)


def test_work_of_less_than_a_second_is_done_here() -> None:
    assert list(on_all_processors(lambda n: (n, os.getpid()), range(50))) == [(n, os.getpid()) for n in range(50)]


@linux
@pytest.mark.usefixtures("at_once")
def test_results_come_in_the_order_of_the_items_from_other_processes() -> None:
    offset = 100  # a closure
    found = list(on_all_processors(lambda n: (n + offset, os.getpid()), range(50)))
    assert [value for value, _ in found] == list(range(100, 150))
    assert os.getpid() not in {process for _, process in found}


@linux
@pytest.mark.usefixtures("at_once")
def test_where_a_process_is_killed_the_rest_is_done_here() -> None:
    here = os.getpid()

    def work(n: int) -> int:
        if n == 7 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    assert list(on_all_processors(work, range(20))) == list(range(20))


@linux
def test_the_processes_end_with_the_one_that_started_them() -> None:
    program = (
        "import time; from snakemrs.io import parallel; parallel.ALONE = 0\n"
        "import os; os.sched_getaffinity = lambda pid: {0, 1}\n"
        "list(parallel.on_all_processors(lambda n: time.sleep(60), range(4)))"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        workers: list[psutil.Process] = []
        end = time.monotonic() + 20
        while len(workers) < 2 and time.monotonic() < end:
            time.sleep(0.05)
            workers = psutil.Process(parent.pid).children()
        assert len(workers) == 2
        time.sleep(0.3)  # until they have said that they want to end with it
        parent.kill()
    gone, left = psutil.wait_procs(workers, timeout=10)
    assert (len(gone), left) == (2, [])
