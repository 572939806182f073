"""Siemens RDA: a text header and samples of float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile, sequence_of
from snakemrs.ingest.signal import is_suppressed, trouble, water_ratio

BEGIN, END = b">>> Begin of header <<<", b">>> End of header <<<"


def read_header(path: Path, content: bytes) -> tuple[dict[str, str], bytes]:
    """Give the header and the bytes of the samples.

    Raises
    ------
    DataError
        If the header does not end.
    """
    end = content.find(END)
    if end < 0:
        raise DataError("the RDA header is cut short", file=path, expected=END.decode())
    header: dict[str, str] = {}
    for line in content[:end].decode("latin-1").splitlines():
        if ":" in line:
            key, value = line.split(":", 1)
            header[key.strip()] = value.strip()
    samples = content[end + len(END) :]
    return header, samples[2:] if samples[:2] == b"\r\n" else samples[1:]


def recognise(path: Path) -> RawFile:
    """Recognise an RDA file; check that its samples are all there."""
    header, samples = read_header(path, path.read_bytes())

    def number(key: str) -> float:
        try:
            value = float(header[key].replace(",", "."))
        except (KeyError, ValueError):
            value = float("nan")
        if not np.isfinite(value):
            raise DataError(f"the RDA header has no usable `{key}`", file=path, expected="a number")
        return value

    points = int(number("VectorSize"))
    voxels = int(np.prod([max(1.0, number(f"CSIMatrixSize[{n}]")) for n in range(3)]))
    dwell = number("DwellTime") * 1e-6
    if not 16 <= points <= 2**20 or not 1 <= voxels <= 2**20 or dwell <= 0:
        raise DataError("the RDA header is absurd", file=path, found=f"{voxels} voxels of {points} points")
    expected = points * voxels * 16
    if len(samples) != expected:
        raise DataError(
            "the RDA file is truncated" if len(samples) < expected else "the RDA file is longer than its header says",
            file=path,
            found=f"{len(samples)} bytes of samples",
            expected=f"{expected} bytes",
            remedy="export the file from the scanner again",
        )
    if voxels > 1:
        return RawFile(path, "rda", files=(path,), vendor="Siemens", why="Siemens RDA, spectroscopic imaging")
    frequency = number("MRFrequency")
    flat = np.frombuffer(samples, dtype="<f8")
    signal = flat[0::2] + 1j * flat[1::2]
    ratio = water_ratio(signal, 1 / dwell, frequency)
    suppressed = is_suppressed(ratio)
    try:
        averages = int(number("NumberOfAverages"))
    except DataError:
        averages = 1
    return RawFile(
        path=path,
        format="rda",
        kind="mrsref" if suppressed is False else "svs",
        files=(path,),
        vendor="Siemens",
        sequence=sequence_of(header.get("SequenceName"), header.get("SequenceDescription"), header.get("ProtocolName")),
        nucleus=header.get("Nucleus"),
        echo_time=number("TE") / 1e3 or None,
        repetition_time=number("TR") / 1e3 or None,
        inversion_time=(float(header.get("TI") or 0) / 1e3) or None,
        mixing_time=number("TM") / 1e3 or None if header.get("TM") else None,
        frequency=frequency,
        bandwidth=1 / dwell,
        points=points,
        transients=1,
        coils=1,
        averages=averages,
        voxel_size=tuple(number(key) for key in ("PixelSpacingRow", "PixelSpacingCol", "SliceThickness")),
        centre=(-number("VOIPositionSag"), -number("VOIPositionCor"), number("VOIPositionTra"))
        if "VOIPositionSag" in header
        else (),
        water_suppressed=suppressed,
        water_ratio=ratio,
        why="Siemens RDA; " + ("no signal" if ratio is None else f"water {ratio:.3g} times the highest other peak"),
        problem=trouble(signal),
    )
