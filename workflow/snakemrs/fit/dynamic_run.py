"""Dynamic fit of a file of transients: read, fit, write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError, RequestError
from snakemrs.fit.dynamic import DynamicFit, align_to_fit, fit_dynamic
from snakemrs.fit.outputs import AMPLITUDES, Frame, FrameFit, write_curves
from snakemrs.fit.run import Job, Outcome, frames_of, prepare_job, water_of
from snakemrs.fit.spectrum import Failure, SpectrumFit, fit_state, result_of
from snakemrs.fit.start import noise_level
from snakemrs.fit.uncertainty import combination_sd, ratio_with_sd, sums_of
from snakemrs.io import nifti_mrs, tables
from snakemrs.io.atomic import write_json
from snakemrs.io.tables import write_table
from snakemrs.study.resources import constants

NO_REGRESSORS = ("transient", "frame", "onset", "duration", "trial_type")
"""Columns of a design that say when, not what."""
CONSTANT = "constant"
BETAS = {
    "regressor": {"Description": "Column of the design; 'constant' is the amplitude where all others are zero"},
    "metabolite": {"Description": "Metabolite, macromolecule, lipid, or a sum of them; line_width for the line width"},
    "beta": {"Description": "Change of amplitude per unit of the regressor", "Units": "as the data; Hz for line_width"},
    "beta_sd": {"Description": "Sampling standard deviation of beta, all other unknowns included", "Units": "as beta"},
    "percent": {"Description": "beta over the constant", "Units": "%"},
    "percent_sd": {"Description": "Standard deviation of percent", "Units": "%"},
    "ci_low": {"Description": "Lower end of the 95 % interval of percent", "Units": "%"},
    "ci_high": {"Description": "Upper end of the 95 % interval of percent", "Units": "%"},
    "kind": {"Description": "metabolite, macromolecule, lipid, sum or line_width"},
}


def read_design(path: Path, count: int) -> tuple[list[str], np.ndarray]:
    """Regressors by name, and the matrix (transients, regressors) with a constant first.

    Raises
    ------
    RequestError
        If rows and transients differ in number, a cell is no number, or the columns depend on each other.
    """
    rows = tables.read_table(path)
    if len(rows) != count:
        raise RequestError(
            "design and transients differ in number", file=path, found=f"{len(rows)} rows", expected=f"{count} rows"
        )
    names = [name for name in rows[0] if name not in NO_REGRESSORS and name != CONSTANT]
    try:
        values = np.array([[float(row[name]) for name in names] for row in rows]).reshape(count, len(names))
    except ValueError as error:
        raise RequestError("a regressor is no number", file=path, found=str(error)) from None
    matrix = np.column_stack([np.ones(count), values])
    if not np.all(np.isfinite(matrix)):
        raise RequestError("a regressor is not finite", file=path)
    norms = np.linalg.norm(matrix, axis=0)
    if np.any(norms == 0) or np.linalg.cond(matrix / norms) > 1e6:
        raise RequestError(
            "the regressors depend on each other", file=path, found=", ".join(names), remedy="leave one of them out"
        )
    return [CONSTANT, *names], matrix


def fit_dynamic_file(job: Job, design_path: Path) -> Outcome:
    """Fit all transients of a file jointly and write betas, amplitudes over time and ``fit.json``."""
    image = nifti_mrs.read(job.data)
    edited = [tag for tag in image.dim_tags if tag not in ("DIM_DYN", "DIM_COIL")]
    if edited:
        raise image.error(
            "edited or otherwise modulated data are not taken for plain ones",
            found=", ".join(edited),
            expected="transients along DIM_DYN only",
        )
    signals = image.as_dims("DIM_DYN")
    names, design = read_design(design_path, len(signals))
    if len(signals) < 2 * design.shape[1] + 2:
        raise image.error("too few transients for the design", found=f"{len(signals)}")
    water = water_of(job.water, image)
    problem, notes, basis = prepare_job(job, image)
    finite = np.all(np.isfinite(signals), axis=1) & np.any(signals, axis=1)
    if not finite.all():
        raise image.error(
            "transients that are zero or not finite", found=", ".join(str(n + 1) for n in np.flatnonzero(~finite))
        )
    signals = np.asarray(signals[:, : problem.points], complex)
    known = constants("fit_priors")
    noise = float(np.median([noise_level(fid, problem.dwell_time, problem.spectrometer_frequency) for fid in signals]))
    time = np.arange(signals.shape[1]) * problem.dwell_time
    try:
        optimum = fit_state(problem, signals.mean(axis=0), job.settings, known)
        for _ in range(2):
            aligned = align_to_fit(optimum.engine, optimum.state, signals)
            turn = np.exp(-1j * aligned.phase[:, None] - 2j * np.pi * np.multiply.outer(aligned.shift, time))
            optimum = fit_state(problem, (signals * turn).mean(axis=0), job.settings, known)
        aligned = align_to_fit(optimum.engine, optimum.state, signals)
    except Failure as failure:
        raise DataError("the mean of the transients cannot be fitted", file=job.data, found=str(failure)) from None
    mean = result_of(optimum)
    if mean.verdict.status == "failed":
        raise DataError("the mean of the transients cannot be fitted", file=job.data, found=mean.verdict.reason)
    follows = design[:, 1:] if job.settings.dynamic_line_width == "design" else np.zeros((len(design), 0))
    is_drift = [n for n, name in enumerate(names) if n == 0 or name.startswith("drift")]
    fit = fit_dynamic(optimum.engine, optimum.state, aligned, noise, design, follows, design[:, is_drift])
    sums = constants("fit_sums")["sums"]
    start = f"{job.prefix}_desc-{job.label or 'dynamic'}"
    rows = beta_rows(fit, names, mean.kinds, sums, names[1:] if follows.shape[1] else [])
    write_table(f"{start}_betas.tsv", rows, list(BETAS), BETAS)
    _write_amplitudes(start, fit, design, frames_of(image, len(signals)), mean, sums)
    _write_covariance(start, fit, names)
    write_curves(Path(f"{start}_curves.tsv"), [FrameFit(Frame("mean"), mean, mean.verdict)], mean.names)
    about = {
        "data": job.data.name,
        "design": {"file": design_path.name, "regressors": names, "line_width": names[1:] if follows.shape[1] else []},
        "basis": {"names": list(basis.names), "source": basis.notes},
        "settings": job.settings.model_dump(mode="json"),
        "notes": notes,
        "water": water,
        "label": job.label or "dynamic",
        "dynamic": {
            "transients": len(signals),
            "status": "ok" if fit.converged else "doubtful",
            "line_width": mean.line_width,
            "residual_ratio": fit.residual_ratio,
            "autocorrelation": fit.autocorrelation,
            "iterations": fit.iterations,
            "residual_by_transient": fit.by_transient.tolist(),
            "shift_by_transient": aligned.shift.tolist(),
            "phase_by_transient": np.rad2deg(aligned.phase).tolist(),
        },
        "frames": [],
    }
    write_json(f"{start}_fit.json", about)
    return Outcome(job.data, 1, 0, 0, tuple(notes))


def beta_rows(
    fit: DynamicFit, regressors: list[str], kinds: tuple[str, ...], sums: dict[str, list[str]], widths: list[str]
) -> list[dict[str, Any]]:
    """Rows of the table of betas: single ones, sums with their covariance, and the line width."""
    labels, matrix = sums_of(fit.names, sums)
    weights = np.concatenate([np.eye(len(fit.names)), matrix])
    flat, size = fit.betas.ravel(), len(fit.names)
    rows: list[dict[str, Any]] = []
    for p, regressor in enumerate(regressors):
        for name, kind, weight in zip([*fit.names, *labels], [*kinds, *["sum"] * len(labels)], weights, strict=True):
            own, base = np.zeros(flat.size), np.zeros(flat.size)
            own[p * size : (p + 1) * size] = weight
            base[:size] = weight
            row = {
                "regressor": regressor,
                "metabolite": name,
                "kind": kind,
                "beta": float(own @ flat),
                "beta_sd": combination_sd(fit.covariance, own),
            }
            if p > 0:
                ratio, sd = ratio_with_sd(flat, fit.covariance, own, base)
                row |= {"percent": 100 * ratio, "percent_sd": 100 * sd}
                row |= {"ci_low": 100 * (ratio - 1.96 * sd), "ci_high": 100 * (ratio + 1.96 * sd)}
            rows.append(row)
    for name, value, sd in zip(widths, fit.width_betas, fit.width_sd, strict=True):
        rows.append({"regressor": name, "metabolite": "line_width", "kind": "line_width", "beta": value, "beta_sd": sd})
    return rows


def _write_amplitudes(
    start: str, fit: DynamicFit, design: np.ndarray, frames: list[Any], mean: SpectrumFit, sums: dict[str, list[str]]
) -> None:
    """Amplitudes of each transient as the model says them."""
    labels, matrix = sums_of(fit.names, sums)
    weights = np.concatenate([np.eye(len(fit.names)), matrix])
    shares = [*mean.prior_share, *[0.0] * len(labels)]
    rows = []
    for frame, at in zip(frames, design, strict=True):
        for name, kind, weight, share in zip(
            [*fit.names, *labels], [*mean.kinds, *["sum"] * len(labels)], weights, shares, strict=True
        ):
            full = np.kron(at, weight)
            value, sd = float(full @ fit.betas.ravel()), combination_sd(fit.covariance, full)
            rows.append(
                {
                    "frame": frame.number,
                    "onset": frame.onset,
                    "duration": frame.duration,
                    "metabolite": name,
                    "amplitude": value,
                    "amplitude_sd": sd,
                    "crlb_percent": 100 * sd / value if value > 0 else None,
                    "prior_share": float(share) if kind != "sum" else None,
                    "kind": kind,
                }
            )
    write_table(f"{start}_amplitudes.tsv", rows, list(AMPLITUDES), AMPLITUDES)


def _write_covariance(start: str, fit: DynamicFit, regressors: list[str]) -> None:
    keys = [f"{regressor}:{name}" for regressor in regressors for name in fit.names]
    dictionary: dict[str, dict[str, str]] = {"beta": {"Description": "Row of the matrix, regressor:metabolite"}}
    dictionary |= {key: {"Description": f"Covariance with {key}", "Units": "square of the data's"} for key in keys}
    rows = [
        {"beta": key, **dict(zip(keys, row.tolist(), strict=True))}
        for key, row in zip(keys, fit.covariance, strict=True)
    ]
    write_table(f"{start}_covariance.tsv", rows, ["beta", *keys], dictionary)
