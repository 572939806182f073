"""Rows of what a dynamic fit gives: betas, contrasts, levels, course, summary of the session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snakemrs.fit.dynamic import DynamicFit
from snakemrs.fit.functional.agreement import Agreement, compare, frame_rows
from snakemrs.fit.functional.contrasts import Change, change_of, ratio_change
from snakemrs.fit.functional.course import misfit, peak_of, smooth
from snakemrs.fit.functional.design import BASELINE, Design
from snakemrs.fit.functional.session import SessionFit
from snakemrs.fit.uncertainty import combination_sd, sums_of
from snakemrs.io.tables import Row

Rows = list[dict[str, Any]]
_INTERVAL = "end of the 95 % interval of"
WHO = {
    "metabolite": {"Description": "Metabolite, macromolecule, lipid, or a sum of them; line_width for the line width"},
    "kind": {"Description": "metabolite, macromolecule, lipid, sum or line_width"},
}
PERCENT = {
    "percent": {"Description": "Change over the level of the baseline", "Units": "%"},
    "percent_sd": {"Description": "Standard deviation of percent (delta method)", "Units": "%"},
    "ci_low": {"Description": f"Lower {_INTERVAL} percent (Fieller)", "Units": "%"},
    "ci_high": {"Description": f"Upper {_INTERVAL} percent (Fieller)", "Units": "%"},
}
BETAS = {
    "regressor": {"Description": "Column of the design; 'constant' is the amplitude where all others are zero"},
    **WHO,
    "beta": {"Description": "Change of amplitude per unit of the regressor", "Units": "as the data; Hz for line_width"},
    "beta_sd": {"Description": "Sampling standard deviation of beta, all other unknowns included", "Units": "as beta"},
    **PERCENT,
}
CONTRASTS = {
    "contrast": {"Description": "Name of the contrast"},
    **WHO,
    "estimate": {"Description": "Change of amplitude", "Units": "as the data; Hz for line_width"},
    "sd": {"Description": "Standard deviation of estimate", "Units": "as the data; Hz for line_width"},
    "z": {"Description": "estimate over sd"},
    "p": {"Description": "Two-sided p value of z, not corrected for the number of metabolites"},
    **PERCENT,
    "percent_tnaa": {"Description": "Change of the ratio to tNAA", "Units": "%"},
    "percent_tnaa_sd": {"Description": "Standard deviation of percent_tnaa", "Units": "%"},
    "percent_tcr": {"Description": "Change of the ratio to tCr", "Units": "%"},
    "percent_tcr_sd": {"Description": "Standard deviation of percent_tcr", "Units": "%"},
}
COURSE = {
    "onset": {"Description": "Start of the bin", "Units": "s"},
    "duration": {"Description": "Length of the bin", "Units": "s"},
    "phase": {"Description": "Phase of the session"},
    **WHO,
    "value": {"Description": "Free amplitude of the bin", "Units": "as the data; Hz for line_width"},
    "sd": {"Description": "Standard deviation of value", "Units": "as value"},
    "percent": {"Description": "value over the mean of the baseline, less 100", "Units": "%"},
    "smooth": {"Description": "The same, smoothed by a random walk whose steps the data choose", "Units": "%"},
    "smooth_low": {"Description": f"Lower {_INTERVAL} smooth", "Units": "%"},
    "smooth_high": {"Description": f"Upper {_INTERVAL} smooth", "Units": "%"},
    "model": {"Description": "What the design says of the bin, over the baseline", "Units": "%"},
    "residual": {"Description": "Root mean square residual over the noise, all metabolites alike", "Units": "1"},
}
SUMMARY = {
    **WHO,
    "control": {"Description": "Whether it must stay flat"},
    "baseline": {"Description": "Amplitude in the baseline", "Units": "as the data; Hz for line_width"},
    "change": {"Description": "Response less baseline", "Units": "as baseline"},
    "change_sd": {"Description": "Standard deviation of change", "Units": "as baseline"},
    **PERCENT,
    "percent_tnaa": CONTRASTS["percent_tnaa"],
    "percent_tnaa_sd": CONTRASTS["percent_tnaa_sd"],
    "auc": {"Description": "Area of percent over the response, from the free course", "Units": "% min"},
    "auc_low": {"Description": f"Lower {_INTERVAL} auc", "Units": "% min"},
    "auc_high": {"Description": f"Upper {_INTERVAL} auc", "Units": "% min"},
    "peak": {"Description": "Highest point of the smoothed course from the start of the response on", "Units": "%"},
    "peak_low": {"Description": f"Lower {_INTERVAL} peak", "Units": "%"},
    "peak_high": {"Description": f"Upper {_INTERVAL} peak", "Units": "%"},
    "time_to_peak": {"Description": "When, after the start of the response", "Units": "s"},
    "time_to_peak_low": {"Description": f"Lower {_INTERVAL} time_to_peak", "Units": "s"},
    "time_to_peak_high": {"Description": f"Upper {_INTERVAL} time_to_peak", "Units": "s"},
    "misfit_p": {"Description": "p value of what the design leaves of the free course; small: another course"},
    "autocorrelation": {"Description": "Of neighbouring residuals, where above chance; sds are widened for it"},
    "frames_percent": {"Description": "The same change in frames fitted one by one", "Units": "%"},
    "frames_sd": {"Description": "Standard deviation of frames_percent", "Units": "%"},
    "frames_z": {"Description": "Frames less dynamic fit, over the standard deviation of that difference"},
    "frames_agree": {"Description": "Whether the frames say the same (frames_z within 3)"},
}


@dataclass(frozen=True)
class Results:
    """A session's fit with all that its tables need.

    Attributes
    ----------
    session : SessionFit
    design : Design
        Of the transients that were fitted.
    onset : ndarray, shape (M,)
        Of these.
    sums : mapping
        Sums to report.
    controls : tuple of str
    frames : sequence of Row
        Amplitudes of frames fitted one by one; may be empty.
    """

    session: SessionFit
    design: Design
    onset: np.ndarray
    sums: Mapping[str, Sequence[str]]
    controls: tuple[str, ...] = ()
    frames: Sequence[Row] = ()

    @property
    def fit(self) -> DynamicFit:
        """The joint fit."""
        return self.session.fit

    @property
    def everyone(self) -> list[tuple[str, str, np.ndarray]]:
        """Name, kind and weights (K,) of all basis functions and sums."""
        names = self.fit.names
        labels, matrix = sums_of(names, self.sums)
        weights = np.concatenate([np.eye(len(names)), matrix])
        kinds = [*self.session.mean.kinds, *["sum"] * len(labels)]
        return list(zip([*names, *labels], kinds, weights, strict=True))

    @property
    def baseline(self) -> np.ndarray:
        """Weights of the level of the baseline, (P,): the constant where no transient is in the baseline."""
        if self.design.rows(BASELINE).any():
            return self.design.level(BASELINE)
        return np.eye(len(self.design.names))[0]

    def reference(self, name: str) -> np.ndarray | None:
        """Weights of a sum, or of what the basis has of it; None where it has nothing."""
        row = np.array([float(part in self.sums[name]) for part in self.fit.names])
        return row if row.any() else None

    def change(self, contrast: np.ndarray, metabolite: np.ndarray) -> Change:
        """Change of a metabolite."""
        return change_of(self.fit.betas, self.fit.covariance, contrast, self.baseline, metabolite)


def beta_rows(results: Results) -> Rows:
    """A row a regressor and metabolite, and a regressor of the line width."""
    fit = results.fit
    rows: Rows = []
    for p, regressor in enumerate(results.design.names):
        own = np.eye(len(results.design.names))[p]
        for name, kind, weights in results.everyone:
            change = results.change(own, weights)
            row: dict[str, Any] = {"regressor": regressor, "metabolite": name, "kind": kind}
            row |= {"beta": change.estimate, "beta_sd": change.sd}
            rows.append(row | (_percent(change) if p else {}))
    sds = np.sqrt(np.maximum(np.diag(fit.width_covariance), 0))
    for regressor, value, sd in zip(results.design.width_names, fit.width_betas, sds, strict=True):
        rows.append({"regressor": regressor, **_LINE_WIDTH, "beta": value, "beta_sd": sd})
    return rows


_LINE_WIDTH = {"metabolite": "line_width", "kind": "line_width"}


def _percent(change: Change) -> dict[str, float]:
    return {
        "percent": change.percent,
        "percent_sd": change.percent_sd,
        "ci_low": change.low,
        "ci_high": change.high,
    }


def contrast_rows(results: Results) -> Rows:
    """A row a contrast and metabolite, and the default contrast of the line width."""
    from scipy.special import ndtr

    rows: Rows = []
    for contrast, weights in results.design.contrasts.items():
        for name, kind, metabolite in results.everyone:
            change = results.change(weights, metabolite)
            row = {"contrast": contrast, "metabolite": name, "kind": kind, **_percent(change)}
            row |= {"estimate": change.estimate, "sd": change.sd, "z": change.z}
            row["p"] = float(2 * ndtr(-abs(change.z)))
            rows.append(row | _ratios(results, weights, metabolite))
    width = width_change(results)
    if width is not None:
        at = {"contrast": next(iter(results.design.contrasts)), **_LINE_WIDTH}
        rows.append({**at, "estimate": width[0], "sd": width[1], "z": width[0] / width[1] if width[1] > 0 else None})
    return rows


def _ratios(results: Results, contrast: np.ndarray, metabolite: np.ndarray) -> dict[str, float]:
    """Change of the ratios to tNAA and tCr."""
    found: dict[str, float] = {}
    fit = results.fit
    for column, name in (("percent_tnaa", "tNAA"), ("percent_tcr", "tCr")):
        below = results.reference(name)
        if below is not None:
            value, sd = ratio_change(fit.betas, fit.covariance, contrast, results.baseline, metabolite, below)
            found |= {column: value, f"{column}_sd": sd}
    return found


def width_change(results: Results) -> tuple[float, float] | None:
    """Line width in the response less that in the baseline, and its standard deviation, Hz."""
    design, fit = results.design, results.fit
    on, off = design.rows(design.response), design.rows(BASELINE)
    if not design.width_names or not on.any() or not off.any():
        return None
    row = design.width_matrix[on].mean(axis=0) - design.width_matrix[off].mean(axis=0)
    return float(row @ fit.width_betas), float(np.sqrt(max(row @ fit.width_covariance @ row, 0.0)))


def level_rows(results: Results, times: Mapping[str, tuple[float | None, float | None]]) -> tuple[Rows, Rows]:
    """Amplitudes of baseline and response and the default contrast, as frames; and their covariance.

    Parameters
    ----------
    times : mapping
        Phase → onset and duration.
    """
    design, fit = results.design, results.fit
    levels = {phase: design.level(phase) for phase in (BASELINE, design.response) if design.rows(phase).any()}
    levels |= design.contrasts
    shares = dict(zip(fit.names, results.session.mean.prior_share, strict=True))
    amplitudes: Rows = []
    covariance: Rows = []
    for level, weights in levels.items():
        onset, duration = times.get(level, (None, None))
        at = {"frame": level, "onset": onset, "duration": duration}
        for name, kind, metabolite in results.everyone:
            row = np.kron(weights, metabolite)
            value, sd = float(row @ fit.betas.ravel()), combination_sd(fit.covariance, row)
            amplitudes.append(
                {
                    **at,
                    "metabolite": name,
                    "amplitude": value,
                    "amplitude_sd": sd,
                    "crlb_percent": 100 * sd / value if value > 0 else None,
                    "prior_share": shares.get(name),
                    "kind": kind,
                    "difference": level in design.contrasts,
                }
            )
        take = np.kron(weights[None], np.eye(len(fit.names)))
        for name, cells in zip(fit.names, take @ fit.covariance @ take.T, strict=True):
            covariance.append({"frame": level, "metabolite": name, **dict(zip(fit.names, cells, strict=True))})
    return amplitudes, covariance


def course_rows(results: Results) -> Rows:
    """The free course of each metabolite and of the line width, bin by bin."""
    course = results.session.course
    if course is None:
        return []
    bins, residual = course.bins, results.fit.by_transient
    model = np.array([results.design.matrix[members].mean(axis=0) for members in bins.members])
    middle = bins.onset + bins.duration / 2
    at = [
        {
            "onset": bins.onset[f],
            "duration": bins.duration[f],
            "phase": bins.phase[f],
            "residual": float(np.sqrt(np.mean(residual[members] ** 2))),
        }
        for f, members in enumerate(bins.members)
    ]
    weights = _baseline_weights(results)
    rows: Rows = []
    for name, kind, metabolite in results.everyone:
        values, covariance = course.of(metabolite)
        base = float(weights @ values)
        if base <= 0:
            continue
        soft = smooth(values, covariance, middle)
        relative = 100 * (soft.samples / (soft.samples @ weights)[:, None] - 1)
        low, high = np.percentile(relative, [2.5, 97.5], axis=0)
        said = model @ (results.fit.betas @ metabolite)
        level = float(results.baseline @ results.fit.betas @ metabolite)
        for f, place in enumerate(at):
            rows.append(
                {
                    **place,
                    "metabolite": name,
                    "kind": kind,
                    "value": values[f],
                    "sd": float(np.sqrt(max(covariance[f, f], 0.0))),
                    "percent": 100 * (values[f] / base - 1),
                    "smooth": 100 * (soft.mean[f] / float(soft.mean @ weights) - 1),
                    "smooth_low": low[f],
                    "smooth_high": high[f],
                    "model": 100 * (said[f] / level - 1) if level > 0 else None,
                }
            )
    for f, place in enumerate(at):
        rows.append({**place, **_LINE_WIDTH, "value": course.widths[f], "sd": course.width_sd[f]})
    return rows


def _baseline_weights(results: Results) -> np.ndarray:
    """Weights of the bins whose mean is the baseline; all bins where there is none."""
    course = results.session.course
    assert course is not None
    before = np.array([phase == BASELINE for phase in course.bins.phase])
    length = course.bins.duration * (before if before.any() else 1.0)
    return np.asarray(length / length.sum())


def summary_rows(results: Results) -> Rows:
    """The session in a row a metabolite: change, area, peak, controls, agreement with the frames."""
    design = results.design
    contrast = next(iter(design.contrasts.values()))
    rows: Rows = []
    for label, kind, metabolite in results.everyone:
        if kind not in ("metabolite", "sum"):
            continue
        change = results.change(contrast, metabolite)
        row: dict[str, Any] = {"metabolite": label, "kind": kind, "control": label in results.controls}
        row |= {"baseline": float(results.baseline @ results.fit.betas @ metabolite)}
        row |= {"change": change.estimate, "change_sd": change.sd, **_percent(change)}
        ratios = _ratios(results, contrast, metabolite)
        row |= {key: ratios[key] for key in ("percent_tnaa", "percent_tnaa_sd") if key in ratios}
        row["autocorrelation"] = float(results.session.correlation @ metabolite / metabolite.sum())
        row |= _of_course(results, metabolite)
        agreement = agreement_of(results, label, change)
        if agreement is not None:
            row |= {"frames_percent": agreement.percent, "frames_sd": agreement.sd, "frames_z": agreement.z}
            row["frames_agree"] = agreement.agrees
        rows.append(row)
    width = width_change(results)
    if width is not None:
        rows.append({**_LINE_WIDTH, "control": False, "change": width[0], "change_sd": width[1]})
    return rows


def agreement_of(results: Results, label: str, change: Change) -> Agreement | None:
    """Whether frames fitted one by one say the same of a metabolite; None without frames."""
    frames = frame_rows(results.frames, label)
    if not len(frames):
        return None
    design = results.design
    return compare(frames, results.onset, design.phase, BASELINE, design.response, change.percent, change.percent_sd)


def _of_course(results: Results, metabolite: np.ndarray) -> dict[str, float]:
    """Area, peak and misfit of a metabolite's free course."""
    from scipy.special import chdtrc

    course, design = results.session.course, results.design
    if course is None:
        return {}
    bins = course.bins
    values, covariance = course.of(metabolite)
    model = np.array([design.matrix[members].mean(axis=0) for members in bins.members])
    found: dict[str, float] = {}
    left, free = misfit(values, covariance, model)
    if free > 0:
        found["misfit_p"] = float(chdtrc(free, left))
    on = np.array([phase == design.response for phase in bins.phase])
    off = np.array([phase == BASELINE for phase in bins.phase])
    if not on.any() or not off.any():
        return found
    total = float(bins.duration[on].sum())
    rise = bins.duration * on / total - bins.duration * off / bins.duration[off].sum()
    area = change_of(values[:, None], covariance, rise, bins.duration * off / bins.duration[off].sum(), np.ones(1))
    minutes = total / 60
    found |= {"auc": area.percent * minutes, "auc_low": area.low * minutes, "auc_high": area.high * minutes}
    soft = smooth(values, covariance, bins.onset + bins.duration / 2)
    peak = peak_of(soft, bins, BASELINE, float(bins.onset[on][0]))
    if peak is not None:
        for key, triple in (("peak", peak.percent), ("time_to_peak", peak.time)):
            found |= dict(zip((key, f"{key}_low", f"{key}_high"), triple, strict=True))
    return found
