"""A run's loaded process: has in memory what steps compute with, and forks for each step.

A step of a study takes seconds, of which its imports would be a large part, a thousand times a run. The process lives
as long as its run. What it forks gets the step's words, folder, environment and streams (`snakemrs.cli.start`), so
that a step does and writes what it would by itself. Runs in containers or on a cluster do without.
"""

from __future__ import annotations

import gc
import importlib
import json
import multiprocessing
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from snakemrs.cli.start import LOADED, TAKEN

# command -> what it computes with, beside its own module. Commands that run once a study load for themselves. Not ANTs:
# the number of its threads is the study's choice, and it is read when ANTs is loaded; but all that it brings along.
COMPUTES_WITH = {
    "ingest": ("snakemrs.ingest.convert", "snakemrs.study.settings.ingest"),
    "segment": (
        "snakemrs.anatomy.backends",
        "snakemrs.anatomy.checks",
        "snakemrs.anatomy.precomputed",
        "snakemrs.anatomy.quality",
        "snakemrs.anatomy.sessions",
        "pandas",
        "requests",
        "scipy.ndimage",
    ),
    "preprocess": ("snakemrs.spectra.output", "snakemrs.spectra.process", "scipy.ndimage", "scipy.optimize"),
    "voxel": (
        "snakemrs.io.nifti_mrs",
        "snakemrs.voxel.displacement",
        "snakemrs.voxel.inputs",
        "snakemrs.voxel.placement",
    ),
    "fit": ("snakemrs.fit.functional.run", "snakemrs.fit.run", "scipy.fft", "scipy.interpolate", "scipy.linalg"),
    "quantify": (
        "snakemrs.io.nifti_mrs",
        "snakemrs.quantify.inputs",
        "snakemrs.quantify.propagation",
        "snakemrs.quantify.scale",
    ),
    "report": ("snakemrs.report.from_plan", "snakemrs.report.participant"),
}


@dataclass(frozen=True)
class Step:
    """What a step was asked to do, as its process was."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]


@contextmanager
def loaded(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Keep a loaded process while a run works; give the run's environment, in which its steps find it.

    Parameters
    ----------
    environment : dict
        Of the run and its steps.
    """
    folder = Path(tempfile.mkdtemp(prefix="snakemrs-"))
    place = str(folder / "steps")
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                listener.bind(place)
            except OSError:  # the path is longer than a socket's may be: every step loads for itself
                yield environment
                return
            listener.listen(256)
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listener.fileno())],
                env=environment,
                stdin=subprocess.PIPE,  # its end is the end of the run, however that came
                pass_fds=[listener.fileno()],
            )
        try:
            yield {**environment, LOADED: f"{os.getpgrp()}:{place}"}
        finally:
            _end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the loaded process leave; steps that an interruption left at work get a moment, then are ended."""
    if process.stdin is not None:
        process.stdin.close()
    for harder in (process.terminate, process.kill):
        try:
            process.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            harder()
    process.wait()


def load(words: list[str]) -> None:
    """Load what a command computes with; what cannot be loaded is left for the step to say."""
    from snakemrs.cli.main import COMMANDS, import_nibabel

    name = words[0] if words else ""
    if name in COMPUTES_WITH:
        import_nibabel()
        for module in (COMMANDS[name][0], *COMPUTES_WITH[name]):
            with suppress(Exception):
                importlib.import_module(module)
        gc.freeze()  # what is loaded stays: forked processes need not look through it


def serve(listener: socket.socket) -> None:
    """Fork for each step that asks, until standard input is closed and the last step has ended.

    SIGTERM ends the steps at work. An interruption from the keyboard reaches them without this process.
    """
    at_work: dict[ForkProcess, socket.socket] = {}

    def end_steps(*_: object) -> None:
        for process in at_work:
            process.terminate()

    signal.signal(signal.SIGTERM, end_steps)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    waiting.register(0, selectors.EVENT_READ)
    run_lives = True
    while run_lives or at_work:
        for key, _ in waiting.select():
            process = key.data
            if key.fileobj is listener:
                connection, _ = listener.accept()
                step = _receive(connection)
                if step is None:
                    connection.close()
                    continue
                load(step.words)
                _tell(connection, TAKEN)
                process = multiprocessing.get_context("fork").Process(target=_work, args=(step, listener, waiting))
                process.start()
                for stream in step.streams:
                    os.close(stream)
                at_work[process] = connection
                waiting.register(process.sentinel, selectors.EVENT_READ, process)
                waiting.register(connection, selectors.EVENT_READ, process)
            elif key.fileobj == 0:
                waiting.unregister(0)
                waiting.unregister(listener)
                run_lives = False
            elif process not in at_work:
                continue
            elif key.fileobj == process.sentinel:
                process.join()
                connection = at_work.pop(process)
                code = process.exitcode
                _tell(connection, bytes([code if code >= 0 else 128 - code]))  # of a signal, as a shell says it
                waiting.unregister(process.sentinel)
                with suppress(KeyError):
                    waiting.unregister(connection)
                connection.close()
                process.close()
            else:  # the step's own process is gone (killed): nobody waits for the result
                waiting.unregister(key.fileobj)
                process.terminate()


def _receive(connection: socket.socket) -> Step | None:
    """Read what a step asks for; None where it breaks off."""
    connection.settimeout(10)
    streams: list[int] = []
    try:
        head, streams, _, _ = socket.recv_fds(connection, 8, 3)
        length, told = int.from_bytes(head, "big"), b""
        while len(told) < length and (part := connection.recv(length - len(told))):
            told += part
        asked: dict[str, Any] = json.loads(told)
        return Step(asked["words"], asked["folder"], asked["environment"], list(streams))
    except (OSError, ValueError):
        for stream in streams:
            os.close(stream)
        return None


def _tell(connection: socket.socket, byte: bytes) -> None:
    with suppress(OSError):  # who is gone need not be told
        connection.send(byte)


def _work(step: Step, listener: socket.socket, waiting: selectors.BaseSelector) -> None:
    """In the forked process: take on the step's streams, folder, environment and words, and do it."""
    from snakemrs.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    waiting.close()
    listener.close()
    for number, stream in enumerate(step.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(step.folder)
    os.environ.clear()
    os.environ.update(step.environment)
    sys.argv = ["snakemrs", *step.words]
    main()


def run() -> None:
    """Serve the run that started this process."""
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        place = Path(listener.getsockname())
        serve(listener)
    shutil.rmtree(place.parent, ignore_errors=True)  # also where the run was killed


if __name__ == "__main__":
    run()
