"""A run's loaded process: has in memory what steps compute with, and forks for each step.

A step of a study takes seconds, of which its imports would be a large part, a thousand times a run. The process lives
as long as its run. What it forks gets the step's words, folder, environment and streams (`snakemrs.cli.start`), so
that a step does and writes what it would by itself. Runs in containers or on a cluster do without, and so does macOS,
whose libraries are not made to be forked once loaded.
"""

from __future__ import annotations

import ctypes
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import click

from snakemrs.cli.start import LOADED, TAKEN, whereabouts

# command -> what it computes with, beside its own module. Commands that run once a study load for themselves. Not ANTs:
# the number of its threads is the study's choice, and it is read when ANTs is loaded; but all that it brings along.
COMPUTES_WITH = {
    "ingest": (
        "nipype.utils.profiler",
        "snakemrs.ingest.convert",
        "snakemrs.ingest.converters",
        "snakemrs.interfaces.spec2nii",
        "snakemrs.study.settings.ingest",
    ),
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
    "fit": ("snakemrs.fit.functional.run", "snakemrs.fit.run", "scipy.fft", "scipy.interpolate", "scipy.special"),
    "quantify": (
        "snakemrs.io.nifti_mrs",
        "snakemrs.quantify.inputs",
        "snakemrs.quantify.propagation",
        "snakemrs.quantify.scale",
    ),
    "report": (
        "PIL.Image",
        "jinja2.environment",
        "snakemrs.report.figures.voxel",
        "snakemrs.report.from_plan",
        "snakemrs.report.participant",
        "snakemrs.study.config",
    ),
}
FOR_ALL = ("snakemrs.interfaces.nib", "yaml")


SAID = "said"
"""File beside the socket: what the process itself says, which is nothing where all goes well."""


@dataclass(frozen=True)
class Step:
    """What a step was asked to do, as its process was."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]


@contextmanager
def loaded(environment: dict[str, str], soon: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """Keep a loaded process while a run works; give the run's environment, in which its steps find it.

    Where none can be had (no room for the socket, a path longer than that of a socket may be, not Linux), the steps do
    without.

    Parameters
    ----------
    environment : dict
        Of the run and its steps.
    soon : sequence of str
        Commands that the run begins with: what they compute with is loaded at once, while Snakemake still starts.
    """
    started = None
    if sys.platform == "linux":
        with suppress(OSError):
            started = _start(environment, soon)
    if started is None:
        yield environment
        return
    process, place = started
    try:
        yield {**environment, LOADED: f"{whereabouts()}:{place}"}
    finally:
        _end(process)
        if process.returncode not in (0, -signal.SIGTERM, -signal.SIGKILL):  # steps have loaded for themselves since
            click.echo(f"The run's loaded process failed: {_last_line(place.with_name(SAID))}", err=True)
        shutil.rmtree(place.parent, ignore_errors=True)


def _start(environment: dict[str, str], soon: Sequence[str]) -> tuple[subprocess.Popen[bytes], Path]:
    """Start the loaded process; give it and its socket. An OSError is raised where it cannot be had."""
    folder = Path(tempfile.mkdtemp(prefix="snakemrs-"))
    try:
        with socket.socket(socket.AF_UNIX) as listener, (folder / SAID).open("wb") as said:
            listener.bind(str(folder / "steps"))
            listener.listen(256)
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listener.fileno()), *soon],
                env=environment,
                stdin=subprocess.PIPE,  # its end is the end of the run, however that came
                stdout=subprocess.DEVNULL,
                stderr=said,
                pass_fds=[listener.fileno()],
            )
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return process, folder / "steps"


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


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n") if file.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "without a word")


def load(words: list[str]) -> None:
    """Load what a command computes with; what cannot be loaded is left for the step to say."""
    from snakemrs.cli.main import COMMANDS

    name = words[0] if words else ""
    if name in COMPUTES_WITH:
        for module in (*FOR_ALL, COMMANDS[name][0], *COMPUTES_WITH[name]):
            with suppress(Exception):
                importlib.import_module(module)
        gc.freeze()  # what is loaded stays: forked processes need not look through it


def serve(listener: socket.socket, on_interrupt: Any) -> None:
    """Fork for each step that asks, until standard input is closed and the last step has ended.

    SIGTERM ends the steps at work. An interruption from the keyboard reaches them without this process.

    Parameters
    ----------
    listener : socket
    on_interrupt
        What steps do at an interruption from the keyboard; this process ignores it.
    """
    at_work: dict[ForkProcess, socket.socket] = {}

    def end_steps(*_: object) -> None:
        for process in at_work:
            process.terminate()

    signal.signal(signal.SIGTERM, end_steps)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    waiting.register(0, selectors.EVENT_READ)
    run_lives = True
    while run_lives or at_work:
        for key, _ in waiting.select():
            process = key.data
            if key.fileobj is listener:
                # Where it cannot be taken (limits of files or processes), the step does its work itself.
                with suppress(OSError, ValueError), _next_step(listener) as (connection, step):
                    load(step.words)
                    kept = connection.dup()
                    # The new process is told of no signal before it knows what to do at one.
                    with _held(signal.SIGINT, signal.SIGTERM):
                        process = _fork(step, [listener, *at_work.values()], waiting, on_interrupt)
                        at_work[process] = kept
                    waiting.register(process.sentinel, selectors.EVENT_READ, process)
                    waiting.register(kept, selectors.EVENT_READ, process)
                    connection.send(TAKEN)
            elif key.fileobj == 0:
                for source in (0, listener):
                    waiting.unregister(source)
                listener.close()
                run_lives = False
            elif process not in at_work:
                continue
            elif key.fileobj == process.sentinel:
                process.join()
                connection = at_work.pop(process)
                with suppress(OSError):  # who is gone need not be told
                    code = process.exitcode
                    connection.send(bytes([code if code >= 0 else 128 - code]))  # of a signal, as a shell says it
                waiting.unregister(process.sentinel)
                with suppress(KeyError):
                    waiting.unregister(connection)
                connection.close()
                process.close()
            else:  # the step's own process is gone (killed): nobody waits for the result
                waiting.unregister(key.fileobj)
                process.terminate()


@contextmanager
def _held(*signals: signal.Signals) -> Iterator[None]:
    """Hold signals back meanwhile, in this process and in one that is forked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


@contextmanager
def _next_step(listener: socket.socket) -> Iterator[tuple[socket.socket, Step]]:
    """Take the next step that asks: its connection and what it asks for. An OSError is raised where it breaks off."""
    connection, _ = listener.accept()
    streams: list[int] = []
    try:
        connection.settimeout(10)
        head, streams, _, _ = socket.recv_fds(connection, 8, 3)
        length, told = int.from_bytes(head, "big"), b""
        while len(told) < length and (part := connection.recv(length - len(told))):
            told += part
        if len(streams) != 3 or not told or len(told) != length:
            raise ConnectionError("a step left before it had asked")
        asked: dict[str, Any] = json.loads(told)
        yield connection, Step(asked["words"], asked["folder"], asked["environment"], list(streams))
    finally:
        connection.close()
        for stream in streams:
            os.close(stream)


def _fork(step: Step, sockets: list[socket.socket], waiting: selectors.BaseSelector, on_interrupt: Any) -> ForkProcess:
    """Start the process that does a step."""

    def work() -> None:
        from snakemrs.cli.main import main

        waiting.close()
        for other in sockets:
            other.close()
        for number, stream in enumerate(step.streams):
            os.dup2(stream, number)
        os.chdir(step.folder)
        os.environ.clear()
        os.environ.update(step.environment)
        tempfile.tempdir = None  # to be looked up again
        sys.argv = ["snakemrs", *step.words]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, on_interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            main()
        finally:
            # What libraries in C have written and not yet handed on; multiprocessing sees to Python's own.
            ctypes.CDLL(None).fflush(None)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def run() -> None:
    """Serve the run that started this process."""
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        place = Path(listener.getsockname())
        for command in sys.argv[2:]:
            load([command])
        serve(listener, on_interrupt)
    shutil.rmtree(place.parent, ignore_errors=True)  # also where the run was killed


if __name__ == "__main__":
    run()
