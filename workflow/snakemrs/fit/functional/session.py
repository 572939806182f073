"""The dynamic fit of a session in memory: transients and design in, betas, course and widths out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snakemrs.fit.dynamic import Aligned, DynamicFit, align_to_fit, fit_dynamic, rotation
from snakemrs.fit.functional.contrasts import autocorrelations, widening
from snakemrs.fit.functional.course import Bins, free_design
from snakemrs.fit.functional.design import Design
from snakemrs.fit.problem import Problem
from snakemrs.fit.spectrum import SpectrumFit, fit_state, result_of
from snakemrs.fit.start import noise_level
from snakemrs.study.settings.fit import FitSettings

NOISE_FROM = 32
"""Transients, evenly spread, whose noise is looked at: more tell it no better."""


@dataclass(frozen=True)
class Course:
    """Free amplitudes: `fit` of `free_design`; `values` (F, K) in each bin; line width of each bin, Hz, (F,)."""

    bins: Bins
    fit: DynamicFit
    to_bins: np.ndarray
    widths: np.ndarray
    width_sd: np.ndarray

    def of(self, metabolite: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Amplitudes of a metabolite or sum in the bins (F,), and their covariance (F, F)."""
        rows = np.kron(self.to_bins, metabolite[None])
        return rows @ self.fit.betas.ravel(), rows @ self.fit.covariance @ rows.T


@dataclass(frozen=True)
class SessionFit:
    """What the dynamic fit of a session gives.

    Attributes
    ----------
    mean : SpectrumFit
        Fit of the mean of the aligned transients.
    aligned : Aligned
    fit : DynamicFit
        Its covariance is widened for autocorrelation where asked for.
    correlation : ndarray, shape (K,)
        Of neighbouring residual amplitudes, by basis function; 0 where chance explains it.
    course : Course or None
    """

    mean: SpectrumFit
    aligned: Aligned
    fit: DynamicFit
    correlation: np.ndarray
    course: Course | None


def fit_session(
    problem: Problem,
    fids: np.ndarray,
    weights: np.ndarray,
    design: Design,
    settings: FitSettings,
    known: Mapping[str, Any],
    bins: Bins | None = None,
    correct: bool = True,
) -> SessionFit:
    """Fit all transients of a session jointly.

    Parameters
    ----------
    problem : Problem
    fids : ndarray of complex, shape (M, points)
    weights : ndarray, shape (M,)
        Above zero.
    design : Design
        Of these transients.
    settings : FitSettings
    known : mapping
        ``fit_priors.yaml``.
    bins : Bins, optional
        Of the free course; none is fitted without.
    correct : bool
        Widen the standard deviations for autocorrelation.

    Raises
    ------
    Failure
        If the mean of the transients cannot be fitted.
    """
    fids = np.asarray(fids[:, : problem.points], complex)
    looked_at = fids[:: max(1, len(fids) // NOISE_FROM)]
    noise = float(
        np.median([noise_level(fid, problem.dwell_time, problem.spectrometer_frequency) for fid in looked_at])
    )
    share = weights / weights.sum()
    optimum = fit_state(problem, share @ fids, settings, known)
    aligned = None
    for passes in (3, 1):
        aligned = align_to_fit(optimum.engine, optimum.state, fids, passes, aligned)
        turned = fids * rotation(aligned.shift, aligned.phase, problem.dwell_time, problem.points)
        optimum = fit_state(problem, share @ turned, settings, known)
    engine, state = optimum.engine, optimum.state
    aligned = align_to_fit(engine, state, fids, 1, aligned)
    fit = fit_dynamic(engine, state, aligned, noise, design.matrix, design.width_matrix, design.baseline, weights)
    correlation = autocorrelations(fit.residual_amplitudes, design.matrix.shape[1])
    if correct and np.any(correlation):
        factor = widening(design.matrix, correlation).ravel()
        fit = replace(fit, covariance=fit.covariance * factor * factor[:, None])
    course = None
    if bins is not None and len(bins.members) > 2:
        index, free = bins.index(len(fids)), free_design(len(bins.members))
        follows = free[index, 1:] if design.width_names else np.zeros((len(fids), 0))
        # A baseline that changes within a bin would need a basis of time of its own: its mean over the bin serves.
        slow = np.array([design.baseline[members].mean(axis=0) for members in bins.members])[index]
        loose = fit_dynamic(engine, state, aligned, noise, free[index], follows, slow, weights)
        course = _course(bins, free, loose, follows, weights, result_of(optimum).line_width)
    return SessionFit(result_of(optimum), aligned, fit, correlation, course)


def _course(
    bins: Bins, free: np.ndarray, fit: DynamicFit, follows: np.ndarray, weights: np.ndarray, line_width: float
) -> Course:
    """Amplitudes and widths of the bins from those of the cosines."""
    if not follows.shape[1]:
        still = np.zeros(len(bins.members))
        return Course(bins, fit, free, still + line_width, still)
    around = free[:, 1:] - np.average(follows, axis=0, weights=weights)
    sd = np.sqrt(np.maximum(np.einsum("fp,pq,fq->f", around, fit.width_covariance, around), 0))
    return Course(bins, fit, free, line_width + around @ fit.width_betas, sd)
