"""Whether anything can have changed since a run that left nothing to do.

Snakemake compares every job's inputs, parameters and outputs with its records; for thousands of participants that takes
minutes. All that it looks at is summed up here in one hash after a run that finished everything. As long as the hash is
the same, there is nothing to ask Snakemake about.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snakemrs.cli.frozen import code_version
from snakemrs.io.atomic import write_json
from snakemrs.study.hashes import hash_file
from snakemrs.study.images import LINKS, built_images
from snakemrs.study.plan import Plan

STATE = Path("work") / "state.json"
IN_PLAN = ("name", "raw", "precomputed")
"""Settings that name no file, or folders of whose files the plan has the hashes: all of fMRIPrep's would take hours."""


def state_of(study: Path, plan: Plan, in_images: bool = False) -> str:
    """Hash of all that decides what would run: plan, code, images, files that settings name, and every file made.

    Files count by size and time of change, as for Snakemake.
    """
    links = study / LINKS / "images.json"
    decides = {
        "plan": plan.to_json(),
        "code": code_version(),
        "in images": in_images,
        "links": links.read_text(encoding="utf-8") if links.exists() else "",
        "images": sorted(image.path.name for image in built_images().values()),
        "named": _named_files(study, plan),
        "records": (study / ".snakemake" / "metadata").is_dir(),
    }
    total = hashlib.sha256(json.dumps(decides, sort_keys=True).encode())
    for line in sorted(_files(study, "bids")) + sorted(_files(study, "derivatives")):
        total.update(line.encode())
    return total.hexdigest()


def is_unchanged(study: Path, plan: Plan, in_images: bool = False) -> bool:
    """Whether the study is as the last run left it, which left nothing to do."""
    path = study / STATE
    return path.exists() and json.loads(path.read_text(encoding="utf-8"))["state"] == state_of(study, plan, in_images)


def remember(study: Path, plan: Plan, in_images: bool = False) -> None:
    """Note the state of a study of which nothing is left to do."""
    write_json(study / STATE, {"state": state_of(study, plan, in_images)})


def forget(study: Path) -> None:
    """Before a run: whatever it leaves, the noted state is no longer true."""
    (study / STATE).unlink(missing_ok=True)


def _named_files(study: Path, plan: Plan) -> dict[str, str]:
    """Hashes of the files that settings name (a basis, constants, regressors), but for those that the plan has."""
    texts: set[str] = set()
    todo: list[Any] = [plan.settings]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            texts.add(value)
        elif isinstance(value, dict | list):
            todo += [part for key, part in value.items() if key not in IN_PLAN] if isinstance(value, dict) else value
    for text in [text for text in texts if "{participant}" in text or "{session}" in text]:
        for participant, session in plan.sessions:
            texts.add(text.replace("{participant}", participant).replace("{session}", session))
    return {text: hash_file(study / text) for text in sorted(texts) if _is_path(study, text)}


def _is_path(study: Path, text: str) -> bool:
    return 0 < len(text) < 1000 and "\n" not in text and (study / text).exists()


def _files(study: Path, folder: str) -> Iterator[str]:
    """Path, size and time of change of every file below a folder, but for the records' copies."""
    todo = [folder]
    while todo:
        place = todo.pop()
        if not (study / place).is_dir():
            continue
        with os.scandir(study / place) as entries:
            for entry in entries:
                name = f"{place}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != ".provenance":
                        todo.append(name)
                else:
                    status = entry.stat()
                    yield f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
