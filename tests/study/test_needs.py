"""What a segmentation needs of the machine: memory by the size of the image and its backend, and its image."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from snakemrs.study.needs import million_voxels, segmentation_image, segmentation_memory
from snakemrs.study.resolve import build_plan
from snakemrs.study.targets import Targets

OWN = SimpleNamespace(place="sub-01/ses-01", name="sub-01_ses-01")
OTHER = SimpleNamespace(place="variants/other/sub-01/ses-01", name="sub-01_ses-01")


def image_of(shape: tuple[int, int, int], path: Path) -> Path:
    nib.save(nib.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), path)
    return path


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A T1w and a spectrum; Snakemake works in the study's folder."""
    (tmp_path / "raw").mkdir()
    image_of((100, 100, 50), tmp_path / "raw" / "t1.nii.gz")
    (tmp_path / "raw" / "svs").write_text("svs")
    (tmp_path / "scans.tsv").write_text(
        "path\tparticipant\tsession\tsuffix\nsvs\t01\t01\tsvs\nt1.nii.gz\t01\t01\tT1w\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def targets(study: Path, settings: str) -> Targets:
    (study / "study.yaml").write_text(f"name: test\nraw: raw\n{settings}\n")
    return Targets(build_plan(study, lambda path: {}).save(study))


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_the_size_of_an_image_is_that_of_its_header(tmp_path: Path, ending: str) -> None:
    assert million_voxels(image_of((200, 100, 50), tmp_path / f"t1.{ending}")) == 1.0


def test_the_size_of_a_dicom_series_is_that_of_its_files(tmp_path: Path) -> None:
    for n in range(10):
        (tmp_path / f"{n}.dcm").write_bytes(bytes(400_000))
    assert million_voxels(tmp_path) == 2.0


def test_an_image_that_cannot_be_read_is_taken_for_a_usual_one(tmp_path: Path) -> None:
    (tmp_path / "t1.nii.gz").write_text("no image")
    assert million_voxels(tmp_path / "t1.nii.gz") == million_voxels(tmp_path / "absent.nii") == 12.0


def test_memory_grows_with_the_image_and_with_each_attempt(study: Path) -> None:
    memory = segmentation_memory(targets(study, ""))
    assert memory(OWN, 1) == 1600  # half a million voxels
    assert memory(OWN, 2) == 3200


def test_a_whole_head_has_more_than_it_was_measured_to_take(study: Path) -> None:
    image_of((200, 248, 244), study / "raw" / "t1.nii.gz")
    assert segmentation_memory(targets(study, ""))(OWN, 1) > 1.3 * 2826


def test_synthseg_asks_for_more_where_it_runs(study: Path) -> None:
    memory = segmentation_memory(
        targets(study, "group: {sensitivity: {variants: {other: {anatomy: {backend: synthseg}}}}}")
    )
    assert memory(OWN, 1) == 1600
    assert memory(OTHER, 1) == 16_000


def test_the_image_is_the_one_that_holds_the_backend_s_program(study: Path) -> None:
    assert "anatomy" in str(segmentation_image(targets(study, "")))
    assert "fsl" in str(segmentation_image(targets(study, "anatomy: {second_backend: fast}")))


def test_a_choice_of_another_program_runs_in_another_image(study: Path) -> None:
    of_job = segmentation_image(targets(study, "group: {sensitivity: {variants: {other: {anatomy: {backend: fast}}}}}"))
    assert callable(of_job)
    assert "anatomy" in of_job(OWN)
    assert "fsl" in of_job(OTHER)
