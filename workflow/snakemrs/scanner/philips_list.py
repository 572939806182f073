"""Philips DATA/LIST: the samples of each coil of each transient, and a text line for each; geometry in a SPAR beside.

The file holds the conjugate of the sign of NIfTI-MRS. Mix 0 are metabolites, mix 1 water, NOI the
noise before the scan.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snakemrs.io.atomic import replacing, write_text
from snakemrs.scanner.head import Box
from snakemrs.scanner.personal import Personal
from snakemrs.scanner.philips import spar_text
from snakemrs.scanner.presets import Protocol


def write_list(
    stem: Path,
    metabolites: np.ndarray,
    water: np.ndarray,
    noise: np.ndarray,
    protocol: Protocol,
    box: Box,
    personal: Personal,
    scan_id: str,
) -> None:
    """Write STEM.data, STEM.list and STEM.SPAR.

    Parameters
    ----------
    metabolites, water : ndarray of complex, shape (transients, coils, points)
        In the sign of NIfTI-MRS.
    noise : ndarray of complex, shape (coils, points)
    """
    coils, points = noise.shape
    size = 8 * points
    lines: list[str] = []
    offset = 0
    with replacing(stem.with_name(stem.name + ".data")) as temporary, temporary.open("wb") as stream:
        for coil in range(coils):
            stream.write(noise[coil].conj().astype("<c8").tobytes())
            lines.append(_line("NOI", 0, coil, 0, size, offset))
            offset += size
        for mix, signal in enumerate((metabolites, water)):
            for transient in range(len(signal)):
                stream.write(signal[transient].conj().astype("<c8").tobytes())
                for coil in range(coils):
                    lines.append(_line("STD", mix, coil, transient, size, offset))
                    offset += size
    write_text(
        stem.with_name(stem.name + ".list"), _head(personal, scan_id, coils, metabolites, water) + "".join(lines)
    )
    spar = spar_text(len(metabolites), points, protocol, box, personal, scan_id, water=False)
    write_text(stem.with_name(stem.name + ".SPAR"), spar)


def _line(kind: str, mix: int, coil: int, transient: int, size: int, offset: int) -> str:
    """A line of 21 columns, as the last comment of `_head` names them."""
    columns = [kind, mix, 0, 0, 0, 0, coil, 0, 0, 0, 0, 0, transient, 1, 0, 0, 0, 0, 0, size, offset]
    return "  " + " ".join(f"{column:>5}" for column in columns) + "\n"


def _head(personal: Personal, scan_id: str, coils: int, metabolites: np.ndarray, water: np.ndarray) -> str:
    """Comments and the general information that readers look for."""
    lines = [
        "# === DATA DESCRIPTION FILE ======================================================",
        "#",
        f"# Patient name   : {personal.name}",
        f"# Examination    : {personal.identifier}, born {personal.birth_date}",
        f"# Scan name      : {scan_id}",
        "#",
        "# === GENERAL INFORMATION ========================================================",
        "#",
        "# n.a. n.a. n.a.  number_of_mixes                      :     2",
        ".    0    0    0  number_of_mixes                      :     2",
    ]
    for mix, signal in enumerate((metabolites, water)):
        lines += [
            f".    {mix}    0    0  number_of_encoding_dimensions        :     0",
            f".    {mix}    0    0  number_of_dynamic_scans              :     1",
            f".    {mix}    0    0  number_of_signal_averages            :  {len(signal):4d}",
            f".    {mix}    0    0  number_of_coil_channels              :  {coils:4d}",
        ]
    lines += [
        "#",
        "# === START OF DATA VECTOR INDEX =================================================",
        "#",
        "# typ mix dyn card echo loca chan extr1 extr2 kx ky kz aver sign rf grad enc rtop rr size offset",
        "#",
    ]
    return "\n".join(lines) + "\n"
