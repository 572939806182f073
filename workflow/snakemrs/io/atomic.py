"""Writing that is whole or not at all: beside the place, then moved over it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MARK = ".writing-"
"""Beginning of the names of what is not whole yet."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; move it over `path` when the block ends without error.

    The temporary name keeps the ending of `path` (``.nii.gz`` included), for writers that look at it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = path.name[path.name.index(".", 1) :] if "." in path.name[1:] else ""
    handle, name = tempfile.mkstemp(prefix=MARK, suffix=ending, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk comes without a name
        raise
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def sweep(*folders: Path) -> None:
    """Remove what writers that were killed left in folders; no writer may be at work there."""
    for folder in folders:
        for rest in list(folder.rglob(f"{MARK}*")):
            if rest.is_dir():
                shutil.rmtree(rest, ignore_errors=True)
            else:
                rest.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any, indent: int | None = 2) -> None:
    """Write `content` to `path` as JSON (not-a-number refused), whole or not at all.

    Indented for people; without (None) a file of many thousand rows is written ten times as fast.
    """
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")
