"""Is the voxel where the T1w's header says? What a flipped header would look like, and what a mirrored voxel holds."""

from __future__ import annotations

import numpy as np

from snakemrs.voxel.geometry import box_overlap, box_volume, tissue_fractions

FLIPS = {
    "left and right": (-1.0, 1.0, 1.0),
    "front and back": (1.0, -1.0, 1.0),
    "left and right, and front and back (LPS for RAS)": (-1.0, -1.0, 1.0),
    "head and foot": (1.0, 1.0, -1.0),
}
"""Exchanges of axes in scanner coordinates that converters are known for."""


def fractions_of(box: np.ndarray, maps: dict[str, np.ndarray], grid: np.ndarray) -> dict[str, float]:
    """Tissue fractions of a box, with ``outside``.

    Parameters
    ----------
    box : ndarray, shape (4, 4)
        The voxel, mm, RAS+.
    maps : dict of ndarray
        Probability of each tissue, one shape.
    grid : ndarray, shape (4, 4)
        Affine of the maps, mm, RAS+.
    """
    share = box_overlap(box, grid, next(iter(maps.values())).shape)
    return tissue_fractions(share, maps, box_volume(grid), box_volume(box))


def likely_flip(
    box: np.ndarray, maps: dict[str, np.ndarray], grid: np.ndarray, outside: float, allowed: float
) -> tuple[str, float] | None:
    """Find the exchange of axes that would bring a voxel that lies partly outside the brain wholly into it.

    Parameters
    ----------
    box, maps, grid
        As in `fractions_of`.
    outside : float
        Share of the voxel outside the brain as it lies.
    allowed : float
        Share outside that raises no doubt.

    Returns
    -------
    tuple of str and float, or None
        What is exchanged, and the share that would be outside then; None where no exchange explains it.
    """
    if outside <= allowed:
        return None
    found = {}
    for name, signs in FLIPS.items():
        flipped = np.diag([*signs, 1.0]) @ box
        found[name] = fractions_of(flipped, maps, grid)["outside"]
    best = min(found, key=lambda name: found[name])
    return (best, found[best]) if found[best] <= min(allowed, outside / 2) else None


def spread_by_shift(box: np.ndarray, maps: dict[str, np.ndarray], grid: np.ndarray, shift: float) -> dict[str, float]:
    """Root mean square change of the fractions when a voxel moves by `shift` mm along and against each of its axes.

    Parameters
    ----------
    box, maps, grid
        As in `fractions_of`.
    shift : float
        mm.

    Returns
    -------
    dict of float
        By name of the map.
    """
    here = fractions_of(box, maps, grid)
    changes: dict[str, list[float]] = {name: [] for name in maps}
    for axis in box[:3, :3].T:
        for way in (-shift, shift):
            moved = box.copy()
            moved[:3, 3] += way * axis / np.linalg.norm(axis)
            there = fractions_of(moved, maps, grid)
            for name in maps:
                changes[name].append(there[name] - here[name])
    return {name: float(np.sqrt(np.mean(np.square(values)))) for name, values in changes.items()}


def mirrored(box: np.ndarray, to_template: np.ndarray) -> np.ndarray:
    """Mirror a voxel at the mid-sagittal plane of the brain (x = 0 of the template).

    Parameters
    ----------
    box : ndarray, shape (4, 4)
        The voxel in the T1w's coordinates, mm.
    to_template : ndarray, shape (4, 4)
        T1w to template coordinates.

    Returns
    -------
    ndarray, shape (4, 4)
    """
    return np.asarray(np.linalg.inv(to_template) @ np.diag([-1.0, 1.0, 1.0, 1.0]) @ to_template @ box)
