"""Starting Snakemake and following what it does: the thin edge between the commands and the workflow."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemrs.errors import RequestError, of_the_machine
from snakemrs.study.resources import workflow_root
from snakemrs.study.variants import variant_of

STAGE_OF_RULE = {
    "ingest": "ingest",
    "dataset": "ingest",
    "segment": "anatomy",
    "voxel": "voxel",
    "voxel_unnamed": "voxel",
    "preprocess": "spectra",
    "basis": "fit",
    "fit": "fit",
    "dynamic": "fit",
    "quantify": "quantify",
    "group": "group",
    "report_participant": "report",
    "report_group": "report",
    "report_methods": "report",
}


# What Snakemake says of a file or folder that it cannot write.
_REFUSED = re.compile(r"\[Errno (\d+)\] [^:]+: '([^']+)'")


@dataclass
class Job:
    """A job as Snakemake announced it, and what became of it."""

    rule: str
    wildcards: dict[str, str]
    reason: str
    log: str | None
    state: str = "waiting"
    started: float = 0.0
    finished: float = 0.0
    problem: str | None = None
    outputs: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    @property
    def stage(self) -> str:
        """Stage of the rule."""
        return STAGE_OF_RULE.get(self.rule, self.rule)

    @property
    def variant(self) -> str:
        """The variant of the sensitivity analysis that the job is part of; empty for the study itself."""
        return variant_of(self.wildcards.get("place", ""))

    @property
    def name(self) -> str:
        """What the job works on, for people."""
        return f"{self.unit} {self.variant}".rstrip()

    @property
    def unit(self) -> str:
        """The spectrum, image or participant that the job works on."""
        w = self.wildcards
        if "front" in w:
            return f"{w['front']}_voi-{w['voi']}{w.get('run_part', '')}"
        return w.get("name") or (f"sub-{w['participant']}" if "participant" in w else w.get("key", "study"))


@dataclass
class Record:
    """What a run of Snakemake said."""

    jobs: dict[int, Job] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def take(self, event: dict[str, Any]) -> None:
        """Take one event in."""
        kind = event["event"]
        if kind == "run_info":
            self.totals = {k: int(v) for k, v in (event.get("stats") or {}).items() if k != "total"}
        elif kind == "job_info":
            log = event.get("log") or []
            job = Job(
                event["rule_name"], event.get("wildcards") or {}, event.get("reason", ""), log[0] if log else None
            )
            job.state, job.started = "running", event["time"]
            job.outputs, job.logs = list(event.get("output") or []), list(log)
            self.jobs[event["jobid"]] = job
        elif kind == "job_finished":
            self._end(event.get("job_id", event.get("jobid")), "done", event["time"])
        elif kind == "job_error":
            self._end(event.get("jobid"), "failed", event["time"])
            if event.get("jobid") in self.jobs:
                self.jobs[event["jobid"]].logs = list(event.get("log") or self.jobs[event["jobid"]].logs)
        elif kind == "error":
            self.messages.append(str(event.get("message", "")))

    def _end(self, jobid: int | None, state: str, when: float) -> None:
        if jobid in self.jobs:
            self.jobs[jobid].state, self.jobs[jobid].finished = state, when

    def lose_running(self, status: int) -> None:
        """Say what became of jobs that Snakemake never ended: it died, or gave them up without an event.

        Where it died of a file that it could not write, the jobs failed whose file that was; the others have lost their
        turn and wait for the next pass. Else all have failed.
        """
        running = [job for job in self.jobs.values() if job.state == "running"]
        refused = [(int(code), path) for m in self.messages for code, path in _REFUSED.findall(m)]
        for job in running:
            for code, path in refused:
                if any(f"{name}/".startswith(f"{path}/") for name in (*job.outputs, *job.logs)):
                    error = OSError(code, os.strerror(code), path)
                    job.problem = " ".join(str(of_the_machine(error) or error).split())
        blamed = [job for job in running if job.problem]
        for job in running:
            if blamed and job not in blamed:
                job.state = "waiting"
                continue
            told = [m for m in self.messages if job.rule in m]
            job.state, job.finished = "failed", job.started
            if not job.problem:
                job.problem = " ".join(told[-1].split())[:400] if told else f"Snakemake ended with status {status}"

    @property
    def failed(self) -> list[Job]:
        """Jobs that failed and were not made up for by a retry."""
        done = {(j.rule, str(j.wildcards)) for j in self.jobs.values() if j.state == "done"}
        return [j for j in self.jobs.values() if j.state == "failed" and (j.rule, str(j.wildcards)) not in done]


def profile_folder(profile: str) -> Path:
    """Find a profile: one of ours by name, or a folder of the user's."""
    ours = workflow_root() / "config" / "profiles"
    for candidate in (Path(profile), ours / profile):
        if (candidate / "config.yaml").exists():
            return candidate.resolve()
    known = ", ".join(sorted(p.name for p in ours.iterdir() if p.is_dir()))
    raise RequestError("there is no such profile", found=profile, expected=f"{known}, or a folder with config.yaml")


def command_line(study: Path, profile: str, arguments: Sequence[str], code: Path | None = None) -> list[str]:
    """Put Snakemake's command line together; `code` is the run's frozen copy (`snakemrs.cli.frozen`).

    Snakemake's own lock is off: the study's lock (`snakemrs.cli.lock`) goes with its process, Snakemake's stays behind
    after a kill.
    """
    root = workflow_root() if code is None else code / "snakemrs" / "_workflow"
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(root / "Snakefile"),
        "--directory",
        str(study),
        "--profile",
        str(profile_folder(profile)),
        "--logger",
        "snakemrs",
        "--nocolor",
        "--nolock",
        *arguments,
    ]


def environment(events: Path, created: int, code: Path | None = None) -> dict[str, str]:
    """Environment of Snakemake and of its jobs: one thread a numeric library, no telemetry, fixed time stamps.

    What lies in the folder in which the run was started is none of its modules (PYTHONSAFEPATH).
    """
    here = str(Path(sys.executable).parent)
    python_path = [str(code)] if code else []
    python_path += [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(python_path),
        "PATH": here + os.pathsep + os.environ.get("PATH", ""),
        "SNAKEMRS_EVENTS": str(events),
        "SOURCE_DATE_EPOCH": str(created),
        "NO_ET": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def follow(
    command: Sequence[str],
    env: dict[str, str],
    events: Path,
    output: Path,
    on_change: Callable[[Record], None] = lambda record: None,
    lock: int | None = None,
) -> tuple[int, Record]:
    """Run Snakemake; give its exit status and what it said. Interruption is passed on and waited for.

    Snakemake stays in the process group of the command, so that Ctrl-C or a kill of the group reaches both.

    Parameters
    ----------
    command, env
        As of `command_line` and `environment`.
    events : path
        File that the logger plugin appends to; emptied first.
    output : path
        Where Snakemake's own words go.
    on_change : callable
        Called with the record after each batch of events, and about once a second.
    lock : int, optional
        File descriptor of the study's lock: Snakemake holds it too, so that a study stays locked while a Snakemake
        works on it whose command was killed.
    """
    events.parent.mkdir(parents=True, exist_ok=True)
    events.write_text("", encoding="utf-8")
    output.parent.mkdir(parents=True, exist_ok=True)
    record = Record()
    with output.open("ab") as sink:
        process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            pass_fds=() if lock is None else (lock,),
        )
        try:
            for event in _tail(events, process):
                if event is not None:
                    record.take(event)
                else:
                    on_change(record)
        except BaseException:
            _stop(process)
            raise
    status = process.wait()
    if status != 0:
        record.lose_running(status)
    on_change(record)
    return status, record


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End Snakemake: it has a moment to end by itself (Ctrl-C reached it too), then it is asked, then made to."""
    for ask, seconds in ((None, 3), (signal.SIGINT, 30), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        if ask is not None:
            process.send_signal(ask)
        try:
            process.wait(timeout=seconds)
            return
        except subprocess.TimeoutExpired:
            continue


def announced(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Give the event of each line; a line that a kill or a full disk broke off tells nothing."""
    for line in lines:
        with suppress(ValueError):
            yield json.loads(line)


def _tail(path: Path, process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any] | None]:
    """Give each event as it is written, None whenever there is nothing new, until the process has ended."""
    rest = ""
    with path.open(encoding="utf-8") as stream:
        while True:
            ended = process.poll() is not None
            text = stream.read()
            *lines, rest = (rest + text).split("\n")
            yield from announced(lines)
            if ended and not text:
                return
            yield None
            if not text:
                time.sleep(0.2)


def reason_of(log: Path) -> str:
    """Say in one line why a step failed: our own error where its log has one, else the last line."""
    if not log.exists():
        return "the step left no log (it was killed, or its machine was lost)"
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    found = re.findall(r"^snakemrs: (.+(?:\n  \S.*)*)", text, flags=re.MULTILINE)
    if found:
        return "; ".join(" ".join(part.split()) for part in found[-1].splitlines())
    last = text.splitlines()[-1] if text else ""
    return last[:300] or "the step ended without a word (out of memory, or killed)"
