"""The dry run says in words why something would run."""

from __future__ import annotations

from pathlib import Path

from snakemrs.cli.plan import explain
from snakemrs.cli.snakemake import Job, Record
from snakemrs.study.plan import Plan, PlannedScan

HASH = "a" * 64
SCAN = PlannedScan("one.SDAT", HASH, "bids/sub-07/ses-01/mrs/sub-07_ses-01_svs.nii.gz", "07", "01", "svs")


def words(tmp_path: Path, *jobs: Job) -> list[str]:
    (tmp_path / "raw").mkdir(exist_ok=True)
    (tmp_path / "raw" / "one.SDAT").write_text("x")
    settings = {"group": {"sensitivity": {"variants": {"stiff": {"fit": {"baseline": "fixed"}}}}}}
    plan = Plan("test", "raw", 0, settings, [SCAN], [], [], {}, {})
    return explain(Record(jobs=dict(enumerate(jobs))), tmp_path, plan)


def test_a_replaced_raw_file_is_named_with_its_date(tmp_path: Path) -> None:
    reason = f"Params have changed since last execution: before: 'b' now: '{HASH}'"
    job = Job("ingest", {"place": "sub-07/ses-01/mrs", "name": "sub-07_ses-01_svs"}, reason, None)
    (line,) = words(tmp_path, job)
    assert line.startswith("sub-07: raw file replaced on 20")
    assert "(one.SDAT)" in line


def test_changed_settings_are_not_taken_for_a_replaced_file(tmp_path: Path) -> None:
    job = Job("ingest", {"place": "x", "name": "sub-07_ses-01_svs"}, "Params have changed: before: {} now: {1}", None)
    assert words(tmp_path, job) == ["sub-07: ingest settings or version changed → ingest"]


def test_the_group_runs_for_a_new_participant(tmp_path: Path) -> None:
    new = Job("ingest", {"place": "x", "name": "sub-08_ses-01_svs"}, "Missing output files: x", None)
    group = Job("group", {}, "Set of input files has changed since last execution", None)
    assert words(tmp_path, new, group) == ["sub-08: new, nothing made yet → ingest", "group: new participant → group"]


def test_a_choice_of_the_sensitivity_analysis_has_its_own_line(tmp_path: Path) -> None:
    place = {"place": "variants/stiff/sub-08/ses-01", "name": "sub-08_ses-01"}
    jobs = [Job(rule, place, "Missing output files: x", None) for rule in ("fit", "quantify")]
    group = Job("group", {}, "Set of input files has changed since last execution", None)
    assert words(tmp_path, *jobs, group) == [
        "choice stiff (fit.baseline fixed): no fit yet; no quantify yet → fit, quantify",
        "group: other participants or choices than before → group",
    ]
