"""DICOM: spectroscopy (Siemens IMA and enhanced, Philips, UIH) and structural images, a series at a time."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile, inversion_of, sequence_of
from snakemrs.ingest.sidecar import vendor_of
from snakemrs.ingest.signal import is_suppressed, trouble, water_ratio

SIEMENS_NON_IMAGE = "1.3.12.2.1107.5.9.1"
MR_SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.4.2"
PHILIPS_SPECTRUM = "1.3.46.670589.11.0.0.12.1"
IMAGES = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
_LARGEST = 2**30
#: Where UIH keeps the water reference of a spectrum.
_UIH_WATER = (0x0065, 0xFF07)


def looks_like(head: bytes) -> bool:
    """Whether the first bytes are those of a DICOM file."""
    return head[128:132] == b"DICM"


def read(path: Path, **options: Any) -> Any:
    """Read a DICOM file; nothing is said of values that break the standard, since warnings would quote them.

    Raises
    ------
    DataError
        If it is larger than a gigabyte.
    """
    import pydicom

    if path.stat().st_size > _LARGEST:
        raise DataError("the DICOM file is larger than a gigabyte", file=path)
    # Elements are validated when they are looked at, not here: a filter of warnings around this call would not do.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, **options)


def _number(value: Any) -> float | None:
    try:
        number = float(np.atleast_1d(value)[0])
    except (TypeError, ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None


def series_of(path: Path, uid: str) -> tuple[Path, ...]:
    """List the files beside `path` that belong to its series, in the order of their names."""
    return _series_in(path.parent, path.parent.stat().st_mtime_ns).get(uid) or (path,)


@lru_cache(maxsize=64)
def _series_in(folder: Path, changed: int) -> dict[str, tuple[Path, ...]]:
    """Sort the DICOM files of a folder by series; a folder with many series is read once."""
    found: dict[str, list[Path]] = {}
    for candidate in sorted(folder.iterdir()):
        if not candidate.is_file() or candidate.name.startswith("."):
            continue
        with candidate.open("rb") as stream:
            if not looks_like(stream.read(132)):
                continue
        try:
            header = read(candidate, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
            found.setdefault(str(header.get("SeriesInstanceUID", "")), []).append(candidate)
        except Exception:  # a damaged neighbour is named when its own turn comes
            continue
    return {uid: tuple(members) for uid, members in found.items()}


def recognise(path: Path) -> RawFile:
    """Recognise a DICOM file and the series it belongs to."""
    header = read(path, stop_before_pixels=True)
    kind = str(header.get("SOPClassUID", ""))
    files = series_of(path, str(header.get("SeriesInstanceUID", "")))
    others = [p for p in path.parent.iterdir() if p.is_file() and not p.name.startswith(".") and p not in files]
    place = path if others or len(files) == 1 else path.parent
    if kind in IMAGES:
        return _image(place, files, header)
    if kind in (SIEMENS_NON_IMAGE, MR_SPECTROSCOPY, PHILIPS_SPECTRUM):
        return _spectrum(place, files, header, kind)
    return RawFile(place, "dicom-image", kind="image", files=files, why="DICOM, but neither spectrum nor MR image")


def _image(place: Path, files: tuple[Path, ...], header: Any) -> RawFile:
    """Judge a series of images by its contrast: T1-weighted, whole head, three-dimensional."""
    echo, repetition = _number(header.get("EchoTime")), _number(header.get("RepetitionTime"))
    inversion, flip = _number(header.get("InversionTime")), _number(header.get("FlipAngle"))
    if "SharedFunctionalGroupsSequence" in header:
        echo, repetition, inversion, flip = _functional_groups(header, echo, repetition, inversion, flip)
    slices = max(len(files), int(_number(header.get("NumberOfFrames")) or 1))
    kinds = {str(word).upper() for word in (header.get("ImageType") or [])}
    reasons = []
    if slices < 40:
        reasons.append(f"{slices} slices")
    if kinds & {"LOCALIZER", "MPR", "PHASE", "P", "PROJECTION IMAGE", "DIFFUSION", "PERFUSION"}:
        reasons.append("image type " + " ".join(sorted(kinds)))
    if echo is not None and echo > 20:
        reasons.append(f"echo time {echo:g} ms, not T1-weighted")
    if repetition is not None and repetition > 300 and not inversion and (flip is None or flip > 40):
        reasons.append(f"repetition time {repetition:g} ms with flip angle {flip}, not T1-weighted")
    known = {"path": place, "format": "dicom-image", "files": files, "vendor": vendor_of(header.get("Manufacturer"))}
    times = {
        "echo_time": echo / 1e3 if echo else None,
        "repetition_time": repetition / 1e3 if repetition else None,
        "inversion_time": inversion / 1e3 if inversion else None,
    }
    if reasons:
        return RawFile(**known, **times, kind="image", why="DICOM images: " + ", ".join(reasons))  # type: ignore[arg-type]
    why = f"DICOM series of {slices} slices, T1-weighted by its times"
    return RawFile(**known, **times, kind="T1w", why=why)  # type: ignore[arg-type]


def _functional_groups(header: Any, *found: float | None) -> tuple[float | None, ...]:
    echo, repetition, inversion, flip = found
    groups = [header.SharedFunctionalGroupsSequence[0], *(header.get("PerFrameFunctionalGroupsSequence") or [])[:1]]
    for group in groups:
        for item in group.get("MREchoSequence") or []:
            echo = echo if echo is not None else _number(item.get("EffectiveEchoTime"))
        for item in group.get("MRTimingAndRelatedParametersSequence") or []:
            repetition = repetition if repetition is not None else _number(item.get("RepetitionTime"))
            flip = flip if flip is not None else _number(item.get("FlipAngle"))
        for item in group.get("MRModifierSequence") or []:
            inversion = inversion if inversion is not None else _number(item.get("InversionTimes"))
    return echo, repetition, inversion, flip


def _spectrum(place: Path, files: tuple[Path, ...], header: Any, kind: str) -> RawFile:
    vendor = vendor_of(header.get("Manufacturer"))
    if kind == SIEMENS_NON_IMAGE:
        return _siemens_ima(place, files, header)
    signal = _samples(files[0], header, kind)
    points = int(
        _number(header.get("SpectroscopyAcquisitionDataColumns")) or _number(header.get("DataPointColumns")) or 0
    )
    frames = int(_number(header.get("NumberOfFrames")) or 1)
    voxels = int((_number(header.get("Rows")) or 1) * (_number(header.get("Columns")) or 1))
    bandwidth = _number(header.get("SpectralWidth")) or _private(header, 0x2005, 0x1357)
    frequency = _number(header.get("TransmitterFrequency")) or _private(header, 0x2001, 0x1083)
    if kind == PHILIPS_SPECTRUM:
        points = points or signal.size
    if points < 16 or signal.size % max(points, 1) or not bandwidth or not frequency:
        raise DataError(
            "the DICOM spectrum is incomplete", file=files[0],
            found=f"{signal.size} samples, {points} points, {bandwidth} Hz, {frequency} MHz",
        )  # fmt: skip
    if voxels > 1:
        return RawFile(place, "dicom-mrs", files=files, vendor=vendor, why="DICOM, spectroscopic imaging")
    signals = signal.reshape(-1, points)
    ratios = [water_ratio(one, bandwidth, frequency) for one in signals[:64]]
    watery = [is_suppressed(ratio) is False for ratio in ratios]
    beside = vendor == "UIH" and _UIH_WATER in header
    inside = beside or (any(watery) and not all(watery))
    suppressed = None if not ratios else False if all(watery) else is_suppressed(ratios[watery.index(False)])
    echo, repetition, inversion, _ = (
        _functional_groups(header, None, None, None, None)
        if "SharedFunctionalGroupsSequence" in header
        else (None,) * 4
    )
    echo = echo or _private(header, 0x2005, 0x1310) or _number(header.get("EchoTime"))
    repetition = repetition or _number(header.get("RepetitionTime"))
    slabs = header.get("VolumeLocalizationSequence") or []
    centre = [_number(v) for v in (slabs[0].get("MidSlabPosition") or [])] if slabs else []
    ratio = ratios[watery.index(False)] if False in watery else (ratios[0] if ratios else None)
    return RawFile(
        path=place,
        format="uih" if vendor == "UIH" else "dicom-mrs",
        kind="mrsref" if watery and all(watery) else "svs",
        files=files,
        vendor=vendor,
        sequence=sequence_of(
            *(header.get(key) for key in ("PulseSequenceName", "SequenceName", "SeriesDescription", "ProtocolName"))
        ),
        nucleus=str(header.get("ResonantNucleus") or "1H"),
        echo_time=echo / 1e3 if echo else None,
        repetition_time=repetition / 1e3 if repetition else None,
        inversion_time=(inversion / 1e3 if inversion else None) or inversion_of(header.get("SeriesDescription")),
        frequency=frequency,
        bandwidth=bandwidth,
        points=points,
        transients=max(frames, len(signals)) * len(files) - sum(watery) * (inside and not beside),
        coils=1,
        averages=int(_number(header.get("NumberOfAverages")) or 1),
        voxel_size=tuple(v for slab in slabs if (v := _number(slab.get("SlabThickness"))) is not None),
        centre=(-centre[0], -centre[1], centre[2]) if len(centre) == 3 and None not in centre else (),  # type: ignore[arg-type,operator]
        water_suppressed=suppressed,
        water_ratio=ratio,
        why=f"DICOM spectrum of {vendor or 'an unknown vendor'}, {len(signals)} frames"
        + (", and water" if beside else f" of which {sum(watery)} are water" if inside else ""),
        problem=trouble(signal),
        details={"water_inside": inside, "frames": len(signals), "manufacturer": vendor, "seconds": _seconds(files)},
    )


def _private(header: Any, group: int, element: int) -> float | None:
    return _number(header[group, element].value) if (group, element) in header else None


def _samples(path: Path, header: Any, kind: str) -> np.ndarray:
    tag = (0x2005, 0x1270) if kind == PHILIPS_SPECTRUM else (0x5600, 0x0020)
    if tag not in header:
        raise DataError("the DICOM spectrum holds no samples", file=path)
    value = header[tag].value
    flat = np.frombuffer(value, dtype="<f4") if isinstance(value, bytes) else np.asarray(value, dtype=np.float32)
    return flat[0 : flat.size // 2 * 2 : 2] + 1j * flat[1::2]


def _siemens_ima(place: Path, files: tuple[Path, ...], header: Any) -> RawFile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nibabel.nicom.csareader as csa

    tags = csa.get_csa_header(header, "image")["tags"]

    def item(key: str) -> Any:
        values = tags.get(key, {}).get("items") or []
        return values[0] if values else None

    points, dwell = int(_number(item("DataPointColumns")) or 0), (_number(item("RealDwellTime")) or 0) * 1e-9
    frequency = _number(item("ImagingFrequency"))
    voxels = int(np.prod([int(_number(item(key)) or 1) for key in ("Rows", "Columns", "NumberOfFrames")]))
    value = header[0x7FE1, 0x1010].value if (0x7FE1, 0x1010) in header else b""
    if points < 16 or dwell <= 0 or not frequency:
        raise DataError(
            "the DICOM spectrum is incomplete", file=files[0], found=f"{points} points, dwell time {dwell} s"
        )
    if len(value) != points * voxels * 8:
        raise DataError(
            "the DICOM spectrum is truncated", file=files[0], found=f"{len(value)} bytes of samples",
            expected=f"{points * voxels * 8} bytes",
        )  # fmt: skip
    if voxels > 1:
        return RawFile(place, "dicom-mrs", files=files, vendor="Siemens", why="Siemens DICOM, spectroscopic imaging")
    flat = np.frombuffer(value, dtype="<f4")
    signal = flat[0::2] + 1j * flat[1::2]
    ratio = water_ratio(signal, 1 / dwell, frequency)
    suppressed = is_suppressed(ratio)
    echo, repetition, inversion = (_number(item(key)) for key in ("EchoTime", "RepetitionTime", "InversionTime"))
    centre = [_number(v) for v in (tags.get("VoiPosition", {}).get("items") or [])]
    sides = (_number(item(key)) for key in ("VoiPhaseFoV", "VoiReadoutFoV", "VoiThickness"))
    return RawFile(
        path=place,
        format="dicom-mrs",
        kind="mrsref" if suppressed is False else "svs",
        files=files,
        vendor="Siemens",
        sequence=sequence_of(item("SequenceName"), header.get("SeriesDescription"), header.get("ProtocolName")),
        nucleus=str(item("ImagedNucleus") or "1H"),
        echo_time=echo / 1e3 if echo else None,
        repetition_time=repetition / 1e3 if repetition else None,
        inversion_time=(inversion / 1e3 if inversion else None) or inversion_of(header.get("ProtocolName")),
        frequency=frequency,
        bandwidth=1 / dwell,
        points=points,
        transients=len(files),
        coils=1,
        averages=int(_number(item("NumberOfAverages")) or 1) if len(files) == 1 else 1,
        voxel_size=tuple(side for side in sides if side is not None),
        centre=(-centre[0], -centre[1], centre[2]) if len(centre) == 3 and None not in centre else (),  # type: ignore[arg-type,operator]
        water_suppressed=suppressed,
        water_ratio=ratio,
        why="Siemens DICOM spectrum; "
        + ("no signal" if ratio is None else f"water {ratio:.3g} times the highest other peak"),
        problem=trouble(signal),
        details={"manufacturer": "Siemens", "seconds": _seconds(files)},
    )


def _seconds(files: tuple[Path, ...]) -> np.ndarray | None:
    """Give the acquisition time of each file of a series, s after the first, by instance number; None where unknown."""
    if len(files) < 2:
        return None
    rows = []
    for path in files:
        header = read(path, stop_before_pixels=True, specific_tags=["AcquisitionTime", "InstanceNumber"])
        text = str(header.get("AcquisitionTime") or "")
        if len(text) < 6 or not text[:6].isdigit():
            return None
        seconds = int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])
        rows.append((int(_number(header.get("InstanceNumber")) or 0), seconds))
    times = np.array([seconds for _, seconds in sorted(rows)])
    return times - times[0] if len(set(times)) == len(times) else None
