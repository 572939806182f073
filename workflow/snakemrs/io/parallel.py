"""Work on many files at once, on all processors of this machine."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ALONE = 1.0
"""Seconds after which other processors are asked to help: what takes less is not worth starting processes."""
_PR_SET_PDEATHSIG = 1


def on_all_processors(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Give the result of each item, in their order; work that takes longer than a second is shared out.

    Parameters
    ----------
    function : callable
        May be a closure. Called in a forked process: what it changes there is lost. Must not raise.
    items : sequence
    """
    begun, done = time.monotonic(), 0
    # Only on Linux can a process be forked that has loaded libraries, and told to end with the one that forked it.
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    while done < len(items) and (processors == 1 or time.monotonic() - begun < ALONE):
        yield function(items[done])
        done += 1
    if done < len(items):
        for result in _shared_out(function, items[done:], processors):
            yield result
            done += 1
    yield from map(function, items[done:])  # where a process was killed, for memory for one


def _shared_out(function: Callable[[Item], Result], items: Sequence[Item], processors: int) -> Iterator[Result]:
    """Give the results of forked processes, until one of them is killed."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    workers = min(processors, len(items))
    fork = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, fork, initializer=_begin, initargs=(function, os.getpid()))
    try:
        yield from pool.map(_call, items, chunksize=max(1, min(16, len(items) // (4 * workers))))
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


_function: Callable[[Any], Any]


def _begin(function: Callable[[Any], Any], parent: int) -> None:
    """Begin in a forked process: it ends with its parent, which alone answers to the keyboard."""
    global _function
    _function = function
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # gone before it could be asked for
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _call(item: Any) -> Any:
    return _function(item)
