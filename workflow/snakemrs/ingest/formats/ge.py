"""GE P-files: header by revision, sizes against the file, water frames inside.

The structure of the header comes from spec2nii (VESPA, BSD-3), which converts the file too.
"""

from __future__ import annotations

import ctypes
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile, sequence_of
from snakemrs.ingest.signal import is_suppressed, trouble, water_ratio

#: Revisions of the header whose structure is known and that are little-endian.
REVISIONS = (
    11, 14.0, 14.1, 14.2, 14.3, 15.0, 15.001, 16.0, 20.001, 20.002, 20.003, 20.004, 20.005, 20.006, 20.007, 24.0,
    25.001, 25.002, 25.003, 25.004, 26.0, 26.001, 26.002, 27.0, 27.001, 28.0, 28.002, 28.003, 29.1, 30.0, 30.1, 31.0,
)  # fmt: skip
#: Where samples begin, by revision: anything else is damage.
OFFSETS = (61464, 66072, 145908, 149788, 150336, 157276, 213684, 219828, 228020, 228324)


def looks_like(head: bytes, size: int) -> bool:
    """Whether the first bytes are those of a P-file of a known revision."""
    if len(head) < 4 or size < 61464:
        return False
    revision = struct.unpack("<f", head[:4])[0]
    return math.isfinite(revision) and any(math.isclose(revision, known, rel_tol=1e-6) for known in REVISIONS)


def read_header(path: Path) -> Any:
    """Read the header structure.

    Raises
    ------
    DataError
        If the file is shorter than its header.
    """
    from spec2nii.GE.ge_hdr_fields import get_pfile_hdr_fields

    with path.open("rb") as stream:
        revision = struct.unpack("<f", stream.read(4))[0]
        fields = get_pfile_hdr_fields(revision)
        header_type = type("Header", (ctypes.LittleEndianStructure,), {"_pack_": 1, "_fields_": fields})
        header = header_type()
        stream.seek(0)
        if stream.readinto(header) < ctypes.sizeof(header_type):
            raise DataError("the P-file is cut short", file=path, expected="a whole header")
    return header


def receiver_gain(header: Any) -> str | None:
    """Give the receiver gains of the prescan, ``R1 11, R2 14``; None where they are not set.

    spec2nii does not name them: in every revision ``rdb_hdr_ps_mps_r1``, ``_r2`` and ``_tg`` are the three whole
    numbers before ``rdb_hdr_ps_mps_freq``. R1 is analogue (1 to 15), R2 digital (1 to 30).
    """
    place = type(header).rhr_rh_ps_mps_freq.offset
    first, second = struct.unpack_from("<ii", bytes(header), place - 12)
    return f"R1 {first}, R2 {second}" if 1 <= first <= 15 and 1 <= second <= 31 else None


def recognise(path: Path) -> RawFile:
    """Recognise a P-file; check that its samples are all there."""
    header = read_header(path)
    offset = int(header.rhr_rdb_hdr_off_data)
    points, word = int(header.rhr_rh_frame_size), int(header.rhr_rh_point_size)
    coils = 0
    for n in range(4):
        start, stop = getattr(header, f"rhr_rh_dab[{n}]_start_rcv"), getattr(header, f"rhr_rh_dab[{n}]_stop_rcv")
        coils += int(stop - start) + 1 if start or stop else 0
    coils = max(coils, 1)
    passes = int(header.rhr_rh_raw_pass_size)
    bandwidth, frequency = float(header.rhr_spectral_width), float(header.rhr_rh_ps_mps_freq) / 1e7
    nex = float(header.rhi_nex)
    if (
        offset not in OFFSETS
        or word not in (2, 4)
        or not 16 <= points <= 2**20
        or not 1 <= coils <= 256
        or not (math.isfinite(nex) and 0 < nex <= 1024)
        or not (math.isfinite(bandwidth) and bandwidth > 0)
    ):
        raise DataError(
            "the P-file header is absurd", file=path,
            found=f"{coils} coils, {points} points of {word} bytes at byte {offset}, nex {nex:g}, {bandwidth:g} Hz",
        )  # fmt: skip
    frames = passes // (coils * points * 2 * word) - 1
    size = path.stat().st_size
    if frames < 1 or frames > 2**16:
        raise DataError("the P-file header is absurd", file=path, found=f"{frames} frames")
    if size < offset + passes:
        raise DataError(
            "the P-file is truncated", file=path, found=f"{size} bytes", expected=f"{offset + passes} bytes",
            remedy="copy the file from the scanner again",
        )  # fmt: skip
    water = min(int(16 / nex), frames)
    metabolites = frames - water
    _check_water(path, offset, points, word, water if metabolites > 0 else 0, frames, bandwidth, frequency)
    psd = bytes(header.rhi_psdname).split(b"\0")[0].decode("latin-1")
    signal = _first(path, offset, points, word, frames, water if metabolites > 0 else 0)
    ratio = water_ratio(signal, bandwidth, frequency)
    suppressed = is_suppressed(ratio)
    return RawFile(
        path=path,
        format="ge",
        kind="svs" if suppressed is not False or (water and metabolites > 0) else "mrsref",
        files=(path,),
        vendor="GE",
        sequence=sequence_of(psd),
        nucleus="1H",
        echo_time=float(header.rhi_te) / 1e6 or None,
        repetition_time=float(header.rhi_tr) / 1e6 or None,
        inversion_time=float(header.rhi_ti) / 1e6 or None,
        frequency=frequency,
        bandwidth=bandwidth,
        points=points,
        transients=metabolites if metabolites > 0 else frames,
        coils=coils,
        averages=max(1, round(nex)),
        voxel_size=tuple(float(getattr(header, f"rhi_user{n}")) for n in (8, 9, 10)),
        centre=tuple(float(getattr(header, f"rhi_user{n}")) for n in (11, 12, 13)),
        water_suppressed=suppressed,
        water_ratio=ratio,
        why=f"GE P-file, {metabolites} frames and {water} water frames × {coils} coils; "
        + ("no signal" if ratio is None else f"water {ratio:.3g} times the highest other peak"),
        problem=trouble(signal),
        details={
            "water_inside": water > 0 and metabolites > 0, "water_frames": water, "gain": receiver_gain(header),
        },
    )  # fmt: skip


def _check_water(
    path: Path, offset: int, points: int, word: int, water: int, frames: int, bandwidth: float, frequency: float
) -> None:
    """Check that the frames which the header (16 over nex) makes water references are those that the signal shows.

    Raises
    ------
    DataError
        If a frame is of the other kind.
    """
    for number, signal in enumerate(_first(path, offset, points, word, min(frames, water + 8), 0)):
        suppressed = is_suppressed(water_ratio(signal, bandwidth, frequency))
        if suppressed is not None and suppressed == (number < water) and water:
            raise DataError(
                "header and signal of the P-file disagree about the water reference", file=path,
                found=f"frame {number + 1} with water {'suppressed' if suppressed else 'unsuppressed'}",
                expected=f"{water} water frames first, by the header",
                remedy="convert it with spec2nii by hand and list the NIfTI-MRS files",
            )  # fmt: skip


def _first(path: Path, offset: int, points: int, word: int, frames: int, skip: int) -> np.ndarray:
    """Read up to 64 frames of the first coil, after one dummy and the water frames."""
    with path.open("rb") as stream:
        stream.seek(offset + (1 + skip) * points * 2 * word)
        flat = np.frombuffer(stream.read(min(64, frames - skip) * points * 2 * word), dtype=f"<i{word}")
    values = flat.astype(np.float32)
    return (values[0::2] + 1j * values[1::2]).reshape(-1, points)
