"""What voxel reads: images on the grid of the T1w, a second segmentation, the way to template space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snakemrs.errors import DataError, RequestError


def read_map(path: Path, grid: Any, reference: Path | None) -> tuple[Any, Any, str | None]:
    """Read a three-dimensional image; refuse it where its grid is not `grid` (of the file `reference`).

    Returns
    -------
    data : ndarray
    affine : ndarray
    frame : str or None
        What is odd about the frame of reference.
    """
    import numpy as np

    from snakemrs.interfaces.nib import nib

    if not path.exists():
        raise RequestError("the file does not exist", file=path)
    try:
        image: Any = nib.load(path)
        data = np.asarray(image.dataobj, np.float64)
    except Exception as error:
        raise DataError("the file cannot be read as NIfTI", file=path, found=str(error)) from None
    if data.ndim != 3:
        raise DataError("the image is not three-dimensional", file=path, found=f"shape {data.shape}")
    affine = np.asarray(image.affine, float)
    if grid is not None and not np.allclose(affine, grid, atol=1e-3):
        raise DataError(
            "the image is not on the grid of the T1w",
            file=path,
            found=affine[:3].round(2).tolist(),
            expected=f"{np.asarray(grid)[:3].round(2).tolist()} of {reference}",
        )
    if grid is not None and not np.isfinite(data).all():
        raise DataError("the image holds values that are no numbers", file=path)
    return data, affine, _frame_oddity(image.header)


def _frame_oddity(header: Any) -> str | None:
    """Say where the two transforms in a NIfTI header differ, or where neither is in scanner coordinates."""
    import numpy as np

    sform, scode = header.get_sform(coded=True)
    qform, qcode = header.get_qform(coded=True)
    if scode == 0 and qcode == 0:
        return "the T1w has no scanner coordinates (neither sform nor qform)"
    if scode > 0 and qcode > 0 and not np.allclose(sform, qform, atol=0.5):
        return "sform and qform of the T1w differ"
    code = scode if scode > 0 else qcode
    if code in (3, 4):
        return "the T1w is in a template's space, not the scanner's"
    return None


def second_of(path: Path) -> Path | None:
    """Find the map of the second segmentation beside that of the first (``…_desc-second_label-GM_probseg.nii.gz``)."""
    beside = path.with_name(path.name.replace("_label-", "_desc-second_label-"))
    return beside if beside != path and beside.exists() else None


def template_transform(t1w: Path) -> Any | None:
    """Read the affine from T1w to template coordinates beside the T1w; None where there is none."""
    import json

    import numpy as np

    prefix = t1w.name.removesuffix(".gz").removesuffix(".nii").removesuffix("_desc-preproc_T1w")
    beside = t1w.with_name(f"{prefix}_from-T1w_to-MNI152_xfm.json")
    if not beside.exists():
        return None
    return np.array(json.loads(beside.read_text(encoding="utf-8"))["matrix"], float)


def header_rotation(t1w: Path) -> float | None:
    """Read from the segmentation's quality how far the T1w is turned against its scanner's header, where that warns."""
    from snakemrs.io.tables import read_table

    prefix = t1w.name.removesuffix(".gz").removesuffix(".nii").removesuffix("_desc-preproc_T1w")
    beside = t1w.with_name(f"{prefix}_desc-anatomy_quality.tsv")
    for row in read_table(beside) if beside.exists() else []:
        if row["metric"] == "header_rotation" and row["verdict"] == "warn":
            return float(row["value"])
    return None


def rotation_of(affine: Any) -> float:
    """Angle of the rotation in an affine, degrees (polar decomposition)."""
    import numpy as np

    u, _, v = np.linalg.svd(np.asarray(affine)[:3, :3])
    return float(np.degrees(np.arccos(np.clip((np.trace(u @ v) - 1) / 2, -1, 1))))


def session_of(name: str) -> str | None:
    """Session label in a BIDS name."""
    return label_of(name, "ses")


def label_of(name: str, entity: str) -> str | None:
    """Label of an entity (``ses``, ``voi``) in a BIDS name."""
    import re

    found = re.search(rf"_{entity}-([A-Za-z0-9]+)", name)
    return found.group(1) if found else None


def read_other(path: Path) -> tuple[str, Any, Any | None]:
    """Read a voxel that the command wrote: its name, its affine, its affine in template space."""
    import json

    import numpy as np

    if not path.exists():
        raise RequestError("the voxel to compare with does not exist", file=path)
    content = json.loads(path.read_text(encoding="utf-8"))
    if "affine" not in content:
        raise RequestError("this is no voxel", file=path, expected="a file …_voxel.json of `snakemrs voxel`")
    in_template = content.get("affine_template")
    name = path.name.removesuffix("_voxel.json")
    return name, np.array(content["affine"], float), None if in_template is None else np.array(in_template, float)
