"""Virtual heads and voxels: geometry that holds, tissue that the image shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from snakemrs.scanner.head import (
    INTENSITY,
    Box,
    Head,
    Pose,
    add_skull,
    draw_anatomy,
    draw_head,
    draw_pose,
    fractions,
    place_box,
    scan_t1w,
)

PLAIN = Pose(np.eye(3), np.zeros(3))


def undeformed() -> Head:
    return Head(np.ones(3), np.zeros((3, 4, 4, 4)), np.zeros(3))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), x=st.floats(-50, 50), y=st.floats(-80, 60), z=st.floats(-30, 60))
def test_a_place_in_the_template_is_found_in_the_person(seed: int, x: float, y: float, z: float) -> None:
    head = draw_head(np.random.default_rng(seed))
    own = head.from_template(np.array([x, y, z]))
    np.testing.assert_allclose(head.to_template(own[:, None])[:, 0], [x, y, z], atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_deformation_does_not_fold(seed: int) -> None:
    head = draw_head(np.random.default_rng(seed))
    steps = [np.gradient(part, 6.0) for part in head.field]
    jacobian = np.array(steps).transpose(2, 3, 4, 0, 1) + np.diag(head.scale)
    assert np.linalg.det(jacobian).min() > 0.3


def test_fractions_add_up_and_do_not_depend_on_how_the_head_lies() -> None:
    random = np.random.default_rng(4)
    head, pose = draw_head(random), draw_pose(random)
    still = place_box(head, PLAIN, np.random.default_rng(1), (0, 40, 8), (20, 30, 20), 20)
    moved = place_box(head, pose, np.random.default_rng(1), (0, 40, 8), (20, 30, 20), 20)
    one, other = fractions(head, PLAIN, still, 1.0), fractions(head, pose, moved, 1.0)
    assert sum(one.values()) == pytest.approx(1)
    assert other == pytest.approx(one, abs=1e-9)


def test_known_places_hold_known_tissue() -> None:
    def at(*centre: float) -> dict[str, float]:
        return fractions(undeformed(), PLAIN, Box(np.array(centre), np.eye(3), np.full(3, 6.0)), 1.0)

    assert at(-26, -10, 30)["wm"] > 0.9  # centrum semiovale
    assert at(0, 0, 200)["outside"] == pytest.approx(1)
    assert at(0, 46, 8)["gm"] > at(0, 46, 8)["wm"]  # anterior cingulate


def test_left_stays_left() -> None:
    """A voxel at x < 0 of the person lies in the left half of the image (RAS+)."""
    box = place_box(undeformed(), PLAIN, np.random.default_rng(0), (-30, -20, 20), (20, 20, 20), 0, slip=0)
    assert box.centre[0] == pytest.approx(-30)
    assert np.linalg.det(box.rotation) == pytest.approx(1)


def test_the_box_is_filled_by_its_points() -> None:
    box = Box(np.array([5.0, 6.0, 7.0]), np.eye(3), np.array([20.0, 30.0, 10.0]))
    points = box.points(1.0)
    assert points.shape == (3, 6000)
    np.testing.assert_allclose(points.mean(axis=1), box.centre)
    np.testing.assert_allclose(np.ptp(points, axis=1), [19, 29, 9])


def test_the_image_shows_the_tissue_of_the_truth() -> None:
    """Mixing the true fractions of a voxel gives the mean of the noiseless image in it."""
    head = draw_head(np.random.default_rng(8))
    image, brain, affine = draw_anatomy(head, spacing=2.0)
    own = head.from_template(np.array([0.0, 40.0, 8.0]))
    box = Box(own, np.eye(3), np.full(3, 24.0))
    share = fractions(head, PLAIN, box, 1.0)
    inside = np.linalg.inv(affine) @ np.vstack([box.points(1.0), np.ones(24**3)])
    index = tuple(np.rint(inside[:3]).astype(int))
    mixed = sum(INTENSITY[name] * share[name] for name in INTENSITY)
    assert image[index].mean() == pytest.approx(mixed, abs=0.01)
    assert brain[index].all()


def test_a_whole_head_has_bone_and_scalp_round_the_same_brain() -> None:
    image, brain, _ = draw_anatomy(undeformed(), spacing=3.0)
    whole, kept = add_skull(image, brain, 3.0)
    assert kept.all()
    inside = ndimage.binary_erosion(brain, iterations=2)
    np.testing.assert_allclose(whole[inside], image[inside], atol=0.05)
    middle = tuple(np.array(image.shape) // 2)
    profile = whole[middle[0], middle[1], middle[2] :]
    edge = int(np.flatnonzero(brain[middle[0], middle[1], middle[2] :]).max())
    assert profile[edge + 2] < 0.12  # bone
    assert profile[edge + 4] > 0.5  # scalp
    assert profile[-1] < 0.01  # air


def test_a_scanned_image_is_stripped_and_its_noise_reproducible() -> None:
    image, brain, _ = draw_anatomy(undeformed(), spacing=4.0)
    one = scan_t1w(image, brain, np.random.default_rng(1))
    assert one.dtype == np.int16
    assert not one[~brain].any()
    assert one[brain].mean() > 100
    assert np.array_equal(one, scan_t1w(image, brain, np.random.default_rng(1)))
    assert not np.array_equal(one, scan_t1w(image, brain, np.random.default_rng(2)))
