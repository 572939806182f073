"""Header extension and BIDS sidecar of a spectrum: made of a list of allowed fields, and checked against each other.

What is not on the list does not get through: names, dates of birth, identifiers, addresses, comments and the names of
raw files and protocols (people are put there too) stay behind, whatever the vendor calls them.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile
from snakemrs.ingest.timing import Timing
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.study.settings.ingest import IngestSettings

#: MHz per tesla.
GYROMAGNETIC = {"1H": 42.577478518, "31P": 17.235, "13C": 10.7084, "19F": 40.052, "2H": 6.536}

_VENDORS = {"philips": "Philips", "siemens": "Siemens", "ge": "GE", "uih": "UIH", "bruker": "Bruker"}
_SOFTWARE = re.compile(r"[A-Z]{0,2}\d[\dA-Za-z.]{0,11}")
_MODELS = (
    "Skyra", "Prisma", "Prisma_fit", "Trio", "TrioTim", "Verio", "Vida", "Lumina", "Cima.X", "Terra", "Terra.X",
    "Avanto", "Aera", "Sola", "Espree", "Magnetom", "Investigational_Device_7T", "Achieva", "Ingenia", "Elition",
    "Intera", "Discovery MR750", "Discovery MR750w", "SIGNA Premier", "SIGNA Architect", "SIGNA Artist", "SIGNA EXCITE",
    "SIGNA HDx", "SIGNA HDxt", "SIGNA PET/MR", "SIGNA UHP", "uMR 790", "uMR 890", "BioSpec",
)  # fmt: skip


def _text(value: Any) -> str:
    return " ".join(str(value or "").split())


def model_of(value: Any) -> str | None:
    """Give the scanner's model where it is one that is known; None for anything else."""
    text = _text(value).lower()
    hits = [name for name in _MODELS if name.lower() in text]
    return max(hits, key=len) if hits else None


def vendor_of(value: Any) -> str | None:
    """Give the vendor in one spelling."""
    text = _text(value).lower()
    if text.startswith("ge ") or text == "ge":
        return "GE"
    return next((name for key, name in _VENDORS.items() if key in text and key != "ge"), None)


def software_of(value: Any) -> str | None:
    """Give the parts of a software version that look like versions (``B17``, ``6.0.541``)."""
    parts = _text(value).replace(";", " ").split()
    kept = [part.strip(".") for part in parts if _SOFTWARE.fullmatch(part) and any(c.isdigit() for c in part)]
    # Long digit strings are serial numbers, dates of birth or identifiers.
    kept = [part for part in kept if not re.fullmatch(r"\d{5,}", part)]
    return " ".join(dict.fromkeys(kept)) or None


def _number(value: Any) -> float | None:
    try:
        number = float(np.atleast_1d(value)[0])
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None


def gain_of(said: Any) -> float | str | None:
    """Give a receiver gain where it is a number or one of the words that ingest writes; None for anything else."""
    said = said.get("Value") if isinstance(said, dict) else said
    known = isinstance(said, str) and re.fullmatch(r"high|low|R1 \d{1,2}, R2 \d{1,2}", said)
    return said if known else _number(said)


def header_extension(
    image: NiftiMrs,
    raw: RawFile,
    timing: Timing,
    transients: int,
    water_suppressed: bool | None,
    times: list[float] | None = None,
) -> dict[str, Any]:
    """Make the NIfTI-MRS header extension of allowed fields.

    Parameters
    ----------
    image : NiftiMrs
        As the converter wrote it.
    raw : RawFile
        What recognising found.
    timing : Timing
        Checked times.
    transients : int
        Number of transients that the file stands for.
    water_suppressed : bool or None
        From the signal.
    times : list of float, optional
        Seconds of each transient after the first, by the scanner's clock.
    """
    old = image.header
    header: dict[str, Any] = {
        "SpectrometerFrequency": [image.spectrometer_frequency],
        "ResonantNucleus": [image.nucleus],
        "SpectralWidth": image.bandwidth,
        "EchoTime": timing.echo_time,
    }
    if timing.repetition_time is not None:
        header["RepetitionTime"] = timing.repetition_time
    if timing.inversion_time is not None:
        header["InversionTime"] = timing.inversion_time
    for key in ("MixingTime", "ExcitationFlipAngle", "TxOffset"):
        number = _number(old.get(key))
        if number is not None and (key == "TxOffset" or number > 0):
            header[key] = number
    header["ReceiverGain"] = gain_of(raw.details.get("gain") or old.get("ReceiverGain"))
    header["NumberOfTransients"] = transients
    header["SequenceName"] = raw.sequence
    header["WaterSuppressed"] = water_suppressed
    header["Manufacturer"] = vendor_of(raw.vendor) or vendor_of(old.get("Manufacturer"))
    header["ManufacturersModelName"] = model_of(old.get("ManufacturersModelName"))
    header["SoftwareVersions"] = software_of(old.get("SoftwareVersions"))
    method = re.search(r"spec2nii v[\d.]+", str(old.get("ConversionMethod", "")))
    header["ConversionMethod"] = method.group(0) if method else "SnakeMRS"
    header["kSpace"] = [False, False, False]
    for n in (5, 6, 7):
        tag = old.get(f"dim_{n}")
        if tag is not None and image.data.ndim >= n and re.fullmatch(r"DIM_[A-Z0-9_]{1,20}", str(tag)):
            header[f"dim_{n}"] = tag
            if tag == "DIM_DYN" and times is not None and len(times) == image.data.shape[n - 1]:
                header[f"dim_{n}_header"] = {"AcquisitionStartTime": times}
    steps = [_allowed_step(step) for step in old.get("ProcessingApplied", []) if isinstance(step, dict)]
    if steps:
        header["ProcessingApplied"] = steps
    return {key: value for key, value in header.items() if value is not None}


def acquisition_times(header: dict[str, Any]) -> list[float] | None:
    """Give the time of each transient (s after the first) that the header of the dynamic dimension holds."""
    for n in (5, 6, 7):
        extra = header.get(f"dim_{n}_header")
        if header.get(f"dim_{n}") == "DIM_DYN" and isinstance(extra, dict):
            times = extra.get("AcquisitionStartTime")
            if isinstance(times, list) and all(isinstance(t, int | float) for t in times):
                return times
    return None


def _allowed_step(step: dict[str, Any]) -> dict[str, Any]:
    """Keep what a processing step was; its free text (which names files) stays behind."""
    kept = {}
    for key, pattern in (
        ("Time", r"[\dT:.\-Z+]{4,32}"),
        ("Program", r"[\w\- .]{1,30}"),
        ("Version", r"[\w.+\-]{1,30}"),
    ):
        if re.fullmatch(pattern, str(step.get(key, ""))):
            kept[key] = step[key]
    method = str(step.get("Method", ""))
    kept["Method"] = method if re.fullmatch(r"[A-Za-z0-9 ,.()/\-]{1,80}", method) else "unnamed"
    return kept


def bids_sidecar(
    image: NiftiMrs, raw: RawFile, settings: IngestSettings, voi: str | None, notes: tuple[str, ...]
) -> dict[str, Any]:
    """Make the BIDS sidecar (BIDS 1.10, MRS) from the new header.

    Parameters
    ----------
    image : NiftiMrs
        With the header of `header_extension`.
    raw : RawFile
        What recognising found.
    settings : IngestSettings
    voi : str or None
        The ``voi`` label of the BIDS name.
    notes : tuple of str
        What was mended.
    """
    header = image.header
    nucleus, frequency = image.nucleus, image.spectrometer_frequency
    ratio = GYROMAGNETIC.get(nucleus)
    sidecar: dict[str, Any] = {
        "Manufacturer": header.get("Manufacturer"),
        "ManufacturersModelName": header.get("ManufacturersModelName"),
        "SoftwareVersions": header.get("SoftwareVersions"),
        "MagneticFieldStrength": round(frequency / ratio, 2) if ratio else None,
        "ResonantNucleus": nucleus,
        "SpectrometerFrequency": frequency,
        "SpectralWidth": image.bandwidth,
        "NumberOfSpectralPoints": image.points,
        "NumberOfTransients": header["NumberOfTransients"],
        "AcquisitionTimes": acquisition_times(header),
        "PulseSequenceType": raw.sequence,
        "EchoTime": header["EchoTime"],
        "RepetitionTime": header.get("RepetitionTime"),
        "InversionTime": header.get("InversionTime"),
        "MixingTime": header.get("MixingTime"),
        "FlipAngle": header.get("ExcitationFlipAngle"),
        "ReceiverGain": header.get("ReceiverGain"),
        "AcquisitionVoxelSize": [round(float(v), 4) for v in np.linalg.norm(image.affine[:3, :3], axis=0)],
        "WaterSuppression": header.get("WaterSuppressed"),
        "ReceiveCoilActiveElements": None,
    }
    if voi:
        sidecar["BodyPart"] = settings.body_part
        sidecar["BodyPartDetails"] = settings.voi_names.get(voi, voi)
    if notes:
        sidecar["IngestNotes"] = list(notes)
    return {key: value for key, value in sidecar.items() if value is not None}


def check(sidecar: dict[str, Any], image: NiftiMrs, file: Path, participant: str | None = None) -> None:
    """Check that sidecar and NIfTI-MRS header say the same; the BIDS validator does not.

    Raises
    ------
    DataError
        If they differ, or what BIDS requires is missing.
    """
    truth: dict[str, Any] = {
        "ResonantNucleus": image.nucleus,
        "SpectrometerFrequency": image.spectrometer_frequency,
        "SpectralWidth": image.bandwidth,
        "EchoTime": image.echo_time,
        "NumberOfSpectralPoints": image.points,
    }
    optional = {"RepetitionTime": image.repetition_time, "InversionTime": image.header.get("InversionTime")}
    for key, value in truth.items():
        if key not in sidecar:
            raise DataError("the sidecar is incomplete", file=file, participant=participant, expected=key)
        _compare(key, sidecar[key], value, file, participant)
    for key, value in optional.items():
        if key in sidecar and value is not None:
            _compare(key, sidecar[key], value, file, participant)


def _compare(key: str, said: Any, value: Any, file: Path, participant: str | None) -> None:
    said = said[0] if isinstance(said, list) and said else said
    same = said == value
    if not same and isinstance(value, int | float) and isinstance(said, int | float):
        same = math.isclose(said, value, rel_tol=1e-4)
    if not same:
        raise DataError(
            f"sidecar and header disagree about {key}",
            file=file,
            participant=participant,
            found=f"{said} in the sidecar, {value} in the NIfTI-MRS header",
            remedy="find out which is right from the scan protocol, and mend the other",
        )
