"""Siemens twix, software VB: text headers, then a 128-byte header and the samples of each coil of each transient.

Made by inverting how spec2nii (with pymapvbvd) reads such a file: the file holds the conjugate of the sign of
NIfTI-MRS, geometry stands in MeasYaps under sSpecPara.sVoI in patient coordinates (LPS). The water
reference is a file of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snakemrs.io.atomic import replacing
from snakemrs.scanner.head import Box
from snakemrs.scanner.personal import Personal
from snakemrs.scanner.presets import Protocol

_MDH = np.dtype(
    [
        ("dma_length", "<u4"),
        ("measurement", "<i4"),
        ("scan_counter", "<u4"),
        ("time_stamp", "<u4"),
        ("pmu_time_stamp", "<u4"),
        ("evaluation", "<u4", 2),
        ("samples", "<u2"),
        ("channels", "<u2"),
        ("counters", "<u2", 14),
        ("cut_off", "<u2", 2),
        ("centre_column", "<u2"),
        ("coil_select", "<u2"),
        ("readout_off_centre", "<f4"),
        ("since_rf", "<u4"),
        ("centre_line", "<u2"),
        ("centre_partition", "<u2"),
        ("ice", "<u2", 4),
        ("free", "<u2", 4),
        ("slice", "<f4", 7),
        ("channel", "<u2"),
        ("table_position", "<u2"),
    ]
)
_ACQEND, _ONLINE = 1 << 0, 1 << 3
_SET = 7
"""Place of the counter Set among the loop counters: VB counts repetitions in it."""
_STAMP = 0.0025
"""Seconds a tick of the time stamp."""


def voi(box: Box) -> dict[str, float]:
    """Geometry of a voxel as ``sSpecPara.sVoI`` has it: normal, rotation in the plane, sizes, position (LPS, mm)."""
    axes = np.diag([-1.0, -1.0, 1.0]) @ box.rotation
    centre = np.diag([-1.0, -1.0, 1.0]) @ box.centre
    normal, phase = -axes[:, 2], axes[:, 1]
    start = phase_axis(normal)
    turn = float(np.arctan2(-phase @ np.cross(normal, start), phase @ start))
    entries = {f"sNormal.{name}": value for name, value in zip(("dSag", "dCor", "dTra"), normal, strict=True)}
    entries |= {f"sPosition.{name}": value for name, value in zip(("dSag", "dCor", "dTra"), centre, strict=True)}
    sizes = {"dReadoutFOV": box.size[0], "dPhaseFOV": box.size[1], "dThickness": box.size[2]}
    return {**entries, **sizes, "dInPlaneRot": turn}


def phase_axis(normal: np.ndarray) -> np.ndarray:
    """Phase direction of a slice with this normal (LPS) and no rotation in its plane (the scanner's convention)."""
    sagittal, coronal, transverse = np.abs(normal)
    if transverse >= coronal and transverse >= sagittal:
        axis = np.array([0.0, normal[2], -normal[1]])
    elif coronal >= sagittal:
        axis = np.array([normal[1], -normal[0], 0.0])
    else:
        axis = np.array([-normal[1], normal[0], 0.0])
    return axis / np.linalg.norm(axis)


def _strings(entries: dict[str, object]) -> str:
    """Parameters in the style of XProtocol."""
    lines = []
    for key, value in entries.items():
        if isinstance(value, str):
            lines.append(f'<ParamString."{key}">  {{ "{value}"  }}')
        elif isinstance(value, int):
            lines.append(f'<ParamLong."{key}">  {{ {value}  }}')
        else:
            lines.append(f'<ParamDouble."{key}">  {{ <Precision> 6  {value}  }}')
    return "<XProtocol>\n{\n" + "\n".join(lines) + "\n}\n"


def _assignments(entries: dict[str, object]) -> str:
    """Parameters in the style of the protocol file."""
    lines = [
        f"{key:<50} = {value!r}" if isinstance(value, float) else f"{key:<50} = {value}"
        for key, value in entries.items()
    ]
    return "### ASCCONV BEGIN ###\n" + "\n".join(lines) + "\n\n### ASCCONV END ###\n"


def _buffers(
    protocol: Protocol, box: Box, personal: Personal, name: str, transients: int, coils: int
) -> dict[str, str]:
    """Text of each header buffer."""
    compact = personal.birth_date.replace("-", "")
    sequence = "%SiemensSeq%\\svs_se"
    measurement: dict[str, object] = {
        "Frequency": round(protocol.spectrometer_frequency * 1e6),
        "ResonantNucleus": "1H",
        "TR": round(protocol.repetition_time * 1e6),
        "FlipAngle": 90.0,
        "tSequenceString": "svs_se",
        "tSequenceFileName": sequence,
        "PatientPosition": "HFS",
        "PatientName": personal.name,
        "PatientID": personal.identifier,
        "PatientBirthDay": compact,
        "PatientSex": 2 if personal.sex == "F" else 1,
        "flUsedPatientWeight": float(personal.weight),
        "tICEProgramName": "%SiemensIceProgs%\\IceProgramSpecSVS",
        "lFinalMatrixSizePhase": 1,
        "lFinalMatrixSizeRead": 1,
        "lFinalMatrixSizeSlice": 1,
        "lVectorSize": protocol.points,
        "dDeltaFrequency": 0.0,
    }
    # PatientSex in Meas: 1 male, 2 female as spec2nii reads it.
    about: dict[str, object] = {
        "Manufacturer": "SIEMENS",
        "ManufacturersModelName": "TrioTim (virtual)",
        "DeviceSerialNumber": "35001",
        "SoftwareVersions": "syngo MR B17",
        "InstitutionName": "Virtual hospital",
        "InstitutionAddress": "Nowhere 1",
        "tProtocolName": name,
        "tPatientName": personal.name,
        "lFrequency": round(protocol.spectrometer_frequency * 1e6),
    }
    geometry: dict[str, object] = {f"sSpecPara.sVoI.{key}": float(value) for key, value in voi(box).items()}
    times: dict[str, object] = {
        "alTR[0]": round(protocol.repetition_time * 1e6),
        "alTE[0]": round(protocol.echo_time * 1e6),
        "lAverages": 1,
        "lRepetitions": transients - 1,
        "sRXSPEC.alDwellTime[0]": round(1e9 / protocol.bandwidth),
        "sTXSPEC.asNucleusInfo[0].tNucleus": '"1H"',
        "sTXSPEC.asNucleusInfo[0].lFrequency": round(protocol.spectrometer_frequency * 1e6),
        "sProtConsistencyInfo.flNominalB0": 2.89362,
        "sSpecPara.lVectorSize": protocol.points // 2,
        "adFlipAngleDegree[0]": 90,
        "asCoilSelectMeas[0].asList[0].sCoilElementID.tCoilID": f'"Head_{coils}"',
    }
    yaps = _assignments({**times, **geometry})
    return {
        "Config": _strings({"SequenceFileName": sequence, "NColMeas": protocol.points, "NChaMeas": coils}),
        "Dicom": _strings(about),
        "Meas": _strings(measurement),
        "MeasYaps": yaps,
        "Phoenix": _strings({"tProtocolName": name}) + yaps,
        "Spice": _strings({"empty": 0}),
    }


def header(protocol: Protocol, box: Box, personal: Personal, name: str, transients: int, coils: int) -> bytes:
    """All that stands before the samples; its length is its first number."""
    parts = []
    for key, text in _buffers(protocol, box, personal, name, transients, coils).items():
        # A first number under 10000 would be taken for that of a later software's file.
        content = (text + " " * max(0, 4000 - len(text)) + "\n").encode("latin-1")
        parts.append(key.encode() + b"\0" + np.uint32(len(content)).tobytes() + content)
    body = np.uint32(len(parts)).tobytes() + b"".join(parts)
    length = 4 + len(body)
    padding = -length % 32
    return np.uint32(length + padding).tobytes() + body + b"\0" * padding


def write_twix(
    path: Path, signal: np.ndarray, protocol: Protocol, box: Box, personal: Personal, name: str, start: float = 36000.0
) -> None:
    """Write a twix file.

    Parameters
    ----------
    signal : ndarray of complex, shape (transients, coils, points)
        In the sign of NIfTI-MRS, not yet decimated (readout oversampling is in `points`).
    start : float
        Time of day of the first transient, s.
    """
    count, coils, points = signal.shape
    record = np.dtype([("mdh", _MDH), ("data", "<c8", points)])
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(header(protocol, box, personal, name, count, coils))
        for n in range(count):
            block = np.zeros(coils, record)
            mdh = block["mdh"]
            _fill(mdh, n, coils, points, start + n * protocol.repetition_time)
            mdh["channel"] = np.arange(coils)
            block["data"] = signal[n].conj()
            stream.write(block.tobytes())
        end = np.zeros(1, record)
        _fill(end["mdh"], count, coils, points, start + count * protocol.repetition_time)
        end["mdh"]["evaluation"][:, 0] = _ACQEND
        stream.write(end.tobytes())


def _fill(mdh: np.ndarray, number: int, coils: int, points: int, time_of_day: float) -> None:
    mdh["dma_length"] = 128 + 8 * points
    mdh["measurement"] = 1
    mdh["scan_counter"] = number + 1
    mdh["time_stamp"] = round(time_of_day / _STAMP)
    mdh["evaluation"][:, 0] = _ONLINE
    mdh["samples"], mdh["channels"] = points, coils
    mdh["counters"][:, _SET] = number
