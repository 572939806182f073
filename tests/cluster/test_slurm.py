"""A study of three participants on a real Slurm of one node, next to a local run of the same study."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from snakemrs.study.resources import workflow_root

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
PROFILES = workflow_root() / "config" / "profiles"
# What a run says of itself: when it ran.
OF_THE_RUN = {"outcome.json", "plan.json"}


def snakemrs(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start the command as a user would."""
    command = [sys.executable, "-m", "snakemrs.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str], seconds: int = 1500) -> str:
    """Wait for a command that must succeed; give what it printed."""
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, output
    return output


def results(study: Path) -> dict[str, bytes]:
    """Every result of a study by its name."""
    files = [p for top in ("bids", "derivatives") for p in sorted((study / top).rglob("*")) if p.is_file()]
    return {
        p.relative_to(study).as_posix(): p.read_bytes()
        for p in files
        if ".provenance" not in p.parts and p.name not in OF_THE_RUN
    }


def queue() -> list[str]:
    """Slurm's numbers of the jobs that run."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--states=RUNNING", "--format=%i"], capture_output=True, text=True, check=True
    )
    return listed.stdout.split()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three participants, spectra alone."""
    folder = tmp_path_factory.mktemp("cluster") / "study"
    options = ["--participants", "3", "--sessions", "1", "--transients", "64", "--seed", "8"]
    finish(snakemrs("simulate", folder, *options))
    scans = (folder / "scans.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "scans.tsv").write_text("".join(row for row in scans if "T1w" not in row), encoding="utf-8")
    # Copies of a planned study have one time stamp.
    finish(snakemrs("plan", folder))
    return folder


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slurm profile, filled in as its first line says."""
    folder = tmp_path_factory.mktemp("profile")
    content = yaml.safe_load((PROFILES / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    content["default-resources"]["slurm_partition"] = "test"
    # This Slurm knows no accounts, and a test need not wait between its looks.
    content |= {"slurm-no-account": True, "slurm-init-seconds-before-status-checks": 2}
    content |= {"seconds-between-status-checks": 2, "latency-wait": 20}
    (folder / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def test_a_cancelled_job_is_retried_and_results_equal_those_of_a_local_run(
    slurm: Path, study: Path, profile: Path, tmp_path: Path
) -> None:
    local = tmp_path / "local"
    shutil.copytree(study, local)
    finish(snakemrs("run", local, "--cores", "2"))

    run = snakemrs("run", study, "--profile", profile)
    cancelled = None
    while run.poll() is None and cancelled is None:
        for number in queue():
            shown = subprocess.run(["scontrol", "show", "job", number], capture_output=True, text=True, check=True)
            if "group_spectrum" in shown.stdout:
                subprocess.run(["scancel", number], check=True)
                cancelled = number
                break
        time.sleep(0.5)
    output = finish(run)
    assert cancelled is not None, output
    log = "".join(path.read_text(encoding="utf-8") for path in (study / "logs").glob("snakemake-*.log"))
    assert "Error in group spectrum" in log
    assert "Trying to restart job" in log
    status = json.loads(finish(snakemrs("status", study, "--json")))
    assert status["failures"] == []
    assert len(status["spectra"]) == 3

    ours, theirs = results(study), results(local)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []

    # A spectrum: one job for its steps (one of them twice), three for its concentrations (mean, frames, over time); a
    # page; basis, dataset, group.
    submitted = log.count("has been submitted with SLURM jobid")
    assert submitted <= 3 * (1 + 3 + 1) + 3 + 1
    again = finish(snakemrs("run", study, "--profile", profile))
    assert "up to date" in again


def test_a_step_that_always_fails_is_named_with_its_log(
    slurm: Path, study: Path, profile: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(study, broken, ignore=shutil.ignore_patterns("work", ".snakemake", "bids", "derivatives", "logs"))
    raw = next((broken / "raw" / "sub-02").rglob("*act.SDAT"))
    raw.write_bytes(raw.read_bytes()[:1000])
    run = snakemrs("run", broken, "--profile", profile, "--participant-label", "01,02", "--", "--retries", "0")
    output, _ = run.communicate(timeout=1500)
    assert run.returncode == 1, output
    status = snakemrs("status", broken, "--json")
    summary = json.loads(status.communicate(timeout=60)[0])
    assert {failure["participant"] for failure in summary["failures"]} == {"02"}
    assert {failure["stage"] for failure in summary["failures"]} == {"ingest"}
    assert all((broken / failure["log"]).exists() for failure in summary["failures"])
    assert (broken / "derivatives/snakemrs/sub-01.html").exists()


def test_nothing_of_slurm_stays_behind(slurm: Path) -> None:
    """Its jobs are gone from the queue when the runs have ended."""
    assert queue() == []
    assert os.path.islink("/etc/slurm/slurm.conf")
