"""The brain mask, and the template brought onto the image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemrs.anatomy.bias import level, remove_bias
from snakemrs.anatomy.checks import otsu
from snakemrs.anatomy.images import Volume, largest_component, resampled
from snakemrs.anatomy.template import find_start, load_template, register, warp_to_t1w


@dataclass(frozen=True)
class Brain:
    """What brain extraction found, on the grid of the T1w."""

    t1w: Volume
    """The image, bias removed."""
    mask: np.ndarray
    """The brain, bool."""
    gm: np.ndarray
    """The template's grey-matter map, brought onto the image."""
    wm: np.ndarray
    """The template's white-matter map."""
    to_template: np.ndarray
    """Affine from T1w to template coordinates, mm, RAS+, shape (4, 4)."""
    similarity: float
    """Correlation of the T1w with the template's within the brain."""


def head_of(t1w: Volume) -> tuple[np.ndarray, np.ndarray, float]:
    """Find the head: its mask, its centre of mass and its highest point (mm, RAS+)."""
    coarse = resampled(t1w, 4.0)
    data = np.clip(coarse.data, 0.0, np.percentile(coarse.data, 99.5))
    head = largest_component(data > 0.5 * otsu(data), opening=1)
    where = np.argwhere(head) @ coarse.affine[:3, :3].T + coarse.affine[:3, 3]
    full = np.clip(t1w.data, 0.0, np.percentile(t1w.data, 99.5))
    mask = largest_component(full > 0.5 * otsu(data))
    return mask, where.mean(axis=0), float(np.percentile(where[:, 2], 99.9))


def extracted_mask(t1w: Volume) -> np.ndarray:
    """Give the brain mask of an image that is skull-stripped already: its largest part, holes filled."""
    values, counts = np.unique(t1w.data[::2, ::2, ::2], return_counts=True)
    background = values[int(np.argmax(counts))]
    return largest_component(t1w.data > background, opening=2)


def find_brain(
    t1w: Volume, extracted: bool, folder: Path, *, bias_correction: bool = True, spacing: float = 3.0, seed: int = 1
) -> Brain:
    """Find the brain in a T1w image and bring the template's tissue maps onto it.

    Parameters
    ----------
    t1w : Volume
        The image as measured.
    extracted : bool
        Whether it is skull-stripped already.
    folder : Path
        For ANTs' transforms.
    bias_correction : bool
        Whether to remove the bias field: over the head for the registration, then inside the brain.
    spacing : float
        Grid of the registration, mm.
    seed : int
        Seed of ANTs' random numbers.
    """
    template = load_template()
    if extracted:
        head = extracted_mask(t1w)
        where = np.argwhere(head) @ t1w.affine[:3, :3].T + t1w.affine[:3, 3]
        centre, top = where.mean(axis=0), float(where[:, 2].max())
        clean = t1w.like(np.where(head, t1w.data, 0).astype(np.float32))
    else:
        head, centre, top = head_of(t1w)
        clean = t1w
    flat = remove_bias(clean, head, 5.0, (30, 20, 20)) if bias_correction else clean
    limit = np.percentile(flat.data[head], 99.5)
    bounded = flat.like(np.clip(flat.data, 0.0, limit))
    start = find_start(bounded, centre, top, whole_head=not extracted)
    transforms, to_t1w = register(bounded, start, folder, spacing, seed)
    if extracted:
        mask = head
    else:
        mask = largest_component(warp_to_t1w(template.brain.astype(np.float32), t1w, transforms) > 0.5)
    cut, box = flat.crop(mask, 4.0)
    gm, wm, ideal = np.zeros_like(t1w.data), np.zeros_like(t1w.data), np.zeros_like(t1w.data)
    for target, source in ((gm, template.gm), (wm, template.wm), (ideal, template.t1w.data)):
        target[box] = np.clip(warp_to_t1w(source, cut, transforms), 0.0, 1.0)
    if bias_correction:
        flat = level(remove_bias(flat, mask), mask, gm, wm)
    similarity = float(np.corrcoef(flat.data[mask], ideal[mask])[0, 1]) if mask.any() else 0.0
    return Brain(flat, mask, gm, wm, np.linalg.inv(to_t1w), similarity)
