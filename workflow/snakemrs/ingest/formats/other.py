"""Formats known by their first bytes."""

from __future__ import annotations

from pathlib import Path

from snakemrs.ingest.raw import RawFile


def recognise(path: Path, head: bytes) -> RawFile:
    """Recognise what is neither Philips SDAT nor NIfTI."""
    return RawFile(path=path, files=(path,), why="not a raw format that is known")


def recognise_folder(path: Path) -> RawFile:
    """Recognise a folder."""
    return RawFile(path=path, why="a folder that is no DICOM series")
