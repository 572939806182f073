"""Propose the scans of a study from recognised raw files: who, when, what, and whose water is whose."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from snakemrs.errors import SnakeMRSError
from snakemrs.ingest.raw import RawFile, inversion_of

Row = dict[str, str]
COLUMNS = ("path", "participant", "session", "suffix", "task", "acq", "voi", "run")
MACROMOLECULES = "mm"

#: Inversion times (s) at which metabolites are nulled and macromolecules are left, from 1.5 to 7 T.
NULLING = (0.2, 1.3)
#: Voxels are one where centres and sides agree within this (mm).
SAME_PLACE = 1.5
#: Echo times are one where they agree within this (s).
SAME_ECHO = 5e-4

_ENTITY = re.compile(r"(?:^|[_/])(sub|ses|task|acq|voi|run)-([A-Za-z0-9]+)")
_LONG = {"sub": "participant", "ses": "session", "task": "task", "acq": "acq", "voi": "voi", "run": "run"}


@dataclass
class Found:
    """A raw file with its place in the study.

    Attributes
    ----------
    raw : RawFile
    path : str
        Relative to the folder of raw files.
    row : dict or None
        Row of scans.tsv; None where it could not be placed.
    note : str
        What it was taken for and why, or why it could not be placed.
    """

    raw: RawFile
    path: str
    row: Row | None = None
    note: str = ""
    names: dict[str, str] = field(default_factory=dict)


def look_through(
    folder: Path, skip: Path | None = None, progress: Callable[[int], None] = lambda count: None
) -> list[Found]:
    """Recognise every raw file below `folder`; damaged ones are kept with their reason.

    Parameters
    ----------
    folder : Path
    skip : Path, optional
        A folder inside that is not looked at (the study).
    progress : callable
        Told how many files have been looked at.
    """
    from snakemrs.ingest.recognise import recognise

    found: list[Found] = []
    taken: set[Path] = set()
    for count, path in enumerate(_files(folder, skip)):
        progress(count)
        if path in taken:
            continue
        relative = path.relative_to(folder).as_posix()
        try:
            raw = recognise(path)
        except SnakeMRSError as error:
            text = error.message + (f" (found: {error.found})" if error.found else "")
            found.append(Found(RawFile(path=path, files=(path,)), relative, note=text))
            continue
        taken.update(raw.files)
        if raw.format == "companion":
            continue
        place = raw.path.relative_to(folder).as_posix() if raw.path.is_relative_to(folder) else relative
        found.append(Found(raw, place))
    return found


#: Files that go with others and are no raw data of their own.
_BESIDE = {
    ".json",
    ".tsv",
    ".txt",
    ".md",
    ".html",
    ".pdf",
    ".bval",
    ".bvec",
    ".csv",
    ".yaml",
    ".yml",
    ".log",
    ".png",
    ".jpg",
}


def _files(folder: Path, skip: Path | None) -> Iterable[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or (skip is not None and path.is_relative_to(skip)):
            continue
        if (
            any(part in ("derivatives", "sourcedata") for part in parts)
            and (folder / "dataset_description.json").exists()
        ):
            continue
        if path.is_file() and path.suffix.lower() not in _BESIDE and path.name not in ("LICENSE", "README", "CHANGES"):
            yield path


def propose(found: list[Found]) -> list[Row]:
    """Place what can be placed; `row` and `note` of each `Found` are set.

    Returns
    -------
    list of dict
        Rows of scans.tsv, by participant, session, suffix.
    """
    _who_and_when(found)
    groups: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for item in found:
        if item.note:
            continue
        if item.raw.problem:
            item.note = f"cannot be used: {item.raw.problem}"
        elif item.raw.kind in ("unknown", "image"):
            item.note = item.raw.why
        else:
            groups[item.names["participant"], item.names["session"]].append(item)
    for items in groups.values():
        _place_session(items)
    _borrow_structural(groups)
    rows = [row for item in found for row in _rows_of(item)]
    order = {"T1w": 0, "svs": 1, "mrsref": 2}
    return sorted(
        rows, key=lambda r: (r["participant"], r["session"], order[r["suffix"]], r["acq"], r["voi"], r["run"])
    )


def _rows_of(item: Found) -> list[Row]:
    if item.row is None:
        return []
    if item.row["suffix"] == "svs" and item.raw.details.get("water_inside"):
        return [item.row, {**item.row, "suffix": "mrsref"}]
    return [item.row]


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", text)


def _who_and_when(found: list[Found]) -> None:
    """Set participant and session from BIDS-like names, else from folders; never from headers."""
    for item in found:
        item.names = {_LONG[short]: value for short, value in _ENTITY.findall(item.path)}
    # Without labels the folders tell: the first level that splits the files is the participant, the next the session.
    nameless = [item for item in found if "participant" not in item.names and not item.note]
    parents = {item.path: Path(item.path).parts[:-1] for item in nameless}
    depth = 0
    while (
        len(parents) > 1
        and all(len(p) > depth for p in parents.values())
        and len({p[depth] for p in parents.values()}) == 1
    ):
        depth += 1
    for item in nameless:
        parts = parents[item.path]
        label = _label(parts[depth]) if len(parts) > depth else (_label(parts[-1]) if parts else "")
        item.names["participant"] = label or "01"
        item.names.setdefault("_below", parts[depth + 1] if len(parts) > depth + 1 else "")
    # A folder below the participant is a session where more than one of them holds spectra.
    below: dict[str, set[str]] = defaultdict(set)
    for item in nameless:
        if item.raw.kind in ("svs", "mrsref"):
            below[item.names["participant"]].add(item.names["_below"])
    for item in found:
        folder = item.names.pop("_below", "")
        if "session" not in item.names:
            several = len(below.get(item.names.get("participant", ""), ())) > 1
            kinds = _label(folder).lower() in (
                "mrs",
                "anat",
                "spectra",
                "t1",
                "t1w",
                "dicom",
                "press",
                "water",
                "ref",
                "act",
            )
            item.names["session"] = _label(folder) if several and folder and not kinds else "01"


def same_place(one: RawFile, other: RawFile) -> bool:
    """Whether two spectra come from one voxel, as far as the headers tell."""
    for a, b in ((one.centre, other.centre), (sorted(one.voxel_size), sorted(other.voxel_size))):
        if a and b and any(abs(x - y) > SAME_PLACE for x, y in zip(a, b, strict=True)):
            return False
    return True


def _same(one: float | None, other: float | None, within: float) -> bool:
    return abs((one or 0.0) - (other or 0.0)) <= within


def _row(item: Found, suffix: str, **more: str) -> Row:
    row = dict.fromkeys(COLUMNS, "n/a")
    row.update({key: value for key, value in item.names.items() if key in row})
    row.update(path=item.path, suffix=suffix, **more)
    return row


def _place_session(items: list[Found]) -> None:
    spectra = [item for item in items if item.raw.kind == "svs"]
    waters = [item for item in items if item.raw.kind == "mrsref"]
    # One spectrum and one of the same voxel whose water could not be judged: the stronger water is the reference.
    _name_spectra(spectra)
    _pair_waters(spectra, waters)
    _place_structural([item for item in items if item.raw.kind == "T1w"])


def _name_spectra(spectra: list[Found]) -> None:
    plain = [s for s in spectra if not s.raw.inversion_time]
    for item in spectra:
        inversion = item.raw.inversion_time
        nulled = inversion is not None and NULLING[0] <= inversion <= NULLING[1]
        partnered = any(same_place(item.raw, other.raw) for other in plain)
        if "acq" in item.names:
            acq = item.names["acq"]
        elif nulled and (partnered or inversion_of(Path(item.path).name.replace("_", " ")) is not None):
            acq = MACROMOLECULES
        else:
            acq = (item.raw.sequence or "svs").lower().replace("-", "")
        item.row = _row(item, "svs", acq=acq)
        times = f"TE {item.raw.echo_time * 1e3:.4g} ms" if item.raw.echo_time else "TE not in the header"
        if acq == MACROMOLECULES and inversion:
            item.note = f"inversion-nulled macromolecules, TI {inversion * 1e3:.4g} ms, {times}"
        else:
            item.note = f"spectrum, {item.raw.sequence or 'sequence unknown'}, {times}"
    _tell_apart_by_echo(spectra)
    _tell_apart_by_place(spectra)
    _number_runs(spectra)


def _rows(items: list[Found]) -> list[tuple[Found, Row]]:
    return [(item, item.row) for item in items if item.row is not None]


def _tell_apart_by_echo(spectra: list[Found]) -> None:
    by_acq: dict[str, list[tuple[Found, Row]]] = defaultdict(list)
    for item, row in _rows(spectra):
        by_acq[row["acq"]].append((item, row))
    for acq, members in by_acq.items():
        echoes = {round((item.raw.echo_time or 0) * 1e3) for item, _ in members}
        if len(echoes) > 1 and acq != MACROMOLECULES:
            for item, row in members:
                row["acq"] = f"{acq}te{round((item.raw.echo_time or 0) * 1e3)}"


def _tell_apart_by_place(spectra: list[Found]) -> None:
    nameless = [(item, row) for item, row in _rows(spectra) if row["voi"] == "n/a"]
    places: list[RawFile] = []
    where: dict[int, int] = {}
    for item, _ in nameless:
        for number, place in enumerate(places):
            if same_place(place, item.raw):
                where[id(item)] = number
                break
        else:
            where[id(item)] = len(places)
            places.append(item.raw)
    if len(places) > 1:
        for item, row in nameless:
            row["voi"] = f"voxel{where[id(item)] + 1}"


def _number_runs(spectra: list[Found]) -> None:
    same: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for _, row in _rows(spectra):
        same[tuple(row[key] for key in ("task", "acq", "voi", "run"))].append(row)
    for rows in same.values():
        if len(rows) > 1:
            for number, row in enumerate(rows, start=1):
                row["run"] = f"{number:02d}" if row["run"] == "n/a" else f"{row['run']}{number:02d}"


def _pair_waters(spectra: list[Found], waters: list[Found]) -> None:
    """Give each spectrum its water: same voxel, inversion and echo time; file names only decide between equals."""
    chosen: dict[int, list[Found]] = defaultdict(list)
    for item, row in _rows(spectra):
        if item.raw.details.get("water_inside"):
            item.note += "; its water reference is in the same file"
            continue
        fitting = [w for w in waters if _fits(item, w)]
        if not fitting:
            item.note += f"; no water reference: {_why_none(item, waters)}"
            continue
        best = max(fitting, key=lambda w: (_likeness(item.path, w.path), -fitting.index(w)))
        chosen[id(best)].append(item)
        if row["acq"] != MACROMOLECULES and not _same(best.raw.echo_time, item.raw.echo_time, SAME_ECHO):
            item.note += "; its water reference has another echo time"
    for water in waters:
        own = chosen.get(id(water), [])
        if not own:
            water.note = _why_left(water, spectra)
            continue
        shared = {key: {s.row[key] for s in own if s.row} for key in ("task", "acq", "voi", "run")}
        if len(shared["acq"]) > 1 or len(shared["voi"]) > 1:
            own = own[:1]
            shared = {key: {s.row[key] for s in own if s.row} for key in shared}
        labels = {key: values.pop() if len(values) == 1 else "n/a" for key, values in shared.items()}
        water.row = _row(water, "mrsref", **labels)
        water.note = "water reference of " + ", ".join(Path(s.path).name for s in own)


def _fits(spectrum: Found, water: Found) -> bool:
    one, other = spectrum.raw, water.raw
    if not same_place(one, other) or not _same(one.inversion_time, other.inversion_time, 0.01):
        return False
    for key in ("acq", "voi"):
        if key in spectrum.names and key in water.names and spectrum.names[key] != water.names[key]:
            return False
    if one.coils and other.coils and one.coils != other.coils:
        return False
    close = one.frequency is None or other.frequency is None or abs(one.frequency - other.frequency) < 0.05
    return close and (
        _same(one.echo_time, other.echo_time, SAME_ECHO) or one.echo_time is None or other.echo_time is None
    )


def _why_none(spectrum: Found, waters: list[Found]) -> str:
    if not waters:
        return "there is none in this session"
    if not any(same_place(spectrum.raw, w.raw) for w in waters):
        return "those of this session are of another voxel"
    return "those of this session have another echo or inversion time, frequency or number of coils"


def _why_left(water: Found, spectra: list[Found]) -> str:
    if not spectra:
        return "water reference without a spectrum in its session"
    if not any(same_place(s.raw, water.raw) for s in spectra):
        return "water reference of another voxel than every spectrum of its session"
    if any(_fits(s, water) for s in spectra):
        return "a second water reference of a spectrum that has one"
    return "water reference whose echo or inversion time, frequency or number of coils fits no spectrum of its session"


def _likeness(one: str, other: str) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, Path(one).name.lower(), Path(other).name.lower()).ratio()


def _place_structural(images: list[Found]) -> None:
    if not images:
        return

    def worth(item: Found) -> tuple[bool, bool, float]:
        name = Path(item.path).name.lower()
        return ("t1w" in name or "t1" in name or "mprage" in name), not item.raw.skull_stripped, _voxels(item.raw)

    best = max(images, key=worth)
    for item in images:
        if item is best:
            item.row = _row(item, "T1w", task="n/a", acq="n/a", voi="n/a", run="n/a")
            item.note = "T1w image, " + ("skull-stripped already" if item.raw.skull_stripped else "whole head")
        else:
            item.note = f"another structural image of this session; {Path(best.path).name} was taken"


def _voxels(raw: RawFile) -> float:
    size = 1.0
    for side in raw.voxel_size[:3]:
        size *= side
    return 1 / size if size else 0.0


def _borrow_structural(groups: dict[tuple[str, str], list[Found]]) -> None:
    """Say where a session has spectra and no T1w of its own: the plan takes the participant's other one."""
    with_t1 = {who for (who, _), items in groups.items() for item in items if item.row and item.row["suffix"] == "T1w"}
    for (who, _), items in groups.items():
        if any(item.row and item.row["suffix"] == "T1w" for item in items):
            continue
        for item in items:
            if item.raw.kind == "svs" and item.row is not None:
                item.note += "; T1w of another session" if who in with_t1 else "; no T1w image: no tissue fractions"
