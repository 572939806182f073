"""The plan: what a study consists of, by content and not by time stamp."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from snakemrs.errors import DataError
from snakemrs.study.plan import build_plan, load_plan

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
