"""What must hold before anything is computed.

Whole, finite, plain single-voxel proton data, and a water reference of the same voxel, field and sampling.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from snakemrs.errors import DataError
from snakemrs.io.nifti_mrs import NiftiMrs

TRANSIENT_TAGS = ("DIM_MEAS", "DIM_PHASE_CYCLE", "DIM_DYN")
"""Dimensions that are repeats of one measurement, from slowest to fastest."""

REFUSED_TAGS = {
    "DIM_EDIT": "difference-edited data",
    "DIM_METCYCLE": "metabolite-cycled data",
    "DIM_ISIS": "ISIS-localised data, whose cycle must be added first",
    "DIM_INDIRECT_0": "data with an indirect dimension (two-dimensional, TE-averaged or diffusion spectroscopy)",
    "DIM_INDIRECT_1": "data with an indirect dimension",
    "DIM_INDIRECT_2": "data with an indirect dimension",
}
_EDITED_NAME = re.compile(
    r"(?<![a-z])mega|hermes|hercules|(?<![a-z])m(press|slaser)|(?<![a-z])(edit(ed|ing)?|gaba)(?![a-z])", re.IGNORECASE
)
_CYCLED_NAME = re.compile(r"met(abolite)?[-_ ]?cycl", re.IGNORECASE)


def header_value(image: NiftiMrs, key: str) -> Any:
    """Give a value of the header, else of the BIDS sidecar beside the image, else None."""
    if key in image.header:
        return image.header[key]
    if image.path is None:
        return None
    sidecar = image.path.with_name(image.path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    if not sidecar.is_file():
        return None
    try:
        return json.loads(sidecar.read_text(encoding="utf-8")).get(key)
    except (ValueError, AttributeError):
        raise DataError("the sidecar is no JSON object", file=sidecar) from None


def header_number(image: NiftiMrs, key: str) -> float | None:
    """Give a number of the header or sidecar; None where it is absent or no number."""
    value = header_value(image, key)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def check_kind(image: NiftiMrs, accept_edited: bool = False) -> None:
    """Refuse data that must not be taken for plain transients.

    Raises
    ------
    DataError
        For other nuclei than 1H, for several voxels, for dimensions that are no repeats, for names of edited or
        metabolite-cycled sequences (unless `accept_edited`).
    """
    if image.nucleus != "1H":
        raise image.error("only proton spectra can be preprocessed", found=image.nucleus, expected="1H")
    if image.data.shape[:3] != (1, 1, 1):
        raise image.error(
            "this is spectroscopic imaging, not a single voxel",
            found=f"{' × '.join(map(str, image.data.shape[:3]))} voxels",
            expected="1 × 1 × 1",
        )
    for axis, tag in enumerate(image.dim_tags):
        length = image.data.shape[4 + axis] if 4 + axis < image.data.ndim else 1
        if length == 1 or tag in TRANSIENT_TAGS or tag == "DIM_COIL":
            continue
        raise image.error(
            f"{REFUSED_TAGS.get(tag, 'data with a dimension of unknown meaning')} cannot be preprocessed here",
            found=f"{tag} of length {length}",
            expected="DIM_COIL and DIM_DYN only",
            remedy="extract one condition as plain transients (DIM_DYN) first, or retag the dimension by what it is",
        )
    if accept_edited:
        return
    for key in ("SequenceName", "ProtocolName", "PulseSequenceFile", "PulseSequenceType", "SeriesDescription"):
        value = header_value(image, key)
        name = str(value.get("Value", "") if isinstance(value, dict) else value or "")
        for pattern, kind in ((_EDITED_NAME, "difference-edited"), (_CYCLED_NAME, "metabolite-cycled")):
            if pattern.search(name):
                raise image.error(
                    f"these look like {kind} data, which must not be averaged as plain transients",
                    found=f"{key} {name!r}",
                    remedy="extract one condition first; then, or if the name misleads, set spectra.edited to accept",
                )


def check_signal(image: NiftiMrs) -> None:
    """Refuse data that hold not-a-number or nothing at all.

    Raises
    ------
    DataError
    """
    data = image.data
    zero = True
    # Block by block along the slowest axis: a flag for each value of a large raw file would cost memory.
    step = 16 if data.ndim > 4 else data.shape[-1]
    for first in range(0, data.shape[-1], step):
        part = data[..., first : first + step]
        if not np.isfinite(part).all():
            raise image.error(
                "the signal holds values that are not finite",
                found="NaN or infinity",
                remedy="convert the raw file anew; if it stays, the raw file is damaged",
            )
        zero = zero and not part.any()
    if zero:
        raise image.error("the signal is zero everywhere", remedy="convert the raw file anew, or leave the scan out")
    if image.points < 128:
        raise image.error("too few points for a spectrum", found=image.points, expected="at least 128")


def same_voxel(a: np.ndarray, b: np.ndarray, tolerance: float = 1.0) -> bool:
    """Whether two affines describe the same box, to `tolerance` mm in centre and edges, however the axes run."""
    if np.linalg.norm(a[:3, 3] - b[:3, 3]) > tolerance:
        return False
    left = [a[:3, k] for k in range(3)]
    right = [b[:3, k] for k in range(3)]
    for edge in left:
        distance = [min(np.linalg.norm(edge - other), np.linalg.norm(edge + other)) for other in right]
        nearest = int(np.argmin(distance))
        if distance[nearest] > tolerance:
            return False
        right.pop(nearest)
    return True


def check_water(svs: NiftiMrs, water: NiftiMrs, refuse_elsewhere: bool = True) -> bool:
    """Compare the water reference with the spectrum.

    Returns
    -------
    bool
        Whether both are from the same voxel.

    Raises
    ------
    DataError
        Where field, nucleus, sampling or (with `refuse_elsewhere`) the voxel differ.
    """
    check_kind(water, accept_edited=True)
    if abs(water.spectrometer_frequency / svs.spectrometer_frequency - 1) > 1e-4:
        raise water.error(
            "the water reference was taken at another frequency than the spectrum",
            found=f"{water.spectrometer_frequency:g} MHz",
            expected=f"{svs.spectrometer_frequency:g} MHz as in {svs.path}",
            remedy="give the water reference of the same session (scans.tsv)",
        )
    if abs(water.dwell_time / svs.dwell_time - 1) > 1e-3:
        raise water.error(
            "the water reference was sampled with another bandwidth than the spectrum",
            found=f"{water.bandwidth:g} Hz",
            expected=f"{svs.bandwidth:g} Hz as in {svs.path}",
            remedy="give the water reference that belongs to this spectrum (scans.tsv)",
        )
    same = same_voxel(svs.affine, water.affine)
    if not same and refuse_elsewhere:
        raise water.error(
            "the water reference is from another voxel than the spectrum",
            found=describe_voxel(water.affine),
            expected=describe_voxel(svs.affine) + f" as in {svs.path}",
            remedy="give the water reference of this voxel and session (scans.tsv), or set spectra.water_elsewhere",
        )
    return same


def describe_voxel(affine: np.ndarray) -> str:
    """Say where a voxel is and how large: ``26 × 30 × 26 mm at (1.6, -35.7, 30.3)``."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    place = ", ".join(f"{value:.1f}" for value in affine[:3, 3])
    return f"{' × '.join(f'{size:.1f}' for size in sizes)} mm at ({place})"
