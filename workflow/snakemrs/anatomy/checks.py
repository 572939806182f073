"""Is this a T1w image of a head? Refused with a reason where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from snakemrs.anatomy.images import Volume, largest_component

COARSEST = 3.0
"""Voxels longer than this (mm) are those of an EPI or a localiser, not of an image to segment."""
COARSEST_VOLUME = 8.0
"""Voxels of more than this volume (mm³) hold too much of two tissues at once."""
SMALLEST_VIEW = 100.0
"""A field of view shorter than this (mm) does not hold a brain."""
BRAIN_VOLUME = (700.0, 2300.0)
"""Volume of a brain with its CSF, millilitres: below and above it is no human brain older than a year."""


def find_problem(shape: tuple[int, ...], affine: np.ndarray, data: np.ndarray) -> dict[str, Any] | None:
    """Say why an image cannot be a T1w to segment; None where nothing speaks against it.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image as stored, with all its dimensions.
    affine : ndarray, shape (4, 4)
        Voxel indices to scanner coordinates, mm.
    data : ndarray
        The intensities.

    Returns
    -------
    dict or None
        ``message``, ``found``, ``expected``: the parts of an error.
    """
    if len([n for n in shape if n > 1]) != 3 or len(shape) < 3 or any(n < 2 for n in shape[:3]):
        found = f"{len(shape)} dimensions, {' × '.join(map(str, shape))}"
        return {"message": "this is no T1w image", "found": found, "expected": "a three-dimensional image"}
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        return {"message": "the image has no geometry", "found": affine[:3].round(3).tolist(), "expected": "an affine"}
    if not np.isfinite(data).all():
        bad = int(np.size(data) - np.isfinite(data).sum())
        return {
            "message": "the image holds values that are no numbers",
            "found": f"{bad} of {data.size} voxels are NaN or infinite",
            "expected": "finite intensities",
        }
    low, high = float(data.min()), float(data.max())
    if low == high:
        return {"message": "the image is constant", "found": f"all voxels are {low:g}", "expected": "a T1w image"}
    volume = Volume(data, affine)
    size = volume.spacing
    view = size * data.shape
    if size.max() > COARSEST or volume.voxel_volume > COARSEST_VOLUME:
        return {
            "message": "the image is too coarse for a T1w (an EPI or a localiser?)",
            "found": "voxels of " + " × ".join(f"{s:.2f}" for s in size) + " mm",
            "expected": f"at most {COARSEST:g} mm along each axis and {COARSEST_VOLUME:g} mm³",
        }
    if view.min() < SMALLEST_VIEW:
        return {
            "message": "the image does not cover the brain",
            "found": "a field of view of " + " × ".join(f"{v:.0f}" for v in view) + " mm",
            "expected": f"at least {SMALLEST_VIEW:g} mm along each axis",
        }
    if len(np.unique(data[:: max(data.shape[0] // 32, 1)])) < 8:
        return {
            "message": "the image is a mask or a label image, not a T1w",
            "found": "fewer than 8 different intensities",
            "expected": "a T1w image",
        }
    return None


def header_rotation(affine: np.ndarray, orientation: Sequence[float]) -> float:
    """Angle between an image's axes and those of the DICOM files that it was made of, degrees.

    Converters flip and exchange axes, but do not turn them: an image that is turned was aligned to something else, and
    its coordinates are no longer the scanner's.

    Parameters
    ----------
    affine : ndarray, shape (4, 4)
        Voxel indices to scanner coordinates, mm, RAS+.
    orientation : sequence of 6 float
        ``ImageOrientationPatient``: directions of rows and columns, LPS+.

    Returns
    -------
    float
        The largest angle of an axis to the nearest axis of the DICOM files.
    """
    row, column = np.reshape(np.asarray(orientation, float), (2, 3)) * [-1.0, -1.0, 1.0]
    theirs = np.stack([v / np.linalg.norm(v) for v in (row, column, np.cross(row, column))])
    mine = affine[:3, :3] / np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    nearest = np.abs(theirs @ mine).max(axis=0)
    return float(np.degrees(np.arccos(np.clip(nearest.min(), 0.0, 1.0))))


def otsu(data: np.ndarray) -> float:
    """Threshold between two classes of intensities (Otsu, IEEE Trans Syst Man Cybern 1979;9:62)."""
    counts, edges = np.histogram(data, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    total = np.cumsum(counts * middles)
    spread = (total[-1] * below / below[-1] - total) ** 2 / np.maximum(below * (below[-1] - below), 1)
    return float(middles[int(np.argmax(spread))])


def looks_extracted(volume: Volume) -> bool:
    """Whether an image is skull-stripped: a background of one value, and the rest in one part as large as a brain."""
    values, counts = np.unique(volume.data[::2, ::2, ::2], return_counts=True)
    background = values[int(np.argmax(counts))]
    if counts.max() < 0.4 * counts.sum():
        return False
    part = largest_component(volume.data != background, opening=2)
    return bool(BRAIN_VOLUME[0] <= part.sum() * volume.voxel_volume / 1000.0 <= BRAIN_VOLUME[1])
