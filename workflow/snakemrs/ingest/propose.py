"""Propose the scans of a study from recognised raw files: who, when, what, and whose water is whose."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from snakemrs.errors import SnakeMRSError
from snakemrs.ingest.pairing import (
    MACROMOLECULES,
    Found,
    Row,
    leave_out_exports,
    new_row,
    pair_waters,
    placed,
    same_place,
)
from snakemrs.ingest.raw import RawFile, inversion_of

#: Inversion times (s) at which metabolites are nulled and macromolecules are left, from 1.5 to 7 T.
NULLING = (0.2, 1.3)
_ENTITY = re.compile(r"(?:^|[_/])(sub|ses|task|acq|voi|run)-([A-Za-z0-9]+)")
_LONG = {"sub": "participant", "ses": "session", "task": "task", "acq": "acq", "voi": "voi", "run": "run"}


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
    _trust_bids_names(found)
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


_BIDS_NAME = re.compile(r"sub-[A-Za-z0-9]+_(?:[a-z]+-[A-Za-z0-9]+_)*([A-Za-z0-9]+)\.nii(?:\.gz)?")


_OTHER_IMAGES = {"T2w", "FLAIR", "PDw", "T2star", "bold", "dwi", "UNIT1", "MP2RAGE", "angio", "mask", "probseg"}


def _trust_bids_names(found: list[Found]) -> None:
    """Let the suffix of a BIDS name decide for NIfTI files: whoever made a dataset said what each file is."""
    for item in found:
        match = _BIDS_NAME.fullmatch(Path(item.path).name)
        if match is None or item.note:
            continue
        suffix = match.group(1)
        if item.raw.format == "nifti-mrs" and suffix in ("svs", "mrsref") and item.raw.kind in ("svs", "mrsref"):
            item.raw = replace(item.raw, kind=suffix)  # type: ignore[arg-type]
        elif item.raw.format == "nifti" and item.raw.kind == "T1w" and suffix in _OTHER_IMAGES:
            item.note = f"an image, but its BIDS name says {suffix}"


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
    owners: dict[str, str] = {}
    for item in nameless:
        parts = parents[item.path]
        folder = parts[depth] if len(parts) > depth else (parts[-1] if parts else "")
        label = _label(folder) or "01"
        # Folders such as P-1 and P1 are two people.
        while owners.setdefault(label, folder) != folder:
            label += "x"
        item.names["participant"] = label
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


def _place_session(items: list[Found]) -> None:
    scans = leave_out_exports([item for item in items if item.raw.kind in ("svs", "mrsref")])
    spectra = [item for item in scans if item.raw.kind == "svs"]
    waters = [item for item in scans if item.raw.kind == "mrsref"]
    _name_spectra(spectra)
    pair_waters(spectra, waters)
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
        item.row = new_row(item, "svs", acq=acq)
        times = f"TE {item.raw.echo_time * 1e3:.4g} ms" if item.raw.echo_time else "TE not in the header"
        if acq == MACROMOLECULES and inversion:
            item.note = f"inversion-nulled macromolecules, TI {inversion * 1e3:.4g} ms, {times}"
        else:
            item.note = f"spectrum, {item.raw.sequence or 'sequence unknown'}, {times}"
    _tell_apart_by_echo(spectra)
    _tell_apart_by_place(spectra)
    _number_runs(spectra)


def _tell_apart_by_echo(spectra: list[Found]) -> None:
    by_acq: dict[str, list[tuple[Found, Row]]] = defaultdict(list)
    for item, row in placed(spectra):
        by_acq[row["acq"]].append((item, row))
    for acq, members in by_acq.items():
        echoes = {round((item.raw.echo_time or 0) * 1e3) for item, _ in members}
        if len(echoes) > 1 and acq != MACROMOLECULES:
            for item, row in members:
                row["acq"] = f"{acq}te{round((item.raw.echo_time or 0) * 1e3)}"


def _tell_apart_by_place(spectra: list[Found]) -> None:
    nameless = [(item, row) for item, row in placed(spectra) if row["voi"] == "n/a"]
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
    for _, row in placed(spectra):
        same[tuple(row[key] for key in ("task", "acq", "voi", "run"))].append(row)
    for rows in same.values():
        if len(rows) > 1:
            for number, row in enumerate(rows, start=1):
                row["run"] = f"{number:02d}" if row["run"] == "n/a" else f"{row['run']}{number:02d}"


def _place_structural(images: list[Found]) -> None:
    if not images:
        return

    def worth(item: Found) -> tuple[bool, bool, float]:
        name = Path(item.path).name.lower()
        return ("t1w" in name or "t1" in name or "mprage" in name), not item.raw.skull_stripped, _voxels(item.raw)

    best = max(images, key=worth)
    for item in images:
        if item is best:
            item.row = new_row(item, "T1w", task="n/a", acq="n/a", voi="n/a", run="n/a")
            # Of a DICOM series the image is only looked at when it is converted.
            item.note = (
                "T1w image"
                + {True: ", skull-stripped already", False: ", whole head", None: ""}[item.raw.skull_stripped]
            )
        else:
            item.note = f"another structural image of this session; {Path(best.path).name} was taken"


def _voxels(raw: RawFile) -> float:
    size = 1.0
    for side in raw.voxel_size[:3]:
        size *= side
    return 1 / size if size else 0.0


def _borrow_structural(groups: dict[tuple[str, str], list[Found]]) -> None:
    """Say where a session has spectra and no T1w of its own: the plan takes the participant's other one."""
    measured = {who for (who, _), items in groups.items() for item in items if item.raw.kind == "svs" and item.row}
    for (who, _), items in groups.items():
        for item in items if who not in measured else []:
            if item.row is not None:
                item.row, item.note = None, f"{item.note}, but of this participant there is no spectrum"
    with_t1 = {who for (who, _), items in groups.items() for item in items if item.row and item.row["suffix"] == "T1w"}
    for (who, _), items in groups.items():
        if any(item.row and item.row["suffix"] == "T1w" for item in items):
            continue
        for item in items:
            if item.raw.kind == "svs" and item.row is not None:
                item.note += "; T1w of another session" if who in with_t1 else "; no T1w image: no tissue fractions"
