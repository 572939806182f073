"""Which raw files belong together: exports of one scan, and spectra with their water references."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from snakemrs.ingest.raw import RawFile

Row = dict[str, str]
COLUMNS = ("path", "participant", "session", "suffix", "task", "acq", "voi", "run")
MACROMOLECULES = "mm"

#: Voxels are one where centres and sides agree within this (mm).
SAME_PLACE = 1.5
#: Echo times are one where they agree within this (s).
SAME_ECHO = 5e-4


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


def same_place(one: RawFile, other: RawFile) -> bool:
    """Whether two spectra come from one voxel, as far as the headers tell."""
    for a, b in ((one.centre, other.centre), (sorted(one.voxel_size), sorted(other.voxel_size))):
        if a and b and any(abs(x - y) > SAME_PLACE for x, y in zip(a, b, strict=True)):
            return False
    return True


def same(one: float | None, other: float | None, within: float) -> bool:
    """Whether two times agree within a tolerance; an absent one counts as zero."""
    return abs((one or 0.0) - (other or 0.0)) <= within


def new_row(item: Found, suffix: str, **more: str) -> Row:
    """Make a row of scans.tsv from the labels in the file's name and those given."""
    row = dict.fromkeys(COLUMNS, "n/a")
    row.update({key: value for key, value in item.names.items() if key in row})
    row.update(path=item.path, suffix=suffix, **more)
    return row


def placed(items: list[Found]) -> list[tuple[Found, Row]]:
    """Give the files that have a row, with it."""
    return [(item, item.row) for item in items if item.row is not None]


#: Where a scanner exports one scan in several forms, the rawest is taken.
_RAWEST = ("twix-vb", "twix-vd", "ge", "data-list", "dicom-mrs", "uih", "rda", "sdat")


def leave_out_exports(items: list[Found]) -> list[Found]:
    """Leave out what is the same scan in a form further from the receiver: SDAT beside DATA/LIST, RDA beside twix."""
    kept: list[Found] = []
    for item in items:
        raw = item.raw
        if raw.format not in _RAWEST:
            kept.append(item)
            continue
        rawer = [
            other
            for other in items
            if other.raw.format in _RAWEST[: _RAWEST.index(raw.format)]
            and other.raw.vendor == raw.vendor
            and (other.raw.kind == raw.kind or other.raw.details.get("water_inside"))
            and same_place(other.raw, raw)
            and same(other.raw.echo_time, raw.echo_time, SAME_ECHO)
            and same(other.raw.inversion_time, raw.inversion_time, 0.01)
            and abs((other.raw.frequency or 0) - (raw.frequency or 0)) < 1e-4
        ]
        if rawer:
            item.note = f"the same scan as {Path(rawer[0].path).name}, which is nearer to the receiver and was taken"
        else:
            kept.append(item)
    return kept


def pair_waters(spectra: list[Found], waters: list[Found]) -> None:
    """Give each spectrum its water: same voxel, inversion and echo time; file names only decide between equals."""
    chosen: dict[int, list[Found]] = defaultdict(list)
    for item, row in placed(spectra):
        if item.raw.details.get("water_inside"):
            item.note += "; its water reference is in the same file"
            continue
        fitting = [w for w in waters if _fits(item, w)]
        if not fitting:
            item.note += f"; no water reference: {_why_none(item, waters)}"
            continue
        best = max(fitting, key=lambda w: (_likeness(item.path, w.path), -fitting.index(w)))
        chosen[id(best)].append(item)
        if row["acq"] != MACROMOLECULES and not same(best.raw.echo_time, item.raw.echo_time, SAME_ECHO):
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
        water.row = new_row(water, "mrsref", **labels)
        water.note = "water reference of " + ", ".join(Path(s.path).name for s in own)


def _fits(spectrum: Found, water: Found) -> bool:
    one, other = spectrum.raw, water.raw
    if not same_place(one, other) or not same(one.inversion_time, other.inversion_time, 0.01):
        return False
    for key in ("acq", "voi"):
        if key in spectrum.names and key in water.names and spectrum.names[key] != water.names[key]:
            return False
    if one.coils and other.coils and one.coils != other.coils:
        return False
    close = one.frequency is None or other.frequency is None or abs(one.frequency - other.frequency) < 0.05
    return close and (
        same(one.echo_time, other.echo_time, SAME_ECHO) or one.echo_time is None or other.echo_time is None
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
