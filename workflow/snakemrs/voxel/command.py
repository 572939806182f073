"""The command ``snakemrs voxel``: the MRS voxel in T1w space and its tissue fractions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snakemrs.errors import DataError, RequestError
from snakemrs.io.tables import write_table
from snakemrs.study.settings import load_settings
from snakemrs.study.settings.voxel import VoxelSettings

COLUMNS = ["gm", "wm", "csf", "outside", "volume_mm3", "gm_sd", "wm_sd", "csf_sd", "flag"]
_IMAGE = click.Path(path_type=Path)


@click.command()
@click.argument("svs", type=_IMAGE)
@click.option("--t1w", type=_IMAGE, required=True, help="The T1w image that was segmented.")
@click.option("--brain-mask", type=_IMAGE, required=True, help="Brain mask on the grid of the T1w.")
@click.option("--gm", type=_IMAGE, required=True, help="Probability of grey matter.")
@click.option("--wm", type=_IMAGE, required=True, help="Probability of white matter.")
@click.option("--csf", type=_IMAGE, required=True, help="Probability of CSF.")
@click.option("--output", "stem", required=True, help="Folder and beginning of the names of the tables.")
@click.option("--mask-output", type=_IMAGE, help="Where to write the voxel mask in T1w space.")
@click.option("--settings", "settings_source", help="Settings of the stage: JSON text, or a YAML or JSON file.")
def voxel(
    svs: Path,
    t1w: Path,
    brain_mask: Path,
    gm: Path,
    wm: Path,
    csf: Path,
    stem: str,
    mask_output: Path | None,
    settings_source: str | None,
) -> None:
    """Lay the MRS voxel into the T1w image and measure its tissue.

    \b
    Example:
        snakemrs voxel sub-01_svs.nii.gz --t1w T1w.nii.gz --brain-mask mask.nii.gz --gm GM.nii.gz --wm WM.nii.gz \\
            --csf CSF.nii.gz --output mrs/sub-01 --mask-output anat/sub-01_voi_mask.nii.gz
    """
    settings = load_settings(VoxelSettings, settings_source)
    import numpy as np

    from snakemrs.io import nifti_mrs
    from snakemrs.voxel import geometry

    image = nifti_mrs.read(svs)
    if image.data.shape[:3] != (1, 1, 1):
        raise image.error("more than one voxel", found=f"shape {image.data.shape[:3]}", expected="single voxel")
    box = image.affine
    whole = geometry.box_volume(box)
    edges = np.sqrt((box[:3, :3] ** 2).sum(axis=0))
    if edges.min() < 2.0 or edges.max() > 200.0:
        raise image.error(
            "the voxel has no plausible size",
            found=" × ".join(f"{e:.1f}" for e in edges) + " mm",
            expected="edges of 2 to 200 mm",
            remedy="the scanner's file lacks the geometry, or it was lost in conversion",
        )
    _, grid, frame = read_map(t1w, None, None)
    mask, _, _ = read_map(brain_mask, grid, t1w)
    maps = {name: read_map(path, grid, t1w)[0] for name, path in (("gm", gm), ("wm", wm), ("csf", csf))}
    total = sum(maps.values())
    if float(np.max(total)) > 1.05:
        raise DataError(
            "the tissue probabilities sum to more than 1", file=gm, found=f"{np.max(total):.3f}", expected="at most 1"
        )
    share = geometry.box_overlap(box, grid, mask.shape)
    voxel_volume = geometry.box_volume(grid)
    in_image = float(share.sum()) * voxel_volume / whole
    in_brain = float((share * (mask > 0.5)).sum()) * voxel_volume / whole
    fractions = geometry.tissue_fractions(share, maps, voxel_volume, whole)
    centre = ", ".join(f"{c:.1f}" for c in box[:3, 3])
    if fractions["outside"] > settings.largest_outside:
        place = "outside the image" if in_image < 0.5 else "outside the brain"
        raise image.error(
            f"the voxel lies {place} of the T1w",
            found=f"{100 * fractions['outside']:.0f} % of the voxel outside the brain, centre {centre} mm; T1w {t1w}",
            expected=f"at most {100 * settings.largest_outside:.0f} %",
            remedy="is the T1w of the same person and session, not moved to another space (template, AC-PC, resliced)? "
            "A T1w of another session must be registered first",
        )
    flags = []
    if fractions["outside"] > settings.warned_outside:
        flags.append(f"{100 * fractions['outside']:.0f} % of the voxel outside the brain")
    if in_image < 0.999:
        flags.append(f"{100 * (1 - in_image):.0f} % of the voxel beyond the edge of the image")
    if frame:
        flags.append(frame)
    if in_brain + 1e-6 < 1 - fractions["outside"]:
        flags.append("tissue outside the brain mask")
    row: dict[str, Any] = {**fractions, "volume_mm3": whole, "flag": "; ".join(flags) or None}
    row.update({f"{name}_sd": settings.fraction_sd for name in maps})
    if mask_output is not None:
        write_mask(mask_output, share, grid)
    write_table(f"{stem}_tissue.tsv", [row], COLUMNS, dictionary(svs, t1w))


def read_map(path: Path, grid: Any, reference: Path | None) -> tuple[Any, Any, str | None]:
    """Read a three-dimensional image; refuse it where its grid is not `grid` (of the file `reference`).

    Returns
    -------
    data : ndarray
    affine : ndarray
    frame : str or None
        What is odd about the frame of reference.
    """
    import nibabel as nib
    import numpy as np

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


def write_mask(path: Path, share: Any, grid: Any) -> None:
    """Write the fractional voxel mask (float32) with what BIDS wants beside it."""
    import nibabel as nib
    import numpy as np

    from snakemrs.io.atomic import replacing, write_json
    from snakemrs.io.nifti_mrs import write_nifti

    image = nib.Nifti1Image(np.asarray(share, np.float32), grid)
    image.header.set_xyzt_units("mm")
    image.set_qform(grid, 1)
    image.set_sform(grid, 1)
    with replacing(path) as temporary:
        write_nifti(image, temporary)
    write_json(
        str(path).removesuffix(".gz").removesuffix(".nii") + ".json",
        {
            "Description": "Share of each image voxel that lies inside the MRS voxel",
            "SpatialReference": "the T1w image of the same participant and session",
            "Type": "ROI",
        },
    )


def dictionary(svs: Path, t1w: Path) -> dict[str, Any]:
    """Describe the columns of the table of tissue."""
    tissue = {"gm": "grey matter", "wm": "white matter", "csf": "cerebrospinal fluid"}
    columns: dict[str, Any] = {
        k: {"Description": f"Fraction of the voxel's volume that is {v}"} for k, v in tissue.items()
    }
    columns["outside"] = {"Description": "Fraction of the voxel's volume that is none of these: outside the brain"}
    columns["volume_mm3"] = {"Description": "Volume of the MRS voxel", "Units": "mm^3"}
    for k, v in tissue.items():
        columns[f"{k}_sd"] = {"Description": f"Standard deviation of the fraction of {v}"}
    columns["flag"] = {"Description": "What is odd about the placement; n/a where nothing is"}
    columns["Notes"] = {"Description": f"Voxel of {svs.name} in {t1w.name}; exact overlap of the oblique box."}
    return columns
