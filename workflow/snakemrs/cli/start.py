"""Where the command ``snakemrs`` begins: within a run it has its work done by the run's loaded process.

That process (`snakemrs.cli.loaded`) has numpy, nibabel and the rest in memory, which take most steps longer to load
than to use. Without it, or where it does not answer, the command works by itself. Nothing is imported here that takes
time.
"""

from __future__ import annotations

import os
import sys

LOADED = "SNAKEMRS_LOADED"
"""Environment variable of a run's steps: `whereabouts` of the run, colon, socket of its loaded process."""
TAKEN = b"+"
"""What the loaded process says to a step that it does; the exit code follows, as a byte."""


def main() -> None:
    """Have the work done by the loaded process of the run that this is a step of; else do it here."""
    told, _, place = os.environ.get(LOADED, "").partition(":")
    # The loaded process has one thread for linear algebra. A step that is to have more loads for itself.
    if place and told == whereabouts() and os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        code = hand_over(place)
        if code is not None:
            sys.exit(code)
    from snakemrs.cli.main import main as work

    work()


def whereabouts() -> str:
    """Process group and mounts: a job of a cluster or in a container has others than the run, and limits of its own."""
    return f"{os.getpgrp()} {os.readlink('/proc/self/ns/mnt').removeprefix('mnt:')}"


def hand_over(place: str) -> int | None:
    """Have this command done by the process that listens there.

    Parameters
    ----------
    place : str
        Path of its socket.

    Returns
    -------
    code : int or None
        Exit code of the command; None where nobody took it.
    """
    import json
    import signal
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(place)
            told = json.dumps({"words": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
            socket.send_fds(connection, [len(told).to_bytes(8, "big")], [0, 1, 2])
            connection.sendall(told)
            if connection.recv(1) != TAKEN:
                return None
        except OSError:
            return None
        # An interruption from the keyboard reaches the process at work too: its end is waited for.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            code = connection.recv(1)
        except OSError:
            code = b""
    return code[0] if code else 128 + signal.SIGKILL


if __name__ == "__main__":
    main()
