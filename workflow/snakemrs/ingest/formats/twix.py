"""Siemens twix (VB; VD, VE and XA): protocol, scan lines with their times, first samples.

Layout as mapVBVD reads it. VB: header length, then the header (number of buffers, each name, length, text), then a
128-byte line header before each coil's samples. VD: a table of measurements (the last is the data), then the same
header, then a 192-byte line header, and 32 bytes before each coil's samples.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile, inversion_of, sequence_of
from snakemrs.ingest.signal import is_suppressed, trouble, water_ratio

_COUNTERS = ("Lin", "Ave", "Sli", "Par", "Eco", "Phs", "Rep", "Set", "Seg", "Ida", "Idb", "Idc", "Idd", "Ide")
_LOOP_ORDER = ("Lin", "Par", "Sli", "Ave", "Phs", "Eco", "Rep", "Set", "Seg")
#: Bits of evalInfo that say what a scan line is.
_ACQEND, _SYNC = 0, 5
_NO_IMAGE = (10, 22, 23, 25, 61)  # raw-data correction, phase stabilisation, navigator, noise adjustment, dummy
#: Seconds of a tick of the line header's time stamp.
TICK = 2.5e-3
_LARGEST_HEADER = 64 * 2**20


@dataclass
class Lines:
    """The scan lines that hold signal.

    Attributes
    ----------
    counters : ndarray of int, shape (lines, 14)
    ticks : ndarray of int, shape (lines,)
        Time stamps.
    coils, points : int
        Receiver coils and stored points (oversampled).
    first : ndarray of complex, shape (signals, points)
        Signals of the first lines, for a look.
    """

    counters: np.ndarray
    ticks: np.ndarray
    coils: int
    points: int
    first: np.ndarray
    loops: dict[str, int] = field(default_factory=dict)


def looks_like(head: bytes, size: int) -> bool:
    """Whether the first bytes are those of a twix file."""
    if len(head) < 64:
        return False
    first, second = struct.unpack("<II", head[:8])
    if first < 10000 and second <= 64:
        return second >= 1 and first in (0, 1) and size > 10240
    return (
        first < min(size, _LARGEST_HEADER)
        and 1 <= second <= 32
        and re.match(rb"[A-Za-z]{3,20}\0", head[8:40]) is not None
    )


def _protocol(stream: BinaryIO, start: int, path: Path) -> tuple[str, int]:
    """Give the text of the header and where the scan lines begin."""
    stream.seek(start)
    lengths = stream.read(8)
    if len(lengths) < 8:
        raise DataError("the twix header is cut short", file=path)
    length, buffers = struct.unpack("<II", lengths)
    if not 64 <= length <= _LARGEST_HEADER or not 1 <= buffers <= 64:
        raise DataError("the twix header is damaged", file=path, found=f"{buffers} buffers in {length} bytes")
    text = stream.read(length - 8)
    if len(text) < length - 8:
        raise DataError("the twix header is cut short", file=path, found=f"{len(text)} of {length} bytes")
    return text.decode("latin-1"), start + length


def _ascconv(text: str, key: str) -> str | None:
    """Give a value of the protocol's plain lines (``alTE[0] = 30000``), else of its XProtocol parameters."""
    match = re.search(rf"(?<![\w.\]]){re.escape(key)}[ \t]*=[ \t]*(.+?)\s*$", text, flags=re.MULTILINE)
    return match.group(1).strip('" ') if match else None


def _parameter(text: str, key: str) -> str | None:
    match = re.search(rf'<Param\w+\."{re.escape(key)}">\s*{{([^}}]*)}}', text)
    if match is None:
        return None
    value = re.sub(r"<\w+>\s*(\"[^\"]*\"|\S+)", "", match.group(1)).strip().strip('"')
    return value or None


def _number(*texts: str | None) -> float | None:
    for text in texts:
        try:
            if text is not None:
                value = float(int(text, 16)) if text.lower().startswith("0x") else float(text)
                if np.isfinite(value):
                    return value
        except ValueError:
            continue
    return None


def walk(stream: BinaryIO, start: int, end: int, vb: bool, path: Path) -> Lines:
    """Go through all line headers.

    Raises
    ------
    DataError
        If the file ends before the scanner's end mark, or a line header is damaged.
    """
    counters: list[tuple[int, ...]] = []
    ticks: list[int] = []
    first: list[np.ndarray] = []
    coils = points = 0
    head = 128 if vb else 192
    evals, columns = (20, 28) if vb else (40, 48)
    position = start
    seen: set[tuple[int, ...]] = set()
    while True:
        stream.seek(position)
        mdh = stream.read(head)
        if len(mdh) < head:
            raise DataError(
                "the twix file is cut short",
                file=path,
                found=f"{len(ticks)} scan lines and no end mark",
                expected="the end mark of the acquisition",
                remedy="copy the file from the scanner again, or export a complete measurement",
            )
        mask = struct.unpack("<Q", mdh[evals : evals + 8])[0]
        length = struct.unpack("<I", mdh[:4])[0] & 0x1FFFFFF
        if mask >> _ACQEND & 1:
            break
        if mask >> _SYNC & 1:
            position += max(length, head)
            continue
        number, channels = struct.unpack("<HH", mdh[columns : columns + 4])
        per_coil = 8 * number
        expected = head + per_coil if vb else head + channels * (32 + per_coil)
        if number == 0 or not 1 <= channels <= 512 or length != expected or position + expected > end:
            cut = number and length == expected and position + expected > end
            raise DataError(
                "the twix file is cut short" if cut else "a scan line of the twix file is damaged",
                file=path,
                found=f"scan line {len(ticks) + 1}: {number} points, {channels} coils, {length} bytes",
                remedy="copy the file from the scanner again",
            )
        if not any(mask >> bit & 1 for bit in _NO_IMAGE):
            counter = struct.unpack("<14H", mdh[columns + 4 : columns + 32])
            if not vb or counter not in seen:
                seen.add(counter)
                counters.append(counter)
                ticks.append(struct.unpack("<I", mdh[12:16])[0])
            if points and number != points:
                raise DataError(
                    "scan lines of different length", file=path, found=f"{number} and {points} points",
                    remedy="this sequence is not known; convert it with spec2nii by hand and list the NIfTI-MRS file",
                )  # fmt: skip
            coils, points = max(coils, channels), number
            if len(first) < 64:
                stream.seek(position + (head if vb else head + 32))
                first.append(np.frombuffer(stream.read(per_coil), dtype="<c8"))
        position += expected
    if not ticks:
        raise DataError("the twix file holds no signal", file=path, found="an end mark and no scan line")
    table = np.array(counters)
    # Ice counters (Ida ...) are no loops of the acquisition.
    loops = {name: len(set(table[:, n])) for n, name in enumerate(_COUNTERS[:9])}
    return Lines(table, np.array(ticks, dtype=np.int64), coils, points, np.array(first), loops)


def recognise(path: Path, head: bytes) -> RawFile:
    """Recognise a twix file."""
    size = path.stat().st_size
    first, second = struct.unpack("<II", head[:8])
    vb = not (first < 10000 and second <= 64)
    with path.open("rb") as stream:
        start, end = 0, size
        if not vb:
            stream.seek(8 + 152 * (second - 1))
            entry = stream.read(24)
            start, length = struct.unpack("<QQ", entry[8:24])
            if not 0 < start < size:
                raise DataError("the table of measurements is damaged", file=path, found=f"data at byte {start}")
            if start + length > size:
                raise DataError(
                    "the twix file is cut short", file=path, found=f"{size} bytes", expected=f"{start + length} bytes"
                )
            end = start + length
        text, begin = _protocol(stream, start, path)
        lines = walk(stream, begin, end, vb, path)
    return _describe(path, text, lines, vb, second)


def _describe(path: Path, text: str, lines: Lines, vb: bool, measurements: int) -> RawFile:
    dwell = _number(_ascconv(text, "sRXSPEC.alDwellTime[0]"))
    frequency = _number(
        _ascconv(text, "sTXSPEC.asNucleusInfo[0].lFrequency"),
        _parameter(text, "lFrequency"),
        _parameter(text, "Frequency"),
    )
    echo = _number(_ascconv(text, "alTE[0]"))
    repetition = _number(_ascconv(text, "alTR[0]"), _parameter(text, "TR"))
    inversion, inverted = _number(_ascconv(text, "alTI[0]")), _number(_ascconv(text, "sPrepPulses.ucInversion"))
    names = [
        _ascconv(text, "tSequenceFileName"), _parameter(text, "tSequenceString"), _parameter(text, "tSequenceFileName"),
        _ascconv(text, "tProtocolName"), _parameter(text, "tProtocolName"),
    ]  # fmt: skip
    software = _parameter(text, "SoftwareVersions") or _ascconv(text, "sProtConsistencyInfo.tBaselineString") or ""
    baseline = "XA" if re.search(r"XA\d\d", software) else "VB" if vb else "VD/VE"
    if not dwell or not frequency or not 1e6 < frequency < 1e9:
        raise DataError(
            "the protocol in the twix file is incomplete", file=path,
            found=f"dwell time {dwell}, frequency {frequency}", remedy="export the measurement from the scanner again",
        )  # fmt: skip
    frequency /= 1e6
    bandwidth = 1e9 / dwell
    ratio = water_ratio(lines.first, bandwidth, frequency)
    suppressed = is_suppressed(ratio)
    sequence = sequence_of(*names)
    inside = baseline == "XA" and lines.loops.get("Phs", 1) > 1
    dynamic = [name for name in ("Ave", "Rep", "Set", "Phs", "Lin", "Seg", "Eco") if lines.loops.get(name, 1) > 1]
    size = tuple(
        v
        for key in ("dReadoutFOV", "dPhaseFOV", "dThickness")
        if (v := _number(_ascconv(text, f"sSpecPara.sVoI.{key}")))
    )
    centre = [_number(_ascconv(text, f"sSpecPara.sVoI.sPosition.{a}")) or 0.0 for a in ("dSag", "dCor", "dTra")]
    # spec2nii orders the loops as mapVBVD names them, the first innermost; here the last key is the outermost.
    order = np.lexsort([lines.counters[:, _COUNTERS.index(name)] for name in _LOOP_ORDER])
    seconds = ((lines.ticks - lines.ticks.min()) * TICK)[order]
    return RawFile(
        path=path,
        format="twix-vb" if vb else "twix-vd",
        kind="mrsref" if suppressed is False and not inside else "svs",
        files=(path,),
        vendor="Siemens",
        sequence=sequence,
        nucleus=_ascconv(text, "sTXSPEC.asNucleusInfo[0].tNucleus") or _parameter(text, "ResonantNucleus"),
        echo_time=echo / 1e6 if echo else None,
        repetition_time=repetition / 1e6 if repetition else None,
        # The protocol keeps an inversion time whether there is an inversion or not; 4 stands for none.
        inversion_time=(inversion / 1e6 if inversion and inverted in (1, 2) else None) or inversion_of(*names[3:]),
        frequency=frequency,
        bandwidth=bandwidth,
        points=lines.points,
        transients=len(lines.ticks),
        coils=lines.coils,
        averages=1,
        voxel_size=size,
        centre=(-centre[0], -centre[1], centre[2]) if size else (),
        water_suppressed=suppressed,
        water_ratio=ratio,
        why=f"Siemens twix {baseline}, {len(lines.ticks)} transients × {lines.coils} coils; "
        + ("no signal" if ratio is None else f"water {ratio:.3g} times the highest other peak"),
        problem=trouble(lines.first),
        details={
            "water_inside": inside, "dynamic": dynamic, "measurements": measurements,
            "seconds": seconds if lines.ticks.any() else None, "gain": receiver_gain(text),
        },
    )  # fmt: skip


def receiver_gain(text: str) -> str | None:
    """Give the step of the receiver, ``high`` or ``low``; None where the protocol does not say it.

    The protocol leaves out numbers that are nought, such as the low gain, but then says that its gain is valid.
    """
    gain, valid = _number(_ascconv(text, "sRXSPEC.lGain")), _number(_ascconv(text, "sRXSPEC.bGainValid"))
    return {1.0: "high", 0.0: "low"}.get(0.0 if gain is None and valid else gain if gain is not None else -1.0)


def dimension_options(raw: RawFile) -> dict[str, Any]:
    """Give the options of spec2nii that tag the coils and the one loop of transients.

    spec2nii gives a loop that it does not know on this software (averages on VB) a tag of its own; with one loop there
    is no doubt.
    """
    tags = (["DIM_COIL"] if (raw.coils or 1) > 1 else []) + ["DIM_DYN"] * (len(raw.details["dynamic"]) == 1)
    options = {f"tag{5 + n}": tag for n, tag in enumerate(tags)}
    return {} if raw.details.get("water_inside") else options
