"""The raw files of each vendor: which writer, which files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from snakemrs.errors import RequestError
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


@dataclass(frozen=True)
class Receive:
    """What is true of the receive coils; empty where the scanner combined them.

    Attributes
    ----------
    sensitivities : ndarray of complex, shape (coils,)
    noise_covariance : ndarray of complex, shape (coils, coils)
        Of the complex noise of one point (sum of both parts).
    """

    sensitivities: np.ndarray = field(default_factory=lambda: np.ones(1, complex))
    noise_covariance: np.ndarray = field(default_factory=lambda: np.eye(1, dtype=complex))


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
    return files, Receive(noise_covariance=np.array([[2 * noise**2]], complex))


WRITERS: dict[str, Writer] = {"philips": _philips}


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
