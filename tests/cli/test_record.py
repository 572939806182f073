"""What became of jobs when Snakemake itself ends before they do."""

from __future__ import annotations

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
