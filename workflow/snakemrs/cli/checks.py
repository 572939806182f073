"""What `plan` can know before anything runs: each check gives problems in words, one function a subject."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from snakemrs.cli.field_of_view import check_geometry
from snakemrs.cli.machine import check_disk
from snakemrs.cli.named import check_names
from snakemrs.cli.own_basis import check_basis, read_own_basis
from snakemrs.cli.sessions import check_sessions
from snakemrs.study.plan import Plan, PlannedScan, Problem
from snakemrs.study.variants import needs_anatomy

VOXEL_TOLERANCE = 1.0
"""Millimetres by which centres or sizes of a spectrum's and its water's voxel may differ."""
EDITED = ("MEGA", "HERMES", "HERCULES", "METABOLITE-CYCLED")
"""How names of sequences begin whose transients the stage spectra does not average unless it is told to."""
FREQUENCY_TOLERANCE = 0.05
"""MHz by which spectrometer frequencies of a spectrum and its water may differ."""


def check_study(study: Path, plan: Plan) -> list[Problem]:
    """Run every check; problems of the plan itself (missing files, tables) are not repeated.

    Raises
    ------
    RequestError
        If the tables of a blinded study tell who got what: no step may copy them anywhere.
    """
    from snakemrs.group.masking import check_tables

    design = plan.settings["group"]["design"]
    if design["blinded"]:
        check_tables(study, plan.sessions, design["not_telling"])
    scans = {scan.bids: scan for scan in plan.scans}
    problems: list[Problem] = []
    for spectrum in plan.spectra:
        scan = scans[spectrum.svs]
        if not scan.header:
            continue  # missing or unreadable: said already
        problems += _check_header(scan, plan.settings)
        if spectrum.water in scans and scans[spectrum.water].header:
            problems += _check_pair(scan, scans[spectrum.water])
        elif spectrum.fitted and not spectrum.water:
            problems.append(_warning(scan, "no water reference: ratios only, no concentrations"))
        if spectrum.fitted and not spectrum.anatomy:
            problems.append(_warning(scan, "no T1w of this participant: no tissue correction"))
    problems += check_sessions(plan)
    problems += _check_first_echo(plan)
    problems += _check_kinds(plan)
    problems += check_geometry(plan)
    basis, unread = read_own_basis(study, plan)
    problems += unread
    if basis is not None:
        problems += check_basis(plan, basis)
    problems += check_names(study, plan, None if basis is None else basis.names)
    problems += _check_variants(plan)
    problems += check_disk(study, plan)
    return problems


def _error(scan: PlannedScan, message: str) -> Problem:
    return Problem("error", message, scan.path, None, scan.participant)


def _warning(scan: PlannedScan, message: str) -> Problem:
    return Problem("warning", message, scan.path, None, scan.participant)


def _check_header(scan: PlannedScan, settings: dict[str, Any]) -> list[Problem]:
    """Echo time and kind of sequence; a sequence of which no basis can be simulated is named by `build_plan`."""
    found = []
    echo_time = scan.header.get("te")
    if echo_time is None and settings["ingest"]["echo_time"] is None:
        found.append(_warning(scan, "the header has no echo time; set ingest.echo_time (seconds) in study.yaml"))
    elif echo_time is not None and not 0.001 <= echo_time <= 0.5:
        found.append(_warning(scan, f"echo time {echo_time:g} s is outside 1-500 ms; see ingest.echo_time"))
    edited = str(scan.header.get("sequence") or "").upper().startswith(EDITED)
    if edited and settings["spectra"]["edited"] == "refuse":
        text = f"{scan.header['sequence']}: edited or metabolite-cycled transients are not averaged as plain ones; "
        found.append(_error(scan, text + "extract one condition first, then set spectra.edited to accept"))
    return found


def _check_pair(scan: PlannedScan, water: PlannedScan) -> list[Problem]:
    """A spectrum and its water reference: same voxel, same field, same nucleus."""
    found = []
    one, other = scan.header, water.header
    for key, name in (("centre", "centre"), ("voxel_size", "size")):
        a, b = one.get(key) or (), other.get(key) or ()
        if len(a) == len(b) == 3 and max(abs(x - y) for x, y in zip(a, b, strict=True)) > VOXEL_TOLERANCE:
            shown = " against ".join("(" + ", ".join(f"{v:.1f}" for v in c) + ") mm" for c in (a, b))
            found.append(_error(scan, f"the water reference is of another voxel: {name} {shown} in {water.path}"))
    a, b = one.get("frequency"), other.get("frequency")
    if a and b and abs(a - b) > FREQUENCY_TOLERANCE:
        found.append(_error(scan, f"the water reference is of another field: {a:.3f} against {b:.3f} MHz"))
    if one.get("nucleus") and other.get("nucleus") and one["nucleus"] != other["nucleus"]:
        found.append(_error(scan, f"the water reference is of {other['nucleus']}, the spectrum of {one['nucleus']}"))
    return found


def _check_first_echo(plan: Plan) -> list[Problem]:
    """A simulated basis of a sequence with two echoes whose TE1 nobody told."""
    assumed = [key for key, given in plan.bases.items() if given["te1"] is None and given["sequence"] == "press"]
    if not assumed:
        return []
    text = "TE1 of PRESS is not known: the simulated basis takes half of TE; set first_echo_time (s) if it differs"
    return [Problem("warning", text, "study.yaml")]


def _check_kinds(plan: Plan) -> list[Problem]:
    """What a file is, by its header, against what scans.tsv calls it."""
    found = []
    for scan in plan.scans:
        kind = scan.header.get("kind")
        if kind in (None, "unknown", scan.suffix) or (kind in ("svs", "mrsref") and scan.suffix in ("svs", "mrsref")):
            continue
        found.append(_error(scan, f"scans.tsv calls it {scan.suffix}, by its header it is {kind}"))
    return found


def _check_variants(plan: Plan) -> list[Problem]:
    """Choices of the sensitivity analysis that no session can be made again under."""
    if any(spectrum.anatomy for spectrum in plan.spectra):
        return []
    variants = plan.settings["group"]["sensitivity"]["variants"]
    text = (
        "the choice '{}' of group.sensitivity.variants is about the segmentation, and there is no T1w: it makes nothing"
    )
    return [
        Problem("warning", text.format(name), "study.yaml") for name, part in variants.items() if needs_anatomy(part)
    ]


# Seconds a job of each rule took in the demo on one core; `estimate` prefers what this study's own runs took.
SECONDS = {
    "ingest": 3.0,
    "segment": 35.0,
    "preprocess": 4.0,
    "fit": 2.0,
    "dynamic": 4.0,
    "voxel": 2.0,
    "quantify": 1.0,
    "group": 5.0,
}


def estimate(rules: dict[str, int], measured: dict[str, float], cores: int) -> float:
    """Seconds that jobs will take on `cores` processors.

    Parameters
    ----------
    rules : dict
        Number of jobs by rule.
    measured : dict
        Mean seconds by rule in earlier runs of this study.
    """
    total = sum(count * measured.get(rule, SECONDS.get(rule, 2.0)) for rule, count in rules.items())
    longest = max((measured.get(rule, SECONDS.get(rule, 2.0)) for rule, count in rules.items() if count), default=0.0)
    return max(total / cores, longest) if math.isfinite(total) else 0.0
