"""What `plan` says would run is what Snakemake's own dry run says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from snakemrs.cli.snakemake import command_line, environment

from .conftest import snakemrs

pytestmark = [pytest.mark.pipeline]

Announced = list[tuple[str, str, str, str]]


def announced(events: Path) -> Announced:
    """Jobs as the events name them: rule, wildcards, outputs, reason."""
    jobs = []
    for line in events.read_text(encoding="utf-8").splitlines():
        job = json.loads(line)
        if job["event"] == "job_info":
            words = sorted(re.split(r"[;,:] ", job["reason"]))  # Snakemake names files in the order of a set
            jobs.append((job["rule_name"], str(job["wildcards"]), str(sorted(job["output"])), " ".join(words)))
    return sorted(jobs)


def by_snakemake(study: Path, events: Path) -> Announced:
    """The same as Snakemake's own dry run announces it."""
    events.touch()
    command = command_line(study, "local", ["--dry-run", "--cores", "1"])
    subprocess.run(command, env=environment(events, 0), check=True, capture_output=True)
    return announced(events)


def test_a_new_study_is_planned_as_snakemake_would_run_it(scanner_files: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(scanner_files, study)
    assert snakemrs("plan", study).code == 0
    ours = announced(study / "work" / "events" / "plan.jsonl")
    assert len({rule for rule, *_ in ours}) == 14  # with the target; no spectrum here is without voi
    assert ours == by_snakemake(study, tmp_path / "events.jsonl")


def test_a_changed_study_is_planned_as_snakemake_would_run_it(finished: Path, tmp_path: Path) -> None:
    """A replaced raw file, a page that is lost, another option of the group."""
    study = tmp_path / "study"
    shutil.copytree(finished, study, symlinks=True)
    (study / "work" / "state.json").unlink()
    one, other = (study / "raw" / f"sub-02/ses-0{n}" / "PRESS_ACC_raw_act.SDAT" for n in (1, 2))
    shutil.copyfile(other, one)
    (study / "derivatives" / "snakemrs" / "sub-03.html").unlink()
    with (study / "study.yaml").open("a", encoding="utf-8") as stream:
        stream.write("group:\n  formula: condition + time_bin\n")
    assert snakemrs("plan", study).code == 0
    ours = announced(study / "work" / "events" / "plan.jsonl")
    assert {"preprocess", "quantify", "report_participant", "group"} < {rule for rule, *_ in ours}
    assert ours == by_snakemake(study, tmp_path / "events.jsonl")


def test_a_plan_leaves_no_log_of_snakemakes_behind(study: Path) -> None:
    assert snakemrs("plan", study).code == 0
    assert not list((study / ".snakemake" / "log").glob("*"))
