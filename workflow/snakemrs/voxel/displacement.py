"""Where the voxel of another chemical shift lies, and how far two voxels overlap.

A slice-selective pulse of bandwidth B in a gradient G selects, for a spin that resonates Δf away from the pulse's
centre, a slice moved by Δf/B times its thickness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def displaced_box(
    affine: np.ndarray,
    ppm: float,
    carrier_ppm: float,
    spectrometer_frequency: float,
    bandwidths: Sequence[float | None],
) -> np.ndarray:
    """Move a voxel to where it is for another chemical shift.

    Parameters
    ----------
    affine : ndarray, shape (4, 4)
        The voxel as planned; columns are its edges, mm.
    ppm : float
        Chemical shift of the metabolite.
    carrier_ppm : float
        Chemical shift at which the pulses are centred: there the voxel is where it was planned.
    spectrometer_frequency : float
        MHz.
    bandwidths : sequence of float or None
        Bandwidth of the pulse that selects along each of the voxel's axes, Hz; negative where its gradient points
        against the axis; None where unknown (not moved).

    Returns
    -------
    ndarray, shape (4, 4)
    """
    moved = affine.copy()
    offset = (carrier_ppm - ppm) * spectrometer_frequency
    for axis, bandwidth in enumerate(bandwidths):
        if bandwidth is not None:
            moved[:3, 3] += offset / bandwidth * affine[:3, axis]
    return moved


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Dice overlap of two voxels, exact: twice the volume they share over the sum of their volumes.

    Parameters
    ----------
    one, other : ndarray, shape (4, 4)
        Affines of the voxels in the same coordinates.
    """
    from snakemrs.voxel.geometry import box_overlap, box_volume

    volumes = box_volume(one), box_volume(other)
    shared = float(box_overlap(one, other, (1, 1, 1))[0, 0, 0]) * volumes[1]
    return 2 * shared / sum(volumes)
