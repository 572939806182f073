"""Geometry and shares of tissue."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from snakemrs.anatomy.bias import class_means
from snakemrs.anatomy.checks import header_rotation
from snakemrs.anatomy.images import Volume, from_ants, largest_component, resampled, to_ants
from snakemrs.anatomy.partial_volume import shares


def oblique(shape: tuple[int, int, int] = (20, 24, 28)) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [20, -10, 5], degrees=True).as_matrix() @ np.diag([1.0, 1.2, 0.9])
    affine[:3, 3] = [-10.0, 4.0, 7.0]
    return Volume(np.random.default_rng(0).random(shape).astype(np.float32), affine)


def test_passage_to_ants_and_back_keeps_data_and_geometry():
    volume = oblique()
    back = from_ants(to_ants(volume))
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-9)
    np.testing.assert_array_equal(back.data, volume.data)


def test_resampling_keeps_the_centre_of_a_blob():
    volume = oblique((40, 40, 40))
    where = np.argwhere(np.ones(volume.data.shape)) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    middle = where.mean(axis=0) + np.array([2.0, -1.0, 1.5])
    blob = np.exp(-((where - middle) ** 2).sum(axis=1) / (2 * 5.0**2)).reshape(volume.data.shape)
    small = resampled(volume.like(blob.astype(np.float32)), 2.0)
    places = np.argwhere(np.ones(small.data.shape)) @ small.affine[:3, :3].T + small.affine[:3, 3]
    np.testing.assert_allclose(np.average(places, axis=0, weights=small.data.ravel()), middle, atol=0.1)
    np.testing.assert_allclose(small.spacing, 2.0)


def test_a_thin_bridge_does_not_join_two_parts():
    mask = np.zeros((40, 20, 20), bool)
    mask[2:20, 2:18, 2:18] = True
    mask[24:36, 5:15, 5:15] = True
    mask[20:24, 10, 10] = True
    kept = largest_component(mask, opening=2)
    assert kept[10, 10, 10]
    assert not kept[30, 10, 10]


def test_shares_follow_the_intensity_between_two_tissues():
    """A ramp from grey to white matter with little noise gives shares that rise linearly."""
    random = np.random.default_rng(1)
    truth = np.tile(np.linspace(0, 1, 30)[:, None, None], (1, 30, 30))
    data = 0.7 + 0.3 * truth + 0.01 * random.standard_normal(truth.shape)
    posteriors = np.stack([np.zeros_like(truth), truth < 0.5, truth >= 0.5]).astype(float)
    mask = np.ones(truth.shape, bool)
    found = shares(data, mask, posteriors, np.array([0.2, 0.7, 1.0]), np.array([0.02, 0.01, 0.01]), mixed=1.0)
    middle = (truth > 0.3) & (truth < 0.7)
    assert np.abs(found[2] - truth)[middle].mean() < 0.05
    np.testing.assert_allclose(found.sum(axis=0), 1.0, atol=1e-5)


def test_means_of_pure_tissue_do_not_see_mixed_voxels():
    random = np.random.default_rng(2)
    white = np.zeros((30, 30, 30), bool)
    white[:, :, 15:] = True
    data = np.where(white, 1.0, 0.7) + 0.02 * random.standard_normal(white.shape)
    data[:, :, 14:16] = 0.85
    posteriors = np.stack([np.zeros(white.shape), ~white, white]).astype(float)
    means, sds = class_means(data, np.ones(white.shape, bool), posteriors)
    assert means[1:] == pytest.approx([0.7, 1.0], abs=0.01)
    assert sds[1:] == pytest.approx([0.02, 0.02], abs=0.005)


def test_an_image_turned_against_its_dicom_files_is_found_out():
    """Flips and exchanged axes are a converter's; a turn of 12 degrees is a registration's."""
    sagittal = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]  # rows run to the back, columns to the feet (LPS)
    assert header_rotation(np.diag([-1.0, 1.0, 1.0, 1.0]), sagittal) == pytest.approx(0.0, abs=1e-6)
    assert header_rotation(np.eye(4)[[1, 2, 0, 3]], sagittal) == pytest.approx(0.0, abs=1e-6)
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("x", 12.0, degrees=True).as_matrix() * [0.8, 0.8, 1.0]
    assert header_rotation(turned, sagittal) == pytest.approx(12.0, abs=1e-6)
