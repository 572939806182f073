"""A study whose tissue maps exist already: what runs, and what runs again when a map changes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from .conftest import jobs, map_of, snakemrs, write_maps

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

SEGMENT = ("--", "--until", "segment")


@pytest.fixture
def study(scanner_files: Path, tmp_path: Path) -> Path:
    """Three participants of two sessions each, with maps that another program made."""
    study = tmp_path / "study"
    shutil.copytree(scanner_files, study)
    write_maps(study, "maps")
    with (study / "study.yaml").open("a") as stream:
        stream.write("anatomy:\n  backend: precomputed\n  precomputed: maps/sub-{participant}/ses-{session}\n")
    return study


def segmentations(study: Path) -> list[str]:
    return [name for rule, name in jobs(study) if rule == "segment"]


def test_a_changed_map_runs_that_session_again_and_no_other(study: Path) -> None:
    outcome = snakemrs("run", study, "--cores", "1", *SEGMENT)
    assert outcome.code == 0, outcome.out + outcome.err
    made = study / "derivatives" / "snakemrs" / "sub-02" / "ses-01" / "anat" / "sub-02_ses-01_label-GM_probseg.nii.gz"
    given = nib.load(map_of(study, "maps", "02", "01", "GM"))
    np.testing.assert_allclose(nib.load(made).get_fdata(), given.get_fdata(), atol=1e-6)
    os.utime(map_of(study, "maps", "01", "01", "GM"))
    assert segmentations(study) == []
    nib.save(
        nib.Nifti1Image(0.9 * given.get_fdata(dtype=np.float32), given.affine), map_of(study, "maps", "02", "01", "GM")
    )
    assert segmentations(study) == ["sub-02_ses-01"]
    map_of(study, "maps", "01", "02", "WM").unlink()
    outcome = snakemrs("plan", study)
    assert outcome.code == 1
    assert "maps/sub-01/ses-02 (sub-01): no existing segmentation was found" in outcome.out + outcome.err
