"""T1w images on disk: the DICOM series that dcm2niix reads is the image that was written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from snakemrs.scanner.personal import Personal
from snakemrs.scanner.t1w import MANUFACTURERS, write_dicom_t1w, write_nifti_t1w

PERSON = Personal("Quagmarsh^Zebulina", "1987-06-15", "PID12345678", "F", 61.5)


def example() -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(0).integers(1, 900, (12, 17, 9)).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("XYZ", [8, -5, 11], degrees=True).as_matrix() * [1.5, 1.25, 2.0]
    affine[:3, 3] = [-80.5, -111.25, -60.125]
    return values, affine


@pytest.mark.parametrize("manufacturer", sorted(set(MANUFACTURERS.values())))
def test_dicom_comes_back_through_dcm2niix(tmp_path: Path, manufacturer: str) -> None:
    """The same value at the same place in the scanner, whatever way the axes run."""
    values, affine = example()
    write_dicom_t1w(tmp_path / "T1w", values, affine, PERSON, 101, manufacturer)
    program = Path(sys.executable).with_name("dcm2niix")
    command = [program, "-z", "n", "-b", "n", "-f", "x", "-o", tmp_path, tmp_path / "T1w"]
    subprocess.run(command, check=True, capture_output=True)
    back = nib.load(tmp_path / "x.nii")
    corners = np.array([[0, 0, 0], [11, 0, 0], [0, 16, 0], [0, 0, 8], [11, 16, 8], [5, 7, 3]])
    places = nib.affines.apply_affine(affine, corners)
    index = nib.affines.apply_affine(np.linalg.inv(back.affine), places)
    np.testing.assert_allclose(index, np.rint(index), atol=1e-3)
    found = np.asarray(back.dataobj)[tuple(np.rint(index).astype(int).T)]
    assert found.tolist() == values[tuple(corners.T)].tolist()


def test_dicom_holds_the_planted_name_and_the_same_bytes_again(tmp_path: Path) -> None:
    values, affine = example()
    for name in ("a", "b"):
        write_dicom_t1w(tmp_path / name, values, affine, PERSON, 101, "SIEMENS")
    first = [path.read_bytes() for path in sorted((tmp_path / "a").iterdir())]
    assert len(first) == 9
    assert all(b"Quagmarsh^Zebulina" in content for content in first)
    assert first == [path.read_bytes() for path in sorted((tmp_path / "b").iterdir())]


def test_nifti_keeps_values_and_place(tmp_path: Path) -> None:
    values, affine = example()
    write_nifti_t1w(tmp_path / "T1w.nii.gz", values, affine)
    back = nib.load(tmp_path / "T1w.nii.gz")
    assert np.array_equal(np.asarray(back.dataobj), values)
    assert back.affine == pytest.approx(affine, abs=1e-5)
