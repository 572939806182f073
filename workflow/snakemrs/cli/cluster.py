"""Runs on a cluster: whether it answers, and which step of a failed group failed."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakemrs.cli.snakemake import Job

_CLOCKS_DIFFER = 5.0
"""Seconds by which the clocks of a cluster's machines may differ."""


def executor_of(profile: Path) -> str:
    """Name of the executor that a profile (a folder with ``config.yaml``) asks for; ``local`` where it names none."""
    import yaml

    content = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8")) or {}
    return str(content.get("executor", "local"))


def executor_problem(profile: Path) -> str | None:
    """Say why the executor of a profile cannot be reached from here; None where it can.

    Parameters
    ----------
    profile : Path
        Folder with ``config.yaml``.
    """
    executor = executor_of(profile)
    if executor == "local":
        return None
    plugin = f"snakemake_executor_plugin_{executor.replace('-', '_')}"
    if importlib.util.find_spec(plugin) is None:
        return f"the profile asks for the executor {executor}, but {plugin.replace('_', '-')} is not installed"
    if executor == "slurm":
        missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
        if missing:
            return f"the profile asks for Slurm, but {', '.join(missing)} is not on PATH: is this a login node?"
        try:
            answer = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return "Slurm does not answer (sinfo, 20 s)"
        if answer.returncode != 0:
            return f"Slurm does not answer: {answer.stderr.strip()[:300]}"
    return None


def culprits(failed: Sequence[Job], study: Path) -> list[Job]:
    """Of the jobs that are reported as failed, those that failed themselves.

    Steps that the cluster runs as one group are reported as failed together. A step that made all its outputs did not
    fail; one that left no log in this run was only held up by another of the same participant. A step that ended
    without a word in its own log points to the cluster's log, where that says more.

    Parameters
    ----------
    failed : sequence of Job
        With `outputs`, `logs` and `started` as announced.
    study : Path
        What their paths are relative to.
    """
    unfinished = [job for job in failed if not (job.outputs and all((study / name).exists() for name in job.outputs))]
    begun = [job for job in unfinished if _wrote_log(job, study)]
    units = {participant_of(job) for job in begun}
    found = [job for job in unfinished if job in begun or participant_of(job) not in units]
    for job in found:
        own = study / job.log if job.log else None
        if own is None or not own.exists() or not own.read_text(encoding="utf-8", errors="replace").strip():
            for name in job.logs[1:]:
                if (study / name).exists() and verdict_of_slurm(study / name):
                    job.log = name
    return found or list(failed)


def verdict_of_slurm(log: Path) -> str | None:
    """What Slurm itself says in a job's log: cancelled, out of time, out of memory."""
    text = log.read_text(encoding="utf-8", errors="replace")
    found = re.findall(r"^slurmstepd: error: (.+)$", text, flags=re.MULTILINE)
    return " ".join(found[-1].replace("*", "").split()) if found else None


def _wrote_log(job: Job, study: Path) -> bool:
    path = study / job.log if job.log else None
    if path is None or not path.exists():
        return False
    status = path.stat()  # Snakemake lays an empty log for a step of a group that was never reached
    return status.st_size > 0 and status.st_mtime >= job.started - _CLOCKS_DIFFER


def participant_of(job: Job) -> str:
    """The participant that a job works for, ``sub-…``; the job's name where it works for several."""
    match = re.match(r"sub-[A-Za-z0-9]+", job.name)
    return match.group() if match else job.name
