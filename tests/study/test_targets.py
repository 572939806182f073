"""What the rules ask of the plan about anatomy, voxel and constants: inputs and options of each job."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from snakemrs.study.plan import Failure, load_plan
from snakemrs.study.resolve import build_plan
from snakemrs.study.targets import Targets

HEADER = {"sequence": "PRESS", "te": 0.03, "frequency": 127.755, "bandwidth": 2000, "points": 1024, "transients": 4}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One participant, two sessions with a T1w and a spectrum each; Snakemake works in the study's folder."""
    (tmp_path / "raw").mkdir()
    rows = ["path\tparticipant\tsession\tsuffix\ttask\tacq\tvoi\trun"]
    for session in ("01", "02"):
        for name, suffix, voi in (("svs", "svs", "acc"), ("t1", "T1w", "n/a")):
            (tmp_path / "raw" / f"{name}{session}").write_text(name + session)
            rows.append(f"{name}{session}\t01\t{session}\t{suffix}\tn/a\tn/a\t{voi}\tn/a")
    (tmp_path / "scans.tsv").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def targets(study: Path, settings: str, *failed: Failure) -> Targets:
    (study / "study.yaml").write_text(f"name: test\n{settings}\n")
    plan = build_plan(study, lambda path: HEADER)
    plan.failed = list(failed)
    return Targets(plan.save(study))


class Wildcards(SimpleNamespace):
    """What Snakemake read off the name of a file."""

    def get(self, key: str, default: str | None = None) -> str | None:
        return getattr(self, key, default)


def job(session: str, name: str) -> Wildcards:
    return Wildcards(place=f"sub-01/ses-{session}", name=name)


FIRST, SECOND = job("01", "sub-01_ses-01"), job("02", "sub-01_ses-02")
PREFIX = "derivatives/snakemrs/sub-01/ses-01/anat/sub-01_ses-01"


def test_each_t1w_is_segmented_by_itself(study: Path):
    of = targets(study, "")
    assert of.t1w(SECOND) == "bids/sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz"
    assert of.source_maps(SECOND) == []
    assert of.reuse_option(SECOND) == ""


def test_one_segmentation_serves_the_later_sessions(study: Path):
    of = targets(study, "anatomy: {between_sessions: first, second_backend: hmrf}")
    assert of.reuse_option(FIRST) == ""
    assert of.reuse_option(SECOND) == f"--from {PREFIX}"
    assert f"{PREFIX}_label-GM_probseg.nii.gz" in of.source_maps(SECOND)
    assert f"{PREFIX}_desc-second_label-GM_probseg.nii.gz" in of.source_maps(SECOND)


def test_the_voxel_reads_the_second_segmentation_only_where_there_is_one(study: Path):
    second = "desc-second_label-CSF_probseg.nii.gz"
    stem = "sub-01_ses-01_voi-acc"
    assert not any(second in f for f in targets(study, "").anatomy_of(stem, FIRST.place))
    both = targets(study, "anatomy: {second_backend: hmrf}").anatomy_of(stem, FIRST.place)
    assert any(second in f for f in both)
    assert both[2].endswith("ses-01_label-GM_probseg.nii.gz")


def test_the_voxel_of_a_later_session_is_compared_with_the_first(study: Path):
    of = targets(study, "")
    first = "derivatives/snakemrs/sub-01/ses-01/mrs/sub-01_ses-01_voi-acc_voxel.json"
    assert of.compared(job("01", "sub-01_ses-01_voi-acc")) == []
    assert of.compared(job("02", "sub-01_ses-02_voi-acc")) == [first]


def test_a_first_session_that_failed_holds_up_no_other(study: Path):
    failed = Failure("sub-01_ses-01_voi-acc", "01", "01", "voxel", "outside the brain", "")
    assert targets(study, "", failed).compared(job("02", "sub-01_ses-02_voi-acc")) == []


def test_the_folder_of_existing_maps_is_that_of_the_session(study: Path):
    of = targets(study, 'anatomy: {backend: precomputed, precomputed: "maps/sub-{participant}/ses-{session}"}')
    assert of.existing_option(SECOND) == "--existing maps/sub-01/ses-02"
    assert callable(of.settings_of("anatomy"))  # a text with braces would be filled in by Snakemake


def test_constants_of_ones_own_are_known_by_their_content(study: Path):
    own = study / "own.yaml"
    own.write_text("reference: ours\n")
    of = targets(study, "quantify: {constants: own.yaml}")
    before = of.constants_hash()
    own.write_text("reference: ours, corrected\n")
    assert before
    assert of.constants_hash() != before
    assert targets(study, "").constants_hash() == ""


def write_events(study: Path, onset: int) -> None:
    rows = ("onset\tduration\tsession_id", "4\t8\tses-01", f"{onset}\t8\tses-02")
    (study / "events.tsv").write_text("\n".join(rows) + "\n")


def test_an_event_of_one_session_that_changes_is_a_change_of_that_session_alone(study: Path):
    def hashes() -> list[str]:
        digest = targets(study, "").events_hash()
        assert callable(digest)
        return [digest(spectrum) for spectrum in (first, second)]

    first, second = (job(session, f"sub-01_ses-{session}_voi-acc") for session in ("01", "02"))
    write_events(study, 4)
    before = hashes()
    write_events(study, 5)
    after = hashes()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_session_without_events_gets_no_dynamic_fit_and_an_event_of_nobody_is_named(study: Path):
    (study / "events.tsv").write_text("onset\tduration\tsession_id\n4\t8\tses-01\n4\t8\tses-09\n")
    plan = targets(study, "").plan
    assert [(s.session, s.dynamic) for s in plan.spectra] == [("01", True), ("02", False)]
    (problem,) = [p for p in plan.problems if p.file.endswith("events.tsv")]
    assert (problem.severity, problem.line) == ("error", 3)
    assert "09" in problem.message


def test_a_job_names_only_the_inputs_that_it_has(study: Path):
    of = targets(study, "")
    stem, place = "sub-01_ses-01_voi-acc", FIRST.place
    fit = of.fit_inputs(Wildcards(place=place, name=stem, label="static"))
    assert set(fit) == {"data", "basis"}
    assert isinstance(fit["basis"], str)  # a single file is no list
    assert set(of.voxel_inputs(job("01", stem))) == {"svs", "anatomy"}
    later = of.voxel_inputs(job("02", "sub-01_ses-02_voi-acc"))
    assert later["compared"] == f"derivatives/snakemrs/{place}/mrs/{stem}_voxel.json"
    (study / "own").mkdir()
    assert targets(study, "basis: own").models(job("01", stem)) == {}


def test_what_runs_keeps_no_headers(study: Path):
    of = targets(study, "")
    assert all(scan.header == {} for scan in of.plan.scans)
    assert any(scan.header for scan in load_plan(of.path).scans)
