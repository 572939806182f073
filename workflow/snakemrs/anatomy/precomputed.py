"""Segmentations that exist already: fMRIPrep, FreeSurfer, CAT12, SPM, FAST."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.anatomy.images import Volume
from snakemrs.errors import DataError, RequestError
from snakemrs.study.resources import constants

TISSUES = ("GM", "WM", "CSF")
ENDINGS = (".nii", ".nii.gz", ".mgz")


Owner = tuple[str | None, str | None]
"""Labels of participant and session, where they are known."""


def owner_of(path: Path) -> Owner:
    """Labels of participant and session in a BIDS name; None for each that it lacks."""
    participant, session = (re.search(rf"(?:^|_){entity}-([A-Za-z0-9]+)", path.name) for entity in ("sub", "ses"))
    return participant and participant.group(1), session and session.group(1)


def find_derivatives(folder: Path, owner: Owner = (None, None)) -> tuple[dict[str, Path], str]:
    """Find tissue maps, or one label image, in a folder of derivatives.

    Parameters
    ----------
    folder : path
        Of one participant and session, or of several whose labels are in the names of files or folders.
    owner : tuple
        Whose maps are wanted.

    Returns
    -------
    files : dict of Path
        ``GM WM CSF``, or ``labels``.
    made_by : str
        What program they are of.

    Raises
    ------
    RequestError
        If there are none, or none of `owner`, or more than one set that may be the owner's.
    """
    if not folder.is_dir():
        raise RequestError(
            "the folder of the existing segmentation is absent", file=folder, remedy="correct anatomy: precomputed"
        )
    rules = constants("tissue")["derivatives"]
    # Folders of the owner's first: a folder of many people's takes long to walk through.
    for places in (_places(folder, owner), [folder]):
        files = sorted(file for place in places for file in place.rglob("*") if file.name.endswith(ENDINGS))
        files = [file for file in files if not _is_template(file, folder)]
        found = _known(files, folder, rules, owner)
        if found is not None:
            return found
    others = _known(files, folder, rules, None)
    if others is not None:
        message = "there is no existing segmentation of this participant and session, only others'"
        raise _ambiguous(message, [*others[0].values()], folder)
    patterns = [r["pattern"].format(tissue="|".join(r["tissues"].values())) for r in rules.values() if "pattern" in r]
    raise RequestError(
        "no existing segmentation was found",
        file=folder,
        expected=" or ".join([*patterns, *rules["labels"]["files"]]),
    )


def _places(folder: Path, owner: Owner) -> list[Path]:
    """Folders in a folder that are called as the participant."""
    label = owner[0]
    return [
        path for path in folder.iterdir() if label is not None and label in _labels(path.name, "sub") and path.is_dir()
    ]


def _labels(path: str, entity: str) -> set[str]:
    """Labels of an entity in a relative path, with the names of its folders, which may be bare labels."""
    return {*path.split("/"), *re.findall(rf"{entity}-([A-Za-z0-9]+)", path)}


def _is_template(file: Path, folder: Path) -> bool:
    """Whether a map is in a template's space: a `space-` entity other than T1w, or of FreeSurfer's average head."""
    other = "space-" in file.name and "space-T1w" not in file.name
    return other or any(part.startswith("fsaverage") for part in file.relative_to(folder).parts)


def _known(
    files: list[Path], folder: Path, rules: dict[str, Any], owner: Owner | None
) -> tuple[dict[str, Path], str] | None:
    """Find the maps of the first program, or the labels, among files; for `owner` None anybody's, the first of many."""

    def one(matches: list[Path], what: str) -> Path | None:
        mine = matches[:1] if owner is None else _of_owner(matches, folder, owner)
        if len(mine) > 1:
            raise _ambiguous(f"there is more than one {what}", mine, folder)
        return mine[0] if mine else None

    for name, rule in rules.items():
        if name == "labels":
            continue
        found: dict[str, Path] = {}
        for tissue, word in rule["tissues"].items():
            pattern = rule["pattern"].format(tissue=word)
            file = one([f for f in files if fnmatch.fnmatchcase(f.name, pattern)], f"{tissue} map")
            if file is not None:
                found[tissue] = file
        if len(found) == 3:
            if len({file.parent for file in found.values()}) > 1 and owner is not None:
                raise _ambiguous("the tissue maps lie in different folders", [*found.values()], folder)
            return found, str(rule["made_by"])
    for label in rules["labels"]["files"]:
        file = one([f for f in files if f.name == label], f"{label} of labels")
        if file is not None:
            return {"labels": file}, str(rules["labels"]["made_by"])
    return None


def _of_owner(files: list[Path], folder: Path, owner: Owner) -> list[Path]:
    """Files below a folder that may be the owner's: by ``sub-`` and ``ses-``, or folders that are called as the label.

    Where any file names its owner, one that names nobody is not taken. A label that `folder` itself names was chosen by
    the user: there files may be called otherwise.
    """
    for entity, label in zip(("sub", "ses"), owner, strict=True):
        if label is None:
            continue
        below = {f: f.relative_to(folder).as_posix() for f in files}
        own = [f for f in files if label in _labels(below[f], entity)]
        named = any(f"{entity}-" in path for path in below.values())
        chosen = label in _labels("/".join(folder.parts[-3:]), entity)
        files = own or (files if chosen or not named else [])
    return files


def _ambiguous(message: str, files: list[Path], folder: Path) -> RequestError:
    return RequestError(
        message,
        file=folder,
        found=", ".join(str(f.relative_to(folder)) for f in files[:4]) + (" …" if len(files) > 4 else ""),
        expected="one: the folder of one participant and session",
        remedy="put {participant} (and {session}) in the path of anatomy: precomputed",
    )


def existing_maps(folder: Path, participant: str | None = None, session: str | None = None) -> list[Path]:
    """Give the files of a folder of derivatives that would be read, sorted by tissue."""
    files, _ = find_derivatives(folder, (participant, session))
    return [files[key] for key in sorted(files)]


def labels_to_maps(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Turn FreeSurfer labels into maps of 0 and 1."""
    table = constants("tissue")["freesurfer"]
    whole = np.rint(labels).astype(int)
    maps = {t.upper(): np.isin(whole, table[t]) for t in ("gm", "wm", "csf")}
    for low, high in table["gm_ranges"]:
        maps["GM"] |= (whole >= low) & (whole < high)
    return {name: data.astype(np.float32) for name, data in maps.items()}


def read_volume(path: Path) -> Volume:
    """Read a three-dimensional image."""
    from snakemrs.interfaces.nib import nib

    try:
        image: Any = nib.load(path)
        data = np.asarray(image.dataobj, np.float32)
    except Exception as error:
        raise DataError("the image cannot be read", file=path, found=str(error)) from None
    data = np.squeeze(data)
    if data.ndim != 3 or not np.isfinite(data).all():
        raise DataError("this is no tissue map", file=path, found=f"shape {data.shape}", expected="three dimensions")
    return Volume(data, np.asarray(image.affine, float))


def onto(source: Volume, grid: Volume) -> np.ndarray:
    """Bring an image onto another grid in the same scanner coordinates (linear), shape of `grid`."""
    from scipy import ndimage

    if source.data.shape == grid.data.shape and np.allclose(source.affine, grid.affine, atol=1e-3):
        return source.data
    steps = np.linalg.inv(source.affine) @ grid.affine
    return np.asarray(
        ndimage.affine_transform(
            source.data, steps[:3, :3], offset=steps[:3, 3], output_shape=grid.data.shape, order=1, mode="constant"
        )
    )


def read_maps(files: dict[str, Path], t1w: Volume) -> dict[str, np.ndarray]:
    """Read existing maps onto the grid of a T1w image.

    Raises
    ------
    DataError
        If they are no probabilities, or do not lie on the brain of this image.
    """
    if "labels" in files:
        source = read_volume(files["labels"])
        maps = {name: onto(source.like(data), t1w) for name, data in labels_to_maps(source.data).items()}
    else:
        maps = {}
        for tissue in TISSUES:
            source = read_volume(files[tissue])
            data = source.data
            # Some programs store 8-bit maps without a scale.
            if data.max() > 1.5 and data.max() <= 255:
                data = data / 255.0
            if data.min() < -0.01 or data.max() > 1.01:
                raise DataError(
                    "the map holds no probabilities",
                    file=files[tissue],
                    found=f"{data.min():g} to {data.max():g}",
                    expected="0 to 1",
                )
            maps[tissue] = onto(source.like(np.clip(data, 0, 1)), t1w)
    total = np.sum(list(maps.values()), axis=0)
    over = np.maximum(total, 1.0)
    maps = {name: (data / over).astype(np.float32) for name, data in maps.items()}
    where = next(iter(files.values()))
    tissue_volume = float((maps["GM"] + maps["WM"]).sum() * t1w.voxel_volume / 1000)
    means = [float(np.average(t1w.data, weights=maps[t])) if maps[t].sum() > 0 else 0.0 for t in ("CSF", "GM", "WM")]
    if tissue_volume < 300 or not means[0] < means[1] < means[2]:
        raise DataError(
            "the existing segmentation does not lie on the brain of this T1w",
            file=where,
            found=f"{tissue_volume:.0f} ml of grey and white matter within the image; mean intensities of CSF, GM, WM "
            + ", ".join(f"{m:.3g}" for m in means),
            expected="at least 300 ml, and intensities that rise from CSF to white matter",
            remedy="is it of the same person and session, and in the scanner's coordinates?",
        )
    return maps
