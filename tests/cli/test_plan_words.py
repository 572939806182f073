"""The dry run says in words why something would run."""

from __future__ import annotations

from pathlib import Path

from snakemrs.cli.common import in_lines
from snakemrs.cli.plan import explain, folded
from snakemrs.cli.snakemake import Job, Record
from snakemrs.study.plan import Plan, PlannedScan, Problem

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


def test_what_is_the_same_for_many_participants_is_said_once(tmp_path: Path) -> None:
    new = [
        Job("ingest", {"place": "x", "name": f"sub-{n:02d}_ses-01_svs"}, "Missing output files: x", None)
        for n in range(1, 13)
    ]
    reason = "Params have changed: before: 1 now: 2"
    changed = [Job("quantify", {"name": f"sub-{n}_ses-01"}, reason, None) for n in (20, 21)]
    group = Job("group", {}, "Set of input files has changed since last execution", None)
    named = "sub-01, sub-02, sub-03, sub-04, sub-05, sub-06, sub-07, sub-08"
    assert folded(words(tmp_path, *new, *changed, group)) == [
        f"{named} and 4 more (`--json` names each): new, nothing made yet → ingest",
        "sub-20: quantify: settings or version changed → quantify",
        "sub-21: quantify: settings or version changed → quantify",
        "group: new participant → group",
    ]


def test_a_warning_of_many_files_is_one_line_and_an_error_is_one_each() -> None:
    same = [Problem("warning", "no T1w", f"sub-{n // 2}/{n}.SDAT", None, str(n // 2)) for n in range(10)]
    errors = [Problem("error", "damaged", f"sub-{n}/{n}.SDAT", None, str(n)) for n in range(6)]
    few = [Problem("warning", "no water", f"sub-{n}/{n}.SDAT", None, str(n)) for n in range(2)]
    assert in_lines([*same, *errors, *few]) == [
        "warning: sub-0/0.SDAT and 9 more of 5 participants: no T1w (`snakemrs plan --json` names each)",
        *(f"error: sub-{n}/{n}.SDAT (sub-{n}): damaged" for n in range(6)),
        *(f"warning: sub-{n}/{n}.SDAT (sub-{n}): no water" for n in range(2)),
    ]
