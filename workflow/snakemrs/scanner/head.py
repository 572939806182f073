"""Virtual heads: the ICBM152 tissue maps deformed for each person, posed for each session, drawn as a T1w image.

The image is the mixture of its tissues (grey 0.62, white 1, CSF 0.18 of white), so that the fractions of tissue that
truth/ holds are those that the image shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

INTENSITY = {"gm": 0.62, "wm": 1.0, "csf": 0.18}
"""T1w intensity relative to white matter (MPRAGE-like contrast)."""
FIELD_SPACING = 6.0
"""Grid of the deformation, mm."""


@dataclass(frozen=True)
class Atlas:
    """Tissue maps in template space: arrays (x, y, z) of shares 0-1, voxel to mm affine."""

    gm: np.ndarray
    wm: np.ndarray
    csf: np.ndarray
    affine: np.ndarray


@cache
def atlas() -> Atlas:
    """Read the tissue maps that nilearn carries, sharpened to look like one brain and not like the mean of 152.

    Shares p become p²/Σp² inside the brain; CSF is what is neither grey nor white there.
    """
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template

    grey_image: Any = load_mni152_gm_template(resolution=1)
    brain = load_mni152_brain_mask(resolution=1).get_fdata() > 0
    grey = np.where(brain, grey_image.get_fdata(), 0)
    white = np.where(brain, load_mni152_wm_template(resolution=1).get_fdata(), 0)
    fluid = np.where(brain, np.clip(1 - grey - white, 0, 1), 0)
    squares = np.array([grey, white, fluid]) ** 2
    total = squares.sum(0)
    gm, wm, csf = np.where(total > 0, squares / np.maximum(total, 1e-9), 0).astype(np.float32)
    return Atlas(gm, wm, csf, np.asarray(grey_image.affine, float))


@dataclass(frozen=True)
class Head:
    """A person's head: a smooth map from their own space (mm) to the template's (mm).

    Attributes
    ----------
    scale : ndarray, shape (3,)
        Template over own size along each axis.
    field : ndarray, shape (3, x, y, z)
        Displacement in mm on a grid of `FIELD_SPACING`.
    origin : ndarray, shape (3,)
        Position of the grid's first point, mm.
    """

    scale: np.ndarray
    field: np.ndarray
    origin: np.ndarray

    def to_template(self, points: np.ndarray) -> np.ndarray:
        """Map points of the person's space, shape (3, n), to the template's."""
        grid = (points - self.origin[:, None]) / FIELD_SPACING
        moved = [ndimage.map_coordinates(part, grid, order=1, mode="nearest") for part in self.field]
        return self.scale[:, None] * points + np.array(moved)

    def from_template(self, point: np.ndarray) -> np.ndarray:
        """Find the point of the person's space, shape (3,), that maps to a point of the template's."""
        own = point / self.scale
        for _ in range(30):
            own = own + (point - self.to_template(own[:, None])[:, 0]) / self.scale
        return own


def draw_head(random: np.random.Generator, millimetres: float = 3.0, size_sd: float = 0.03) -> Head:
    """Draw a head: size by a few percent along each axis, and a smooth displacement of about `millimetres`."""
    shape = (36, 44, 36)
    origin = np.array([-105.0, -140.0, -80.0])
    noise = random.normal(size=(3, *shape))
    # A standard deviation of 4 grid points (24 mm) bends, and never folds, the cortex.
    smooth = np.array([ndimage.gaussian_filter(part, 4.0) for part in noise])
    smooth *= millimetres / smooth.std()
    return Head(1 + np.clip(random.normal(0, size_sd, 3), -0.08, 0.08), smooth, origin)


@dataclass(frozen=True)
class Pose:
    """How a head lies in the scanner: scanner = rotation · own + shift (mm, RAS+)."""

    rotation: np.ndarray
    shift: np.ndarray

    @property
    def affine(self) -> np.ndarray:
        """The same as a matrix (4, 4)."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, self.shift
        return matrix


def draw_pose(random: np.random.Generator, degrees: float = 5.0, millimetres: float = 6.0) -> Pose:
    """Draw a pose: turned and moved a little, as heads in scanners lie."""
    angles = np.clip(random.normal(0, degrees, 3), -12, 12)
    return Pose(Rotation.from_euler("XYZ", angles, degrees=True).as_matrix(), random.normal(0, millimetres, 3))


@dataclass(frozen=True)
class Box:
    """A spectroscopy voxel in scanner coordinates (mm, RAS+).

    Attributes
    ----------
    centre : ndarray, shape (3,)
    rotation : ndarray, shape (3, 3)
        Columns: directions of the voxel's own axes (nearest to right, front, head).
    size : ndarray, shape (3,)
    """

    centre: np.ndarray
    rotation: np.ndarray
    size: np.ndarray

    @property
    def affine(self) -> np.ndarray:
        """Voxel to scanner coordinates, shape (4, 4): the affine of a NIfTI-MRS image of one voxel."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation * self.size, self.centre
        return matrix

    def points(self, spacing: float) -> np.ndarray:
        """Centres of a fine grid inside the box, shape (3, n)."""
        axes = [(np.arange(n := max(round(length / spacing), 1)) + 0.5) / n - 0.5 for length in self.size]
        grid = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)
        return self.rotation @ (grid * self.size[:, None]) + self.centre[:, None]


def place_box(
    head: Head,
    pose: Pose,
    random: np.random.Generator,
    centre_mni: tuple[float, float, float],
    size: tuple[float, float, float],
    tilt: float,
    slip: float = 1.0,
) -> Box:
    """Place a voxel as an operator does: at an anatomical position, tilted with the head, not exactly the same twice.

    Parameters
    ----------
    centre_mni : tuple of float
        Template coordinates in mm.
    size : tuple of float
        mm along the voxel's own axes.
    tilt : float
        Degrees about the left-right axis.
    slip : float
        Standard deviation of the operator's error, mm (and as many degrees).
    """
    own = head.from_template(np.array(centre_mni)) + random.normal(0, slip, 3)
    turn = Rotation.from_euler("XYZ", np.array([tilt, 0, 0]) + random.normal(0, slip, 3), degrees=True).as_matrix()
    return Box(pose.rotation @ own + pose.shift, pose.rotation @ turn, np.array(size))


def fractions(head: Head, pose: Pose, box: Box, spacing: float = 0.5) -> dict[str, float]:
    """Tissue in a voxel as shares of its volume: ``gm wm csf outside``, adding up to 1."""
    maps = atlas()
    own = pose.rotation.T @ (box.points(spacing) - pose.shift[:, None])
    inside = _sample(maps, head.to_template(own))
    shares = {name: float(values.mean()) for name, values in inside.items()}
    return {**shares, "outside": 1 - sum(shares.values())}


def _sample(maps: Atlas, points: np.ndarray) -> dict[str, np.ndarray]:
    """Tissue shares at template points, shape (3, n)."""
    inverse = np.linalg.inv(maps.affine)
    index = inverse[:3, :3] @ points + inverse[:3, 3:]
    return {name: ndimage.map_coordinates(getattr(maps, name), index, order=1, mode="constant") for name in INTENSITY}


def draw_anatomy(head: Head, spacing: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the noiseless T1w image of a head in its own space.

    Returns
    -------
    image : ndarray of float32, shape (x, y, z)
        White matter has 1.
    brain : ndarray of bool
        Where there is brain or fluid.
    affine : ndarray, shape (4, 4)
        Voxel to own mm.
    """
    low, high = np.array([-92.0, -128.0, -88.0]), np.array([92.0, 96.0, 104.0])
    shape = np.ceil((high - low) / spacing).astype(int) + 1
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = low
    image = np.zeros(shape, np.float32)
    brain = np.zeros(shape, bool)
    maps = atlas()
    across = np.stack(np.meshgrid(*(np.arange(n) * spacing for n in shape[:2]), indexing="ij")) + low[:2, None, None]
    # A slab at a time bounds the memory.
    for start in range(0, shape[2], 24):
        levels = low[2] + spacing * np.arange(start, min(start + 24, shape[2]))
        points = np.empty((3, shape[0] * shape[1], levels.size))
        points[:2] = across.reshape(2, -1)[:, :, None]
        points[2] = levels
        tissue = _sample(maps, head.to_template(points.reshape(3, -1)))
        mixed = sum(INTENSITY[name] * values for name, values in tissue.items())
        there = sum(tissue.values()) > 0.5
        block = (shape[0], shape[1], levels.size)
        image[:, :, start : start + levels.size] = np.reshape(mixed, block)
        brain[:, :, start : start + levels.size] = np.reshape(there, block)
    return image, brain, affine


LAYERS = ((3.0, 0.18), (9.0, 0.05), (14.0, 0.9))
"""What lies round the brain: outer distance from it in mm, intensity (fluid, bone, scalp)."""


def add_skull(image: np.ndarray, brain: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Put fluid, bone and scalp round a brain (a plain shell, without face or neck).

    Returns
    -------
    image : ndarray of float32
    head : ndarray of bool
        All of the volume: air has noise too.
    """
    solid = ndimage.binary_closing(brain, iterations=max(round(6 / spacing), 1))
    solid = ndimage.binary_fill_holes(solid) | brain
    distance = ndimage.distance_transform_edt(~solid, sampling=spacing)
    whole = image.copy()
    whole[solid & ~brain] = LAYERS[0][1]
    inner = 0.0
    for outer, intensity in LAYERS:
        whole[(distance > inner) & (distance <= outer)] = intensity
        inner = outer
    return ndimage.gaussian_filter(whole, 0.4 / spacing), np.ones_like(brain)


def scan_t1w(
    image: np.ndarray, kept: np.ndarray, random: np.random.Generator, noise: float = 0.02, bias: float = 0.15
) -> np.ndarray:
    """Add a smooth receive field (±`bias`) and Rician noise (`noise` of white matter); int16, nought outside `kept`."""
    coarse = ndimage.gaussian_filter(random.normal(size=(8, 8, 8)), 1.5)
    coarse *= bias / np.abs(coarse).max()
    zooms = np.array(image.shape) / 8
    field = 1 + ndimage.zoom(coarse, zooms, order=1, grid_mode=True, mode="nearest")[tuple(map(slice, image.shape))]
    real = image * field + noise * random.standard_normal(image.shape, dtype=np.float32)
    imaginary = noise * random.standard_normal(image.shape, dtype=np.float32)
    return np.where(kept, np.rint(800 * np.hypot(real, imaginary)), 0).astype(np.int16)
