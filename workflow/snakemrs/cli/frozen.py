"""A run works from its own copy of the code, so that an upgrade meanwhile does not mix versions."""

from __future__ import annotations

import compileall
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import snakemrs
from snakemrs.io.atomic import MARK
from snakemrs.study.resources import workflow_root

_WORKFLOW = ("Snakefile", "rules", "config", "containers")
# The virtual scanner is no part of a run, and its invented people must not be found among a study's files.
_LEFT_OUT = ("__pycache__", "_workflow", "*.sif", ".snakemake", "scanner")


def freeze(study: Path) -> Path:
    """Copy package and workflow to ``work/code/<hash>`` of the study; give that folder. Earlier copies are removed.

    The copy is laid out as an installed package: `snakemrs.study.resources.workflow_root` finds the workflow in it.
    """
    place = study / "work" / "code"
    target = place / code_version()
    if not target.exists():
        place.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=MARK, dir=place))
        try:
            _copy(fresh)
            # Where Python is told to keep no byte code, as in many containers, each step would compile what it imports.
            compileall.compile_dir(fresh, quiet=2, ddir=str(target))
            os.replace(fresh, target)
        except shutil.Error as error:  # of a tree: every file that could not be copied, and why
            found = re.search(r"\[Errno (\d+)\]", str(error))
            if found is None:
                raise
            raise OSError(int(found[1]), os.strerror(int(found[1])), str(target)) from None
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    for other in place.iterdir():
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
    return target


def _copy(fresh: Path) -> None:
    """Copy package and workflow to an empty folder."""
    package, *others = _sources()
    ignore = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(package, fresh / "snakemrs", ignore=ignore)
    shutil.copytree(others[0], fresh / others[0].name, ignore=ignore)
    for source in others[1:]:
        destination = fresh / "snakemrs" / "_workflow" / source.name
        destination.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, destination, ignore=ignore)
        elif source.exists():
            shutil.copy(source, destination)


def _sources() -> list[Path]:
    """The package, the logger plugin, and what the workflow consists of."""
    package = Path(snakemrs.__file__).resolve().parent
    plugin = package.parent / "snakemake_logger_plugin_snakemrs"
    return [package, plugin, *(workflow_root() / name for name in _WORKFLOW)]


def code_version() -> str:
    """Hash of all code and workflow files by content and relative name."""
    total = hashlib.sha256()
    for source in _sources():
        files = [source] if source.is_file() else sorted(source.rglob("*"))
        for file in files:
            inside = set(file.relative_to(source.parent).parts)
            if file.is_file() and not inside & set(_LEFT_OUT) and file.suffix != ".sif":
                total.update(f"{file.relative_to(source.parent).as_posix()}\0".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]
