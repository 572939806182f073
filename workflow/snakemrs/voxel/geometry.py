"""The exact share of an oblique box in each voxel of an image.

The box is cut out of each image voxel as a convex polyhedron (Sutherland & Hodgman, Commun ACM 1974;17:32, in three
dimensions) and its volume taken by the divergence theorem. Most voxels lie wholly inside or outside and need no
cutting, so that exactness costs little.
"""

from __future__ import annotations

import numpy as np


def box_volume(affine: np.ndarray) -> float:
    """Volume in mm³ of the box that `affine`, shape (4, 4), makes of the unit cube."""
    return float(abs(np.linalg.det(affine[:3, :3])))


def box_corners(affine: np.ndarray) -> np.ndarray:
    """Corners of the single voxel of `affine`, mm, shape (8, 3); its centre is index (0, 0, 0)."""
    cube = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
    return np.asarray(cube @ affine[:3, :3].T + affine[:3, 3])


def box_overlap(box: np.ndarray, grid: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Share of each voxel of a grid that lies inside a box.

    Parameters
    ----------
    box : ndarray, shape (4, 4)
        Affine of the MRS voxel: index (0, 0, 0) is its centre, its columns are its edges, mm.
    grid : ndarray, shape (4, 4)
        Affine of the image, mm.
    shape : tuple of int
        Shape of the image.

    Returns
    -------
    ndarray of float64, shape `shape`
        Volume inside the box over the volume of the voxel, 0–1, exact to rounding.
    """
    share = np.zeros(shape)
    to_index = np.linalg.inv(grid)
    corners = box_corners(box) @ to_index[:3, :3].T + to_index[:3, 3]
    first = np.maximum(np.floor(corners.min(axis=0) + 0.5).astype(int), 0)
    last = np.minimum(np.ceil(corners.max(axis=0) - 0.5).astype(int), np.asarray(shape) - 1)
    if np.any(first > last):
        return share
    # In index coordinates each image voxel is the unit cube around an integer, and the box is |b_a · p + c_a| <= 1/2.
    to_box = np.linalg.inv(box) @ grid
    rows, shift = to_box[:3, :3], to_box[:3, 3]
    axes = [np.arange(first[a], last[a] + 1) for a in range(3)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    middle = centres @ rows.T + shift
    reach = 0.5 * np.abs(rows).sum(axis=1)
    inside = np.all(np.abs(middle) + reach <= 0.5, axis=1)
    touched = np.all(np.abs(middle) - reach < 0.5, axis=1) & ~inside
    flat = np.zeros(len(centres))
    flat[inside] = 1.0
    planes = np.concatenate([np.column_stack([rows, shift]), np.column_stack([-rows, -shift])])
    # Most voxels on the rim are cut by one of the six planes only.
    cutting = np.concatenate([middle, -middle], axis=1) + np.tile(reach, 2) > 0.5
    for n in np.flatnonzero(touched):
        flat[n] = _clipped_volume(centres[n], planes[cutting[n]])
    where = tuple(slice(int(first[a]), int(last[a]) + 1) for a in range(3))
    share[where] = flat.reshape([len(a) for a in axes])
    return share


_CUBE = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
# Faces of the cube as indices of its corners, each in order around the face.
_FACES = ([0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3])


def _clipped_volume(centre: np.ndarray, planes: np.ndarray) -> float:
    """Volume of the unit cube around `centre` where normal · p + offset <= 1/2 for each of `planes` (n, 4)."""
    faces = [_CUBE[face] + centre for face in _FACES]
    for plane in planes:
        normal, offset = plane[:3], plane[3] - 0.5
        corners = np.concatenate(faces) if faces else np.empty((0, 3))
        distances = corners @ normal + offset
        if np.all(distances <= 1e-13):
            continue
        if np.all(distances >= -1e-13):
            return 0.0
        cut_faces, rim = [], []
        for face in faces:
            side = face @ normal + offset
            kept = []
            for here, there, a, b in zip(face, np.roll(face, -1, axis=0), side, np.roll(side, -1), strict=True):
                if a <= 0:
                    kept.append(here)
                if (a < 0 < b) or (b < 0 < a):
                    crossing = here + (there - here) * (a / (a - b))
                    kept.append(crossing)
                    rim.append(crossing)
                elif a == 0:
                    rim.append(here)
            if len(kept) >= 3:
                cut_faces.append(np.array(kept))
        if len(rim) >= 3:
            cut_faces.append(_around(np.array(rim), normal))
        faces = cut_faces
    return _volume(faces)


def _around(points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Order points of a convex polygon around its middle, in the plane with `normal`."""
    middle = points.mean(axis=0)
    spokes = points - middle
    helper = np.eye(3)[int(np.argmin(np.abs(normal)))]
    u = np.cross(normal, helper)
    v = np.cross(normal, u)
    return np.asarray(points[np.argsort(np.arctan2(spokes @ v, spokes @ u))])


def _volume(faces: list[np.ndarray]) -> float:
    """Volume of a convex polyhedron of polygons: pyramids from a point inside to each face."""
    if len(faces) < 4:
        return 0.0
    apex = np.concatenate(faces).mean(axis=0)
    total = 0.0
    for face in faces:
        spokes = face - apex
        crosses = np.cross(spokes[1:-1] - spokes[0], spokes[2:] - spokes[0])
        total += abs(float(np.sum(crosses @ spokes[0]))) / 6.0
    return total


def tissue_fractions(
    share: np.ndarray, maps: dict[str, np.ndarray], voxel_volume: float, whole: float
) -> dict[str, float]:
    """Fractions of tissue in the box.

    Parameters
    ----------
    share : ndarray
        Of `box_overlap`.
    maps : dict of ndarray
        Probability of each tissue, shape of `share`, 0–1.
    voxel_volume : float
        Volume of an image voxel, mm³.
    whole : float
        Volume of the box, mm³.

    Returns
    -------
    dict of float
        By name of the map, its volume in the box over the box's; ``outside``: what is left, within the image or
        beyond its edge. They sum to 1.
    """
    fractions = {name: float(np.sum(share * data)) * voxel_volume / whole for name, data in maps.items()}
    outside = 1.0 - sum(fractions.values())
    # Probabilities of 32 bits sum to 1 only to rounding.
    fractions["outside"] = 0.0 if abs(outside) < 1e-6 else outside
    return fractions
