"""One segmentation for two sessions: rigid registration of the T1w of one to that of the other, checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snakemrs.anatomy.backends import Segmentation
from snakemrs.anatomy.brain import extracted_mask, head_of
from snakemrs.anatomy.images import Volume, from_ants, resampled, to_ants
from snakemrs.anatomy.template import read_affine
from snakemrs.errors import DataError
from snakemrs.interfaces.ants import load_ants
from snakemrs.study.settings.anatomy import AnatomySettings

LEAST_CORRELATION = 0.5
"""Correlation of the two images inside the brain below which the registration is refused."""


def bring(
    t1w: Volume,
    extracted: bool,
    other: Segmentation,
    settings: AnatomySettings,
    folder: Path,
    file: Path | None = None,
) -> Segmentation:
    """Bring the segmentation of another session of the same person onto a T1w image.

    Parameters
    ----------
    t1w : Volume
        The image of this session.
    extracted : bool
        Whether it is skull-stripped.
    other : Segmentation
        Of the other session.
    settings : AnatomySettings
    folder : Path
        For ANTs' files.
    file : Path, optional
        Of the T1w image, for the error.

    Raises
    ------
    DataError
        If the two images do not agree inside the brain after registration: another person, another contrast.
    """
    move = register_rigidly(other.t1w, other.mask, t1w, folder, settings.seed)
    maps = _moved(other, other.maps, move, t1w)
    mask = resample_by(other.t1w.like(other.mask.astype(np.float32)), move, t1w) > 0.5
    theirs = resample_by(other.t1w, move, t1w)
    if mask.sum() < 0.5 * other.mask.sum() * other.t1w.voxel_volume / t1w.voxel_volume:
        correlation = 0.0
    else:
        correlation = float(np.corrcoef(t1w.data[mask], theirs[mask])[0, 1])
    if correlation < LEAST_CORRELATION:
        raise DataError(
            "the T1w images of the two sessions do not agree after rigid registration",
            file=file,
            found=f"a correlation of {correlation:.2f} inside the brain",
            expected=f"at least {LEAST_CORRELATION}",
            remedy="are both of the same person? Else segment each session by itself (anatomy: between_sessions: each)",
        )
    turn = np.degrees(np.arccos(np.clip((np.trace(move[:3, :3]) - 1) / 2, -1, 1)))
    where = np.argwhere(other.mask).mean(axis=0) @ other.t1w.affine[:3, :3].T + other.t1w.affine[:3, 3]
    way = float(np.linalg.norm(move[:3, :3] @ where + move[:3, 3] - where))
    return Segmentation(
        t1w=t1w,
        mask=mask,
        maps=maps,
        second=None if other.second is None else _moved(other, other.second, move, t1w),
        made_by=other.made_by,
        extracted=extracted,
        to_template=None if other.to_template is None else other.to_template @ np.linalg.inv(move),
        extra={"session_correlation": correlation, "session_rotation": float(turn), "session_translation": way},
    )


def _moved(other: Segmentation, maps: dict[str, np.ndarray], move: np.ndarray, t1w: Volume) -> dict[str, np.ndarray]:
    """Bring tissue maps on the grid of `other` onto that of `t1w`."""
    moved = {name: resample_by(other.t1w.like(data), move, t1w) for name, data in maps.items()}
    return {name: np.clip(data, 0.0, 1.0).astype(np.float32) for name, data in moved.items()}


def register_rigidly(source: Volume, mask: np.ndarray, target: Volume, folder: Path, seed: int) -> np.ndarray:
    """Find the rigid motion from `source` to `target` coordinates (mm, RAS+), shape (4, 4), on a grid of 2 mm.

    The start aligns the heads' centres of mass; only the brain (`mask`, of the source) counts.
    """
    ants = load_ants()
    from scipy import ndimage

    ants.config.set_ants_deterministic(True, seed)
    near = ndimage.binary_dilation(mask, iterations=max(round(3.0 / source.spacing.min()), 1))
    region = resampled(source.like(near.astype(np.float32)), 2.0)
    fixed = to_ants(resampled(source, 2.0))
    moving = to_ants(resampled(target, 2.0))
    middle = np.argwhere(mask).mean(axis=0) @ source.affine[:3, :3].T + source.affine[:3, 3]
    stripped = (target.data == 0).mean() > 0.5
    inside = extracted_mask(target) if stripped else head_of(target)[0]
    target_middle = np.argwhere(inside).mean(axis=0) @ target.affine[:3, :3].T + target.affine[:3, 3]
    # Two starts: as the scanner's coordinates say (a head moved little), and centre on centre.
    best, best_value = None, -np.inf
    for number, shift in enumerate((np.zeros(3), target_middle - middle)):
        start = folder / f"rigid_start_{number}.mat"
        transform = ants.create_ants_transform(
            transform_type="Euler3DTransform",
            dimension=3,
            matrix=np.eye(3),
            offset=np.array([-1.0, -1.0, 1.0]) * shift,
            center=[float(v) for v in np.array([-1.0, -1.0, 1.0]) * middle],
        )
        ants.write_transform(transform, str(start))
        result = ants.registration(
            fixed,
            moving,
            type_of_transform="Rigid",
            initial_transform=[str(start)],
            outprefix=str(folder / f"rigid_{number}_"),
            mask=to_ants(region.like((region.data > 0.5).astype(np.float32))),
            mask_all_stages=True,
            aff_metric="mattes",
            aff_random_sampling_rate=0.5,
            aff_iterations=(300, 200, 100),
            aff_shrink_factors=(4, 2, 1),
            aff_smoothing_sigmas=(2, 1, 0),
        )
        move = read_affine(result["fwdtransforms"][0])
        theirs = from_ants(result["warpedmovout"]).data[region.data > 0.5]
        value = float(np.corrcoef(theirs, from_ants(fixed).data[region.data > 0.5])[0, 1])
        if best is None or value > best_value:
            best, best_value = move, value
    assert best is not None
    return best


def resample_by(source: Volume, move: np.ndarray, grid: Volume) -> np.ndarray:
    """Resample `source`, moved by `move` (source to grid coordinates, mm), onto the grid (linear)."""
    from scipy import ndimage

    steps = np.linalg.inv(source.affine) @ np.linalg.inv(move) @ grid.affine
    return np.asarray(
        ndimage.affine_transform(
            source.data.astype(np.float32),
            steps[:3, :3],
            offset=steps[:3, 3],
            output_shape=grid.data.shape,
            order=1,
            mode="constant",
        )
    )
