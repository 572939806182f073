"""One segmentation for two sessions."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from snakemrs.anatomy.backends import Segmentation
from snakemrs.anatomy.images import Volume
from snakemrs.anatomy.sessions import bring, resample_by
from snakemrs.errors import DataError
from snakemrs.study.settings.anatomy import AnatomySettings


@pytest.fixture(scope="module")
def first(heads: ModuleType) -> Segmentation:
    """A virtual head of 3 mm with its true tissue."""
    head = heads.draw(5, (3, 3, 3))
    maps = {name.upper(): data for name, data in head.truth.items()}
    # The second opinion calls a tenth of the grey matter white.
    second = {"GM": 0.9 * maps["GM"], "WM": maps["WM"] + 0.1 * maps["GM"], "CSF": maps["CSF"]}
    return Segmentation(head.t1w, sum(maps.values()) > 0.5, maps, "truth", True, to_template=np.eye(4), second=second)


def moved(first: Segmentation, data: np.ndarray, move: np.ndarray) -> Volume:
    return first.t1w.like(resample_by(first.t1w.like(data), move, first.t1w))


@pytest.mark.slow
def test_a_head_that_moved_between_sessions_is_found_again(first: Segmentation, tmp_path: Path):
    move = np.eye(4)
    move[:3, :3] = Rotation.from_euler("xyz", [6, -3, 4], degrees=True).as_matrix()
    move[:3, 3] = [5.0, -4.0, 6.0]
    second = moved(first, first.t1w.data, move)
    result = bring(second, True, first, AnatomySettings(), tmp_path)
    truth = moved(first, first.maps["WM"], move).data
    assert np.abs(result.maps["WM"] - truth).mean() < 0.01
    assert result.second is not None
    np.testing.assert_allclose(result.second["GM"], 0.9 * result.maps["GM"], atol=1e-5)
    assert result.extra["session_rotation"] == pytest.approx(
        np.degrees(Rotation.from_matrix(move[:3, :3]).magnitude()), abs=1.0
    )
    assert result.to_template is not None
    left = result.to_template @ move - np.eye(4)
    assert np.abs(left[:3, :3]).max() < 0.02
    assert np.abs(left[:3, 3]).max() < 1.5


@pytest.mark.slow
def test_an_image_that_is_not_of_this_head_is_refused(first: Segmentation, tmp_path: Path):
    noise = np.random.default_rng(0).random(first.t1w.data.shape) * (first.t1w.data > 0)
    image = first.t1w.like(noise.astype(np.float32))
    with pytest.raises(DataError, match="do not agree") as caught:
        bring(image, True, first, AnatomySettings(), tmp_path, Path("sub-01_ses-02_T1w.nii.gz"))
    assert "sub-01_ses-02_T1w.nii.gz" in str(caught.value)
    assert "between_sessions" in str(caught.value)
