"""The command ``snakemrs segment``: brain mask and tissue maps from a T1w image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snakemrs.errors import DataError, RequestError
from snakemrs.io.tables import write_table
from snakemrs.study.settings import load_settings
from snakemrs.study.settings.anatomy import AnatomySettings

if TYPE_CHECKING:
    from snakemrs.anatomy.backends import Segmentation


@click.command()
@click.argument("t1w", type=click.Path(path_type=Path))
@click.option("--output", "prefix", required=True, help="Folder and beginning of the names of the results.")
@click.option(
    "--brain-extracted/--whole-head",
    default=None,
    help="The T1w is skull-stripped, or is not; found out from the image where not said.",
)
@click.option(
    "--from",
    "reuse",
    help="Beginning of the names of this person's results of another session: they are brought over by rigid "
    "registration instead of segmenting this image.",
)
@click.option("--existing", help="Folder of the maps for the backend precomputed, before that of the settings.")
@click.option("--settings", "settings_source", help="Settings of the stage: JSON text, or a YAML or JSON file.")
def segment(
    t1w: Path,
    prefix: str,
    brain_extracted: bool | None,
    reuse: str | None,
    existing: str | None,
    settings_source: str | None,
) -> None:
    """Find the brain in a T1w image and its grey matter, white matter and CSF.

    \b
    Example:
        snakemrs segment sub-01_T1w.nii.gz --output anat/sub-01
    """
    settings = load_settings(AnatomySettings, settings_source)
    if existing is not None:
        settings = settings.model_copy(update={"precomputed": existing})
    # ITK reads the number of threads when it is loaded. With one, the same input gives the same bytes.
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(settings.threads)
    import tempfile

    from snakemrs.anatomy import backends, quality, sessions
    from snakemrs.anatomy.checks import looks_extracted
    from snakemrs.anatomy.precomputed import owner_of

    volume = read_t1w(t1w)
    known = brain_extracted if brain_extracted is not None else settings.brain_extracted
    extracted = looks_extracted(volume) if known is None else known
    with tempfile.TemporaryDirectory(prefix="snakemrs-") as folder:
        if reuse is None:
            result = backends.segment(volume, extracted, settings, Path(folder), owner_of(t1w))
        else:
            other = read_result(reuse, second=settings.second_backend is not None)
            result = sessions.bring(volume, extracted, other, settings, Path(folder), t1w)
    turned = header_rotation(t1w, volume.affine)
    if turned is not None:
        result.extra["header_rotation"] = turned
    problem = quality.implausible(result)
    if problem:
        raise DataError(
            "no brain was found in the image",
            file=t1w,
            **problem,
            remedy="look at the image; is it a T1w of a head, upright in scanner coordinates? "
            "A skull-stripped image can be said with --brain-extracted",
        )
    write_result(result, prefix)


def header_rotation(t1w: Path, affine: Any) -> float | None:
    """Angle of an image to the DICOM files that it was made of, where its sidecar tells their orientation."""
    import json

    from snakemrs.anatomy import checks

    sidecar = t1w.with_name(t1w.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    if not sidecar.exists():
        return None
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError("the sidecar is no JSON", file=sidecar, found=str(error)) from None
    orientation = content.get("ImageOrientationPatientDICOM")
    return None if orientation is None or len(orientation) != 6 else checks.header_rotation(affine, orientation)


def write_result(result: Segmentation, prefix: str) -> None:
    """Write all files of a segmentation."""
    from snakemrs.anatomy import quality
    from snakemrs.anatomy.images import write_volume
    from snakemrs.io.atomic import write_json

    affine = result.t1w.affine
    write_volume(f"{prefix}_desc-preproc_T1w.nii.gz", result.t1w.data, affine, "float32")
    write_volume(f"{prefix}_desc-brain_mask.nii.gz", result.mask, affine, "uint8")
    for tissue, data in result.maps.items():
        write_volume(f"{prefix}_label-{tissue}_probseg.nii.gz", data, affine, "float32")
    for tissue in result.maps:
        second = Path(f"{prefix}_desc-second_label-{tissue}_probseg.nii.gz")
        if result.second is None:
            # Of an earlier run with a second backend: the voxel stage would take it for this one's.
            second.unlink(missing_ok=True)
        else:
            write_volume(second, result.second[tissue], affine, "float32")
    if result.to_template is not None:
        matrix = [[float(f"{v:.9g}") for v in row] for row in result.to_template]
        text = "Affine from T1w to template coordinates (ICBM 2009a, mm, RAS+)"
        write_json(f"{prefix}_from-T1w_to-MNI152_xfm.json", {"Description": text, "matrix": matrix})
    write_table(
        f"{prefix}_desc-anatomy_quality.tsv",
        quality.quality_rows(result),
        ["metric", "value", "unit", "verdict", "rule"],
        quality.dictionary(result),
    )


def read_result(prefix: str, second: bool = False) -> Segmentation:
    """Read what the command wrote for another session of the same person, with the maps of its second backend."""
    import json

    import numpy as np

    from snakemrs.anatomy.backends import TISSUES, Segmentation
    from snakemrs.anatomy.precomputed import read_volume

    names = {"t1w": "desc-preproc_T1w", "mask": "desc-brain_mask", **{t: f"label-{t}_probseg" for t in TISSUES}}
    if second:
        names |= {f"second {t}": f"desc-second_label-{t}_probseg" for t in TISSUES}
    files = {key: Path(f"{prefix}_{name}.nii.gz") for key, name in names.items()}
    for file in files.values():
        if not file.exists():
            raise RequestError("the segmentation to bring over is incomplete", file=file)
    images = {key: read_volume(file) for key, file in files.items()}
    transform = Path(f"{prefix}_from-T1w_to-MNI152_xfm.json")
    matrix = np.array(json.loads(transform.read_text())["matrix"]) if transform.exists() else None
    return Segmentation(
        t1w=images["t1w"],
        mask=images["mask"].data > 0.5,
        maps={t: images[t].data for t in TISSUES},
        made_by=f"rigid registration of the maps of {Path(prefix).name}",
        extracted=False,
        to_template=matrix,
        second={t: images[f"second {t}"].data for t in TISSUES} if second else None,
    )


def read_t1w(path: Path) -> Any:
    """Read a T1w image as a `Volume`; a `DataError` says why it is none."""
    import numpy as np

    from snakemrs.anatomy.checks import find_problem
    from snakemrs.anatomy.images import Volume
    from snakemrs.interfaces.nib import nib

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
