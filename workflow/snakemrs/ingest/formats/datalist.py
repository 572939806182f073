"""Philips DATA/LIST: raw transients of each coil, with the SPAR beside them for the geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.formats.philips import number, partner, read_spar, voxel
from snakemrs.ingest.raw import RawFile, inversion_of, sequence_of
from snakemrs.ingest.signal import is_suppressed, trouble, water_ratio

#: Columns of a line of the list: kind, counters, size and offset.
_COLUMNS = 21
_MIX, _DYNAMIC, _CHANNEL, _AVERAGE, _SIZE = 1, 2, 6, 12, 19


def looks_like(head: bytes) -> bool:
    """Whether the first bytes are those of a LIST file."""
    return b"DATA DESCRIPTION FILE" in head or (b"number_of_mixes" in head and b"#" in head)


def read_list(path: Path) -> list[tuple[str, list[int]]]:
    """Read the lines of a LIST file: kind and the numbers after it.

    Raises
    ------
    DataError
        If a line is damaged.
    """
    lines = []
    for row, text in enumerate(path.read_text(encoding="latin-1").splitlines(), start=1):
        cells = text.split()
        if not cells or cells[0] not in ("STD", "REJ", "PHC", "FRC", "NOI", "NAV"):
            continue
        try:
            numbers = [int(float(cell)) for cell in cells[1:]]
        except (ValueError, OverflowError):
            numbers = []
        if len(numbers) != _COLUMNS - 1 or numbers[_SIZE - 1] <= 0:
            raise DataError("a line of the LIST file is damaged", file=path, line=row, expected=f"{_COLUMNS} columns")
        if any(n < 0 or n > 2**20 for n in numbers[:13] if n is not None) and any(n > 2**20 for n in numbers[:13]):
            raise DataError("a line of the LIST file is absurd", file=path, line=row)
        lines.append((cells[0], numbers))
    if not any(kind == "STD" for kind, _ in lines):
        raise DataError("the LIST file lists no signal", file=path, expected="lines that begin with STD")
    return lines


def recognise(path: Path) -> RawFile:
    """Recognise DATA and LIST from either file."""
    listing = path if path.suffix.lower() == ".list" else partner(path, "list")
    data = path if path.suffix.lower() == ".data" else partner(path, "data")
    for found, ending in ((listing, "LIST"), (data, "DATA")):
        if found is None:
            raise DataError(
                f"the {ending} file beside it is missing", file=path,
                expected=path.with_suffix("." + ending.lower()).name, remedy="copy both files into one folder",
            )  # fmt: skip
    assert listing is not None
    assert data is not None
    spar = partner(path, "spar") or _lone_spar(path.parent)
    if spar is None:
        raise DataError(
            "DATA/LIST says nothing of echo time, frequency and voxel", file=path,
            expected=f"a SPAR file of the same scan beside it ({path.with_suffix('.SPAR').name})",
            remedy="export the SPAR too, and give it the same name",
        )  # fmt: skip
    entries = read_spar(spar)
    lines = read_list(listing)
    size = sum(numbers[_SIZE - 1] for _, numbers in lines)
    if data.stat().st_size != size:
        word = "truncated" if data.stat().st_size < size else "longer than its LIST says"
        raise DataError(
            f"the DATA file is {word}", file=data, found=f"{data.stat().st_size} bytes", expected=f"{size} bytes",
            remedy="copy DATA and LIST from the scanner again",
        )  # fmt: skip
    standard = [numbers for kind, numbers in lines if kind == "STD"]
    mixes = {numbers[_MIX - 1] for numbers in standard}
    sizes = {numbers[_SIZE - 1] for numbers in standard}
    if len(sizes) > 1 or min(sizes) % 8:
        raise DataError("signals of different length in one LIST", file=listing, found=f"{sorted(sizes)} bytes")
    points = sizes.pop() // 8
    main = [numbers for numbers in standard if numbers[_MIX - 1] == min(mixes)]
    coils = len({numbers[_CHANNEL - 1] for numbers in main})
    transients = len({(numbers[_DYNAMIC - 1], numbers[_AVERAGE - 1]) for numbers in main})
    frequency = number(spar, entries, "synthesizer_frequency") / 1e6
    bandwidth = number(spar, entries, "sample_frequency")
    signal = _first(data, lines, min(mixes), points)
    ratio = water_ratio(signal, bandwidth, frequency)
    suppressed = is_suppressed(ratio)
    inside = len(mixes) > 1
    name = entries.get("scan_id", "")

    def seconds(key: str) -> float | None:
        try:
            return float(entries[key]) / 1000 or None
        except (KeyError, ValueError):
            return None

    box, centre = voxel(entries)
    return RawFile(
        path=data,
        format="data-list",
        kind="svs" if inside or suppressed is not False else "mrsref",
        files=(data, listing, spar),
        vendor="Philips",
        sequence=sequence_of(name),
        nucleus=entries.get("nucleus"),
        echo_time=seconds("echo_time"),
        repetition_time=seconds("repetition_time"),
        inversion_time=seconds("spectrum_inversion_time") or inversion_of(name),
        frequency=frequency,
        bandwidth=bandwidth,
        points=points,
        transients=transients,
        coils=coils,
        averages=1,
        voxel_size=box,
        centre=centre,
        water_suppressed=suppressed,
        water_ratio=ratio,
        why=f"Philips DATA/LIST with SPAR, {transients} transients × {coils} coils"
        + (", water reference inside; " if inside else "; ")
        + ("no signal" if ratio is None else f"water {ratio:.3g} times the highest other peak"),
        problem=trouble(signal),
        details={"entries": entries, "water_inside": inside},
    )


def _lone_spar(folder: Path) -> Path | None:
    found = [p for p in folder.iterdir() if p.suffix.lower() == ".spar"]
    return found[0] if len(found) == 1 else None


def _first(data: Path, lines: list[tuple[str, list[int]]], mix: int, points: int) -> np.ndarray:
    """Read up to 64 signals of a mix; lines stand in the order of the file."""
    signals: list[np.ndarray] = []
    position = 0
    with data.open("rb") as stream:
        for kind, numbers in lines:
            if kind == "STD" and numbers[_MIX - 1] == mix and len(signals) < 64:
                stream.seek(position)
                signals.append(np.frombuffer(stream.read(points * 8), dtype="<c8"))
            position += numbers[_SIZE - 1]
    return np.array(signals)
