"""LCModel's ``.BASIS`` files.

A ``.BASIS`` file holds for each metabolite a spectrum: the discrete Fourier transform of the time signal, usually
filled with as many zeros, zero frequency first, rotated by ``ISHIFT`` points. Source: Provencher, LCModel & LCMgui
User's Manual, sections 8 and 10.1.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.io.atomic import write_text
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats.raw import RawBasis

NUMBER = r"([-+]?\d*\.?\d+(?:[eEdD][-+]?\d+)?)"


def read_lcmodel(path: Path) -> RawBasis:
    """Read a ``.BASIS`` file, with each metabolite divided by its ``CONC``."""
    text = path.read_text(encoding="latin-1")
    head, *blocks = re.split(r"\$BASIS(?!\d)", text)
    dwell, count, frequency = (_number(head, key) for key in ("BADELT", "NDATAB", "HZPPPM"))
    if not blocks or not dwell or not count or not frequency:
        raise RequestError("this is no LCModel basis", file=path, expected="BADELT, NDATAB, HZPPPM and $BASIS sections")
    names: list[str] = []
    signals: list[np.ndarray] = []
    for block in blocks:
        options, _, rest = block.partition("$END")
        found = re.search(r"METABO\s*=\s*'([^']*)'", options)
        values = np.array(rest.split("$")[0].split(), float)
        name = found.group(1).strip() if found else f"entry {len(names) + 1}"
        if values.size != 2 * int(count):
            raise RequestError(
                f"the spectrum of {name} is incomplete",
                file=path,
                found=f"{values.size // 2} points",
                expected=f"{int(count)} points (NDATAB)",
            )
        spectrum = np.roll(values[0::2] + 1j * values[1::2], -int(_number(options, "ISHIFT") or 0))
        names.append(name)
        signals.append(np.fft.ifft(spectrum) / (_number(options, "CONC") or 1.0))
    fids = np.array(signals)
    energy = np.abs(fids) ** 2
    half = fids.shape[1] // 2
    zero_filled = bool(energy[:, half:].sum() < 1e-6 * energy.sum())
    sequence = re.search(r"SEQ\s*=\s*'([^']*)'", head)
    echo_time = _number(head, "ECHOT")
    return RawBasis(
        path=path,
        format="LCModel",
        names=names,
        fids=fids[:, :half] if zero_filled else fids,
        dwell_time=dwell,
        spectrometer_frequency=frequency,
        echo_time=echo_time * 1e-3 if echo_time and echo_time > 0 else None,
        sequence=(sequence.group(1).strip().lower() or None) if sequence else None,
        notes={"zero_filled": zero_filled},
    )


def _number(text: str, key: str) -> float | None:
    found = re.search(rf"\b{key}\s*=\s*{NUMBER}", text)
    return float(found.group(1).replace("D", "e").replace("d", "e")) if found else None


def write_lcmodel(basis: Basis, path: str | Path) -> None:
    """Write a basis as LCModel ``.BASIS`` (zero-filled once, no reference peak).

    The numbers are those of SnakeMRS (one proton counts one); seven digits are kept.
    """
    count = 2 * basis.points
    out = [
        " $SEQPAR",
        f" FWHMBA = {basis.line_width / basis.spectrometer_frequency:.6f},",
        f" HZPPPM = {basis.spectrometer_frequency:.6f},",
        f" ECHOT = {(basis.echo_time or 0.0) * 1e3:.3f},",
        f" SEQ = '{(basis.sequence or '').upper()}'",
        " $END",
        " $BASIS1",
        " IDBASI = 'SnakeMRS',",
        " FMTBAS = '(6E15.7)',",
        f" BADELT = {basis.dwell_time:.12g},",
        f" NDATAB = {count}",
        " $END",
    ]
    for name, fid in zip(basis.names, basis.fids, strict=True):
        out += [" $NMUSED", " XTRASH = 0.", " $END", " $BASIS", f" ID = '{name}',", f" METABO = '{name}',"]
        out += [" CONC = 1.,", " TRAMP = 1.,", " VOLUME = 1.,", " ISHIFT = 0", " $END"]
        spectrum = np.fft.fft(fid, count)
        flat = np.stack([spectrum.real, spectrum.imag], axis=1).ravel()
        for start in range(0, flat.size, 6):
            out.append("".join(f"{value:15.7E}" for value in flat[start : start + 6]))
    write_text(path, "\n".join(out) + "\n")
