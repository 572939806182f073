"""The command `segment` on small virtual heads, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from snakemrs.anatomy.command import read_t1w, segment
from snakemrs.errors import DataError, RequestError
from snakemrs.io.tables import read_table


def save(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.eye(4) if affine is None else affine), path)
    return path


def run(*arguments: object) -> None:
    result = CliRunner().invoke(segment, [str(a) for a in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception


REFUSED = {
    "four dimensions": (np.random.default_rng(0).random((60, 60, 60, 3)), np.diag([3, 3, 3, 1.0]), "no T1w"),
    "as coarse as EPI": (np.random.default_rng(0).random((64, 64, 40)), np.diag([3, 3, 3.5, 1.0]), "too coarse"),
    "constant": (np.ones((128, 128, 128)), np.eye(4), "constant"),
    "not a number": (np.full((128, 128, 128), np.nan), np.eye(4), "no numbers"),
    "too small": (np.random.default_rng(0).random((40, 128, 128)), np.eye(4), "does not cover"),
    "a mask": ((np.random.default_rng(0).random((128, 128, 128)) > 0.5) * 1.0, np.eye(4), "mask"),
    "a slice": (np.random.default_rng(0).random((256, 256, 1)), np.eye(4), "no T1w"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_t1w_is_refused_with_a_reason(name: str, tmp_path: Path):
    data, affine, words = REFUSED[name]
    path = save(tmp_path / "T1w.nii.gz", data, affine)
    with pytest.raises(DataError, match=words) as caught:
        run(path, "--output", tmp_path / "out")
    assert str(path) in str(caught.value)
    assert not list(tmp_path.glob("out*"))


def test_a_damaged_file_is_refused(tmp_path: Path):
    path = tmp_path / "T1w.nii.gz"
    path.write_bytes(b"not a nifti file")
    with pytest.raises(DataError, match="cannot be read"):
        read_t1w(path)


def test_a_program_that_is_absent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from snakemrs.interfaces import segmentation

    monkeypatch.setenv("PATH", str(tmp_path))
    for start in (
        lambda: segmentation.run_fast(tmp_path, tmp_path),
        lambda: segmentation.run_synthseg(tmp_path, tmp_path, 1),
    ):
        with pytest.raises(RequestError, match="not on this machine"):
            start()


def test_stripped_and_whole_heads_are_told_apart(heads: ModuleType):
    from snakemrs.anatomy.checks import looks_extracted

    assert looks_extracted(heads.draw(3, (2, 2, 2)).t1w)
    assert not looks_extracted(heads.draw(3, (2, 2, 2), whole_head=True).t1w)


@pytest.mark.slow
def test_a_stripped_head_is_segmented_the_same_each_time(heads: ModuleType, tmp_path: Path):
    head = heads.draw(3, (2, 2, 2))
    path = save(tmp_path / "T1w.nii.gz", head.t1w.data, head.t1w.affine)
    # In processes of their own: where tests before this one have loaded ANTs, its number of threads is settled.
    words = [
        sys.executable,
        "-m",
        "snakemrs.cli.main",
        "segment",
        str(path),
        "--settings",
        '{"registration_spacing": 4}',
    ]
    for turn in ("a", "b"):
        subprocess.run([*words, "--output", str(tmp_path / turn / "sub-01")], check=True, capture_output=True)
    files = sorted(f.name for f in (tmp_path / "a").iterdir())
    assert files == sorted(
        [
            "sub-01_desc-anatomy_quality.json",
            "sub-01_desc-anatomy_quality.tsv",
            "sub-01_desc-brain_mask.nii.gz",
            "sub-01_desc-preproc_T1w.nii.gz",
            "sub-01_from-T1w_to-MNI152_xfm.json",
            *(f"sub-01_label-{t}_probseg.nii.gz" for t in ("CSF", "GM", "WM")),
        ]
    )
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    for tissue in ("GM", "WM", "CSF"):
        found = nib.load(tmp_path / "a" / f"sub-01_label-{tissue}_probseg.nii.gz").get_fdata()
        truth = head.truth[tissue.lower()]
        assert found.sum() == pytest.approx(truth.sum(), rel=0.08)
        assert np.abs(found - truth)[truth.sum() > 0].mean() < 0.03
    quality = {row["metric"]: row for row in read_table(tmp_path / "a" / "sub-01_desc-anatomy_quality.tsv")}
    assert quality["template_similarity"]["verdict"] == "pass"


def test_existing_maps_are_used_as_they_are(heads: ModuleType, tmp_path: Path):
    head = heads.draw(4, (2, 2, 2))
    path = save(tmp_path / "T1w.nii.gz", head.t1w.data, head.t1w.affine)
    folder = tmp_path / "fmriprep" / "anat"
    folder.mkdir(parents=True)
    for tissue in ("GM", "WM", "CSF"):
        save(folder / f"sub-01_label-{tissue}_probseg.nii.gz", head.truth[tissue.lower()], head.t1w.affine)
        save(folder / f"sub-01_space-MNI152_label-{tissue}_probseg.nii.gz", head.truth["gm"], head.t1w.affine)
    settings = f'{{"backend": "precomputed", "precomputed": "{folder}"}}'
    run(path, "--output", tmp_path / "out", "--settings", settings)
    found = nib.load(tmp_path / "out_label-GM_probseg.nii.gz").get_fdata()
    np.testing.assert_allclose(found, head.truth["gm"], atol=1e-6)


def test_maps_of_another_space_are_refused(heads: ModuleType, tmp_path: Path):
    from snakemrs.anatomy.precomputed import find_derivatives, read_maps

    head = heads.draw(4, (2.5, 2.5, 2.5))
    moved = head.t1w.affine.copy()
    moved[:3, 3] += 60.0
    for tissue, name in (("GM", "p1"), ("WM", "p2"), ("CSF", "p3")):
        save(tmp_path / f"{name}T1w.nii", head.truth[tissue.lower()], moved)
    files, program = find_derivatives(tmp_path)
    assert program == "CAT12"
    with pytest.raises(DataError, match="does not lie on the brain"):
        read_maps(files, head.t1w)


def test_freesurfer_labels_become_tissues():
    from snakemrs.anatomy.precomputed import labels_to_maps

    maps = labels_to_maps(np.array([[[0, 2, 3, 4, 1011, 2035, 251, 10]]]))
    assert maps["WM"].ravel().tolist() == [0, 1, 0, 0, 0, 0, 1, 0]
    assert maps["GM"].ravel().tolist() == [0, 0, 1, 0, 1, 1, 0, 1]
    assert maps["CSF"].ravel().tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
