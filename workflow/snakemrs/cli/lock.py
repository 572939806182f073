"""One run, or one plan, at a time on a study."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from snakemrs.errors import RequestError

PATIENCE = 10.0
"""Seconds to wait for what a killed run left behind."""


@contextmanager
def exclusive(study: Path) -> Iterator[int]:
    """Hold the study's lock; a second run or plan is told who holds it.

    Gives the lock's file descriptor. The lock goes with the processes that have it, however they end.
    """
    path = study / "work" / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        holder = _take(stream)
        if holder is not None:
            raise RequestError(
                "another run or plan works on this study",
                file=study,
                found=f"process {holder}",
                remedy="wait for it, or stop it; `snakemrs status` shows how far it is",
            )
        try:
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
        except OSError as error:
            error.filename = error.filename or str(path)  # a full disk comes without a name
            raise
        yield stream.fileno()


def _take(stream: TextIO) -> str | None:
    """Take the lock; give who holds it where that is not possible.

    A run that was killed may leave its Snakemake behind for a moment, which holds the lock too: then it is waited for.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip()
        if _alive(holder) or time.monotonic() > deadline:
            return holder if _alive(holder) else f"{holder or 'unknown'} (ended, but its Snakemake still works)"
        time.sleep(0.2)


def _alive(holder: str) -> bool:
    return holder.isdigit() and Path(f"/proc/{holder}").exists()
