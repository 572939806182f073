"""Whether the spectra of a study were acquired alike: headers compared between sessions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from snakemrs.study.plan import Plan, PlannedScan, Problem

SHOWN = 4
"""So many sessions that differ are named; of more, their number is told."""
OTHER_FIELD = 0.1
"""Relative difference of spectrometer frequency above which it is another field strength."""


@dataclass(frozen=True)
class Quantity:
    """Something that all sessions should share.

    Attributes
    ----------
    name : str
        In words.
    key : str
        In the headers of the plan.
    tolerance : float
        Relative difference up to which values are the same.
    show : callable
        Gives the value as text.
    """

    name: str
    key: str
    tolerance: float
    show: Callable[[Any], str]


def _milliseconds(value: Any) -> str:
    return f"{float(value) * 1e3:.5g} ms"


QUANTITIES = (
    Quantity("sequence", "sequence", 0.0, str),
    Quantity("echo time", "te", 0.01, _milliseconds),
    Quantity("repetition time", "tr", 0.01, _milliseconds),
    Quantity("mixing time", "tm", 0.01, _milliseconds),
    Quantity("spectrometer frequency", "frequency", 0.005, lambda value: f"{value:.1f} MHz"),
    Quantity("bandwidth", "bandwidth", 0.01, lambda value: f"{value:.0f} Hz"),
    Quantity("number of points", "points", 0.0, str),
    Quantity("number of transients", "transients", 0.0, str),
    Quantity("voxel size", "voxel_size", 0.05, lambda value: " × ".join(f"{v:.3g}" for v in value) + " mm"),
)


def check_sessions(plan: Plan) -> list[Problem]:
    """Differences between spectra of the same task, acq and voi: a line each; another nucleus or field is an error.

    A line names the sessions that have a value, and the value that most have.
    """
    scans = {scan.bids: scan for scan in plan.scans}
    groups: dict[tuple[str | None, ...], list[PlannedScan]] = defaultdict(list)
    for spectrum in plan.spectra:
        scan = scans[spectrum.svs]
        if scan.header:
            groups[spectrum.task, spectrum.acq, spectrum.voi].append(scan)
    found: list[Problem] = []
    for members in groups.values():
        usual = _most([scan.header.get("nucleus") for scan in members if scan.header.get("nucleus")])
        same = []
        for scan in members:
            nucleus = scan.header.get("nucleus")
            if nucleus and nucleus != usual:
                text = f"the nucleus is {nucleus}, most spectra of its kind are of {usual}"
                found.append(Problem("error", text, scan.path, None, scan.participant))
            else:
                same.append(scan)
        for quantity in QUANTITIES:
            found += _differences(quantity, same)
    return found


def _differences(quantity: Quantity, members: list[PlannedScan]) -> list[Problem]:
    """A warning for each value of a quantity that is not the usual one; another field is an error of its session."""
    values = [(scan, value) for scan in members if (value := _value(scan, quantity)) is not None]
    if not values:
        return []
    usual = _most([value for _, value in values])
    count = sum(_alike(value, usual, quantity.tolerance) for _, value in values)
    rest = f"{quantity.show(usual)} in most ({count} of {len(values)})"
    found: list[Problem] = []
    others: dict[str, list[PlannedScan]] = defaultdict(list)
    for scan, value in values:
        if _alike(value, usual, quantity.tolerance):
            continue
        if quantity.key == "frequency" and not _alike(value, usual, OTHER_FIELD):
            text = f"the field is another: {quantity.show(value)}, {rest}"
            found.append(Problem("error", text, scan.path, None, scan.participant))
        else:
            others[quantity.show(value)].append(scan)
    for shown, scans in others.items():
        text = f"{quantity.name} differs: {shown} in {_named(scans)}, {rest}"
        who = {scan.participant for scan in scans}
        found.append(Problem("warning", text, scans[0].path, None, who.pop() if len(who) == 1 else None))
    return found


def _value(scan: PlannedScan, quantity: Quantity) -> Any:
    """A value of a header to be compared; None where it is not known."""
    value = scan.header.get(quantity.key)
    if quantity.key == "voxel_size":
        # Formats have the edges in orders of their own.
        return tuple(sorted(round(float(v), 2) for v in value)) if value and len(value) == 3 else None
    return value or None


def _most(values: Iterable[Any]) -> Any:
    """The commonest value, of equally common ones the first."""
    counted = Counter(values)
    return counted.most_common(1)[0][0] if counted else None


def _alike(value: Any, usual: Any, tolerance: float) -> bool:
    if isinstance(value, str):
        return value.lower() == str(usual).lower()
    if isinstance(value, tuple):
        return all(_alike(a, b, tolerance) for a, b in zip(value, usual, strict=True))
    return bool(abs(float(value) - float(usual)) <= tolerance * abs(float(usual)))


def _named(scans: list[PlannedScan]) -> str:
    names = list(dict.fromkeys(f"sub-{scan.participant} ses-{scan.session}" for scan in scans))
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more sessions" if more > 0 else "")
