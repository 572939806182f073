"""How each output was made, kept beside the derivatives, so that a lost ``.snakemake`` folder loses nothing.

Snakemake records inputs and parameters of every output under ``.snakemake/metadata``. Without that record it would
take any file that exists as up to date. The records are kept a second time in ``derivatives/snakemrs/.provenance``
(links, no copies) and put back when the folder is gone: what is up to date is adopted, what is not is made again.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from snakemrs.study.plan import DERIVATIVES


def _records(study: Path) -> Path:
    return study / ".snakemake" / "metadata"


def _kept(study: Path) -> Path:
    return study / DERIVATIVES / ".provenance"


def keep(study: Path) -> None:
    """Link new or changed records beside the derivatives; a record linked already costs no more than its name."""
    source, place = _records(study), _kept(study)
    if not source.is_dir():
        return
    place.mkdir(parents=True, exist_ok=True)
    linked, one_disk = _inodes(place), place.stat().st_dev == source.stat().st_dev
    for name, inode in _inodes(source).items():
        if one_disk and linked.get(name) == inode:
            continue
        record, kept = source / name, place / name
        with suppress(FileNotFoundError):  # Snakemake may replace a record meanwhile; the next call takes it
            if name in linked and _is_copy(kept, record):
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_name(f".{kept.name[:200]}.new")
            fresh.unlink(missing_ok=True)
            try:
                os.link(record, fresh)
            except OSError:  # a file system without links
                shutil.copy2(record, fresh)
            os.replace(fresh, kept)


def _is_copy(kept: Path, record: Path) -> bool:
    """Whether a record was copied since it was last written."""
    there, own = kept.stat(), record.stat()
    return (there.st_size, there.st_mtime_ns) == (own.st_size, own.st_mtime_ns)


def _inodes(folder: Path) -> dict[str, int]:
    """Inode of every file below a folder, by its name in there."""
    found, todo = {}, [""]
    while todo:
        place = todo.pop()
        with suppress(FileNotFoundError), os.scandir(folder / place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(f"{place}{entry.name}/")
                else:
                    found[f"{place}{entry.name}"] = entry.inode()
    return found


def restore(study: Path) -> int:
    """Put records back that Snakemake's folder lacks; give their number."""
    source, place = _kept(study), _records(study)
    if not source.is_dir() or place.is_dir():
        return 0
    count = 0
    for kept in source.rglob("*"):
        if kept.is_file() and not kept.name.startswith("."):
            record = place / kept.relative_to(source)
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_bytes(kept.read_bytes())
            count += 1
    return count
