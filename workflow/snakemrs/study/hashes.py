"""Hashes of raw files: by their content a study knows what is new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from snakemrs.errors import SnakeMRSError
from snakemrs.io.atomic import write_json
from snakemrs.io.parallel import on_all_processors


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
        entry = self._current(path)
        if entry is None:
            entry = self._read(path, read_header)
            self._take(path, entry)
        return str(entry["sha256"]), dict(entry["header"])

    def read_ahead(
        self,
        paths: Iterable[Path],
        read_header: Callable[[Path], dict[str, Any]],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Read the files that are new or changed, on all processors; `look` finds them read.

        A file that is missing or damaged is left for `look` to meet, which says so.
        """
        todo = [path for path in dict.fromkeys(paths) if path.exists() and self._current(path) is None]

        def read(path: Path) -> dict[str, Any] | None:
            try:
                return self._read(path, read_header)
            except (SnakeMRSError, OSError):
                return None

        for number, (path, entry) in enumerate(zip(todo, on_all_processors(read, todo), strict=True), start=1):
            if entry is not None:
                self._take(path, entry)
            progress(number, len(todo))

    def _current(self, path: Path) -> dict[str, Any] | None:
        """What is known of a file, if that is all that there is to know."""
        entry = self.entries.get(str(path))
        known = entry is not None and entry.get("reader") == READER and entry["stamps"] == _stamps(path)
        return entry if known else None

    def _read(self, path: Path, read_header: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """Hash a file; read its header unless only its time has changed."""
        files, stamps = [path, *companions(path)], _stamps(path)
        digest = hash_file(path) if len(files) == 1 else joined([hash_file(f) for f in files])
        entry = self.entries.get(str(path))
        same = entry is not None and entry.get("reader") == READER and entry["sha256"] == digest
        header = entry["header"] if entry is not None and same else read_header(path)
        return {"sha256": digest, "header": header, "reader": READER, "stamps": stamps}

    def _take(self, path: Path, entry: dict[str, Any]) -> None:
        self.entries[str(path)] = entry
        self.changed = True

    def save(self) -> None:
        """Keep the cache for the next plan."""
        if self.changed:
            write_json(self.path, self.entries, indent=None)


def _stamps(path: Path) -> list[list[Any]]:
    """Name, size and time of a file and its companions."""
    return [[file.name, *_stamp(file)] for file in [path, *companions(path)]]


def _stamp(path: Path) -> list[int]:
    if path.is_dir():
        stats = [p.stat() for p in sorted(path.rglob("*")) if p.is_file()]
        return [len(stats), sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)]
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def joined(digests: list[str]) -> str:
    """One hash of several."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
