"""Images as arrays with an affine, and their passage to ANTs and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.interfaces.ants import load_ants

_LPS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Volume:
    """A three-dimensional image in memory.

    Attributes
    ----------
    data : ndarray, shape (x, y, z)
        Intensities.
    affine : ndarray, shape (4, 4)
        Voxel indices to scanner coordinates, mm, RAS+.
    """

    data: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        """Distances between voxel centres along the axes, mm, shape (3,)."""
        return np.asarray(np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)))

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel, mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def like(self, data: np.ndarray) -> Volume:
        """Give another image on the same grid."""
        if data.shape != self.data.shape:
            raise ValueError(f"shape {data.shape} is not that of the grid, {self.data.shape}")
        return Volume(data, self.affine)

    def crop(self, mask: np.ndarray, margin: float) -> tuple[Volume, tuple[slice, slice, slice]]:
        """Cut the box around `mask` with `margin` mm to each side; give the cut image and where it lies."""
        where = []
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            inside = np.flatnonzero(mask.any(axis=others))
            pad = int(np.ceil(margin / self.spacing[axis]))
            where.append(slice(max(int(inside[0]) - pad, 0), min(int(inside[-1]) + pad + 1, mask.shape[axis])))
        box = (where[0], where[1], where[2])
        affine = self.affine.copy()
        affine[:3, 3] = self.affine[:3, :3] @ [s.start for s in box] + self.affine[:3, 3]
        return Volume(self.data[box], affine), box


def to_ants(volume: Volume) -> Any:
    """Make an ANTs image (float32, LPS coordinates)."""
    ants = load_ants()

    spacing = volume.spacing
    direction = _LPS @ (volume.affine[:3, :3] / spacing)
    return ants.from_numpy(
        np.ascontiguousarray(volume.data, dtype=np.float32),
        origin=[float(v) for v in _LPS @ volume.affine[:3, 3]],
        spacing=[float(v) for v in spacing],
        direction=direction,
    )


def from_ants(image: Any) -> Volume:
    """Take an ANTs image as an array with an RAS+ affine."""
    affine = np.eye(4)
    affine[:3, :3] = _LPS @ np.asarray(image.direction) * np.asarray(image.spacing)
    affine[:3, 3] = _LPS @ np.asarray(image.origin)
    return Volume(image.numpy(), affine)


def resampled(volume: Volume, spacing: float) -> Volume:
    """Resample to an isotropic grid of `spacing` mm along the image's own axes, smoothed against aliasing.

    The field of view stays the same to within one voxel.
    """
    from scipy import ndimage

    own = volume.spacing
    # A Gaussian whose full width at half maximum is the coarser spacing, less the width the image has already.
    sigma = np.sqrt(np.maximum(spacing**2 - own**2, 0.0)) / 2.355 / own
    smooth = ndimage.gaussian_filter(volume.data.astype(np.float32), sigma, mode="nearest")
    shape = np.maximum(np.round(np.asarray(volume.data.shape) * own / spacing), 1).astype(int)
    step = spacing / own
    first = (np.asarray(volume.data.shape) - 1 - (shape - 1) * step) / 2
    grid = np.meshgrid(*(first[a] + step[a] * np.arange(shape[a]) for a in range(3)), indexing="ij")
    data = ndimage.map_coordinates(smooth, grid, order=1, mode="nearest")
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, :3] * step
    affine[:3, 3] = volume.affine[:3, :3] @ first + volume.affine[:3, 3]
    return Volume(data.astype(np.float32), affine)


def largest_component(mask: np.ndarray, opening: int = 0) -> np.ndarray:
    """Keep the largest connected part of a mask, with holes filled.

    Parameters
    ----------
    mask : ndarray of bool, shape (x, y, z)
    opening : int
        Bridges thinner than twice this number of voxels are cut before the parts are told apart.
    """
    from scipy import ndimage

    core = ndimage.binary_erosion(mask, iterations=opening) if opening else mask
    labels, count = ndimage.label(core)
    if count == 0:
        return np.zeros_like(mask, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = labels == int(np.argmax(sizes))
    if opening:
        kept = ndimage.binary_dilation(kept, iterations=opening + 1) & mask
    return np.asarray(ndimage.binary_fill_holes(kept))


def write_volume(path: str | Path, data: np.ndarray, affine: np.ndarray, dtype: str) -> None:
    """Write a NIfTI image, whole or not at all, the same bytes for the same content."""
    from snakemrs.interfaces.nib import nib
    from snakemrs.io.atomic import replacing
    from snakemrs.io.nifti_mrs import write_nifti

    image = nib.Nifti1Image(np.asarray(data).astype(dtype), affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    with replacing(path) as temporary:
        write_nifti(image, temporary)
