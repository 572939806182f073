"""What became of jobs when Snakemake itself ends before they do."""

from __future__ import annotations

import json
from pathlib import Path

from snakemrs.cli.plan import measured_seconds
from snakemrs.cli.snakemake import Job, Record


def running(name: str) -> Job:
    return Job("preprocess", {"name": name}, "", None, state="running", outputs=[f"derivatives/{name}/mrs/out.nii.gz"])


def test_a_folder_that_cannot_be_made_fails_its_own_job_and_the_others_wait() -> None:
    record = Record(jobs={1: running("sub-01"), 2: running("sub-02")})
    record.messages = [
        "Failed to create output directory\nOSError: [Errno 30] Read-only file system: 'derivatives/sub-02'"
    ]
    record.lose_running(1)
    assert [job.name for job in record.failed] == ["sub-02"]
    assert "may not be written" in (record.failed[0].problem or "")
    assert record.jobs[1].state == "waiting"


def test_when_snakemake_dies_without_a_word_all_that_ran_have_failed() -> None:
    record = Record(jobs={1: running("sub-01"), 2: running("sub-02")})
    record.lose_running(-9)
    assert [job.problem for job in record.failed] == ["Snakemake ended with status -9"] * 2


def test_a_record_that_a_full_disk_broke_off_still_tells_what_it_holds(tmp_path: Path) -> None:
    """Its last line is half an event; the plan's estimate goes by the others."""
    record = tmp_path / "work" / "events" / "20261101-120000-7.jsonl"
    record.parent.mkdir(parents=True)
    started = {"event": "job_info", "time": 10.0, "jobid": 1, "rule_name": "fit", "wildcards": {}}
    begun = {"event": "job_started", "time": 10.0, "job_ids": [1]}
    done = {"event": "job_finished", "time": 14.0, "job_id": 1}
    lines = [json.dumps(event) for event in (started, begun, done)]
    record.write_text("\n".join([*lines, lines[0][:30]]), encoding="utf-8")
    assert measured_seconds(tmp_path) == {"fit": 4.0}
