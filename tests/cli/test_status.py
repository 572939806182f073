"""What `status` says of a study, from the plan, the files that are there and what the runs so far left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snakemrs.cli.failures import read_failures, write_outcome
from snakemrs.cli.status import print_status, summarise
from snakemrs.study.plan import DERIVATIVES, Failure, Plan
from snakemrs.study.resolve import build_plan

STEM = "sub-01_ses-01_task-drug"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two participants, one session each, transients over a task: static, frames and dynamic are fitted."""
    (tmp_path / "raw").mkdir()
    rows = ["path\tparticipant\tsession\tsuffix\ttask"]
    for participant in ("01", "02"):
        (tmp_path / "raw" / participant).write_text(participant)
        rows.append(f"{participant}\t{participant}\t01\tsvs\tdrug")
    (tmp_path / "study.yaml").write_text("name: skeleton\nraw: raw\n")
    (tmp_path / "scans.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "events.tsv").write_text("onset\tduration\ttrial_type\n0\t10\tinfusion\n")
    planned(tmp_path).save(tmp_path)
    return tmp_path


def planned(study: Path) -> Plan:
    return build_plan(study, lambda path: {"transients": 8})


def made(study: Path, *names: str) -> None:
    for name in names:
        path = study / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def results(participant: str, *labels: str) -> list[str]:
    stem = f"{DERIVATIVES}/sub-{participant}/ses-01/mrs/sub-{participant}_ses-01_task-drug"
    return [f"{stem}_desc-{label}_{kind}.tsv" for label in labels for kind in ("amplitudes", "concentrations")]


def stages(study: Path, participant: str = "01") -> dict[str, str]:
    (row,) = [row for row in summarise(study)["spectra"] if row["participant"] == participant]
    found: dict[str, str] = row["stages"]
    return found


def failure(participant: str, stage: str = "fit", unit: str | None = None) -> Failure:
    return Failure(unit or f"sub-{participant}_ses-01_task-drug", participant, "01", stage, "why", "log")


def test_a_session_is_fitted_when_all_its_fits_are_there(study: Path) -> None:
    made(study, *results("01", "static", "frames"))
    assert (stages(study)["fit"], stages(study)["quantify"]) == ("to do", "to do")
    made(study, *results("01", "dynamic"))
    assert (stages(study)["fit"], stages(study)["quantify"]) == ("done", "done")


def test_group_and_report_of_the_study_are_shown(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert summarise(study)["of_all"]["group"] == "to do"
    made(study, *results("01", "static", "frames", "dynamic"))
    made(study, *(f"{DERIVATIVES}/{name}" for name in ("group/concentrations.tsv", "index.html", "methods.md")))
    made(study, "bids/dataset_description.json")
    found = summarise(study)
    assert {stage: state for stage, state in found["of_all"].items() if state != "n/a"} == {
        "ingest": "done",
        "group": "done",
        "report": "done",
    }
    print_status(found)
    header, *_, last = capsys.readouterr().out.rstrip().splitlines()
    assert header.split()[-4:] == ["quantify", "group", "report", "quality"]
    assert last.split() == ["all", "done", *"–" * 5, "done", "done"]


def test_a_group_that_a_session_is_newer_than_is_to_do(study: Path) -> None:
    made(study, *(f"{DERIVATIVES}/{name}" for name in ("group/concentrations.tsv", "index.html", "methods.md")))
    made(study, *results("01", "static"))
    os.utime(study / results("01", "static")[1], (2e9, 2e9))
    assert summarise(study)["of_all"]["group"] == "to do"
    assert summarise(study)["of_all"]["report"] == "to do"


@pytest.mark.parametrize(("stage", "rule"), [("group", "group"), ("report", "report_methods")])
def test_a_step_of_the_whole_study_that_failed_is_shown(study: Path, stage: str, rule: str) -> None:
    write_outcome(study, 1, [failure("", stage, f"{rule} study")], planned(study), None)
    assert summarise(study)["of_all"][stage] == "failed"


def test_a_page_that_failed_is_shown_in_its_participants_rows(study: Path) -> None:
    write_outcome(study, 1, [failure("01", "report", "report_participant sub-01")], planned(study), None)
    assert stages(study)["report"] == "failed"
    assert stages(study, "02")["report"] == "to do"


def names(study: Path) -> list[tuple[str, str]]:
    return [(f.participant, f.stage) for f in read_failures(study)]


def test_a_run_of_some_participants_keeps_the_failures_of_the_others(study: Path) -> None:
    plan = planned(study)
    whole = failure("", "group", "group study")
    write_outcome(study, 9, [failure("01"), failure("02"), whole], plan, None)
    write_outcome(study, 3, [failure("01", "voxel")], plan, {"sub-01"})
    assert names(study) == [("02", "fit"), ("", "group"), ("01", "voxel")]
    write_outcome(study, 3, [], plan, {"sub-02"})
    assert names(study) == [("", "group"), ("01", "voxel")]
    write_outcome(study, 9, [], plan, None)
    assert names(study) == []


def test_who_left_the_study_has_no_failures(study: Path) -> None:
    write_outcome(study, 9, [failure("02")], planned(study), None)
    rows = (study / "scans.tsv").read_text().splitlines()
    (study / "scans.tsv").write_text("\n".join(rows[:-1]) + "\n")
    write_outcome(study, 1, [], planned(study), {"sub-01"})
    assert names(study) == []
