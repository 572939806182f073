"""Fit a file: read, prepare, fit its frames, write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError, RequestError, SnakeMRSError
from snakemrs.fit.line_shape import SMALLEST, water_line_shape
from snakemrs.fit.matching import matched
from snakemrs.fit.outputs import Frame, FrameFit, with_same_names, write_outputs
from snakemrs.fit.problem import Problem
from snakemrs.fit.quality import Verdict
from snakemrs.fit.setup import build_problem, with_measured_macromolecules
from snakemrs.fit.spectrum import Failure, fit_spectrum
from snakemrs.fit.water import fit_water
from snakemrs.io import nifti_mrs, tables
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats import read_basis
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings

_PROBLEMS: dict[Any, tuple[Problem, list[str]]] = {}
_BASES: dict[Any, Basis] = {}


@dataclass(frozen=True)
class Job:
    """One file to fit."""

    data: Path
    prefix: str
    basis: Path | None
    water: Path | None
    macromolecules: Path | None
    label: str | None
    settings: FitSettings


@dataclass(frozen=True)
class Outcome:
    """What became of a file: frames that are ok, doubtful, failed; messages."""

    data: Path
    ok: int
    doubtful: int
    failed: int
    messages: tuple[str, ...]
    error: SnakeMRSError | None = None


def fit_file(job: Job) -> Outcome:
    """Fit one file and write its results.

    A file of which no frame can be fitted leaves nothing and is an error.
    """
    image = nifti_mrs.read(job.data)
    signals = image.as_dims("DIM_DYN")
    water = water_of(job.water, image)
    problem, notes, basis = prepare_job(job, image)
    frames = frames_of(image, len(signals))
    fits = _fit_frames(problem, frames, signals, job.settings)
    if job.settings.match_frames and len(fits) > 1:
        signals, added = _matched(fits, signals, problem.dwell_time)
        if added.any():
            fits = _fit_frames(problem, frames, signals, job.settings)
            notes = [*notes, f"frames were broadened to one line width, by up to {added.max():.2f} Hz"]
    count = {status: sum(fit.verdict.status == status for fit in fits) for status in ("ok", "doubtful", "failed")}
    if count["failed"] == len(fits):
        reasons = sorted({fit.verdict.reason for fit in fits})
        raise DataError(
            "the spectrum cannot be fitted" if len(fits) == 1 else f"none of {len(fits)} frames can be fitted",
            file=job.data,
            found="; ".join(reasons),
            expected="a spectrum of brain metabolites, referenced to about 0.3 ppm",
            remedy="look at the preprocessed spectrum; see docs/science/fit.md, 'When a fit is refused'",
        )
    fits = with_same_names(fits)
    about = {
        "data": job.data.name,
        "basis": {
            "names": list(basis.names),
            "sequence": basis.sequence,
            "echo_time": basis.echo_time,
            "line_width": basis.line_width,
            "source": basis.notes,
        },
        "settings": job.settings.model_dump(mode="json"),
        "notes": notes,
        "water": water,
    }
    label = job.label or ("frames" if len(signals) > 1 else "static")
    write_outputs(job.prefix, label, fits, constants("fit_sums")["sums"], about)
    messages = [*notes] + [
        f"frame {fit.frame.number}: {fit.verdict.status}: {fit.verdict.reason}" for fit in fits if fit.verdict.reason
    ]
    return Outcome(job.data, count["ok"], count["doubtful"], count["failed"], tuple(messages))


def _fit_frames(problem: Problem, frames: list[Frame], signals: np.ndarray, settings: FitSettings) -> list[FrameFit]:
    """Fit each frame by itself."""
    known = constants("fit_priors")
    fits = []
    for frame, fid in zip(frames, signals, strict=True):
        try:
            fit = fit_spectrum(problem, fid, settings, known)
            fits.append(FrameFit(frame, fit, fit.verdict))
        except Failure as failure:
            fits.append(FrameFit(frame, None, Verdict("failed", str(failure))))
    return fits


def _matched(fits: list[FrameFit], signals: np.ndarray, dwell_time: float) -> tuple[np.ndarray, np.ndarray]:
    """Broaden frames to the line width of the broadest; give what was added to each, Hz."""
    widths, gaussian = np.full(len(fits), np.nan), np.zeros(len(fits))
    for number, one in enumerate(fits):
        if one.fit is not None and one.verdict.status != "failed":
            widths[number] = one.fit.line_width
            gaussian[number] = np.sqrt(one.fit.parameters["gaussian_squared"])
    if np.isfinite(widths).sum() < 2:
        return signals, np.zeros(len(fits))
    return matched(signals, widths, gaussian, dwell_time)


def prepare_job(job: Job, image: NiftiMrs) -> tuple[Problem, list[str], Basis]:
    """The prepared problem of a file; the same for all files of the same kind."""
    simulated = simulation_of(image) if job.basis is None else None
    facts = (image.dwell_time, image.points, image.spectrometer_frequency)
    basis_key = (job.basis, tuple((simulated or {}).items()), *facts)
    shape = shape_of_water(job, image)
    with_shape = None if shape is None else job.water
    key = (*basis_key, image.nucleus, job.macromolecules, with_shape, job.settings.model_dump_json())
    notes: list[str] = []
    if shape is not None:
        notes.append("the line shape of the water reference was taken over")
    if basis_key not in _BASES:
        if simulated is not None:
            from snakemrs.spins.simulation import simulate_basis

            _BASES[basis_key] = simulate_basis(**simulated)
        else:
            assert job.basis is not None
            _BASES[basis_key] = read_basis(
                job.basis, dwell_time=image.dwell_time, spectrometer_frequency=image.spectrometer_frequency
            )
    basis = _BASES[basis_key]
    if simulated is not None:
        notes.append(
            f"no basis was given: one was simulated for {simulated['sequence']}, echo time "
            f"{simulated['echo_time'] * 1e3:g} ms, {simulated['spectrometer_frequency']:.2f} MHz"
        )
    if "warning" in basis.notes:
        notes.append(str(basis.notes["warning"]))
    if basis.echo_time and image.echo_time and abs(basis.echo_time - image.echo_time) > 0.1 * image.echo_time:
        notes.append(
            f"the basis is for an echo time of {basis.echo_time * 1e3:g} ms, the data have {image.echo_time * 1e3:g} ms"
        )
    if key not in _PROBLEMS:
        if job.macromolecules is not None:
            basis = with_measured_macromolecules(basis, nifti_mrs.read(job.macromolecules))
        _PROBLEMS[key] = build_problem(
            basis,
            job.settings,
            dwell_time=image.dwell_time,
            points=image.points,
            spectrometer_frequency=image.spectrometer_frequency,
            nucleus=image.nucleus,
            not_fitted=constants("fit_basis")["not_fitted"],
            line_shape=shape,
        )
    problem, more = _PROBLEMS[key]
    return problem, [*notes, *more], basis


def shape_of_water(job: Job, image: NiftiMrs) -> np.ndarray | None:
    """Line shape of the water reference, where the settings and the data ask for it."""
    choice = job.settings.water_line_shape
    if job.water is None or choice == "never":
        return None
    done = " ".join(str(step.get("Method", "")) for step in image.header.get("ProcessingApplied", []))
    if choice == "auto" and "eddy" in done.lower():
        return None
    reference = nifti_mrs.read(job.water)
    if abs(reference.dwell_time / image.dwell_time - 1) > 1e-5:
        return None
    shape, deviation = water_line_shape(reference.as_dims("DIM_DYN").mean(axis=0), reference.dwell_time, image.points)
    return shape if choice == "always" or deviation > SMALLEST else None


def simulation_of(image: NiftiMrs) -> dict[str, Any]:
    """What basis to simulate for an image, from its header and the sidecar beside it.

    Raises
    ------
    RequestError
        If sequence or echo time are unknown.
    """
    facts: dict[str, Any] = {}
    if image.path is not None:
        sidecar = image.path.with_name(image.path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
        if sidecar.exists():
            facts = json.loads(sidecar.read_text(encoding="utf-8"))
    sequence = (
        facts.get("PulseSequenceType") or image.header.get("PulseSequenceType") or image.header.get("SequenceName")
    )
    echo_time = image.echo_time or facts.get("EchoTime")
    name = next((s for s in ("slaser", "steam", "press") if s in str(sequence or "").lower().replace("-", "")), None)
    if name is None or not echo_time:
        raise RequestError(
            "no basis was given, and none can be simulated: sequence or echo time are unknown",
            file=image.path,
            found=f"sequence {sequence}, echo time {echo_time}",
            expected="PulseSequenceType (PRESS, STEAM, sLASER) and EchoTime in the header or the sidecar",
            remedy="give --basis, or add them to the sidecar",
        )
    mixing: Any = facts.get("MixingTime") or image.header.get("MixingTime")
    if name == "steam" and not mixing:
        raise RequestError(
            "no basis was given, and none can be simulated: the mixing time of STEAM is unknown",
            file=image.path,
            expected="MixingTime (seconds) in the header or the sidecar",
            remedy="give --basis, or add it to the sidecar",
        )
    return {
        **({"mixing_time": float(mixing)} if name == "steam" else {}),
        "sequence": name,
        "echo_time": float(echo_time),
        "te1": facts.get("EchoTime1") or image.header.get("EchoTime1"),
        "spectrometer_frequency": image.spectrometer_frequency,
        "bandwidth": 1 / image.dwell_time,
        "points": image.points,
    }


def water_of(path: Path | None, image: NiftiMrs) -> dict[str, float] | None:
    """Amplitude of the water reference of a spectrum, checked to belong to it (None without one)."""
    if path is None:
        return None
    reference = nifti_mrs.read(path)
    if abs(reference.spectrometer_frequency / image.spectrometer_frequency - 1) > 1e-3 or reference.nucleus != "1H":
        raise reference.error(
            "the water reference is not of this spectrum",
            found=f"{reference.spectrometer_frequency:.3f} MHz, {reference.nucleus}",
            expected=f"{image.spectrometer_frequency:.3f} MHz, 1H",
        )
    signal = reference.as_dims("DIM_DYN").mean(axis=0)
    try:
        water = fit_water(signal, reference.dwell_time)
    except ValueError as error:
        raise reference.error(str(error), expected="unsuppressed water") from None
    return {"amplitude": water.amplitude, "amplitude_sd": water.amplitude_sd, "line_width": water.line_width}


def frames_of(image: NiftiMrs, count: int) -> list[Frame]:
    """Number, onset and duration of each frame: from the table of frames beside the file, or from the header."""
    if image.path is not None and image.path.name.endswith("_svs.nii.gz") and count > 1:
        table = image.path.with_name(image.path.name.replace("_svs.nii.gz", "_quality.tsv"))
        if table.exists():
            rows = tables.read_table(table)
            key = next((k for k in ("frame", "transient") if rows and k in rows[0]), None)
            if key is not None and len(rows) == count and "onset" in rows[0]:
                number = tables.parse_number
                return [Frame(row[key], number(row["onset"]), number(row.get("duration", "n/a"))) for row in rows]
    time = image.repetition_time
    held = image.header.get("NumberOfTransients")
    if time and isinstance(held, int | float) and held > 0:
        each = float(held) * time / (1 if count == 1 else count if held >= count else 1)
        return [Frame(str(n + 1), n * each, each) for n in range(count)]
    return [Frame(str(n + 1)) for n in range(count)]
