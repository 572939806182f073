"""The field of view of a T1w image, and whether a spectrum's voxel lies within it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.study.plan import Plan, Problem

SAME_SPACING = 0.05
"""Relative difference between slice spacing as told and as measured, above which all slices are looked at."""
_TAGS = (
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
    *("SpacingBetweenSlices", "SliceThickness", "NumberOfFrames"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_CORNERS = np.array(list(product((-0.5, 0.5), repeat=3)))
_POINTS = np.array(list(product((np.arange(9) + 0.5) / 9 - 0.5, repeat=3)))
"""Places in a voxel of edge 1 about its centre: its corners, and points that fill it evenly."""


def field_of_view(files: Sequence[Path]) -> dict[str, Any] | None:
    """Read where an image lies: a NIfTI file, or the slices of a DICOM series.

    Returns
    -------
    dict or None
        ``affine``, shape (4, 4), voxel index to RAS+ mm, and ``shape`` (3,); None where it cannot be read.
    """
    try:
        if files[0].name.endswith((".nii", ".nii.gz")):
            from snakemrs.interfaces.nib import nib

            image: Any = nib.load(files[0])
            affine, shape = np.asarray(image.affine), image.shape[:3]
        else:
            affine, shape = _of_dicom(files)
    except Exception:  # whatever is wrong with it, ingest names it
        return None
    if len(shape) != 3 or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        return None
    return {"affine": np.round(affine, 5).tolist(), "shape": [int(n) for n in shape]}


def _of_dicom(files: Sequence[Path]) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and shape of a series: from its first and last slice where these tell, else from all."""
    from snakemrs.ingest.formats import dicom

    first = dicom.read(files[0], stop_before_pixels=True, specific_tags=list(_TAGS))
    if "PerFrameFunctionalGroupsSequence" in first:
        return _of_frames(first)
    orientation, spacing = first.ImageOrientationPatient, first.PixelSpacing
    told = float(first.get("SpacingBetweenSlices") or first.get("SliceThickness") or 0)

    def position(path: Path) -> np.ndarray:
        header = dicom.read(path, stop_before_pixels=True, specific_tags=["ImagePositionPatient"])
        return np.array(header.ImagePositionPatient, float)

    places = np.array([position(files[0]), position(files[-1])])
    measured = np.linalg.norm(places[1] - places[0]) / max(len(files) - 1, 1)
    if not told or abs(measured / told - 1) > SAME_SPACING:  # names that do not follow the slices, or gaps
        places = np.array([position(path) for path in files])
        return _affine(orientation, spacing, first.Rows, first.Columns, places)
    evenly = np.linspace(places[0], places[1], len(files))
    return _affine(orientation, spacing, first.Rows, first.Columns, evenly)


def _of_frames(header: Any) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and shape of an image whose slices are the frames of one file."""
    frames = header.PerFrameFunctionalGroupsSequence
    shared = header.SharedFunctionalGroupsSequence[0]

    def group(name: str) -> Any:
        return shared[name].value[0] if name in shared else frames[0][name].value[0]

    places = np.array([frame.PlanePositionSequence[0].ImagePositionPatient for frame in frames], float)
    orientation = group("PlaneOrientationSequence").ImageOrientationPatient
    return _affine(orientation, group("PixelMeasuresSequence").PixelSpacing, header.Rows, header.Columns, places)


def _affine(
    orientation: Any, spacing: Any, rows: int, columns: int, places: np.ndarray
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine (columns, rows, slices to RAS+ mm) and shape, from the corners of all slices (LPS, mm)."""
    across, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(across, down)
    heights = np.unique(np.round(places @ normal, 3))
    start = places[np.argmin(places @ normal)]
    step = (heights[-1] - heights[0]) / max(len(heights) - 1, 1)
    affine = np.eye(4)
    for axis, edge in enumerate((across * float(spacing[1]), down * float(spacing[0]), normal * step)):
        affine[:3, axis] = _LPS_TO_RAS * edge
    affine[:3, 3] = _LPS_TO_RAS * start
    return affine, (int(columns), int(rows), len(heights))


def share_outside(centre: Sequence[float], size: Sequence[float], view: dict[str, Any]) -> float:
    """Share of a voxel outside an image; its edges are taken along the scanner's axes, which headers tell alike."""
    where, edges = np.asarray(centre), np.asarray(size)
    if _inside(where + _CORNERS * edges, view).all():
        return 0.0  # an image is convex
    return float(np.mean(~_inside(where + _POINTS * edges, view)))


def _inside(points: np.ndarray, view: dict[str, Any]) -> np.ndarray:
    """Which points, shape (n, 3), RAS+ mm, lie within the image, whose outer voxels reach half a voxel further."""
    affine = np.asarray(view["affine"])
    index = (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    return np.asarray(np.all((index >= -0.5) & (index <= np.asarray(view["shape"]) - 0.5), axis=-1))


def check_geometry(plan: Plan) -> list[Problem]:
    """Whether each voxel lies within the field of view of the T1w that serves it.

    The centre outside is an error; more than half of the voxel outside a warning.
    """
    scans = {scan.bids: scan for scan in plan.scans}
    by_prefix = {anatomy.prefix: scans[anatomy.t1w] for anatomy in plan.anatomies}
    found = []
    for spectrum in plan.spectra:
        image, scan = by_prefix.get(spectrum.anatomy or ""), scans[spectrum.svs]
        view = image.header.get("field_of_view") if image is not None else None
        centre, size = scan.header.get("centre") or (), scan.header.get("voxel_size") or ()
        if image is None or not view or len(centre) != 3:
            continue
        if not _inside(np.asarray([centre], float), view)[0]:
            text = "the voxel lies outside the field of view of the T1w: is it this participant's, of this session?"
            found.append(Problem("error", f"{text} ({image.path})", scan.path, None, scan.participant))
        elif len(size) == 3 and (share := share_outside(centre, size, view)) > 0.5:
            text = f"{share:.0%} of the voxel lie outside the field of view of the T1w"
            found.append(Problem("warning", f"{text} ({image.path})", scan.path, None, scan.participant))
    return found
