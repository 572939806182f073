"""The files of a fit (docs/reference/files.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.fit.quality import Verdict
from snakemrs.fit.spectrum import SpectrumFit
from snakemrs.fit.uncertainty import sums_of
from snakemrs.io.atomic import write_json
from snakemrs.io.tables import write_table


@dataclass(frozen=True)
class Frame:
    """A spectrum's place in time: number, onset and duration (seconds, or None where unknown)."""

    number: str
    onset: float | None = None
    duration: float | None = None


@dataclass(frozen=True)
class FrameFit:
    """A frame with its fit, or with why there is none."""

    frame: Frame
    fit: SpectrumFit | None
    verdict: Verdict


AMPLITUDES = {
    "frame": {"Description": "Frame"},
    "onset": {"Description": "Start of the frame", "Units": "s"},
    "duration": {"Description": "Length of the frame", "Units": "s"},
    "metabolite": {"Description": "Metabolite, macromolecule, lipid, or a sum of them"},
    "amplitude": {"Description": "Signal at t = 0 divided by the number of protons", "Units": "as the data"},
    "amplitude_sd": {
        "Description": "Standard deviation of the value: noise, baseline, soft priors and what the model misses; "
        "1.96 of it on both sides hold the truth of 95 % of people who differ as the priors say",
        "Units": "as the data",
    },
    "noise_sd": {
        "Description": "Standard deviation over repeated measurements of the same signal: the scanner's noise alone",
        "Units": "as the data",
    },
    "crlb_percent": {
        "Description": "Cramér-Rao bound of the full model (baseline, non-linear parameters; the scanner's noise, "
        "no soft priors of amplitudes) over the amplitude",
        "Units": "%",
    },
    "prior_share": {"Description": "Share of the value that its soft prior decides, 0 (data alone) to 1 (prior alone)"},
    "kind": {"Description": "metabolite, macromolecule, lipid or sum"},
}
CURVES = {
    "frame": {"Description": "Frame"},
    "ppm": {"Description": "Chemical shift", "Units": "ppm"},
    "data_re": {"Description": "Data, phased, real part"},
    "data_im": {"Description": "Data, phased, imaginary part"},
    "fit_re": {"Description": "Fit with baseline, real part"},
    "fit_im": {"Description": "Fit with baseline, imaginary part"},
    "baseline_re": {"Description": "Baseline, real part"},
    "baseline_im": {"Description": "Baseline, imaginary part"},
}


def with_same_names(frames: Sequence[FrameFit]) -> list[FrameFit]:
    """Give all frames the basis functions of the richest: those that a frame did without (lipids) have amplitude 0."""
    richest = max((frame.fit for frame in frames if frame.fit is not None), key=lambda fit: len(fit.names))
    size = len(richest.names)
    out = []
    for frame in frames:
        fit = frame.fit
        if fit is not None and len(fit.names) < size:
            at = [richest.names.index(name) for name in fit.names]
            amplitudes, share = np.zeros(size), np.zeros(size)
            parts = np.zeros((size, len(fit.ppm)))
            amplitudes[at], share[at], parts[at] = fit.amplitudes, fit.prior_share, fit.parts
            matrices = np.zeros((3, size, size))
            matrices[np.ix_(range(3), at, at)] = fit.covariance, fit.sampling, fit.bound
            fit = replace(
                fit,
                names=richest.names,
                kinds=richest.kinds,
                amplitudes=amplitudes,
                prior_share=share,
                covariance=matrices[0],
                sampling=matrices[1],
                bound=matrices[2],
                parts=parts,
            )
        out.append(replace(frame, fit=fit))
    return out


def write_outputs(
    prefix: str,
    label: str,
    frames: Sequence[FrameFit],
    sums: Mapping[str, Sequence[str]],
    about: Mapping[str, Any],
) -> list[Path]:
    """Write amplitudes, covariance, curves and ``fit.json``.

    Parameters
    ----------
    prefix : str
        Path up to the stem.
    label : str
        ``static``, ``frames`` or ``dynamic``.
    frames : sequence of FrameFit
        All with the same basis functions.
    sums : mapping
        Sums to report (``fit_sums.yaml``).
    about : mapping
        What goes into ``fit.json`` beside the frames.

    Returns
    -------
    list of Path
    """
    fits = [frame.fit for frame in frames if frame.fit is not None]
    names = fits[0].names
    start = f"{prefix}_desc-{label}"
    paths = [Path(f"{start}_{ending}") for ending in ("amplitudes.tsv", "covariance.tsv", "curves.tsv", "fit.json")]
    rows = [row for frame in frames for row in amplitude_rows(frame, names, fits[0].kinds, sums)]
    write_table(paths[0], rows, list(AMPLITUDES), AMPLITUDES)
    usable = [frame for frame in frames if frame.fit is not None and frame.verdict.status != "failed"]
    columns = ["frame", "metabolite", *names]
    dictionary: dict[str, dict[str, str]] = {
        "frame": CURVES["frame"],
        "metabolite": {"Description": "Row of the matrix"},
    }
    dictionary |= {name: {"Description": f"Covariance with {name}", "Units": "square of the data's"} for name in names}
    write_table(paths[1], [row for frame in usable for row in _covariance_rows(frame)], columns, dictionary)
    write_curves(paths[2], frames, names)
    write_json(paths[3], {**about, "label": label, "frames": [_summary(frame) for frame in frames]})
    return paths


def write_curves(path: Path, frames: Sequence[FrameFit], names: Sequence[str]) -> None:
    """Write data, fit, baseline and the part of each basis function against ppm."""
    parts = {f"fit_{name}": {"Description": f"Part of {name} in the fit, real part"} for name in names}
    curves = CURVES | parts
    write_table(path, [row for frame in frames for row in _curve_rows(frame)], list(curves), curves)


def amplitude_rows(
    frame: FrameFit, names: Sequence[str], kinds: Sequence[str], sums: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Rows of the table of amplitudes; a failed fit gives no numbers."""
    at = {"frame": frame.frame.number, "onset": frame.frame.onset, "duration": frame.frame.duration}
    labels, matrix = sums_of(names, sums)
    all_names, all_kinds = [*names, *labels], [*kinds, *["sum"] * len(labels)]
    fit = frame.fit
    if fit is None or frame.verdict.status == "failed":
        return [at | {"metabolite": name, "kind": kind} for name, kind in zip(all_names, all_kinds, strict=True)]
    full = np.concatenate([np.eye(len(names)), matrix])
    values = full @ fit.amplitudes
    sds, noise, bounds = (
        np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", full, matrix, full), 0))
        for matrix in (fit.covariance, fit.sampling, fit.bound)
    )
    shares = [*fit.prior_share, *_sum_shares(fit, matrix)]
    return [
        at
        | {
            "metabolite": name,
            "amplitude": float(value),
            "amplitude_sd": float(sd),
            "noise_sd": float(repeated),
            "crlb_percent": float(100 * bound / value) if value > 0 else None,
            "prior_share": float(share),
            "kind": kind,
        }
        for name, value, sd, repeated, bound, share, kind in zip(
            all_names, values, sds, noise, bounds, shares, all_kinds, strict=True
        )
    ]


def _sum_shares(fit: SpectrumFit, matrix: np.ndarray) -> list[float]:
    """Share of priors in sums: parts weighted by their amplitudes."""
    out = []
    for row in matrix:
        weight = row * fit.amplitudes
        total = float(weight.sum())
        out.append(float(weight @ fit.prior_share) / total if total > 0 else 0.0)
    return out


def _covariance_rows(frame: FrameFit) -> list[dict[str, Any]]:
    fit = frame.fit
    assert fit is not None
    return [
        {"frame": frame.frame.number, "metabolite": name, **dict(zip(fit.names, row.tolist(), strict=True))}
        for name, row in zip(fit.names, fit.covariance, strict=True)
    ]


def _curve_rows(frame: FrameFit) -> list[dict[str, Any]]:
    fit = frame.fit
    if fit is None:
        return []
    columns: dict[str, list[float]] = {
        "ppm": fit.ppm.tolist(),
        "data_re": fit.data.real.tolist(),
        "data_im": fit.data.imag.tolist(),
        "fit_re": fit.fit.real.tolist(),
        "fit_im": fit.fit.imag.tolist(),
        "baseline_re": fit.baseline.real.tolist(),
        "baseline_im": fit.baseline.imag.tolist(),
    }
    columns |= {f"fit_{name}": part.tolist() for name, part in zip(fit.names, fit.parts, strict=True)}
    keys = list(columns)
    return [
        {"frame": frame.frame.number, **dict(zip(keys, values, strict=True))}
        for values in zip(*columns.values(), strict=True)
    ]


def _summary(frame: FrameFit) -> dict[str, Any]:
    """Entry of a frame in ``fit.json``."""
    entry: dict[str, Any] = {
        "frame": frame.frame.number,
        "onset": frame.frame.onset,
        "duration": frame.frame.duration,
        "status": frame.verdict.status,
        "reason": frame.verdict.reason,
    }
    fit = frame.fit
    if fit is None:
        return entry
    values, sds = fit.parameters, fit.parameter_sd
    numbers = {
        "snr": fit.snr,
        "noise": fit.noise,
        "line_width": fit.line_width,
        "phase0": float(np.rad2deg(values["phase0"])),
        "phase1": values["phase1"],
        "shift": values["shift"],
        "lorentzian": values["lorentzian"],
        "gaussian": float(np.sqrt(values["gaussian_squared"])),
        "residual_ratio": fit.residual_ratio,
        "effective_noise": fit.noise * fit.excess,
        "baseline_ed": fit.baseline_ed,
        "evaluations": fit.evaluations,
    }
    numbers |= {key: value for key, value in values.items() if key.startswith(("shift_", "width_"))}
    spread = {
        "phase0": float(np.rad2deg(sds["phase0"])),
        **{key: sds[key] for key in ("phase1", "shift", "lorentzian")},
    }
    return entry | numbers | {"sd": spread}
