"""NIfTI-MRS files and datasets that have MRS already."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.ingest.raw import RawFile, inversion_of, sequence_of
from snakemrs.ingest.signal import is_suppressed, trouble, water_ratio
from snakemrs.io import nifti_mrs

OF_THE_SEQUENCE = ("SequenceName", "PulseSequenceName", "PulseSequenceType", "MixingTime")


def recognise(path: Path) -> RawFile:
    """Recognise a NIfTI-MRS file; what its header does not tell of the sequence, its sidecar may."""
    image = nifti_mrs.read(path, plausible=False)
    told = {key: value for key, value in _sidecar(path).items() if key in OF_THE_SEQUENCE}
    return describe(replace(image, header={**told, **image.header}), path)


def _sidecar(path: Path) -> dict[str, Any]:
    """The JSON file beside an image; nothing where there is none that can be read."""
    file = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def describe(image: nifti_mrs.NiftiMrs, path: Path, kind_format: str = "nifti-mrs", what: str = "NIfTI-MRS") -> RawFile:
    """Describe an image in memory, by header and signal."""
    header = image.header
    signal = np.moveaxis(image.data, 3, -1)
    ratio = water_ratio(signal, image.bandwidth, image.spectrometer_frequency)
    suppressed = is_suppressed(ratio)
    if suppressed is None and isinstance(header.get("WaterSuppressed"), bool):
        suppressed = header["WaterSuppressed"]
    lengths = dict(zip(image.dim_tags, image.data.shape[4:], strict=False))
    coils = lengths.get("DIM_COIL", 1)
    others = int(np.prod([n for tag, n in lengths.items() if tag != "DIM_COIL"])) if lengths else 1
    names = [header.get(key) for key in (*OF_THE_SEQUENCE[:3], "ProtocolName")]
    single = image.data.shape[:3] == (1, 1, 1)
    height = "no signal" if ratio is None else f"water {ratio:.3g} times the highest other peak"
    mixing = header.get("MixingTime")
    inversion = header.get("InversionTime") or inversion_of(header.get("ProtocolName"))
    return RawFile(
        path=path,
        format=kind_format,
        kind=("mrsref" if suppressed is False else "svs") if single else "unknown",
        files=(path,),
        vendor=str(header["Manufacturer"]).capitalize() if header.get("Manufacturer") else None,
        sequence=sequence_of(*names),
        nucleus=image.nucleus,
        echo_time=image.echo_time,
        repetition_time=image.repetition_time,
        inversion_time=float(inversion) if inversion else None,
        mixing_time=float(mixing) if isinstance(mixing, int | float) and mixing else None,
        frequency=image.spectrometer_frequency,
        bandwidth=image.bandwidth,
        points=image.points,
        transients=others,
        coils=int(coils),
        averages=header.get("NumberOfTransients"),
        voxel_size=tuple(float(v) for v in np.linalg.norm(image.affine[:3, :3], axis=0)),
        centre=tuple(float(v) for v in image.affine[:3, 3]),
        water_suppressed=suppressed,
        water_ratio=ratio,
        why=f"{what}; {height}" if single else f"{what} with several voxels (spectroscopic imaging)",
        problem=trouble(signal) if single else "spectroscopic imaging",
    )
