"""The plan: what a study consists of, by content and not by time stamp."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from snakemrs.anatomy.precomputed import existing_maps
from snakemrs.errors import DataError
from snakemrs.study.plan import load_plan
from snakemrs.study.resolve import build_plan

HEADER = {"sequence": "PRESS", "te": 0.03, "frequency": 127.755, "bandwidth": 2000, "points": 1024, "transients": 4}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    rows = ["path\tparticipant\tsession\tsuffix\ttask\tacq\tvoi\trun"]
    for name, suffix, acq in (("a", "svs", "press"), ("w", "mrsref", "press"), ("m", "svs", "mm"), ("t", "T1w", "n/a")):
        (tmp_path / "raw" / name).write_text(name)
        voi = "n/a" if suffix == "T1w" else "acc"
        rows.append(f"{name}\t01\t01\t{suffix}\tn/a\t{acq}\t{voi}\tn/a")
    (tmp_path / "scans.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "study.yaml").write_text("name: test\n")
    return tmp_path


def test_a_plan_names_inputs_and_outputs_of_each_spectrum(study: Path) -> None:
    plan = build_plan(study, lambda path: HEADER)
    spectrum = plan.spectra[0]
    assert spectrum.stem == "sub-01_ses-01_acq-press_voi-acc"
    assert spectrum.water == "bids/sub-01/ses-01/mrs/sub-01_ses-01_acq-press_voi-acc_mrsref.nii.gz"
    assert spectrum.anatomy == "derivatives/snakemrs/sub-01/ses-01/anat/sub-01_ses-01"
    assert spectrum.frames
    assert spectrum.basis is not None
    assert plan.bases[spectrum.basis.rsplit("/", 1)[1]]["frequency"] == 127.75


def test_a_dynamic_fit_is_planned_where_there_are_transients_and_events(study: Path) -> None:
    assert not build_plan(study, lambda path: HEADER).spectra[0].dynamic
    (study / "events.tsv").write_text("onset\tduration\ttrial_type\n4\t8\tinfusion\n")
    main, nulled = build_plan(study, lambda path: HEADER).spectra
    assert main.dynamic
    assert not nulled.dynamic
    with (study / "study.yaml").open("a") as stream:
        stream.write("functional:\n  enabled: never\n")
    assert not build_plan(study, lambda path: HEADER).spectra[0].dynamic


def test_spectra_without_the_task_are_at_rest(study: Path) -> None:
    (study / "events.tsv").write_text("onset\tduration\ttrial_type\n4\t8\tinfusion\n")
    (study / "raw" / "r").write_text("r")
    scans = (study / "scans.tsv").read_text().replace("svs\tn/a\tpress", "svs\tinfusion\tpress")
    (study / "scans.tsv").write_text(f"{scans}r\t01\t01\tsvs\tn/a\tpress\tacc\tn/a\n")
    spectra = build_plan(study, lambda path: HEADER).spectra
    assert {(s.task, s.dynamic) for s in spectra if s.acq == "press"} == {("infusion", True), (None, False)}


def test_macromolecule_scans_are_kept_apart(study: Path) -> None:
    main, nulled = build_plan(study, lambda path: HEADER).spectra
    assert not nulled.fitted
    assert main.macromolecules is None


def test_measured_macromolecules_are_taken_where_the_study_says_so(study: Path) -> None:
    with (study / "study.yaml").open("a") as stream:
        stream.write("measured_macromolecules: true\n")
    main, nulled = build_plan(study, lambda path: HEADER).spectra
    assert main.macromolecules == f"{nulled.folder}/{nulled.stem}_desc-preproc_svs.nii.gz"


def test_a_saved_plan_is_read_back_whole(study: Path) -> None:
    plan = build_plan(study, lambda path: HEADER)
    assert load_plan(plan.save(study)) == plan


def test_a_touched_or_copied_file_changes_nothing(study: Path) -> None:
    before = build_plan(study, lambda path: HEADER)
    before.save(study)
    raw = study / "raw" / "a"
    os.utime(raw, (1, 1))
    shutil.copy(raw, study / "copy")
    os.replace(study / "copy", raw)
    assert build_plan(study, lambda path: HEADER) == before


def test_replaced_content_changes_that_files_hash_only(study: Path) -> None:
    before = {scan.path: scan.sha256 for scan in build_plan(study, lambda path: HEADER).scans}
    (study / "raw" / "a").write_text("other")
    after = {scan.path: scan.sha256 for scan in build_plan(study, lambda path: HEADER).scans}
    assert {path for path in before if before[path] != after[path]} == {"a"}


def test_a_missing_or_damaged_file_is_a_problem_of_its_participant_only(study: Path) -> None:
    (study / "raw" / "w").unlink()

    def read(path: Path) -> dict[str, object]:
        if path.name == "a":
            raise DataError("damaged")
        return HEADER

    problems = build_plan(study, read).problems
    assert {(p.file, p.severity, p.participant) for p in problems} == {("a", "error", "01"), ("w", "error", "01")}


def test_a_renamed_study_has_the_same_plan(study: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = build_plan(study, lambda path: HEADER)
    before.save(study)
    moved = tmp_path_factory.mktemp("moved") / "study"
    shutil.move(study, moved)
    assert build_plan(moved, lambda path: HEADER) == before


def with_two_sessions(study: Path, settings: str) -> Path:
    """The study with a T1w in a second session, and settings of the stage anatomy."""
    (study / "raw" / "t2").write_text("t2")
    with (study / "scans.tsv").open("a") as stream:
        stream.write("t2\t01\t02\tT1w\tn/a\tn/a\tn/a\tn/a\n")
    with (study / "study.yaml").open("a") as stream:
        stream.write(f"anatomy: {settings}\n")
    return study


def test_each_session_is_segmented_unless_the_study_says_otherwise(study: Path) -> None:
    each = build_plan(with_two_sessions(study, "{}"), lambda path: HEADER).anatomies
    assert [a.source for a in each] == [None, None]


def test_one_segmentation_may_serve_all_sessions(study: Path) -> None:
    first, second = build_plan(with_two_sessions(study, "{between_sessions: first}"), lambda path: HEADER).anatomies
    assert first.source is None
    assert second.source == first.prefix


def test_existing_maps_are_known_by_their_content(study: Path) -> None:
    """Each session has its folder; a map that changes changes that session's hash only, a touched one nothing."""
    with_two_sessions(study, '{backend: precomputed, precomputed: "maps/sub-{participant}/ses-{session}"}')
    for session in ("01", "02"):
        folder = study / "maps" / "sub-01" / f"ses-{session}"
        folder.mkdir(parents=True)
        for tissue in ("GM", "WM", "CSF"):
            (folder / f"sub-01_label-{tissue}_probseg.nii.gz").write_text(tissue + session)

    def hashes() -> list[str]:
        return [a.existing_sha256 for a in build_plan(study, lambda path: HEADER, find_maps=existing_maps).anatomies]

    before = hashes()
    changed = study / "maps" / "sub-01" / "ses-02" / "sub-01_label-WM_probseg.nii.gz"
    os.utime(changed, (1, 1))
    (changed.parent / "notes.txt").write_text("not a map")
    assert hashes() == before
    changed.write_text("another white matter")
    after = hashes()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_segmentation_that_would_serve_two_people_is_a_problem(study: Path) -> None:
    """A folder without {participant}, with labels that name nobody: the second participant would get the first's."""
    with_two_sessions(study, "{backend: precomputed, precomputed: maps}")
    scans = study / "scans.tsv"
    scans.write_text(scans.read_text().replace("\t01\t02\t", "\t02\t02\t"))
    (study / "maps").mkdir()
    (study / "maps" / "aseg.mgz").write_text("labels")
    plan = build_plan(study, lambda path: HEADER, find_maps=existing_maps)
    found = [(p.participant, p.message) for p in plan.problems if p.file == "maps"]
    assert [participant for participant, _ in found] == ["02"]
    assert "sub-01 too" in found[0][1]
    assert "{participant}" in found[0][1]


def test_absent_existing_maps_are_a_problem_of_their_participant(study: Path) -> None:
    with_two_sessions(study, '{backend: precomputed, precomputed: "maps/{session}"}')
    plan = build_plan(study, lambda path: HEADER, find_maps=existing_maps)
    assert {(p.file, p.participant) for p in plan.problems} == {("maps/01", "01"), ("maps/02", "01")}
    assert "absent" in plan.problems[0].message
