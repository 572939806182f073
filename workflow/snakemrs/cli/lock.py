"""One run at a time on a study."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snakemrs.errors import RequestError


@contextmanager
def exclusive(study: Path) -> Iterator[int]:
    """Hold the study's lock; a second run is told who holds it.

    Gives the lock's file descriptor. The lock goes with the processes that have it, however they end.
    """
    path = study / "work" / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise RequestError(
                "another run works on this study",
                file=study,
                found=f"process {stream.read().strip() or 'unknown'}",
                remedy="wait for it, or stop it; `snakemrs status` shows how far it is",
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield stream.fileno()
