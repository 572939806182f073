"""The voxel on the T1w image in three planes, with tissue contours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from snakemrs.report.figures.image import png, to_grey

# Plane, the axis it cuts (of RAS+), the axes to the right and upwards, and what stands at left and right.
PLANES = (("sagittal", 0, 1, 2, "P", "A"), ("coronal", 1, 0, 2, "L", "R"), ("axial", 2, 0, 1, "L", "R"))
TISSUES = (("CSF", "c1"), ("GM", "c2"), ("WM", "c5"))


@dataclass(frozen=True)
class Volume:
    """An image turned to the nearest right–anterior–superior order of axes.

    Attributes
    ----------
    data : ndarray, shape (x, y, z)
    zooms : tuple of three floats
        Size of a voxel, mm.
    affine : ndarray, shape (4, 4)
    """

    data: np.ndarray
    zooms: tuple[float, float, float]
    affine: np.ndarray


def load_volume(path: Path) -> Volume:
    """Read an image without changing its type of number."""
    from snakemrs.interfaces.nib import nib

    image: Any = nib.as_closest_canonical(nib.load(path))
    data = np.asanyarray(image.dataobj)
    if data.ndim > 3:
        data = data[..., 0]
    return Volume(data, tuple(float(z) for z in image.header.get_zooms()[:3]), np.asarray(image.affine, float))  # type: ignore[arg-type]


def voxel_figure(t1w: Path, mask: Path, tissues: Mapping[str, Path], name: str) -> Markup:
    """Draw three planes through the centre of the voxel.

    Parameters
    ----------
    t1w, mask : path
        T1w image and the voxel's fractional mask on the same grid.
    tissues : mapping
        ``GM``, ``WM``, ``CSF`` and the probability map of each, on the same grid.
    name : str
        Identifier in the page.

    Raises
    ------
    DataError
        If the mask is empty or an image lies on another grid.
    """
    from concurrent.futures import ThreadPoolExecutor

    from snakemrs.errors import DataError

    # Reading is unpacking, which runs beside other threads.
    with ThreadPoolExecutor(max_workers=2) as pool:
        volumes = list(pool.map(load_volume, [t1w, mask, *tissues.values()]))
    brain, voxel = volumes[:2]
    maps = dict(zip(tissues, volumes[2:], strict=True))
    for path, volume in zip([mask, *tissues.values()], volumes[1:], strict=True):
        if volume.data.shape != brain.data.shape:
            raise DataError(
                "the image lies on another grid than the T1w",
                file=path,
                found=f"shape {volume.data.shape}",
                expected=f"shape {brain.data.shape}",
            )
    inside = np.asarray(voxel.data, np.float32)
    total = float(inside.sum())
    if not total > 0:
        raise DataError("the voxel's mask is empty", file=mask)
    centre = [
        round(float((inside.sum(axis=tuple(a for a in range(3) if a != axis)) * np.arange(n)).sum()) / total)
        for axis, n in enumerate(inside.shape)
    ]
    box = _box_of_head(brain.data)
    sample = np.asarray(brain.data[::4, ::4, ::4], float)
    high = float(np.percentile(sample[sample > sample.mean()], 99)) if (sample > sample.mean()).any() else 1.0
    planes = [_plane(plane, brain, voxel, maps, centre, box, high) for plane in PLANES]
    legend = _legend(list(maps))
    return Markup('<figure class="chart voxel" id="{}" role="group" aria-label="Voxel on the T1w image">{}'
                  '<div class="planes">{}</div>'
                  "<figcaption>Planes through the centre of the voxel. White and black line: half of the fractional "
                  "mask. Contours: tissue probability 0.5. Left of the participant is on the left.</figcaption>"
                  "</figure>").format(name, legend, Markup("").join(planes))  # fmt: skip


def _legend(tissues: list[str]) -> Markup:
    keys = [
        Markup(
            '<button type="button" class="key" data-series="{0}" aria-pressed="true">'
            '<i class="line {1}"></i>{0}</button>'
        ).format(tissue, colour)
        for tissue, colour in TISSUES
        if tissue in tissues
    ]
    voxel = Markup(
        '<button type="button" class="key" data-series="voxel" aria-pressed="true">'
        '<i class="line voxel-line"></i>voxel</button>'
    )
    return Markup('<div class="legend">{}</div>').format(Markup("").join([voxel, *keys]))


def _box_of_head(data: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of the head on each axis, with a margin."""
    coarse = np.asarray(data[::2, ::2, ::2], np.float32)
    head = coarse > 0.1 * float(np.percentile(coarse, 99))
    box = []
    for axis in range(3):
        seen = np.flatnonzero(head.mean(axis=tuple(a for a in range(3) if a != axis)) > 0.01)
        n = data.shape[axis]
        first, last = (2 * int(seen[0]), 2 * int(seen[-1]) + 2) if seen.size else (0, n)
        margin = max(2, n // 40)
        box.append((max(0, first - margin), min(n, last + margin)))
    return box


def _plane(
    plane: tuple[str, int, int, int, str, str],
    brain: Volume,
    voxel: Volume,
    maps: Mapping[str, Volume],
    centre: list[int],
    box: list[tuple[int, int]],
    high: float,
) -> Markup:
    name, cut, right, up, left_letter, right_letter = plane
    window = [slice(*b) for b in box]

    def slice_of(volume: Volume) -> np.ndarray:
        """Rows from bottom to top, columns from left to right."""
        index: list[Any] = list(window)
        index[cut] = centre[cut]
        section = np.asarray(volume.data[tuple(index)], np.float32)
        return section.T if right < up else section

    picture = slice_of(brain)
    rows, columns = picture.shape
    width, height = columns * brain.zooms[right], rows * brain.zooms[up]
    layers = [
        Markup('<g class="line {} thin" data-series="{}"><path d="{}"/></g>').format(
            colour, tissue, contour(slice_of(maps[tissue]), 0.5)
        )
        for tissue, colour in TISSUES
        if tissue in maps
    ]
    outline = contour(slice_of(voxel), 0.5)
    layers.append(
        Markup('<g data-series="voxel"><path class="halo" d="{0}"/><path class="voxel-line" d="{0}"/></g>').format(
            outline
        )
    )
    return Markup(
        '<div class="plane" style="aspect-ratio:{w}/{h};flex-grow:{grow}"><img src="{image}" alt="{name} plane of the '
        'T1w image through the voxel"><svg viewBox="0 0 {c} {r}" preserveAspectRatio="none" aria-hidden="true">'
        '{layers}</svg><span class="side left">{a}</span><span class="side right">{b}</span></div>'
    ).format(
        w=f"{width:.1f}",
        h=f"{height:.1f}",
        grow=f"{width / height:.3f}",
        image=png(to_grey(picture[::-1], 0.0, high)),
        name=name,
        c=columns,
        r=rows,
        layers=Markup("").join(layers),
        a=left_letter,
        b=right_letter,
    )


def contour(section: np.ndarray, level: float) -> Markup:
    """Path of the contour at `level`, in columns from the left and rows from the top."""
    from contourpy import contour_generator

    rows = section.shape[0]
    if not (section > level).any():
        return Markup("")
    padded = np.pad(section, 1)
    lines = contour_generator(z=padded, name="serial").lines(level)
    pieces = []
    for line in lines:
        points = np.asarray(line)
        if len(points) < 4:
            continue
        x, y = points[:, 0] - 0.5, rows - (points[:, 1] - 0.5)
        pieces.append("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)))
    return Markup("".join(pieces))
