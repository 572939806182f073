"""Dynamic fit of a file of transients: read, fit, write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError, RequestError
from snakemrs.fit.functional import tables as results
from snakemrs.fit.functional.course import cut_bins
from snakemrs.fit.functional.design import BASELINE, Design, make_design, read_design, write_design
from snakemrs.fit.functional.session import SessionFit, fit_session
from snakemrs.fit.functional.tables import Results
from snakemrs.fit.outputs import AMPLITUDES, Frame, FrameFit, write_curves
from snakemrs.fit.run import Job, Outcome, frames_of, prepare_job, water_of
from snakemrs.fit.spectrum import Failure
from snakemrs.io import nifti_mrs, tables
from snakemrs.io.atomic import write_json
from snakemrs.io.events import read_events
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.io.tables import Row, write_table
from snakemrs.study.resources import constants
from snakemrs.study.settings.functional import FunctionalSettings

KEY = ("Glx", "Glu", "tNAA", "tCr")
"""Metabolites of which warnings are given."""
UNLIKELY = 0.001
"""p value below which the course is said to be another than the design's."""
DIFFERENCE = {"difference": {"Description": "Whether the row is a contrast: a difference of amplitudes, no amplitude"}}


@dataclass(frozen=True)
class DynamicJob:
    """What a dynamic fit is asked for, beside `Job`: a design, or events with settings to make one."""

    design: Path | None
    events: Path | None
    frames: Path | None
    table: Path | None
    settings: FunctionalSettings


@dataclass(frozen=True)
class Transients:
    """Transients of a file with their times (not a number where unknown) and weights; arrays of length M."""

    signals: np.ndarray
    onset: np.ndarray
    duration: np.ndarray
    weights: np.ndarray

    @property
    def timed(self) -> bool:
        """Whether the times are known."""
        return bool(np.all(np.isfinite(self.onset)) and np.all(self.duration > 0))


def read_transients(image: NiftiMrs) -> Transients:
    """Transients of an image along DIM_DYN; the weights from the table of their quality beside it.

    Raises
    ------
    DataError
        If the image holds anything but transients of one kind, or a transient in use is zero or not finite.
    """
    other = [tag for tag in image.dim_tags if tag != "DIM_DYN"]
    if other:
        raise image.error(
            "a dynamic fit takes plain transients: edited, metabolite-cycled or uncombined data are not taken for them",
            found=", ".join(other),
            expected="transients along DIM_DYN only",
            remedy="fit one condition of the data, as a file of its own; combine coils with `snakemrs preprocess`",
        )
    signals = image.as_dims("DIM_DYN")
    times = frames_of(image, len(signals))
    onset, duration = (
        np.array([np.nan if value is None else value for value in column], float)
        for column in ([frame.onset for frame in times], [frame.duration for frame in times])
    )
    weights = np.ones(len(signals))
    if image.path is not None and image.path.name.endswith("_svs.nii.gz"):
        beside = image.path.with_name(image.path.name.replace("_svs.nii.gz", "_quality.tsv"))
        rows = tables.read_table(beside) if beside.exists() else []
        if len(rows) == len(signals) and "weight" in rows[0]:
            weights = np.array([tables.parse_number(row["weight"]) or 0.0 for row in rows])
    used = weights > 0
    sound = np.all(np.isfinite(signals), axis=1) & np.any(signals, axis=1)
    if np.any(used & ~sound):
        raise image.error(
            "transients that are zero or not finite",
            found=", ".join(str(n + 1) for n in np.flatnonzero(used & ~sound)),
        )
    return Transients(signals, onset, duration, weights)


def interleaved_width(data: Path, onset: np.ndarray, duration: np.ndarray) -> np.ndarray | None:
    """Line width of interleaved water at each transient, Hz; None where there is none.

    The table of frames tells a width of water only where the water was acquired between the transients.
    """
    if not data.name.endswith("_desc-transients_svs.nii.gz"):
        return None
    stem = data.name.removesuffix("_desc-transients_svs.nii.gz")
    frames, water = (data.with_name(f"{stem}_desc-{name}_quality.tsv") for name in ("frames", "water"))
    if not frames.exists() or not water.exists():
        return None
    if all(row.get("line_width_water", tables.MISSING) == tables.MISSING for row in tables.read_table(frames)):
        return None
    rows = [row for row in tables.read_table(water) if row.get("used") == "true"]
    known = [(tables.parse_number(row["onset"]), tables.parse_number(row["line_width"])) for row in rows]
    points = np.array([pair for pair in known if None not in pair], float).reshape(-1, 2)
    if len(points) < 4:
        return None
    # A step of a water frame lasts to the next: its middle is the place of its value.
    middle = points[:, 0] + np.median(np.diff(points[:, 0])) / 2
    return np.asarray(np.interp(onset + duration / 2, middle, points[:, 1]))


def fit_dynamic_file(job: Job, asked: DynamicJob) -> Outcome:
    """Fit all transients of a file jointly and write its tables (docs/reference/files.md)."""
    image = nifti_mrs.read(job.data)
    taken = read_transients(image)
    whole = _design(asked, taken, job.data)
    used = taken.weights > 0
    design = _part(whole, used)
    if used.sum() < 2 * design.matrix.shape[1] + 2:
        raise image.error("too few transients for the design", found=f"{int(used.sum())}")
    water = water_of(job.water, image)
    problem, notes, basis = prepare_job(job, image)
    bins = None
    if taken.timed:
        bins = cut_bins(taken.onset[used], taken.duration[used], design.phase, asked.settings.course_step)
    else:
        notes = [*notes, "the times of the transients are not known: no course over time, no area, no peak"]
    try:
        session = fit_session(
            problem,
            taken.signals[used],
            taken.weights[used],
            design,
            job.settings,
            constants("fit_priors"),
            bins,
            asked.settings.autocorrelation == "correct",
        )
    except Failure as failure:
        raise DataError("the mean of the transients cannot be fitted", file=job.data, found=str(failure)) from None
    if session.mean.verdict.status == "failed":
        raise DataError("the mean of the transients cannot be fitted", file=job.data, found=session.mean.verdict.reason)
    frames = _frames(asked.frames, job.data)
    found = Results(session, design, taken.onset[used], constants("fit_sums")["sums"], asked.settings.controls, frames)
    start = f"{job.prefix}_desc-{job.label or 'dynamic'}"
    write_design(Path(f"{start}_design.tsv"), whole, taken.onset, taken.duration, taken.weights)
    summary = _write_tables(start, found, taken, used)
    doubts = warnings_of(found, summary, asked.settings)
    about = {
        "data": job.data.name,
        "design": {
            "file": Path(f"{start}_design.tsv").name,
            "regressors": design.names,
            "line_width": design.width_names,
            "contrasts": {name: list(weights) for name, weights in design.contrasts.items()},
            "response": design.response,
        },
        "basis": {"names": list(basis.names), "source": basis.notes},
        "settings": job.settings.model_dump(mode="json"),
        "functional": asked.settings.model_dump(mode="json"),
        "notes": notes,
        "water": water,
        "label": job.label or "dynamic",
        "dynamic": _about_fit(session, used, doubts),
        "frames": [],
    }
    write_json(f"{start}_fit.json", about)
    good = session.fit.converged and not doubts
    return Outcome(job.data, int(good), int(not good), 0, (*notes, *doubts))


def _design(asked: DynamicJob, taken: Transients, data: Path) -> Design:
    """The design of all transients, given or made."""
    if asked.design is not None:
        return read_design(asked.design, len(taken.signals))
    if asked.events is None:
        raise RequestError("a dynamic fit needs a design or events", file=data, expected="--design or --events")
    if not taken.timed:
        raise RequestError(
            "the times of the transients are not known, so that they cannot be matched with events",
            file=data,
            expected="RepetitionTime in the header",
            remedy="give a design with a row a transient (--design)",
        )
    width = interleaved_width(data, taken.onset, taken.duration)
    events = read_events(asked.events, data.name)
    return make_design(taken.onset, taken.duration, events, asked.settings, asked.table, width)


def _part(design: Design, used: np.ndarray) -> Design:
    """The rows of the transients in use; what is left must still tell the regressors apart."""
    from snakemrs.fit.functional.design import check_columns

    check_columns(design.names, design.matrix[used])
    phase = tuple(one for one, use in zip(design.phase, used, strict=True) if use)
    return replace(
        design,
        matrix=design.matrix[used],
        width_matrix=design.width_matrix[used],
        baseline=design.baseline[used],
        phase=phase,
    )


def _frames(path: Path | None, data: Path) -> list[Row]:
    """Rows of amplitudes of frames; sliding windows share transients and are not compared."""
    if path is None or not path.exists():
        return []
    beside = data.with_name(data.name.replace("_desc-transients_svs.nii.gz", "_desc-frames_quality.tsv"))
    kinds = {row.get("kind") for row in tables.read_table(beside)} if beside.exists() else set()
    return [] if kinds & {"sliding", "events"} else tables.read_table(path)


def _write_tables(start: str, found: Results, taken: Transients, used: np.ndarray) -> list[dict[str, Any]]:
    """Write all tables; give the rows of the summary."""
    design, fit = found.design, found.fit
    times: dict[str, tuple[float | None, float | None]] = {}
    for phase in (BASELINE, design.response):
        inside = design.rows(phase)
        if inside.any() and taken.timed:
            onset, duration = taken.onset[used][inside], taken.duration[used][inside]
            times[phase] = (float(onset[0]), float(onset[-1] + duration[-1] - onset[0]))
    summary = results.summary_rows(found)
    levels, covariance = results.level_rows(found, times)
    amplitudes = AMPLITUDES | DIFFERENCE
    matrix: dict[str, dict[str, str]] = {
        "frame": {"Description": "Phase or contrast"},
        "metabolite": {"Description": "Row of the matrix"},
    }
    matrix |= {name: {"Description": f"Covariance with {name}", "Units": "square of the data's"} for name in fit.names}
    keys = [f"{regressor}:{name}" for regressor in design.names for name in fit.names]
    betas: dict[str, dict[str, str]] = {"beta": {"Description": "Row of the matrix, regressor:metabolite"}}
    betas |= {key: {"Description": f"Covariance with {key}", "Units": "square of the data's"} for key in keys}
    squares = [
        {"beta": key, **dict(zip(keys, row.tolist(), strict=True))}
        for key, row in zip(keys, fit.covariance, strict=True)
    ]
    for name, rows, columns in (
        ("betas", results.beta_rows(found), results.BETAS),
        ("betacovariance", squares, betas),
        ("contrasts", results.contrast_rows(found), results.CONTRASTS),
        ("course", results.course_rows(found), results.COURSE),
        ("summary", summary, results.SUMMARY),
        ("amplitudes", levels, amplitudes),
        ("covariance", covariance, matrix),
    ):
        write_table(f"{start}_{name}.tsv", rows, list(columns), columns)
    mean = found.session.mean
    write_curves(Path(f"{start}_curves.tsv"), [FrameFit(Frame("mean"), mean, mean.verdict)], mean.names)
    return summary


def _about_fit(session: SessionFit, used: np.ndarray, doubts: list[str]) -> dict[str, Any]:
    """What ``fit.json`` says of the joint fit."""
    fit, aligned = session.fit, session.aligned
    return {
        "transients": int(used.sum()),
        "left_out": np.flatnonzero(~used).tolist(),
        "status": "ok" if fit.converged else "doubtful",
        "warnings": doubts,
        "line_width": session.mean.line_width,
        "residual_ratio": fit.residual_ratio,
        "autocorrelation": dict(zip(fit.names, session.correlation.tolist(), strict=True)),
        "iterations": fit.iterations,
        "residual_by_transient": fit.by_transient.tolist(),
        "shift_by_transient": aligned.shift.tolist(),
        "phase_by_transient": np.rad2deg(aligned.phase).tolist(),
    }


def warnings_of(found: Results, summary: list[dict[str, Any]], settings: FunctionalSettings) -> list[str]:
    """What a reader of the results must know, in sentences."""
    said = [] if found.fit.converged else ["the dynamic fit did not come to rest"]
    for row in summary:
        name, percent = row["metabolite"], row.get("percent")
        if row["control"] and percent is not None:
            apart = row["ci_low"] > 0 or row["ci_high"] < 0
            if apart and abs(percent) > settings.control_limit:
                said.append(
                    f"{name} must stay flat but changes by {percent:.1f} % "
                    f"({row['ci_low']:.1f} to {row['ci_high']:.1f})"
                )
        if name not in KEY:
            continue
        if row.get("frames_agree") is False:
            said.append(
                f"{name}: frames and dynamic fit do not agree ({row['frames_percent']:.1f} against {percent:.1f} %, "
                f"z = {row['frames_z']:.1f})"
            )
        if row["autocorrelation"] > 0:
            how = "standard deviations are widened for it"
            if settings.autocorrelation == "ignore":
                how = "standard deviations are too small"
            said.append(f"{name}: neighbouring residuals are correlated ({row['autocorrelation']:.2f}); {how}")
        if row.get("misfit_p", 1.0) < UNLIKELY:
            said.append(f"{name}: its course is not that of the regressors (p = {row['misfit_p']:.1g})")
    return said
