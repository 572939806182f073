"""How each output was made, kept beside the derivatives, so that a lost ``.snakemake`` folder loses nothing.

Snakemake records inputs and parameters of every output under ``.snakemake/metadata``. Without that record it would
take any file that exists as up to date. The records are kept a second time in ``derivatives/snakemrs/.provenance``
(links, no copies) and put back when the folder is gone: what is up to date is adopted, what is not is made again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from snakemrs.study.plan import DERIVATIVES


def _records(study: Path) -> Path:
    return study / ".snakemake" / "metadata"


def _kept(study: Path) -> Path:
    return study / DERIVATIVES / ".provenance"


def keep(study: Path) -> None:
    """Link new or changed records beside the derivatives."""
    source, place = _records(study), _kept(study)
    if not source.is_dir():
        return
    place.mkdir(parents=True, exist_ok=True)
    for record in source.rglob("*"):
        if not record.is_file():
            continue
        kept = place / record.relative_to(source)
        with suppress(FileNotFoundError):  # Snakemake may replace a record meanwhile; the next call takes it
            if kept.exists() and kept.samefile(record):
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_name(f".{kept.name[:200]}.new")
            fresh.unlink(missing_ok=True)
            try:
                os.link(record, fresh)
            except OSError:  # a file system without links
                fresh.write_bytes(record.read_bytes())
            os.replace(fresh, kept)


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
