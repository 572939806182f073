"""The exact overlap of an oblique box with an image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from snakemrs.voxel.displacement import dice, displaced_box
from snakemrs.voxel.geometry import box_overlap, box_volume, tissue_fractions


def box(
    edges: tuple[float, float, float], angles: tuple[float, float, float] = (0, 0, 0), centre=(0, 0, 0)
) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag(edges)
    affine[:3, 3] = centre
    return affine


def grid(spacing: tuple[float, float, float], shape: tuple[int, int, int], angles=(0, 0, 0)) -> np.ndarray:
    affine = box(spacing, angles)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


ANGLE = st.floats(-180, 180)
EDGE = st.floats(4, 12)


@settings(max_examples=15, deadline=None)
@given(edges=st.tuples(EDGE, EDGE, EDGE), turn=st.tuples(ANGLE, ANGLE, ANGLE), other=st.tuples(ANGLE, ANGLE, ANGLE))
def test_the_volume_of_any_oblique_box_is_kept(edges, turn, other):
    """Well within 0.1 %: to rounding."""
    shape = (19, 19, 19)
    image = grid((1.3, 1.2, 1.4), shape, other)
    voxel = box(edges, turn)
    share = box_overlap(voxel, image, shape)
    assert share.sum() * box_volume(image) == pytest.approx(box_volume(voxel), rel=1e-9)
    assert share.min() >= 0
    assert share.max() <= 1 + 1e-12


def test_an_upright_box_by_hand():
    """Edges at ±2.25, ±1.5, ±1 mm: along x the voxels at ±2 mm hold 0.75 of it, along z those at ±1 mm a half."""
    shape = (9, 9, 9)
    share = box_overlap(box((4.5, 3.0, 2.0)), grid((1, 1, 1), shape), shape)
    assert share[4, 4, 4] == 1
    assert share[6, 4, 4] == pytest.approx(0.75)
    assert share[4, 4, 5] == pytest.approx(0.5)
    assert share[6, 5, 5] == pytest.approx(0.375)
    assert share[7, 4, 4] == 0


def test_a_box_turned_by_45_degrees_by_hand():
    """A square of diagonal 2 holds the voxel of edge 1 in its middle, whose corners touch its sides; each of the four
    voxels beside it holds a triangle of base 1 and height 1/2."""
    shape = (5, 5, 5)
    share = box_overlap(box((2**0.5, 2**0.5, 1.0), (0, 0, 45)), grid((1, 1, 1), shape), shape)
    assert share[2, 2, 2] == pytest.approx(1.0)
    for beside in ((1, 2, 2), (3, 2, 2), (2, 1, 2), (2, 3, 2)):
        assert share[beside] == pytest.approx(0.25)
    assert share[3, 3, 2] == pytest.approx(0.0, abs=1e-12)


def test_a_box_outside_the_image_holds_nothing():
    shape = (5, 5, 5)
    assert box_overlap(box((2, 2, 2), centre=(40, 0, 0)), grid((1, 1, 1), shape), shape).sum() == 0


def test_a_box_half_beyond_the_edge_holds_half():
    shape = (5, 5, 5)
    share = box_overlap(box((2, 2, 2), centre=(2.5, 0, 0)), grid((1, 1, 1), shape), shape)
    assert share.sum() == pytest.approx(4.0)


def test_flipped_axes_make_no_difference():
    shape = (9, 9, 9)
    image = grid((1, 1, 1), shape)
    flipped = image @ np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = -image[0, 3]
    voxel = box((4, 3, 2), (20, 10, 30), (1, 0.5, -0.5))
    one, other = box_overlap(voxel, image, shape), box_overlap(voxel, flipped, shape)
    np.testing.assert_allclose(one, other[::-1], atol=1e-12)


def test_fractions_sum_to_one():
    shape = (9, 9, 9)
    image, voxel = grid((1, 1, 1), shape), box((4, 4, 4), (10, 20, 30))
    share = box_overlap(voxel, image, shape)
    left = np.zeros(shape)
    left[:4] = 1
    found = tissue_fractions(share, {"gm": left * 0.7, "wm": left * 0.3}, 1.0, 64.0)
    assert sum(found.values()) == pytest.approx(1)
    assert found["gm"] / found["wm"] == pytest.approx(7 / 3)


def test_dice_of_two_boxes_by_hand():
    assert dice(box((20, 20, 20)), box((20, 20, 20))) == pytest.approx(1.0)
    assert dice(box((20, 20, 20)), box((20, 20, 20), centre=(5, 0, 0))) == pytest.approx(0.75)
    assert dice(box((20, 20, 20)), box((20, 20, 20), centre=(30, 0, 0))) == 0
    # A cube of edge 1 within one of edge 2: 2 · 1 / (1 + 8).
    assert dice(box((2, 2, 2)), box((1, 1, 1))) == pytest.approx(2 / 9)


def test_the_voxel_of_another_shift_is_moved_by_its_offset_over_the_bandwidth():
    """At 123.25 MHz NAA lies 1.02 ppm = 125.7 Hz from creatine: 2.51 mm of a 20 mm slice for a pulse of 1000 Hz."""
    moved = displaced_box(box((20, 30, 40)), 2.01, 3.03, 123.25, (1000.0, None, -2000.0))
    assert moved[:3, 3] == pytest.approx([20 * 0.125715, 0.0, -40 * 0.0628575], rel=1e-6)
