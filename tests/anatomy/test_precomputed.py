"""Tissue maps that exist already, by the names that fMRIPrep, CAT12, SPM, FAST and FreeSurfer give them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from snakemrs.anatomy.precomputed import find_derivatives, owner_of, read_maps
from snakemrs.errors import RequestError

TISSUES = ("GM", "WM", "CSF")
# Program: names of its three maps, and names beside them that must not be taken.
PROGRAMS = {
    "BIDS derivatives (fMRIPrep, sMRIPrep)": (
        [
            "anat/sub-01_label-GM_probseg.nii.gz",
            "anat/sub-01_label-WM_probseg.nii.gz",
            "anat/sub-01_label-CSF_probseg.nii.gz",
        ],
        ["anat/sub-01_space-MNI152NLin2009cAsym_res-2_label-GM_probseg.nii.gz", "anat/sub-01_desc-preproc_T1w.nii.gz"],
    ),
    "CAT12": (
        ["mri/p1sub-01_T1w.nii", "mri/p2sub-01_T1w.nii", "mri/p3sub-01_T1w.nii"],
        ["mri/mwp1sub-01_T1w.nii", "mri/wp1sub-01_T1w.nii", "mri/p0sub-01_T1w.nii", "mri/rp1sub-01_T1w_affine.nii"],
    ),
    "SPM": (
        ["c1sub-01_T1w.nii", "c2sub-01_T1w.nii", "c3sub-01_T1w.nii"],
        ["wc1sub-01_T1w.nii", "mwc1sub-01_T1w.nii", "rc1sub-01_T1w.nii", "c4sub-01_T1w.nii", "msub-01_T1w.nii"],
    ),
    "FSL FAST": (
        ["T1_pve_1.nii.gz", "T1_pve_2.nii.gz", "T1_pve_0.nii.gz"],
        ["T1_seg.nii.gz", "T1_pveseg.nii.gz", "T1_mixeltype.nii.gz"],
    ),
}


@pytest.fixture(scope="module")
def head(heads: ModuleType) -> Any:
    return heads.draw(4, (3, 3, 3))


def save(path: Path, data: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), path)


@pytest.mark.parametrize("program", PROGRAMS)
def test_maps_are_found_by_their_names_and_read_as_they_are(program: str, head: Any, tmp_path: Path):
    names, beside = PROGRAMS[program]
    for name, tissue in zip(names, TISSUES, strict=True):
        save(tmp_path / name, head.truth[tissue.lower()], head.t1w.affine)
    for name in beside:
        save(tmp_path / name, np.full(head.t1w.data.shape, 0.5, np.float32), head.t1w.affine)
    files, made_by = find_derivatives(tmp_path)
    assert made_by == program
    maps = read_maps(files, head.t1w)
    for tissue in TISSUES:
        np.testing.assert_allclose(maps[tissue], head.truth[tissue.lower()], atol=1e-6)


def test_maps_of_8_bits_are_shares_of_255(head: Any, tmp_path: Path):
    """SPM writes bytes with a scale; some copies of them have lost it."""
    for name, tissue in zip(("c1", "c2", "c3"), TISSUES, strict=True):
        save(tmp_path / f"{name}a.nii", np.round(255 * head.truth[tissue.lower()]).astype(np.uint8), head.t1w.affine)
    maps = read_maps(find_derivatives(tmp_path)[0], head.t1w)
    np.testing.assert_allclose(maps["GM"], head.truth["gm"], atol=1 / 255)


@pytest.mark.parametrize("name", ["mri/aparc+aseg.mgz", "mri/aseg.mgz"])
def test_freesurfers_labels_are_brought_onto_the_image(name: str, head: Any, tmp_path: Path):
    """FreeSurfer's grid is another one than the scanner's: here of half the voxels' size, with its axes turned."""
    affine = np.array([[-1.5, 0, 0, 0], [0, 0, 1.5, 0], [0, -1.5, 0, 0], [0, 0, 0, 1.0]])
    middle = head.t1w.affine @ [*(np.array(head.t1w.data.shape) / 2), 1]
    affine[:3, 3] = middle[:3] - affine[:3, :3] @ [75, 75, 75]
    index = np.indices((150, 150, 150)).reshape(3, -1)
    where = np.linalg.inv(head.t1w.affine) @ affine @ np.vstack([index, np.ones(index.shape[1])])
    nearest = np.rint(where[:3]).astype(int)
    inside = np.all((nearest >= 0) & (nearest < np.array(head.t1w.data.shape)[:, None]), axis=0)
    shares = np.stack([head.truth[t] for t in ("wm", "gm", "csf")])[:, *nearest[:, inside]]
    labels = np.zeros(index.shape[1], np.int32)
    labels[inside] = np.where(shares.sum(axis=0) > 0.5, np.array([2, 3, 4])[shares.argmax(axis=0)], 0)
    path = tmp_path / name
    path.parent.mkdir()
    nib.save(nib.MGHImage(labels.reshape(150, 150, 150), affine), path)
    files, made_by = find_derivatives(tmp_path)
    assert made_by == "FreeSurfer"
    maps = read_maps(files, head.t1w)
    for k, tissue in enumerate(("WM", "GM", "CSF")):
        truth = np.stack([head.truth[t] for t in ("wm", "gm", "csf")])
        hard = (truth.sum(axis=0) > 0.5) & (truth.argmax(axis=0) == k)
        assert 2 * (hard & (maps[tissue] > 0.5)).sum() / (hard.sum() + (maps[tissue] > 0.5).sum()) > 0.97


def test_maps_of_two_sessions_in_one_folder_are_refused(head: Any, tmp_path: Path):
    for session in ("01", "02"):
        for tissue in TISSUES:
            name = f"ses-{session}/anat/sub-01_ses-{session}_label-{tissue}_probseg.nii.gz"
            save(tmp_path / name, head.truth[tissue.lower()], head.t1w.affine)
    with pytest.raises(RequestError, match="more than one GM map") as caught:
        find_derivatives(tmp_path)
    assert "one participant and session" in str(caught.value)


SUBJECTS_DIR = (
    "sub-01/mri/aparc+aseg.mgz",
    "sub-02/mri/aparc+aseg.mgz",
    "sub-02/mri/aseg.mgz",
    "fsaverage/mri/aparc+aseg.mgz",
)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_of_freesurfers_folder_each_participant_gets_their_own_labels(tmp_path: Path):
    folder = touch(tmp_path, *SUBJECTS_DIR)
    for label in ("01", "02"):
        owner = owner_of(Path(f"sub-{label}_ses-1_T1w.nii.gz"))
        files, _ = find_derivatives(folder, owner)
        assert files["labels"] == folder / f"sub-{label}/mri/aparc+aseg.mgz"


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        ((None, None), "more than one"),
        (("03", None), "only others'"),
    ],
)
def test_of_several_peoples_labels_none_is_taken_at_random(
    owner: tuple[str | None, str | None], words: str, tmp_path: Path
):
    with pytest.raises(RequestError, match=words) as caught:
        find_derivatives(touch(tmp_path, *SUBJECTS_DIR), owner)
    assert "sub-01/mri/aparc+aseg.mgz" in str(caught.value)
    assert "{participant}" in str(caught.value)


def test_freesurfers_average_head_is_nobodys(tmp_path: Path):
    with pytest.raises(RequestError, match="no existing segmentation"):
        find_derivatives(touch(tmp_path, SUBJECTS_DIR[-1]), ("anna", None))


def test_where_files_name_their_owner_one_that_names_nobody_is_not_taken(tmp_path: Path):
    folder = touch(tmp_path, "sub-01/mri/aseg.mgz", "retest/mri/aseg.mgz")
    assert find_derivatives(folder, ("01", None))[0]["labels"] == folder / "sub-01/mri/aseg.mgz"
    with pytest.raises(RequestError, match="only others'"):
        find_derivatives(folder, ("02", None))


def test_sessions_and_folders_called_as_the_label_tell_whose_maps_they_are(tmp_path: Path):
    names = [f"{p}/ses-{s}/p{k}head.nii" for p in ("anna", "bert") for s in "12" for k in "123"]
    files, _ = find_derivatives(touch(tmp_path, *names), ("bert", "2"))
    assert {f.parent for f in files.values()} == {tmp_path / "bert/ses-2"}


def test_in_a_folder_of_the_participants_own_the_files_may_be_called_otherwise(tmp_path: Path):
    folder = touch(tmp_path / "sub-01", *(f"p{k}sub-PILOT7_T1w.nii" for k in "123"))
    assert find_derivatives(folder, ("01", "1"))[1] == "CAT12"


def test_maps_may_lie_beside_the_image_whatever_they_are_called(tmp_path: Path):
    folder = touch(tmp_path, "sub-01_T1w.nii.gz", *(f"head_pve_{k}.nii.gz" for k in "012"))
    assert find_derivatives(folder, ("01", None))[1] == "FSL FAST"


def test_maps_of_different_folders_make_no_set(tmp_path: Path):
    with pytest.raises(RequestError, match="different folders"):
        find_derivatives(touch(tmp_path, "a/c1x.nii", "a/c2x.nii", "b/c3x.nii"))


def test_a_folder_without_maps_is_refused_with_the_names_that_are_known(tmp_path: Path):
    with pytest.raises(RequestError, match="no existing segmentation") as caught:
        find_derivatives(tmp_path)
    for name in ("probseg", "p1|p2|p3", "c1|c2|c3", "aparc+aseg.mgz"):
        assert name in str(caught.value)
