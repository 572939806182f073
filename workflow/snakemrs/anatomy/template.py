"""The ICBM152 template that nilearn carries, and its registration to a T1w image.

Template: ICBM 2009a nonlinear symmetric (Fonov et al., NeuroImage 2011;54:313), skull-stripped T1w with grey- and
white-matter maps, 1 mm, inside nilearn's wheel. Because it has no skull, a head registered to it from the usual start
makes the template swallow skull and neck. Here the start is searched for: the metric is looked at only inside the
template's brain and a rim around it, where the rim must be dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.anatomy.images import Volume, from_ants, resampled, to_ants
from snakemrs.interfaces.ants import load_ants

RIM = 6.0
"""Thickness of the rim around the template's brain inside which the metric is looked at, mm."""

USUAL_LOG_SCALE = -0.08
"""Natural logarithm of the usual linear size of a brain over the template's (1.4–1.5 l over 1.89 l)."""


@dataclass(frozen=True)
class Template:
    """The template's images, all on one grid of 1 mm: T1w 0–1, tissue maps 0–1, brain mask."""

    t1w: Volume
    gm: np.ndarray
    wm: np.ndarray
    brain: np.ndarray

    @property
    def csf(self) -> np.ndarray:
        """What of the brain mask is neither grey nor white matter."""
        return np.where(self.brain, np.clip(1.0 - self.gm - self.wm, 0.0, 1.0), 0.0).astype(np.float32)


@cache
def load_template() -> Template:
    """Read the template from nilearn's files."""
    import nilearn

    from snakemrs.interfaces.nib import nib

    folder = Path(nilearn.__file__).parent / "datasets" / "data"

    def read(name: str) -> tuple[np.ndarray, np.ndarray]:
        image: Any = nib.load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
        return np.asarray(image.dataobj, np.float32) / 255.0, np.asarray(image.affine, float)

    t1w, affine = read("t1")
    gm, _ = read("gm")
    wm, _ = read("wm")
    brain = t1w > 0
    image, box = Volume(t1w, affine).crop(brain, 2 * RIM)
    brain = brain[box]
    return Template(image, gm[box] * brain, wm[box] * brain, brain)


def find_start(t1w: Volume, head_centre: np.ndarray, head_top: float, whole_head: bool) -> np.ndarray:
    """Find a rough affine from template to T1w coordinates: many starts, the best refined.

    Parameters
    ----------
    t1w : Volume
        The image; it is looked at on a grid of 4 mm.
    head_centre : ndarray, shape (3,)
        Centre of mass of what is not background, mm, RAS+.
    head_top : float
        The highest point of the head, mm along the superior axis.
    whole_head : bool
        Whether neck and face may be in the image, so that the brain's centre must be searched for.

    Returns
    -------
    ndarray, shape (4, 4)
        Template coordinates to T1w coordinates, mm, RAS+.
    """
    from scipy import ndimage, optimize

    template = load_template()
    coarse_template = resampled(template.t1w, 4.0)
    brain = resampled(template.t1w.like(template.brain.astype(np.float32)), 4.0).data > 0.5
    region = ndimage.binary_dilation(brain, iterations=max(round(RIM / 4.0), 1))
    index = np.argwhere(region)
    points = index @ coarse_template.affine[:3, :3].T + coarse_template.affine[:3, 3]
    centre = points[brain[region]].mean(axis=0)
    points = points - centre
    reference = coarse_template.data[region] * brain[region]
    reference = (reference - reference.mean()) / reference.std()
    coarse = resampled(t1w, 4.0)
    image = np.clip(coarse.data, 0.0, np.percentile(coarse.data, 99.5))
    to_index = np.linalg.inv(coarse.affine)

    def mismatch(parameters: np.ndarray, step: int = 1) -> float:
        matrix, shift = _affine_of(parameters)
        # Without this a template blown up until its rim lies in the air around the head scores well too.
        unlikely = 0.5 * float(np.sum(((parameters[6:9] - USUAL_LOG_SCALE) / 0.1) ** 2)) / 50.0
        unlikely += 0.5 * float(np.sum((parameters[9:12] / 0.1) ** 2)) / 50.0
        where = points[::step] @ matrix.T + shift
        sampled = ndimage.map_coordinates(
            image, (where @ to_index[:3, :3].T + to_index[:3, 3]).T, order=1, mode="constant"
        )
        spread = sampled.std()
        if spread == 0:
            return 1.0
        return unlikely - float(np.mean((sampled - sampled.mean()) * reference[::step])) / float(spread)

    offsets: tuple[float, ...]
    if whole_head:
        heights = [head_top - 75.0 + d for d in (-20.0, 0.0, 20.0)]
        offsets = tuple(head_centre[1] + d for d in (-20.0, 0.0, 20.0))
    else:
        heights, offsets = [float(head_centre[2])], (head_centre[1],)
    starts = [
        np.array([head_centre[0], y, z, pitch, 0, roll, *([USUAL_LOG_SCALE] * 3), 0, 0, 0])
        for z in heights
        for y in offsets
        for pitch in (-0.5, -0.25, 0.0, 0.25, 0.5)
        for roll in (-0.35, 0.0, 0.35)
    ]
    ranked = sorted(starts, key=lambda p: mismatch(p, 5))[:8]

    def refine(start: np.ndarray, free: int, step: int, rounds: int) -> np.ndarray:
        scale = np.array([10, 10, 10, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05])[:free]

        def cost(change: np.ndarray) -> float:
            parameters = start.copy()
            parameters[:free] += change * scale
            return mismatch(parameters, step)

        found = optimize.minimize(
            cost, np.zeros(free), method="Powell", options={"maxiter": rounds, "xtol": 0.01, "ftol": 1e-4}
        )
        best = start.copy()
        best[:free] += found.x * scale
        return best

    candidates = sorted((refine(start, 6, 5, 4) for start in ranked), key=lambda p: mismatch(p, 2))[:2]
    best = min((refine(start, 9, 2, 4) for start in candidates), key=mismatch)
    best = refine(best, 12, 1, 3)
    matrix, shift = _affine_of(best)
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = shift - matrix @ centre
    return affine


def _affine_of(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give matrix and translation of (translation 3, rotation x y z, log scale 3, shear 3)."""
    cx, cy, cz = np.cos(p[3:6])
    sx, sy, sz = np.sin(p[3:6])
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    shear = np.array([[1, p[9], p[10]], [0, 1, p[11]], [0, 0, 1]])
    return rx @ ry @ rz @ shear @ np.diag(np.exp(p[6:9])), p[:3]


def register(
    t1w: Volume, start: np.ndarray, folder: Path, spacing: float, seed: int = 1
) -> tuple[list[str], np.ndarray]:
    """Register the template to a T1w image: affine, then symmetric diffeomorphic.

    Parameters
    ----------
    t1w : Volume
        The image, bias removed.
    start : ndarray, shape (4, 4)
        Template to T1w coordinates, mm, RAS+ (of `find_start`).
    folder : Path
        Where ANTs may write its transforms.
    spacing : float
        Grid on which the registration works, mm.
    seed : int
        Seed of ANTs' random numbers.

    Returns
    -------
    transforms : list of str
        Transforms that bring an image of the template onto the T1w image (for `warp_to_t1w`).
    affine : ndarray, shape (4, 4)
        Their affine part: template to T1w coordinates, mm, RAS+.
    """
    ants = load_ants()

    ants.config.set_ants_deterministic(True, seed)
    template = load_template()
    fixed_volume = resampled(template.t1w, spacing)
    near = _rim_mask(template, spacing)
    fixed, region = to_ants(fixed_volume), to_ants(fixed_volume.like(near.astype(np.float32)))
    moving = to_ants(resampled(t1w, spacing) if t1w.spacing.min() < 0.95 * spacing else t1w)
    initial = folder / "start.mat"
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    lps = flip @ start @ flip
    transform = ants.create_ants_transform(
        transform_type="AffineTransform", dimension=3, matrix=lps[:3, :3], offset=lps[:3, 3]
    )
    ants.write_transform(transform, str(initial))
    affine = ants.registration(
        fixed,
        moving,
        type_of_transform="Affine",
        initial_transform=[str(initial)],
        outprefix=str(folder / "affine_"),
        mask=region,
        mask_all_stages=True,
        aff_metric="mattes",
        aff_random_sampling_rate=0.5,
        aff_iterations=(200, 100),
        aff_shrink_factors=(2, 1),
        aff_smoothing_sigmas=(1, 0),
    )
    warp = ants.registration(
        fixed,
        moving,
        type_of_transform="SyNOnly",
        initial_transform=affine["fwdtransforms"],
        outprefix=str(folder / "syn_"),
        mask=region,
        mask_all_stages=True,
        syn_metric="mattes",
        syn_sampling=32,
        reg_iterations=(30, 20, 10),
        flow_sigma=3,
    )
    return list(warp["invtransforms"]), read_affine(affine["fwdtransforms"][0])


def read_affine(path: str) -> np.ndarray:
    """Read an affine transform of ANTs as a matrix between RAS+ coordinates, mm, shape (4, 4)."""
    ants = load_ants()

    transform = ants.read_transform(path)
    # By what it does to points, so that any kind of linear transform can be read.
    origin = np.asarray(transform.apply_to_point([0.0, 0.0, 0.0]), float)
    columns = [np.asarray(transform.apply_to_point([float(v) for v in 100 * e]), float) - origin for e in np.eye(3)]
    lps = np.eye(4)
    lps[:3, :3] = np.column_stack(columns) / 100.0
    lps[:3, 3] = origin
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return np.asarray(flip @ lps @ flip)


def _rim_mask(template: Template, spacing: float) -> np.ndarray:
    """Give the template's brain with its rim, on a grid of `spacing`."""
    from scipy import ndimage

    brain = resampled(template.t1w.like(template.brain.astype(np.float32)), spacing).data > 0.5
    return np.asarray(ndimage.binary_dilation(brain, iterations=max(round(RIM / spacing), 1)))


def warp_to_t1w(data: np.ndarray, grid: Volume, transforms: list[str]) -> np.ndarray:
    """Bring an image on the template's grid onto the grid of a T1w image (linear interpolation), shape of `grid`."""
    ants = load_ants()

    moving = to_ants(load_template().t1w.like(data.astype(np.float32)))
    inverts = [name.endswith(".mat") for name in transforms]
    warped = ants.apply_transforms(
        fixed=to_ants(grid), moving=moving, transformlist=transforms, whichtoinvert=inverts, interpolator="linear"
    )
    return np.asarray(from_ants(warped).data)
