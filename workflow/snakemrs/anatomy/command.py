"""The command ``snakemrs segment``: brain mask and tissue maps from a T1w image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from snakemrs.errors import DataError, RequestError
from snakemrs.io.tables import write_table
from snakemrs.study.settings import load_settings
from snakemrs.study.settings.anatomy import AnatomySettings


@click.command()
@click.argument("t1w", type=click.Path(path_type=Path))
@click.option("--output", "prefix", required=True, help="Folder and beginning of the names of the results.")
@click.option(
    "--brain-extracted/--whole-head",
    default=None,
    help="The T1w is skull-stripped, or is not; found out from the image where not said.",
)
@click.option("--settings", "settings_source", help="Settings of the stage: JSON text, or a YAML or JSON file.")
def segment(t1w: Path, prefix: str, brain_extracted: bool | None, settings_source: str | None) -> None:
    """Find the brain in a T1w image and its grey matter, white matter and CSF.

    \b
    Example:
        snakemrs segment sub-01_T1w.nii.gz --output anat/sub-01
    """
    settings = load_settings(AnatomySettings, settings_source)
    # ITK reads the number of threads when it is loaded; fixed, so that the same input gives the same bytes.
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(settings.threads)
    import tempfile

    from snakemrs.anatomy import backends, quality
    from snakemrs.anatomy.checks import looks_extracted

    volume = read_t1w(t1w)
    known = brain_extracted if brain_extracted is not None else settings.brain_extracted
    extracted = looks_extracted(volume) if known is None else known
    with tempfile.TemporaryDirectory(prefix="snakemrs-") as folder:
        if settings.backend not in backends.BUILT_IN:
            raise RequestError(
                f"the backend {settings.backend} is not available", expected=", ".join(backends.BUILT_IN)
            )
        result = backends.segment(volume, extracted, settings, Path(folder))
    problem = quality.implausible(result)
    if problem:
        raise DataError(
            "no brain was found in the image",
            file=t1w,
            **problem,
            remedy="look at the image; is it a T1w of a head, upright in scanner coordinates? "
            "A skull-stripped image can be said with --brain-extracted",
        )
    write_image(f"{prefix}_desc-preproc_T1w.nii.gz", result.t1w.data, volume.affine, "float32")
    write_image(f"{prefix}_desc-brain_mask.nii.gz", result.mask, volume.affine, "uint8")
    for tissue, data in result.maps.items():
        write_image(f"{prefix}_label-{tissue}_probseg.nii.gz", data, volume.affine, "float32")
    write_table(
        f"{prefix}_desc-anatomy_quality.tsv",
        quality.quality_rows(result),
        ["metric", "value", "unit", "verdict", "rule"],
        quality.dictionary(settings, result),
    )


def read_t1w(path: Path) -> Any:
    """Read a T1w image as a `Volume`; a `DataError` says why it is none."""
    import nibabel as nib
    import numpy as np

    from snakemrs.anatomy.checks import find_problem
    from snakemrs.anatomy.images import Volume

    if not path.exists():
        raise DataError("the file does not exist", file=path)
    try:
        image: Any = nib.load(path)
        data = np.asarray(image.dataobj)
    except Exception as error:
        raise DataError("the file cannot be read as NIfTI", file=path, found=str(error)) from None
    if np.iscomplexobj(data) or data.dtype.names:
        raise DataError(
            "this is no T1w image", file=path, found=f"values of type {data.dtype}", expected="real numbers"
        )
    data = data.astype(np.float32)
    affine = np.asarray(image.affine, float)
    problem = find_problem(image.shape, affine, data)
    if problem:
        raise DataError(**problem, file=path, remedy="check that the right file is named as T1w")
    return Volume(np.ascontiguousarray(data.reshape([n for n in data.shape if n > 1])), affine)


def write_image(path: str | Path, data: Any, affine: Any, dtype: str) -> None:
    """Write a NIfTI image, whole or not at all, the same bytes for the same content."""
    import nibabel as nib
    import numpy as np

    from snakemrs.io.atomic import replacing
    from snakemrs.io.nifti_mrs import write_nifti

    image = nib.Nifti1Image(np.asarray(data).astype(dtype), affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    with replacing(path) as temporary:
        write_nifti(image, temporary)
