"""The plan: what a study consists of and what must be made, written down before anything runs.

The Snakefile reads the plan and nothing else. It knows every raw file by its SHA-256, so that a file copied or touched
reruns nothing and a file replaced reruns that participant. Each cluster job reads it anew: so nothing is imported here
that takes long (`snakemrs.study.resolve` makes the plan).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from snakemrs.errors import RequestError
from snakemrs.io.atomic import write_json

PLAN_PATH = Path("work") / "plan.json"
DERIVATIVES = "derivatives/snakemrs"


@dataclass(frozen=True)
class Problem:
    """Something wrong that does not stop the others: an ``error`` ends in exit code 1, a ``warning`` does not.

    What is of the `machine` (no room, no executor, no program) concerns every participant: nothing can run.
    """

    severity: Literal["error", "warning"]
    message: str
    file: str
    line: int | None = None
    participant: str | None = None
    machine: bool = False


@dataclass(frozen=True)
class PlannedScan:
    """A raw file: where it is, what it will be called, its content's hash, what its header says."""

    path: str
    sha256: str
    bids: str
    participant: str
    session: str
    suffix: str
    header: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedAnatomy:
    """A T1w image to segment. All paths are relative to the study.

    `source` is the prefix of the participant's other session whose maps are brought over; `existing` the folder of
    maps that exist already, `existing_sha256` the hash of those maps.
    """

    participant: str
    session: str
    t1w: str
    prefix: str
    source: str | None = None
    existing: str | None = None
    existing_sha256: str = ""


@dataclass(frozen=True)
class PlannedSpectrum:
    """A spectrum to process. All paths are relative to the study; `stem` is its BIDS name without suffix."""

    participant: str
    session: str
    task: str | None
    acq: str | None
    voi: str | None
    run: str | None
    stem: str
    folder: str
    svs: str
    water: str | None
    anatomy: str | None
    mask: str | None
    macromolecules: str | None
    basis: str | None
    frames: bool
    fitted: bool
    dynamic: bool = False


@dataclass(frozen=True)
class Failure:
    """A step that failed, as the last run saw it."""

    unit: str
    participant: str
    session: str | None
    stage: str
    reason: str
    log: str


@dataclass
class Plan:
    """A study, resolved: see `snakemrs.study.resolve.build_plan`."""

    name: str
    raw: str
    created: int
    settings: dict[str, Any]
    scans: list[PlannedScan]
    anatomies: list[PlannedAnatomy]
    spectra: list[PlannedSpectrum]
    bases: dict[str, dict[str, Any]]
    tables: dict[str, str]
    variant_anatomies: dict[str, list[PlannedAnatomy]] = field(default_factory=dict)
    """The T1w images as variants segment them, by variant; only of those that change the stage anatomy."""
    problems: list[Problem] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    @property
    def participants(self) -> list[str]:
        """Labels of all scanned participants, sorted."""
        return sorted({scan.participant for scan in self.scans})

    @property
    def sessions(self) -> list[tuple[str, str]]:
        """All (participant, session), sorted."""
        return sorted({(scan.participant, scan.session) for scan in self.scans})

    def save(self, study: Path) -> Path:
        """Write the plan to ``work/plan.json`` in the study (only when it differs)."""
        path = study / PLAN_PATH
        content = json.loads(self.to_json())
        if not path.exists() or json.loads(path.read_text(encoding="utf-8")) != content:
            write_json(path, content, indent=None)
        return path

    def to_json(self) -> str:
        """The plan as JSON text, the same text for the same plan."""
        return json.dumps(vars(self), default=vars, sort_keys=True)


def load_plan(path: str | Path, headers: bool = True) -> Plan:
    """Read a plan that `Plan.save` wrote; without headers it takes less memory, and is enough for what runs."""
    path = Path(path)
    if not path.exists():
        raise RequestError("there is no plan", file=path, remedy="`snakemrs plan STUDY` makes one")
    content = json.loads(path.read_text(encoding="utf-8"))
    _share_texts([*content["scans"], *content["anatomies"], *content["spectra"]])
    return Plan(
        **{
            **content,
            "scans": [PlannedScan(**(row if headers else row | {"header": {}})) for row in content["scans"]],
            "anatomies": [PlannedAnatomy(**row) for row in content["anatomies"]],
            "variant_anatomies": {
                variant: [PlannedAnatomy(**row) for row in rows]
                for variant, rows in content["variant_anatomies"].items()
            },
            "spectra": [PlannedSpectrum(**row) for row in content["spectra"]],
            "problems": [Problem(**row) for row in content["problems"]],
            "failed": [Failure(**row) for row in content["failed"]],
        }
    )


def _share_texts(rows: list[dict[str, Any]]) -> None:
    """Keep texts that stand in several rows, labels and names of files, once in memory."""
    known: dict[str, str] = {}
    for row in rows:
        for key, value in row.items():
            if isinstance(value, str):
                row[key] = known.setdefault(value, value)


class _OfParticipant(Protocol):
    @property
    def participant(self) -> str: ...


Item = TypeVar("Item", bound=_OfParticipant)


def by_participant(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Scans, or what is planned of them, by their participant, in their order."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.participant, []).append(item)
    return found
