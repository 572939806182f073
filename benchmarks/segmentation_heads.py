"""Virtual heads with known tissue: the template deformed, tilted, with bias field, noise, and skull and scalp.

Used by segmentation_accuracy.py; draws no results of its own. Run it to look at one: it writes T1w and truth as NIfTI.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from snakemrs.anatomy.images import Volume
from snakemrs.anatomy.template import load_template

INTENSITY = {"gm": 0.68, "wm": 1.0, "csf": 0.25, "bone": 0.06, "scalp": 0.55, "fat": 1.15}


@dataclass(frozen=True)
class VirtualHead:
    """A T1w image and the shares of tissue that made it, on one grid."""

    t1w: Volume
    truth: dict[str, np.ndarray]


def sharpened(power: float = 3.0) -> dict[str, np.ndarray]:
    """Tissue shares of one brain, from the mean of 152: p^n / Σ p^n inside the brain."""
    template = load_template()
    maps = np.stack([template.gm, template.wm, template.csf]) ** power
    total = maps.sum(axis=0)
    maps = np.where(total > 0, maps / np.where(total > 0, total, 1), 0)
    return dict(zip(("gm", "wm", "csf"), maps.astype(np.float32), strict=True))


def smooth_field(random: np.random.Generator, shape: tuple[int, ...], knots: int, size: float) -> np.ndarray:
    """A smooth random field of standard deviation `size`, from `knots` cubic knots along each axis."""
    field = random.standard_normal((knots,) * 3)
    for n in shape:
        # Cubic interpolation along one axis at a time: each leaves its place to the next.
        at = [np.linspace(1, knots - 2, n)]
        along = np.stack([ndimage.map_coordinates(knot, at, order=3, mode="nearest") for knot in np.eye(knots)])
        field = np.tensordot(field, along, axes=(0, 0))
    return np.asarray(field / field.std() * size)


def draw(
    seed: int,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    tilt: float = 0.0,
    whole_head: bool = False,
    noise: float = 0.03,
    bias: float = 0.15,
    deformation: float = 3.0,
) -> VirtualHead:
    """Draw a virtual head.

    Parameters
    ----------
    seed : int
    spacing : tuple of float
        Voxel size, mm.
    tilt : float
        Degrees by which the head is turned about a random axis near left-right.
    whole_head : bool
        With skull, scalp, neck; else skull-stripped.
    noise : float
        Standard deviation over white matter's intensity (Rician).
    bias : float
        Standard deviation of the receive field.
    deformation : float
        Standard deviation of the displacement, mm.
    """
    random = np.random.default_rng(seed)
    template = load_template()
    source = template.t1w
    extent = np.array([176.0, 216.0, 176.0]) if not whole_head else np.array([200.0, 248.0, 244.0])
    shape = tuple(int(np.ceil(e / s)) for e, s in zip(extent, spacing, strict=True))
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2 + np.array([2.0, -4.0, -22.0 if whole_head else 4.0])
    axis = np.array([1.0, *random.normal(0, 0.3, 2)])
    turn = Rotation.from_rotvec(np.deg2rad(tilt) * axis / np.linalg.norm(axis)).as_matrix()
    # The template's mask is larger than a brain: 1.89 l.
    size = np.exp(random.normal(-0.08, 0.03, 3))
    index = np.indices(shape, dtype=np.float32).reshape(3, -1)
    world = affine[:3, :3] @ index + affine[:3, 3:]
    middle = np.array([[0.0], [-18.0], [8.0]])
    inside = np.diag(1 / size) @ turn.T @ (world - middle) + middle
    moved = np.stack([smooth_field(random, shape, 9, deformation).ravel() for _ in range(3)])
    to_index = np.linalg.inv(source.affine)
    where = (to_index[:3, :3] @ (inside + moved) + to_index[:3, 3:]).reshape(3, *shape)
    truth = {
        name: ndimage.map_coordinates(data, where, order=1, mode="constant").astype(np.float32)
        for name, data in sharpened().items()
    }
    image = sum(INTENSITY[name] * data for name, data in truth.items())
    brain = sum(truth.values()) > 0.5
    if whole_head:
        image = image + head_around(brain, affine, np.asarray(spacing), turn, middle[:, 0]) * (1 - sum(truth.values()))
    image = image * np.exp(smooth_field(random, shape, 6, bias))
    shifts = noise * random.standard_normal((2, *shape))
    image = np.hypot(image + shifts[0], shifts[1])
    if not whole_head:
        image = np.where(brain, image, 0)
    return VirtualHead(Volume((1000 * image).astype(np.float32), affine), truth)


def head_around(
    brain: np.ndarray, affine: np.ndarray, spacing: np.ndarray, turn: np.ndarray, middle: np.ndarray
) -> np.ndarray:
    """Intensities around a brain: bone, scalp with fat, a neck and a face; air is 0."""
    full = ndimage.binary_closing(np.pad(brain, 12), iterations=8)[12:-12, 12:-12, 12:-12] | brain
    distance = ndimage.distance_transform_edt(~full, sampling=spacing)
    image = np.where(distance < 6, INTENSITY["bone"], 0.0)
    image = np.where((distance >= 6) & (distance < 9), INTENSITY["scalp"], image)
    image = np.where((distance >= 9) & (distance < 12), INTENSITY["fat"], image)
    index = np.indices(brain.shape, dtype=np.float32)
    world = np.tensordot(affine[:3, :3], index, axes=1) + affine[:3, 3][:, None, None, None]
    own = np.tensordot(turn.T, world - middle[:, None, None, None], axes=1) + middle[:, None, None, None]
    neck = (np.hypot(own[0], own[1] + 45) < 55) & (own[2] < -35)
    face = ((own[0] / 60) ** 2 + ((own[1] - 45) / 42) ** 2 + ((own[2] + 70) / 55) ** 2) < 1
    soft = (neck | face) & (distance >= 6)
    image = np.where(soft, INTENSITY["scalp"] * (0.9 + 0.1 * np.sin(own[1] / 4)), image)
    spine = (np.hypot(own[0], own[1] + 40) < 12) & (own[2] < -60)
    image = np.where(spine & soft, INTENSITY["bone"], image)
    eyes = (((np.abs(own[0]) - 32) / 12) ** 2 + ((own[1] - 62) / 12) ** 2 + ((own[2] + 30) / 12) ** 2) < 1
    return np.where(eyes & (distance >= 6), INTENSITY["csf"], image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tilt", type=float, default=0.0)
    parser.add_argument("--whole-head", action="store_true")
    arguments = parser.parse_args()
    import nibabel as nib

    arguments.folder.mkdir(parents=True, exist_ok=True)
    head = draw(arguments.seed, tilt=arguments.tilt, whole_head=arguments.whole_head)
    nib.save(nib.Nifti1Image(head.t1w.data, head.t1w.affine), arguments.folder / "T1w.nii.gz")
    for name, data in head.truth.items():
        nib.save(nib.Nifti1Image(data, head.t1w.affine), arguments.folder / f"truth_{name}.nii.gz")


if __name__ == "__main__":
    main()
