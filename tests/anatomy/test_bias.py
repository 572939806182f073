"""What the template shows of the bias field."""

from __future__ import annotations

import numpy as np
import pytest

from snakemrs.anatomy.bias import LEVEL_DOUBT, class_means, level, remaining_field
from snakemrs.anatomy.images import Volume

GREY, WHITE = 0.7, 1.0


def brain(brighter: float) -> tuple[Volume, np.ndarray, np.ndarray, np.ndarray]:
    """A block of grey and white matter in layers of 6 mm, its lowest third brighter; mask, and the template's maps."""
    random = np.random.default_rng(3)
    layers = (np.indices((60, 60, 150)).sum(axis=0) // 6) % 2 == 0
    image = np.where(layers, GREY, WHITE)
    image[..., :50] *= 1 + brighter
    image = image + 0.02 * random.standard_normal(image.shape)
    gm = np.where(layers, 0.85, 0.15).astype(np.float32)
    mask = np.ones(layers.shape, bool)
    return Volume(image.astype(np.float32), np.eye(4)), mask, gm, 1 - gm


def test_a_part_that_is_too_bright_for_its_tissue_is_levelled():
    image, mask, gm, wm = brain(0.16)
    flat = level(image, mask, gm, wm)
    for tissue in (gm > 0.5, wm > 0.5):
        low = np.median(flat.data[..., 5:25][tissue[..., 5:25]])
        high = np.median(flat.data[..., 100:145][tissue[..., 100:145]])
        assert abs(np.log(low / high)) < 2 * LEVEL_DOUBT
    assert flat.data.mean() == pytest.approx(image.data.mean(), rel=0.05)


def test_a_field_that_may_be_the_template_s_own_is_left_alone():
    image, mask, gm, wm = brain(0.04)
    np.testing.assert_allclose(level(image, mask, gm, wm).data, image.data, rtol=1e-6)


def test_a_remaining_field_is_found_whatever_the_size_of_the_samples():
    """A slope of 20 % along 150 mm, in samples of 0.9 × 1 × 1.8 mm."""
    spacing = np.array([0.9, 1.0, 1.8])
    shape = (67, 61, 84)
    place = (np.arange(shape[2]) + 0.5) / shape[2] - 0.5
    slope = np.broadcast_to(np.exp(0.2 * place), shape)
    gm = np.tile((np.arange(shape[0]) // 6 % 2 == 0)[:, None, None], (1, *shape[1:])).astype(np.float32)
    found = np.stack([np.zeros(shape, np.float32), gm, 1 - gm])
    image = (np.where(gm > 0.5, GREY, WHITE) * slope).astype(np.float32)
    mask = np.ones(shape, bool)
    means, _ = class_means(image, mask, found)
    field = remaining_field(image, mask, found, means, 12.0, spacing)
    middle = slice(14, -14)  # a kernel at the end sees one side only
    np.testing.assert_allclose(field[..., middle], slope[..., middle], rtol=0.01)
