"""Hashes of raw files: by their content a study knows what is new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snakemrs.io.atomic import write_json


def hash_file(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their relative names (a DICOM series)."""
    if path.is_dir():
        total = hashlib.sha256()
        for member in sorted(p for p in path.rglob("*") if p.is_file()):
            total.update(f"{member.relative_to(path).as_posix()}\0{hash_file(member)}\n".encode())
        return total.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def companions(path: Path) -> list[Path]:
    """Files that belong to a raw file: the header of a Philips SDAT or DATA, the sidecar of a NIfTI."""
    partners = {".sdat": (".SPAR", ".spar"), ".data": (".list", ".LIST", ".SPAR", ".spar")}
    found = [path.with_suffix(s) for s in partners.get(path.suffix.lower(), ()) if path.with_suffix(s).exists()]
    if path.name.endswith((".nii.gz", ".nii")):
        sidecar = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
        found += [sidecar] if sidecar.exists() else []
    return found


READER = 3
"""Version of what `read_header` gives; a cache of another version is not used."""


class HashCache:
    """Hashes and headers of raw files, kept between plans by size and time of change, so that only new files are read.

    The cache is only a shortcut: a file whose size or time differs is read again, and its hash decides.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changed = False
        self.entries: dict[str, Any] = {}
        if path.exists():
            try:
                self.entries = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                self.entries = {}

    def look(self, path: Path, read_header: Callable[[Path], dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        """Give hash and header of the file with its companions."""
        files = [path, *companions(path)]
        stamps = [[f.name, *_stamp(f)] for f in files]
        entry = self.entries.get(str(path))
        if entry is not None and entry.get("reader") != READER:
            entry = None
        if entry is None or entry["stamps"] != stamps:
            digest = hash_file(path) if len(files) == 1 else joined([hash_file(f) for f in files])
            if entry is None or entry["sha256"] != digest:
                entry = {"sha256": digest, "header": read_header(path), "reader": READER}
            entry = {**entry, "stamps": stamps}
            self.entries[str(path)] = entry
            self.changed = True
        return str(entry["sha256"]), dict(entry["header"])

    def save(self) -> None:
        """Keep the cache for the next plan."""
        if self.changed:
            write_json(self.path, self.entries, indent=None)


def _stamp(path: Path) -> list[int]:
    if path.is_dir():
        stats = [p.stat() for p in sorted(path.rglob("*")) if p.is_file()]
        return [len(stats), sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)]
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def joined(digests: list[str]) -> str:
    """One hash of several."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
