"""Start a program under limits of time and memory: ``python -m snakemrs.interfaces.limited SECONDS MIB PROGRAM ...``.

A damaged raw file can send a converter into an endless loop or make it ask for the whole memory. The alarm and the
limits set here survive ``exec``, so that the program itself ends, with nothing to supervise.
"""

from __future__ import annotations

import os
import resource
import signal
import sys


def main() -> None:
    """Set the limits and become the program."""
    seconds, mib, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    memory = mib * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(seconds)
    os.execvp(program, sys.argv[3:])


if __name__ == "__main__":
    main()
