"""Folders of a file a metabolite: json (FSL-MRS), two columns of text, jMRUI text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.io.atomic import MARK, write_json
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats.raw import RawBasis

DESCRIPTION = "basis.json"
FORMAT = "SnakeMRS basis"


def read_json_folder(folder: Path) -> RawBasis | Basis:
    """Read a folder in the json format of FSL-MRS; one that SnakeMRS wrote comes back exactly as a `Basis`."""
    contents: dict[str, Any] = {}
    for path in sorted(folder.glob("[!.]*.json")):
        try:
            contents[path.name] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RequestError("the basis file is no JSON", file=path, found=str(error)) from None
    description = contents.pop(DESCRIPTION, None)
    signals: dict[str, np.ndarray] = {}
    entry: dict[str, Any] = {}
    dwell, centre = set(), set()
    for name, content in contents.items():
        entry = content.get("basis", content)
        try:
            signal = np.empty(len(entry["basis_re"]), complex)
            signal.real, signal.imag = entry["basis_re"], entry["basis_im"]
            dwell.add(float(entry["basis_dwell"]))
            centre.add(float(entry["basis_centre"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RequestError(
                "the basis file lacks something", file=folder / name, found=str(error), expected="basis_re, basis_im, …"
            ) from None
        signals[str(entry.get("basis_name") or name.removesuffix(".json"))] = signal
    if len(dwell) != 1 or len(centre) != 1 or len({len(s) for s in signals.values()}) != 1:
        raise RequestError(
            "the files of the basis do not belong together",
            file=folder,
            found=f"dwell times {sorted(dwell)}, frequencies {sorted(centre)}",
            expected="one dwell time, one frequency and one length",
        )
    (step,), (frequency,) = dwell, centre
    if description and description.get("format") == FORMAT:
        names = tuple(description["names"])
        missing = [name for name in names if name not in signals]
        if missing:
            raise RequestError("metabolites of the basis are missing", file=folder, found=", ".join(missing))
        return Basis(
            names=names,
            fids=np.array([signals[name] for name in names]),
            dwell_time=step,
            spectrometer_frequency=frequency,
            kinds=tuple(description["kinds"]),
            nucleus=description["nucleus"],
            echo_time=description["echo_time"],
            sequence=description["sequence"],
            line_width=description["line_width"],
            notes=description["notes"],
        )
    return RawBasis(
        path=folder,
        format="FSL-MRS json",
        names=list(signals),
        fids=np.array(list(signals.values())),
        dwell_time=step,
        spectrometer_frequency=frequency,
        nucleus=str(entry.get("basis_nucleus", "1H")),
        **_timing(contents),
    )


def _timing(contents: dict[str, Any]) -> dict[str, Any]:
    """Sequence and echo time where the file's own description of the simulation holds them."""
    for content in contents.values():
        meta = content.get("meta") or content.get("seq") or {}
        if isinstance(meta, dict):
            sequence = meta.get("sequenceName") or meta.get("method")
            te = meta.get("TE") or meta.get("te")
            if sequence or te:
                return {"sequence": None if sequence is None else str(sequence), "echo_time": te}
    return {}


def write_json_folder(basis: Basis, folder: str | Path) -> None:
    """Write a basis as a folder of json in the format of FSL-MRS, with ``basis.json`` for what that format lacks.

    Floats are written in full, so that `read_basis` gives the very same basis. ``basis.json`` comes last: a folder
    without it is not whole.

    Parameters
    ----------
    basis : Basis
    folder : path
        Made where it does not exist.

    Raises
    ------
    RequestError
        The folder holds something else than a basis, or than what a broken-off call of this function left.
    """
    folder = Path(folder)
    files = {f"{name}.json" for name in basis.names} | {DESCRIPTION}
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    rests = {name for name in there if name.startswith(MARK)}
    if DESCRIPTION not in there and not there <= files | rests:
        raise RequestError(
            "the output folder holds other things",
            file=folder,
            found=sorted(there - files - rests)[0],
            remedy="name an empty folder or one with a basis",
        )
    for name in rests | {DESCRIPTION}:
        (folder / name).unlink(missing_ok=True)
    for name, fid in zip(basis.names, np.asarray(basis.fids, complex), strict=True):
        entry = {
            "basis_re": fid.real.tolist(),
            "basis_im": fid.imag.tolist(),
            "basis_dwell": float(basis.dwell_time),
            "basis_centre": float(basis.spectrometer_frequency),
            "basis_width": float(basis.line_width),
            "basis_name": name,
            "basis_nucleus": basis.nucleus,
        }
        write_json(folder / f"{name}.json", {"basis": entry})
    description = {
        "format": FORMAT,
        "names": list(basis.names),
        "kinds": list(basis.kinds),
        "nucleus": basis.nucleus,
        "echo_time": basis.echo_time,
        "sequence": basis.sequence,
        "line_width": float(basis.line_width),
        "dwell_time": float(basis.dwell_time),
        "spectrometer_frequency": float(basis.spectrometer_frequency),
        "points": basis.points,
        "normalisation": "one proton counts one",
        "notes": basis.notes,
    }
    write_json(folder / DESCRIPTION, description)


def read_text_folder(folder: Path, dwell_time: float | None, spectrometer_frequency: float | None) -> RawBasis:
    """Read a folder of jMRUI text or of two columns (real, imaginary part)."""
    names: list[str] = []
    signals: list[np.ndarray] = []
    is_jmrui = False
    for path in sorted(folder.glob("*.txt")):
        text = path.read_text(encoding="latin-1")
        if "jMRUI" in text[:200]:
            is_jmrui = True
            step, frequency, columns = _jmrui(path, text)
            if dwell_time is None or not names:
                dwell_time, spectrometer_frequency = step, frequency
        else:
            columns = _columns(path, text)
        names.append(path.stem)
        signals.append(columns[:, 0] + 1j * columns[:, 1])
    if dwell_time is None or spectrometer_frequency is None:
        raise RequestError(
            "text files of a basis say neither dwell time nor spectrometer frequency",
            file=folder,
            remedy="give --bandwidth (Hz) and --frequency (MHz) of the basis, or fit data recorded with the same",
        )
    if len({len(s) for s in signals}) != 1:
        raise RequestError("the files of the basis differ in length", file=folder)
    return RawBasis(
        path=folder,
        format="jMRUI text" if is_jmrui else "text",
        names=names,
        fids=np.array(signals),
        dwell_time=dwell_time,
        spectrometer_frequency=spectrometer_frequency,
    )


def _jmrui(path: Path, text: str) -> tuple[float, float, np.ndarray]:
    """Dwell time (s), frequency (MHz) and the first two columns of a jMRUI text file."""
    fields = dict(re.findall(r"^\s*(\w+)\s*:\s*(\S+)", text, re.MULTILINE))
    try:
        step = float(fields["SamplingInterval"]) * 1e-3
        frequency = float(fields["TransmitterFrequency"]) * 1e-6
    except (KeyError, ValueError) as error:
        raise RequestError("the jMRUI header is incomplete", file=path, expected=str(error)) from None
    lines = [line for line in text.splitlines() if re.match(r"^\s*[-+]?\d*\.?\d+([eE][-+]?\d+)?\s+[-+\d.]", line)]
    return step, frequency, _columns(path, "\n".join(lines))


def _columns(path: Path, text: str) -> np.ndarray:
    try:
        columns = np.array([[float(x) for x in line.split()[:2]] for line in text.splitlines() if line.strip()])
    except ValueError as error:
        raise RequestError("the text file is no table of numbers", file=path, found=str(error)) from None
    if columns.ndim != 2 or columns.shape[1] != 2:
        raise RequestError("the text file has not two columns", file=path, found=f"shape {columns.shape}")
    return columns
