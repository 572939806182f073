"""Where a T1w lies, from NIfTI and from DICOM alike."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from snakemrs.cli.field_of_view import field_of_view, share_outside
from snakemrs.cli.headers import read_header
from snakemrs.scanner.personal import draw_personal
from snakemrs.scanner.t1w import write_dicom_t1w

SHAPE = (16, 20, 9)


def oblique() -> np.ndarray:
    """An affine of 2 × 1.5 × 3 mm, tilted by 20° about the first axis."""
    turn = np.deg2rad(20)
    rotation = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([2.0, 1.5, 3.0])
    affine[:3, 3] = [-16, -20, -60]
    return affine


def write_dicom(folder: Path, slices: int = SHAPE[2]) -> Path:
    values = np.ones((*SHAPE[:2], slices), np.int16)
    write_dicom_t1w(folder, values, oblique(), draw_personal(np.random.default_rng(1), "F", 30), 1, "SIEMENS")
    return folder


def corners(view: dict[str, list[list[float]]]) -> np.ndarray:
    """The eight outermost voxels' places, in any order."""
    affine, shape = np.array(view["affine"]), np.array(view["shape"])
    index = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (shape - 1)
    return np.array(sorted(np.round(index @ affine[:3, :3].T + affine[:3, 3], 2).tolist()))


def test_a_dicom_series_lies_where_its_nifti_lies(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones(SHAPE, np.int16), oblique()), tmp_path / "head.nii.gz")
    expected = field_of_view([tmp_path / "head.nii.gz"])
    found = field_of_view(sorted(write_dicom(tmp_path / "series").iterdir()))
    assert expected is not None
    assert found is not None
    assert corners(found) == pytest.approx(corners(expected), abs=0.011)


def test_slices_in_any_order_of_names(tmp_path: Path) -> None:
    files = sorted(write_dicom(tmp_path / "series").iterdir())
    in_order, shuffled = field_of_view(files), field_of_view([files[5], *files[:5], *files[6:]])
    assert in_order == shuffled


def test_slices_that_are_frames_of_one_file(tmp_path: Path) -> None:
    """The series' slices put into one file, as enhanced DICOM has them."""
    files = sorted(write_dicom(tmp_path / "series").iterdir())
    slices = [pydicom.dcmread(path) for path in files]
    whole, shared = slices[0], pydicom.Dataset()
    shared.PlaneOrientationSequence = [_with(ImageOrientationPatient=whole.ImageOrientationPatient)]
    shared.PixelMeasuresSequence = [_with(PixelSpacing=whole.PixelSpacing)]
    whole.SharedFunctionalGroupsSequence = [shared]
    whole.PerFrameFunctionalGroupsSequence = [
        _with(PlanePositionSequence=[_with(ImagePositionPatient=one.ImagePositionPatient)]) for one in slices
    ]
    whole.save_as(tmp_path / "whole.dcm")
    assert field_of_view([tmp_path / "whole.dcm"]) == field_of_view(files)


def _with(**elements: object) -> pydicom.Dataset:
    item = pydicom.Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return item


def test_the_header_of_a_series_has_it(tmp_path: Path) -> None:
    header = read_header(write_dicom(tmp_path / "series", slices=44))
    assert header["kind"] == "T1w"
    assert header["field_of_view"]["shape"] == [*SHAPE[:2], 44]


def test_what_cannot_be_read_has_no_field_of_view(tmp_path: Path) -> None:
    (tmp_path / "head.nii.gz").write_bytes(b"\x1f\x8b nothing")
    assert field_of_view([tmp_path / "head.nii.gz"]) is None


def test_the_share_of_a_voxel_outside() -> None:
    view = {"affine": np.eye(4).tolist(), "shape": [100, 100, 100]}
    assert share_outside((50, 50, 50), (20, 20, 20), view) == 0
    assert share_outside((0, 50, 50), (18, 18, 18), view) == pytest.approx(4 / 9)
    assert share_outside((-30, 50, 50), (20, 20, 20), view) == 1
