"""Sign, reference, reference peak and scale of a basis, found from the lines that are known.

Files of different programs differ in the sign of the imaginary part, in the frequency that zero stands for, in whether
the first point is halved, in a reference peak at 0 ppm, and in scale. All of it shows in the singlets: methyl of NAA at
2.01 ppm, of creatine at 3.03 ppm, of cholines at 3.21 ppm (Govindaraju et al., NMR Biomed 2000, 13:129).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.spins.axis import WATER_PPM, shift_frequency
from snakemrs.spins.basis import Basis, Kind
from snakemrs.spins.basis_formats.raw import RawBasis
from snakemrs.spins.basis_formats.singlet import Singlet, fit_singlet
from snakemrs.spins.first_point import expected_first_point, first_point_ratio
from snakemrs.study.resources import constants

SEARCH_PPM = 2.5
"""How far the reference of a file may lie from 4.65 ppm."""


def settle(raw: RawBasis) -> Basis:
    """Bring a basis to SnakeMRS's conventions (`snakemrs.spins.basis`).

    Raises
    ------
    RequestError
        If no known singlet is found where its metabolite says it must be.
    """
    names = canonical_names(raw.names)
    fids = np.asarray(raw.fids, complex)
    keep = [n for n, name in enumerate(names) if np.any(fids[n]) and not re.fullmatch(r"(?i)ref.*0.*ppm", name)]
    names, fids = [names[n] for n in keep], fids[keep]
    length = int(np.flatnonzero(np.any(fids != 0, axis=0))[-1]) + 1
    fids = fids[:, :length]
    notes: dict[str, Any] = {"file": raw.path.name, "format": raw.format, **raw.notes}
    renamed = {old: new for old, new in zip((raw.names[n] for n in keep), names, strict=True) if old != new}
    if renamed:
        notes["renamed"] = renamed
    conjugated, offset = find_axis(names, fids, raw)
    if conjugated:
        fids = fids.conj()
    frequency = raw.spectrometer_frequency
    fids = shift_frequency(fids, -offset * frequency, raw.dwell_time)
    if _first_point_is_halved(names, fids):
        fids = fids.copy()
        fids[:, 0] *= 2
        notes["first_point"] = "was halved; doubled"
    fids, mended = _mend_macromolecules(names, fids, raw)
    if mended:
        notes["first_point_mended"] = mended
    lines = _singlets(names, fids, raw)
    rest = float(np.median([line.shift - expected for _, expected, _, line in lines]))
    fids = shift_frequency(fids, rest * frequency, raw.dwell_time)
    fids, removed = _without_reference_peak(fids, raw)
    if removed:
        notes["reference_peak"] = f"a line at 0 ppm was removed from {removed} signals"
    per_proton: dict[str, float] = {
        f"{name} {expected:g} ppm": line.amplitude / protons for name, expected, protons, line in lines
    }
    scale = float(np.median(list(per_proton.values())))
    spread = float(max(abs(value / scale - 1) for value in per_proton.values()))
    notes |= {
        "conjugated": conjugated,
        "reference_shift_ppm": round(offset - rest, 5),
        "scale_per_proton": scale,
        "scale_from": {key: round(value / scale, 5) for key, value in per_proton.items()},
    }
    if spread > 0.05:
        notes["warning"] = (
            f"the singlets disagree about the scale by up to {spread:.0%}: concentrations of this basis are relative "
            "to the median of its singlets"
        )
    return Basis(
        names=tuple(names),
        fids=fids / scale,
        dwell_time=raw.dwell_time,
        spectrometer_frequency=frequency,
        kinds=tuple(kind_of(name) for name in names),
        nucleus=raw.nucleus,
        echo_time=raw.echo_time,
        sequence=sequence_of(raw.sequence),
        line_width=max(0.0, float(np.median([line.width for *_, line in lines]))),
        notes=notes,
    )


def canonical_names(names: list[str]) -> list[str]:
    """Give metabolites the names that SnakeMRS uses; a name that would occur twice keeps its own."""
    aliases: dict[str, str] = constants("fit_basis")["aliases"]
    known = {name.lower(): name for name in constants("fit_basis")["singlets"]}
    out: list[str] = []
    for name in names:
        short = re.sub(r"[-_ ]", "", name.strip()).lower()
        new = aliases.get(short) or known.get(short) or name.strip()
        while new in out:
            new = name.strip() if name.strip() not in out else new + "_2"
        out.append(new)
    return out


def kind_of(name: str) -> Kind:
    """Tell macromolecules and lipids from metabolites by name: ``MM``, ``MM09``; ``Lip13``."""
    if re.fullmatch(r"(?i)mm(bl|exp)?|mm[\d_.-].*|m\d\d?", name):
        return "macromolecule"
    return "lipid" if re.match(r"(?i)lip", name) else "metabolite"


def sequence_of(name: str | None) -> str | None:
    """Name of a sequence as SnakeMRS writes it, where it is known."""
    if not name:
        return None
    short = re.sub(r"[-_ ]", "", name.lower())
    known = {"slaser": "slaser", "semilaser": "slaser", "steam": "steam", "press": "press", "spinecho": "spin-echo"}
    return next((value for key, value in known.items() if key in short), name)


def find_axis(names: list[str], fids: np.ndarray, raw: RawBasis) -> tuple[bool, float]:
    """Find whether the signals are conjugated and how far their reference lies from 4.65 ppm.

    The power of each metabolite with a known singlet, smoothed to 0.03 ppm, is read where its singlet should be, for
    both signs and all offsets. Metabolites with different shifts agree for one of them only.

    Returns
    -------
    conjugated : bool
    offset : float
        ppm; what must be added to the file's shifts.
    """
    known = constants("fit_basis")["singlets"]
    use = [n for n, name in enumerate(names) if name in known]
    expected = [known[names[n]][0][0] for n in use]
    if len({round(ppm, 1) for ppm in expected}) < 2:
        if not use:
            return False, 0.0
        use, expected = use[:1], expected[:1]
    step = 0.005
    offsets = np.arange(-SEARCH_PPM, SEARCH_PPM + step / 2, step)
    if len(use) == 1:
        offsets = offsets[np.abs(offsets) < 0.1]
    time = np.arange(fids.shape[1]) * raw.dwell_time
    best: tuple[float, bool, float] = (-1.0, False, 0.0)
    scores = []
    for conjugated in (False, True):
        total = np.zeros(len(offsets))
        for n, ppm in zip(use, expected, strict=True):
            fid = fids[n].conj() if conjugated else fids[n]
            smooth = fid * np.exp(-((0.02 * raw.spectrometer_frequency * np.pi * time) ** 2) / (4 * np.log(2)))
            count = 2 * fids.shape[1]
            power = np.abs(np.fft.fft(smooth, count)) ** 2
            at = (WATER_PPM - (ppm - offsets)) * raw.spectrometer_frequency
            index = np.round(at * raw.dwell_time * count).astype(int) % count
            total += power[index] / power.sum()
        scores.append(float(total.max()) / len(use))
        k = int(np.argmax(total - 1e-6 * np.abs(offsets)))
        if total[k] > best[0]:
            best = (float(total[k]), conjugated, float(offsets[k]))
    if max(scores) < 5e-4:
        raise RequestError(
            "no known line of the basis lies where it should, with either sign of the imaginary part",
            file=raw.path,
            expected="NAA at 2.01 ppm, creatine at 3.03 ppm, cholines at 3.21 ppm",
            remedy="check dwell time and spectrometer frequency of the basis",
        )
    return best[1], best[2]


def _first_point_is_halved(names: list[str], fids: np.ndarray) -> bool:
    """Whether the first point of the singlets is half of what the next points say."""
    ratios = []
    for n, name in enumerate(names):
        if name in ("Cr", "PCr", "GPC", "PCho", "sIns", "Gly", "Ace"):
            size = np.abs(fids[n, :4])
            ratios.append(size[0] / max(2 * size[1] - size[2], 1e-30))
    return bool(ratios) and 0.4 < float(np.median(ratios)) < 0.6


def _mend_macromolecules(names: list[str], fids: np.ndarray, raw: RawBasis) -> tuple[np.ndarray, list[str]]:
    """Bring the first point of macromolecules to full height where it is far off; they come from other sources."""
    ratio = first_point_ratio(fids, raw.dwell_time, raw.spectrometer_frequency)
    expected = expected_first_point(fids, raw.dwell_time, raw.spectrometer_frequency)
    mend = [n for n, name in enumerate(names) if kind_of(name) == "macromolecule" and not 0.6 < ratio[n] < 1.6]
    fids = fids.copy()
    for n in mend:
        fids[n, 0] = 2 * fids[n, 0] if 0.45 < ratio[n] < 0.55 else expected[n]
    return fids, [names[n] for n in mend]


def _singlets(names: list[str], fids: np.ndarray, raw: RawBasis) -> list[tuple[str, float, int, Singlet]]:
    """Fit the known singlets; those that are no clear line are left out."""
    found = []
    for name, lines in constants("fit_basis")["singlets"].items():
        if name in names:
            for ppm, protons in lines:
                line = fit_singlet(fids[names.index(name)], raw.dwell_time, raw.spectrometer_frequency, ppm)
                if line.misfit < 0.1:
                    found.append((name, float(ppm), int(protons), line))
    if not found:
        raise RequestError(
            "the scale of the basis cannot be made out",
            file=raw.path,
            found=", ".join(names),
            expected=f"a clear singlet of one of {', '.join(constants('fit_basis')['singlets'])}",
        )
    return found


def _stands_out(fids: np.ndarray, ppm: float, raw: RawBasis) -> np.ndarray:
    """Whether each spectrum is at least twice as high at `ppm` (± 0.03) as 0.2 ppm beside it."""
    size = np.abs(np.fft.fft(fids, 2 * fids.shape[1], axis=1))
    shifts = WATER_PPM - np.fft.fftfreq(size.shape[1], raw.dwell_time) / raw.spectrometer_frequency
    here = size[:, np.abs(shifts - ppm) < 0.03].max(axis=1)
    beside = np.maximum(*(size[:, np.abs(shifts - ppm - side) < 0.03].max(axis=1) for side in (-0.2, 0.2)))
    return np.asarray(here > 2 * beside)


def _without_reference_peak(fids: np.ndarray, raw: RawBasis) -> tuple[np.ndarray, int]:
    """Take away a line at 0 ppm where most signals have one (LCModel's reference peak)."""
    at_zero = _stands_out(fids, 0.0, raw)
    if np.mean(at_zero) < 0.7:
        return fids, 0
    lines = [fit_singlet(fid, raw.dwell_time, raw.spectrometer_frequency, 0.0) for fid in fids]
    start = np.abs(fids[:, :8]).max(axis=1)
    clear: list[bool] = [
        line.misfit < 0.2 and abs(line.shift) < 0.05 and line.amplitude > 1e-3 * s
        for line, s in zip(lines, start, strict=True)
    ]
    if np.mean(clear) < 0.7:
        return fids, 0
    out = np.array(
        [fid - line.signal if is_clear else fid for fid, line, is_clear in zip(fids, lines, clear, strict=True)]
    )
    return out, int(np.sum(clear))
