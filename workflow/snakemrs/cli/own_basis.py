"""A basis of the study's own against its spectra: nucleus, field, echo time, sequence, sampling, length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snakemrs.errors import SnakeMRSError
from snakemrs.spins.basis import Basis
from snakemrs.study.bases import localisation_of
from snakemrs.study.plan import Plan, PlannedScan, Problem

OTHER_ECHO_TIME = 0.1
"""Relative difference of echo time above which the basis is one of another measurement."""
SAME_ECHO_TIME = 0.0005
"""Seconds up to which echo times are the same."""
SAME_SAMPLING = 0.01
"""Relative difference of bandwidth that is not worth a word."""


def read_own_basis(study: Path, plan: Plan) -> tuple[Basis | None, list[Problem]]:
    """Read the study's own basis; None where it has none, or where it cannot be read, which is a problem."""
    own = plan.settings["basis"]
    if not own:
        return None, []
    from snakemrs.spins.basis_formats import read_basis

    # Plain text says neither dwell time nor frequency: the fit takes those of the data.
    header = next((scan.header for scan in _fitted(plan)), {})
    bandwidth = header.get("bandwidth")
    try:
        basis = read_basis(
            study / own,
            dwell_time=1 / bandwidth if bandwidth else None,
            spectrometer_frequency=header.get("frequency"),
        )
    except SnakeMRSError as error:
        remedy = f": {error.remedy}" if error.remedy else ""
        return None, [Problem("error", f"the basis cannot be used: {error.message}{remedy}", str(own))]
    return basis, []


def check_basis(plan: Plan, basis: Basis) -> list[Problem]:
    """Compare the study's own basis with each spectrum that is fitted with it.

    What the fit refuses, and a basis for another echo time, is an error of the spectrum's participant; the rest is a
    warning, one for all spectra that share it.
    """
    found: list[Problem] = []
    told: dict[str, list[PlannedScan]] = defaultdict(list)
    for scan in _fitted(plan):
        for severity, text in differences(basis, scan.header):
            if severity == "error":
                found.append(Problem("error", text, scan.path, None, scan.participant))
            else:
                told[text].append(scan)
    for text, scans in told.items():
        first = f"sub-{scans[0].participant} ses-{scans[0].session}"
        of = first if len(scans) == 1 else f"{len(scans)} spectra, first {first}"
        found.append(Problem("warning", f"{text} ({of})", str(plan.settings["basis"])))
    return found


def _fitted(plan: Plan) -> Iterator[PlannedScan]:
    scans = {scan.bids: scan for scan in plan.scans}
    return (scans[s.svs] for s in plan.spectra if s.fitted and scans[s.svs].header)


def differences(basis: Basis, header: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give what speaks against a basis for a spectrum with this header: severity and words."""
    from snakemrs.spins.basis_match import LARGEST_FREQUENCY, SAME_FREQUENCY, SHORTEST

    if (nucleus := header.get("nucleus")) and nucleus != basis.nucleus:
        yield "error", f"the basis is of {basis.nucleus}, the spectrum of {nucleus}"
        return
    if frequency := header.get("frequency"):
        away = abs(frequency / basis.spectrometer_frequency - 1)
        text = f"the basis is of {basis.spectrometer_frequency:.1f} MHz, the spectrum of {frequency:.1f} MHz"
        if away > LARGEST_FREQUENCY:
            yield "error", text
        elif away > SAME_FREQUENCY:
            yield "warning", f"{text}: its shifts are rescaled, its couplings are not"
    if (echo := header.get("te")) and basis.echo_time and abs(echo - basis.echo_time) > SAME_ECHO_TIME:
        text = f"the basis is for an echo time of {basis.echo_time * 1e3:g} ms, the spectrum has {echo * 1e3:g} ms"
        yield ("error" if abs(basis.echo_time - echo) > OTHER_ECHO_TIME * echo else "warning"), text
    if (sequence := header.get("sequence")) and basis.sequence:
        own, other = localisation_of(str(basis.sequence)), localisation_of(str(sequence))
        if own != other:
            yield "warning", f"the basis is for the sequence {basis.sequence}, the spectrum is of {sequence}"
    bandwidth, points = header.get("bandwidth"), header.get("points")
    if bandwidth and points:
        if abs(bandwidth * basis.dwell_time - 1) > SAME_SAMPLING:
            text = f"the basis has a bandwidth of {1 / basis.dwell_time:.0f} Hz, the spectrum of {bandwidth:.0f} Hz"
            yield "warning", f"{text}: it is resampled"
        length, wanted = basis.points * basis.dwell_time, points / bandwidth
        if length < SHORTEST:
            yield "error", f"the basis lasts {length:.3f} s, too short for a fit (at least {SHORTEST} s)"
        elif length < wanted * (1 - 1e-6) - 0.5 / bandwidth:
            text = f"the basis lasts {length:.3f} s, the spectrum {wanted:.3f} s"
            yield "warning", f"{text}: only the first {int(length * bandwidth)} of {points} points are fitted"
