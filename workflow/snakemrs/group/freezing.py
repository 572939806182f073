"""Freezing a masked result, and opening the key of the treatments once it is frozen.

A frozen result is a list of hashes: of every result of the group, of the configuration and the study's tables, of the
code, of the images. After freezing, whatever differs is named. The key is opened last, and the numbers stay what they
were: only the names of the conditions are replaced.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemrs import __version__
from snakemrs.errors import RequestError
from snakemrs.group.made_from import AGAIN, configuration_of, differences
from snakemrs.group.masking import check_masked, check_tables
from snakemrs.io.atomic import write_json
from snakemrs.io.tables import MISSING, Row, read_table, write_table
from snakemrs.study.config import load_config
from snakemrs.study.resources import workflow_root

GROUP = Path("derivatives/snakemrs/group")
FROZEN = GROUP / "frozen.json"
OPENED = GROUP / "unblinded.json"
UNBLINDED = GROUP / "unblinded"
LOG = Path("logs/unblinding.tsv")
LOG_COLUMNS = {
    "time": {"Description": "When (UTC)"},
    "action": {"Description": "freeze, refused, unblind, check"},
    "hash": {"Description": "Hash of the frozen result"},
    "detail": {"Description": "What was found or done"},
}
_CODE = ("Snakefile", "rules", "config")


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(root: Path, names: tuple[str, ...] = ("",)) -> dict[str, str]:
    """Hash of every file under `names` of `root`, by relative path."""
    found: dict[str, str] = {}
    for name in names:
        place = root / name
        members = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
        for path in members:
            if "__pycache__" not in path.parts:
                found[path.relative_to(root).as_posix()] = _hash(path)
    return found


def results_of(study: Path) -> dict[str, str]:
    """Hash of every result of the group, without what freezing and opening write."""
    folder = study / GROUP
    own = {FROZEN.name, OPENED.name}
    return {
        name: digest
        for name, digest in _files(folder).items()
        if name not in own and not name.startswith(f"{UNBLINDED.name}/")
    }


def code_hash() -> str:
    """Hash of the package and its workflow files."""
    package = Path(__file__).resolve().parents[1]
    parts = {f"snakemrs/{k}": v for k, v in _files(package).items() if k.endswith((".py", ".j2", ".yaml"))}
    parts.update(_files(workflow_root(), _CODE))
    return _digest(parts)


def images_of() -> dict[str, Any]:
    """By tool family, what the lock says of its image and the digest of the file on this machine, where it is built."""
    from snakemrs.study.images import LOCK, built_images, lock

    if not (workflow_root() / LOCK).exists():
        return {}
    built = built_images()
    return {
        family: {
            "definition": entry.get("definition"),
            "digest": entry.get("digest"),
            "file": built[family].sha256 if family in built else None,
        }
        for family, entry in sorted(lock().items())
    }


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class State:
    """Everything that a frozen result is made of."""

    results: dict[str, str]
    configuration: dict[str, str]
    version: str
    code: str
    images: dict[str, Any]

    @property
    def hash(self) -> str:
        """One hash over all."""
        return _digest([self.results, self.configuration, self.version, self.code, self.images])


def state_of(study: Path, frozen: Mapping[str, Any] | None = None) -> State:
    """Hash the study as it is now, and what was hashed when it was frozen."""
    before = tuple(frozen["configuration"]) if frozen else ()
    return State(results_of(study), configuration_of(study, before), __version__, code_hash(), images_of())


def freeze(study: Path, time: str) -> dict[str, Any]:
    """Write down the masked result.

    Parameters
    ----------
    study : path
    time : str
        When, for the record.

    Raises
    ------
    RequestError
        If there is no result, a table tells the treatment, the result is not that of the present configuration and
        tables, or the key was opened before.
    """
    if (study / OPENED).exists():
        raise RequestError(
            "the key of this study was opened: a result frozen now would not be blind", file=study / OPENED
        )
    if not (study / GROUP / "statistics" / "results.tsv").exists():
        raise RequestError("there is no result to freeze", file=study / GROUP, remedy="`snakemrs run STUDY` first")
    check_masked(codes_of(study), study / "sessions.tsv")
    config = load_config(study / "study.yaml")
    check_tables(study, sessions_of(study), config.group.design.not_telling)
    if different := differences(study, study / GROUP):
        raise RequestError(
            "the results are not those of the present configuration and tables",
            file=study / GROUP,
            found="; ".join(different[:8]) + (f"; and {len(different) - 8} more" if len(different) > 8 else ""),
            expected="results made with what is frozen beside them",
            remedy=AGAIN,
        )
    state = state_of(study)
    content = {
        "time": time,
        "hash": state.hash,
        "version": state.version,
        "code": state.code,
        "images": state.images,
        "configuration": state.configuration,
        "results": state.results,
    }
    before = _read(study / FROZEN)
    write_json(study / FROZEN, content)
    detail = f"{len(state.results)} results, {len(state.configuration)} files of the study"
    if before and before["hash"] != state.hash:
        detail += f"; frozen anew, before {before['hash'][:12]} of {before['time']}"
    log(study, time, "freeze", state.hash, detail)
    return content


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RequestError("the file cannot be read", file=path, found=str(error)) from None
    return dict(content)


def recorded_hash(study: Path) -> str:
    """Hash of the frozen result for the log; ``n/a`` where there is none that can be read."""
    try:
        return str((_read(study / FROZEN) or {}).get("hash") or MISSING)
    except RequestError:
        return MISSING


def frozen_of(study: Path) -> dict[str, Any]:
    """Read what was frozen.

    Raises
    ------
    RequestError
        If nothing was, or the record itself was changed.
    """
    content = _read(study / FROZEN)
    if content is None:
        raise RequestError(
            "the masked result is not frozen: the key stays closed",
            file=study / FROZEN,
            remedy="when all analyses are final: `snakemrs unblind STUDY --freeze`, then the key",
        )
    parts = [content.get(k) for k in ("results", "configuration", "version", "code", "images")]
    if _digest(parts) != content.get("hash"):
        raise RequestError("the record of the frozen result was changed", file=study / FROZEN)
    return content


def changes(frozen: Mapping[str, Any], now: State) -> list[str]:
    """Say what differs from the frozen result, a line a file."""
    found = []
    for part, current in (("results", now.results), ("configuration", now.configuration)):
        before = frozen[part]
        for name in sorted(set(before) | set(current)):
            if before.get(name) != current.get(name):
                what = "added" if name not in before else "removed" if name not in current else "changed"
                found.append(f"{part}: {name} {what}")
    if frozen["version"] != now.version:
        found.append(f"code: version {now.version}, frozen with {frozen['version']}")
    elif frozen["code"] != now.code:
        found.append("code: the program's files changed")
    if frozen["images"] != now.images:
        found.append("images: the digests changed")
    return found


def codes_of(study: Path) -> list[str]:
    """Masked codes of the study's conditions."""
    path = study / "sessions.tsv"
    rows = read_table(path) if path.exists() else []
    return sorted({row["condition"] for row in rows if row.get("condition") not in (None, "", MISSING)})


def sessions_of(study: Path) -> list[tuple[str, str]]:
    """Participant and session of every row of sessions.tsv."""
    path = study / "sessions.tsv"
    rows = read_table(path) if path.exists() else []
    return [(row["participant_id"].removeprefix("sub-"), row["session_id"].removeprefix("ses-")) for row in rows]


def check_same_key(study: Path, key: Mapping[str, str]) -> None:
    """Refuse a second key that says otherwise than the one that was opened.

    Raises
    ------
    RequestError
        With the codes that differ.
    """
    before = _read(study / OPENED)
    if before is None:
        return
    first = dict(before["key"])
    codes = [code for code in sorted({*first, *key}) if first.get(code) != key.get(code)]
    if codes:
        raise RequestError(
            "the key was opened before, and that one says otherwise",
            file=study / OPENED,
            found=", ".join(f"{code} = {key.get(code, 'nothing')}" for code in codes),
            expected=", ".join(f"{code} = {first.get(code, 'nothing')}" for code in codes)
            + f", as opened {before['time']}",
            remedy="ask who randomised which key is right; the opened one stays until its unblinded.json is removed",
        )


def read_key(path: Path, study: Path) -> dict[str, str]:
    """Read the key: columns ``condition treatment``, or ``participant_id session_id treatment``.

    Raises
    ------
    RequestError
        If the key lies inside the study, leaves a code out, or gives one code two treatments.
    """
    if path.resolve().is_relative_to(study.resolve()):
        raise RequestError(
            "the key lies inside the study: whoever has the study could read it",
            file=path,
            remedy="keep it elsewhere, with the person who randomised",
        )
    rows = read_table(path)
    codes = codes_of(study)
    column = next((c for c in ("treatment", "label", "drug") if rows and c in rows[0]), None)
    if column is None:
        raise RequestError("the key has no column 'treatment'", file=path, expected="columns condition and treatment")
    found: dict[str, set[str]] = {}
    if "condition" in rows[0] or "code" in rows[0]:
        for row in rows:
            found.setdefault(row.get("condition") or row.get("code") or "", set()).add(row[column])
    else:
        sessions: dict[tuple[str, str], Row] = {
            (r["participant_id"].removeprefix("sub-"), r["session_id"].removeprefix("ses-")): r
            for r in read_table(study / "sessions.tsv")
        }
        for line, row in enumerate(rows, start=2):
            place = (row.get("participant_id", "").removeprefix("sub-"), row.get("session_id", "").removeprefix("ses-"))
            if place not in sessions:
                raise RequestError("the key names a session that the study does not have", file=path, line=line,
                                   found=f"sub-{place[0]} ses-{place[1]}")  # fmt: skip
            found.setdefault(sessions[place]["condition"], set()).add(row[column])
    for code in codes:
        if code not in found:
            raise RequestError(f"the key leaves out the code '{code}'", file=path, expected=", ".join(codes))
        if len(found[code]) > 1:
            raise RequestError(
                f"the code '{code}' stands for several treatments", file=path, found=", ".join(sorted(found[code]))
            )
    key = {code: next(iter(found[code])) for code in codes}
    if len(set(key.values())) < len(key):
        raise RequestError("two codes stand for one treatment", file=path, found=str(key))
    return key


def relabel(text: str, key: Mapping[str, str]) -> str:
    """Replace masked codes where a text names a condition: ``condition[T.B]``, ``B - A``, ``under B``."""
    codes = "|".join(re.escape(code) for code in sorted(key, key=len, reverse=True))
    if not codes:
        return text

    def name(match: re.Match[str]) -> str:
        return re.sub(rf"(?<!\w)({codes})(?!\w)", lambda m: key[m.group(1)], match.group())

    for pattern in (
        rf"condition\[T\.(?:{codes})\]",
        rf"(?<!\w)(?:{codes}) - (?:{codes})(?!\w)",
        rf"\bunder (?:{codes})(?!\w)",
    ):
        text = re.sub(pattern, name, text)
    return text


def open_key(study: Path, key: Mapping[str, str], key_hash: str, frozen: Mapping[str, Any], time: str,
             changed: list[str]) -> list[Path]:  # fmt: skip
    """Write the results with the treatments' names; the masked ones stay as they were.

    Returns
    -------
    list of path
        The tables written.
    """
    source, target = study / GROUP, study / UNBLINDED
    written = []
    for path in sorted(
        [
            *(source / "statistics").rglob("*.tsv"),
            *(source / "sensitivity").rglob("*.tsv"),
            source / "flow.tsv",
            source / "flow_participants.tsv",
        ]
    ):
        if not path.exists():
            continue
        header = path.read_text(encoding="utf-8").splitlines()[0].split("\t")
        rows = read_table(path)
        renamed = [{c: _rename(c, cell, key) for c, cell in row.items()} for row in rows]
        place = target / path.relative_to(source)
        dictionary = _read(path.with_suffix(".json"))
        write_table(place, renamed, header, dictionary)
        written.append(place)
    content = {
        "time": time,
        "hash": frozen["hash"],
        "frozen": frozen["time"],
        "key": dict(key),
        "key_sha256": key_hash,
        "changed": changed,
    }
    write_json(study / OPENED, content)
    return written


def _rename(column: str, cell: str, key: Mapping[str, str]) -> str:
    if column == "condition":
        return "/".join(key.get(part, part) for part in cell.split("/"))
    if column == "sequence":
        return _sequence(cell, key)
    return relabel(cell, key)


def _sequence(cell: str, key: Mapping[str, str]) -> str:
    """Name the treatments of a sequence (``AB``) in their order."""
    parts, rest = [], cell
    while rest:
        code = next((c for c in sorted(key, key=len, reverse=True) if rest.startswith(c)), None)
        if code is None:
            return cell
        parts.append(key[code])
        rest = rest[len(code) :]
    return ", then ".join(parts)


def log(study: Path, time: str, action: str, digest: str, detail: str) -> None:
    """Add a line to the log; earlier lines stay."""
    path = study / LOG
    rows: list[dict[str, str]] = list(read_table(path)) if path.exists() else []
    rows.append({"time": time, "action": action, "hash": digest, "detail": detail})
    write_table(path, rows, tuple(LOG_COLUMNS), LOG_COLUMNS)


def hash_of_key(path: Path) -> str:
    """SHA-256 of the key file, so that another key would be noticed."""
    return _hash(path)
