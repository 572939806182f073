"""Structural images: NIfTI copied without anything personal, DICOM series through dcm2niix."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

from snakemrs.errors import DataError
from snakemrs.ingest.convert import Product
from snakemrs.ingest.raw import RawFile
from snakemrs.ingest.sidecar import model_of, software_of, vendor_of
from snakemrs.study.settings.ingest import IngestSettings

#: Numbers of a structural image's sidecar that are taken over, with their plausible range.
_NUMBERS = {
    "MagneticFieldStrength": (0.01, 25.0),
    "EchoTime": (1e-4, 1.0),
    "RepetitionTime": (1e-4, 30.0),
    "InversionTime": (1e-4, 10.0),
    "FlipAngle": (0.1, 360.0),
    "SliceThickness": (0.1, 20.0),
    "ImagingFrequency": (1.0, 1100.0),
}


def structural(raw: RawFile, out: Path, settings: IngestSettings, participant: str | None) -> Product:
    """Make the T1w image and its sidecar.

    Raises
    ------
    DataError
        If the raw file is no structural image of a head.
    """
    from snakemrs.ingest.formats.nifti import read_bytes, recognise_image

    known: dict[str, Any] = {}
    if raw.format == "nifti":
        source = read_bytes(raw.path)
        known = _sidecar_beside(raw.path)
        found = raw
    elif raw.format == "dicom-image":
        with tempfile.TemporaryDirectory(prefix="snakemrs-ingest-") as folder:
            image, known = _from_dicom(raw, Path(folder), settings, participant)
            source = read_bytes(image)
            found = recognise_image(image)
    else:
        raise DataError("this is no image", file=raw.path, participant=participant, found=raw.why)
    if found.kind != "T1w" or raw.kind == "image":
        raise DataError(
            "this is no T1w image of a head",
            file=raw.path,
            participant=participant,
            found=raw.why if raw.kind == "image" else found.why,
            expected="one T1-weighted volume of the whole head or of the brain",
            remedy="give the T1w image in scans.tsv",
        )
    sidecar = allowed_sidecar(known)
    sidecar["SkullStripped"] = bool(found.skull_stripped)
    payload = gzip.compress(source.anonymous(), compresslevel=6, mtime=0)
    word = "skull-stripped already" if found.skull_stripped else "whole head"
    return Product(out, sidecar, f"{out.name}: structural image, {word}", picture=payload)


def allowed_sidecar(known: dict[str, Any]) -> dict[str, Any]:
    """Keep what names nobody of a sidecar made by dcm2niix or found beside a NIfTI file."""
    sidecar: dict[str, Any] = {
        "Manufacturer": vendor_of(known.get("Manufacturer")),
        "ManufacturersModelName": model_of(known.get("ManufacturersModelName")),
        "SoftwareVersions": software_of(known.get("SoftwareVersions")),
    }
    for key, (low, high) in _NUMBERS.items():
        value = known.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            sidecar[key] = float(value)
    return {key: value for key, value in sidecar.items() if value is not None}


def _sidecar_beside(path: Path) -> dict[str, Any]:
    import json

    beside = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _from_dicom(
    raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None
) -> tuple[Path, dict[str, Any]]:
    from snakemrs.interfaces.dcm2niix import convert_series

    megabytes = sum(path.stat().st_size for path in raw.files) // 2**20
    memory = max(settings.converter_memory, 12 * megabytes)
    try:
        made = convert_series(list(raw.files), folder, seconds=settings.converter_seconds, memory=memory)
    except Exception as error:
        raise DataError(
            "dcm2niix cannot convert the series",
            file=raw.path,
            participant=participant,
            found=type(error).__name__,
            remedy="check that all slices of the series are there and whole",
        ) from None
    if len(made) != 1:
        raise DataError(
            "the DICOM series does not make one volume",
            file=raw.path,
            participant=participant,
            found=f"{len(made)} images",
            expected="one",
        )
    return made[0]
