"""The live view of a run: participants × stages, as many as there is room for."""

from __future__ import annotations

from snakemrs.cli.snakemake import Job, Record
from snakemrs.cli.view import grid, remaining


def job(rule: str, participant: str, state: str, finished: float = 0.0) -> Job:
    return Job(rule, {"name": f"sub-{participant}_ses-01"}, "", None, state=state, finished=finished)


def record(*jobs: Job) -> Record:
    return Record(jobs=dict(enumerate(jobs)), totals={"ingest": 4, "preprocess": 4, "all": 1})


def test_each_participant_has_a_line_and_the_first_sums_up() -> None:
    seen = record(job("ingest", "02", "done"), job("preprocess", "02", "running"), job("ingest", "01", "failed"))
    stages, rows, left_out = grid(seen, 10)
    assert stages == ["ingest", "spectra"]
    assert rows == [("all", ["1/4", "0/4"]), ("sub-01", ["failed", "·"]), ("sub-02", ["1 done", "now"])]
    assert left_out == 0


def test_where_room_is_short_those_who_failed_or_run_stay() -> None:
    done = [job("ingest", f"1{n}", "done", finished=n) for n in range(5)]
    seen = record(*done, job("ingest", "01", "failed"), job("ingest", "99", "running"))
    _, rows, left_out = grid(seen, 3)
    assert [name for name, _ in rows] == ["all", "sub-01", "sub-14", "sub-99"]
    assert left_out == 4


def test_time_left_is_told_once_some_jobs_have_ended() -> None:
    assert remaining(record(job("ingest", "01", "done")), 60) == "1 of 8 jobs, 1.0 min"
    four = [job("ingest", f"0{n}", "done") for n in range(4)]
    assert remaining(record(*four), 240) == "4 of 8 jobs, 4.0 min, about 4 min left"
