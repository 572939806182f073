"""Bruker ParaVision: fid, 2dseq or rawdata with its parameter files beside."""

from __future__ import annotations

import re
from pathlib import Path

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile, sequence_of

_NAMES = ("fid", "fid_proc.64", "2dseq", "rawdata.job0", "rawdata")


def looks_like(path: Path) -> bool:
    """Whether the file lies in a ParaVision experiment."""
    return path.name in _NAMES and _method(path) is not None


def _method(path: Path) -> Path | None:
    for folder in (path.parent, path.parent.parent.parent):
        if (folder / "method").is_file() and (folder / "acqp").is_file():
            return folder / "method"
    return None


def recognise(path: Path) -> RawFile:
    """Recognise a ParaVision spectrum by its method file."""
    method = _method(path)
    assert method is not None
    text = method.read_text(encoding="latin-1")

    def value(key: str) -> float | None:
        match = re.search(rf"^##\$?{key}=(?:\(\s*\d+\s*\)\s*)?([-+\d.eE]+)", text, flags=re.MULTILINE)
        return float(match.group(1)) if match else None

    points = value("PVM_SpecMatrix")
    if points is None:
        return RawFile(path, "bruker", kind="image", files=(path, method), vendor="Bruker", why="Bruker image")
    name = re.search(r"^##\$?Method=<?([^>\n]*)", text, flags=re.MULTILINE)
    echo, repetition, width = value("PVM_EchoTime"), value("PVM_RepetitionTime"), value("PVM_SpecSWH")
    if not path.stat().st_size:
        raise DataError("the Bruker file is empty", file=path)
    files = tuple(p for p in (path, method, method.parent / "acqp", method.parent / "visu_pars") if p.is_file())
    return RawFile(
        path=path,
        format="bruker",
        kind="svs",
        files=files,
        vendor="Bruker",
        sequence=sequence_of(name.group(1) if name else None),
        nucleus="1H",
        echo_time=echo / 1e3 if echo else None,
        repetition_time=repetition / 1e3 if repetition else None,
        frequency=value("PVM_FrqRef"),
        bandwidth=width,
        points=int(points),
        transients=int(value("PVM_NRepetitions") or 1),
        averages=int(value("PVM_NAverages") or 1),
        why="Bruker ParaVision spectrum; whether water was suppressed is not looked at",
    )
