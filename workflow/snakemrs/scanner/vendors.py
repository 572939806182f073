"""The raw files of each vendor: which writer, which files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.scanner.coils import Receive, draw_coils, receive, single
from snakemrs.scanner.head import Box
from snakemrs.scanner.personal import Personal
from snakemrs.scanner.presets import Protocol
from snakemrs.scanner.signal import SessionSignal, add_noise


@dataclass(frozen=True)
class Scan:
    """What a scanner writes of one session."""

    signal: SessionSignal
    protocol: Protocol
    box: Box
    personal: Personal
    names: tuple[str, ...]


Writer = Callable[[Path, Path, Scan, np.random.Generator], tuple[dict[str, Path], Receive]]


def _philips(raw: Path, folder: Path, scan: Scan, random: np.random.Generator) -> tuple[dict[str, Path], Receive]:
    from snakemrs.scanner.philips import write_pair

    files = {}
    noise = scan.signal.truth.noise
    parts: list[tuple[str, str, np.ndarray]] = [
        ("svs", "PRESS_ACC_raw_act", scan.signal.metabolites),
        ("mrsref", "PRESS_ACC_raw_ref", scan.signal.water),
    ]
    for suffix, name, clean in parts:
        stem = folder / name
        signal = add_noise(clean, noise, random)
        write_pair(raw / stem, signal, scan.protocol, scan.box, scan.personal, "PRESS_ACC", suffix == "mrsref")
        files[suffix] = stem.with_name(f"{name}.SDAT")
    return files, single(noise)


def _philips_list(raw: Path, folder: Path, scan: Scan, random: np.random.Generator) -> tuple[dict[str, Path], Receive]:
    from snakemrs.scanner.philips_list import write_list

    coils = draw_coils(scan.protocol.coils, scan.signal.truth.noise, random)
    metabolites = receive(scan.signal.metabolites, coils, random)
    water = receive(scan.signal.water, coils, random)
    noise = receive(np.zeros((1, scan.protocol.points), complex), coils, random)[0]
    stem = folder / "PRESS_ACC_raw"
    write_list(raw / stem, metabolites, water, noise, scan.protocol, scan.box, scan.personal, "PRESS_ACC")
    # Its water is in the same file, which stands in two rows of scans.tsv.
    path = stem.with_name(f"{stem.name}.data")
    return {"svs": path, "mrsref": path}, coils


def _siemens(raw: Path, folder: Path, scan: Scan, random: np.random.Generator) -> tuple[dict[str, Path], Receive]:
    from snakemrs.scanner.siemens import write_twix

    coils = draw_coils(scan.protocol.coils, scan.signal.truth.noise, random)
    files = {"svs": folder / "meas_MID00042_svs_se_acc.dat", "mrsref": folder / "meas_MID00041_svs_se_acc_wref.dat"}
    signals = {"svs": scan.signal.metabolites, "mrsref": scan.signal.water}
    for suffix, path in files.items():
        received = receive(signals[suffix], coils, random)
        name = "svs_se_acc" if suffix == "svs" else "svs_se_acc_wref"
        start = 36000.0 if suffix == "svs" else 36000.0 - 100.0
        write_twix(raw / path, received, scan.protocol, scan.box, scan.personal, name, start)
    return files, coils


def _ge(raw: Path, folder: Path, scan: Scan, random: np.random.Generator) -> tuple[dict[str, Path], Receive]:
    from snakemrs.scanner.ge import write_pfile

    coils = draw_coils(scan.protocol.coils, scan.signal.truth.noise, random)
    metabolites = receive(scan.signal.metabolites, coils, random)
    water = receive(scan.signal.water, coils, random)
    path = folder / "P12345.7"
    write_pfile(raw / path, metabolites, water, scan.protocol, scan.box, scan.personal)
    # Its water is in the same file, which stands in two rows of scans.tsv.
    return {"svs": path, "mrsref": path}, coils


WRITERS: dict[str, Writer] = {
    "philips": _philips,
    "philips-list": _philips_list,
    "siemens": _siemens,
    "ge": _ge,
}


def vendor_names() -> tuple[str, ...]:
    """Vendors whose raw files can be written."""
    return tuple(WRITERS)


def write_raw(
    vendor: str, raw: Path, folder: Path, scan: Scan, random: np.random.Generator
) -> tuple[dict[str, Path], Receive]:
    """Write the raw spectra of a session.

    Parameters
    ----------
    raw, folder : path
        The folder of all raw files, and that of the session relative to it.

    Returns
    -------
    files : dict
        Suffix (``svs``, ``mrsref``) → path relative to `raw`.
    receive : Receive
    """
    if vendor not in WRITERS:
        raise RequestError(f"there is no vendor '{vendor}'", expected=", ".join(WRITERS))
    return WRITERS[vendor](raw, folder, scan, random)
