"""Formats known by their first bytes."""

from __future__ import annotations

from pathlib import Path

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile


def recognise(path: Path, head: bytes) -> RawFile:
    """Recognise what is neither Philips SDAT nor NIfTI, by what it begins with."""
    from snakemrs.ingest.formats import bruker, datalist, dicom, ge, rda, twix

    size = path.stat().st_size
    if dicom.looks_like(head):
        return dicom.recognise(path)
    if head.startswith(rda.BEGIN):
        return rda.recognise(path)
    if datalist.looks_like(head) or path.suffix.lower() == ".data":
        return datalist.recognise(path)
    if bruker.looks_like(path):
        return bruker.recognise(path)
    if ge.looks_like(head, size):
        return ge.recognise(path)
    if twix.looks_like(head, size):
        return twix.recognise(path, head)
    known = {".dat": "Siemens twix", ".rda": "Siemens RDA", ".ima": "Siemens DICOM", ".7": "GE P-file"}
    ending = known.get(path.suffix.lower())
    if ending is not None:
        raise DataError(
            f"the name says {ending}, the content does not",
            file=path,
            found=f"{size} bytes that begin otherwise",
            remedy="copy the file from the scanner again; if it is whole, it is of another kind",
        )
    return RawFile(path=path, files=(path,), why="not a raw format that is known")


def recognise_folder(path: Path) -> RawFile:
    """Recognise a folder that holds one DICOM series."""
    from snakemrs.ingest.formats import dicom

    for member in sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")):
        with member.open("rb") as stream:
            if dicom.looks_like(stream.read(132)):
                raw = dicom.recognise(member)
                if raw.path == path or len(raw.files) == 1:
                    return raw
                raise DataError(
                    "the folder holds more than one series", file=path, remedy="give one file of the series"
                )
    return RawFile(path=path, why="a folder that is no DICOM series")
