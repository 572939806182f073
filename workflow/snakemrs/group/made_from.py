"""What the results of a group were made with: recorded by the group step, compared when the result is frozen.

A frozen result must be that of the configuration and the tables that lie beside it, or the freeze would vouch for an
analysis that nobody ran.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemrs.errors import RequestError, SnakeMRSError
from snakemrs.io.atomic import write_json
from snakemrs.study.config import load_config
from snakemrs.study.hashes import hash_file

if TYPE_CHECKING:
    from snakemrs.study.settings.group import GroupSettings

RECORD = Path("statistics/made_from.json")
CONFIGURATION = ("study.yaml", "scans.tsv", "participants.tsv", "sessions.tsv", "events.tsv", "phenotype")
#: Settings that no result depends on.
_IDLE = ("name", "authors", "raw", "report")


def named_files(settings: GroupSettings) -> list[str]:
    """Files that the group's settings name: instruments of one's own, further tables of frames."""
    return [name for name in (settings.clinical.instruments, *settings.sensitivity.tables.values()) if name]


def configuration_of(study: Path, more: tuple[str, ...] = ()) -> dict[str, str]:
    """Hash of study.yaml, of every table, and of the files that study.yaml names.

    Parameters
    ----------
    more : tuple of str
        Further files, relative to the study: those that were hashed before.
    """
    try:
        named = named_files(load_config(study / "study.yaml").group)
    except SnakeMRSError:
        named = []  # That study.yaml cannot be read shows in its own hash.
    found: dict[str, str] = {}
    for name in dict.fromkeys((*CONFIGURATION, *named, *more)):
        place = study / name
        for path in sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]:
            if path.is_file():
                inside = path.is_relative_to(study)
                found[path.relative_to(study).as_posix() if inside else name] = hash_file(path)
    return found


def record(study: Path, plan: Mapping[str, Any], settings: GroupSettings) -> dict[str, Any]:
    """Give what the results are made with: the settings of all stages, and the hash of every table.

    Parameters
    ----------
    plan : mapping
        The content of plan.json; its ``settings`` are those of the stages before the group.
    """
    stages = {k: v for k, v in dict(plan.get("settings") or {}).items() if k not in _IDLE}
    stages["group"] = settings.model_dump(mode="json")
    files = configuration_of(study, tuple(named_files(settings)))
    return {"settings": stages, "tables": {k: v for k, v in files.items() if k != "study.yaml"}}


def write_record(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the record into the folder of the group."""
    write_json(folder / RECORD, dict(content))


def differences(study: Path, folder: Path) -> list[str]:
    """Say what differs between the study as it is and what its results were made with, a line a setting or table.

    Raises
    ------
    RequestError
        If study.yaml is not valid, or nothing was recorded.
    """
    path = folder / RECORD
    if not path.exists():
        raise RequestError("nothing says what the results were made with", file=path, remedy=AGAIN)
    before = json.loads(path.read_text(encoding="utf-8"))
    config = load_config(study / "study.yaml").model_dump(mode="json")
    found = []
    for stage, settings in before["settings"].items():
        found += [f"study.yaml: {name}" for name in _changed(settings, config.get(stage), stage)]
    now = configuration_of(study, tuple(before["tables"]))
    for name in sorted({*before["tables"], *now} - {"study.yaml"}):
        if before["tables"].get(name) != now.get(name):
            what = "added" if name not in before["tables"] else "removed" if name not in now else "changed"
            found.append(f"{name} {what}")
    return found


AGAIN = "`snakemrs run STUDY`; where that finds nothing to do, `snakemrs run STUDY -- --forcerun group`"


def _changed(before: Any, now: Any, place: str) -> list[str]:
    """Settings that differ, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys((*before, *now))
        return [text for key in keys for text in _changed(before.get(key), now.get(key), f"{place}.{key}")]
    return [] if before == now else [f"{place} is {json.dumps(now)}, the results were made with {json.dumps(before)}"]
