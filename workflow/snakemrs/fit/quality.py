"""Whether a fit can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from snakemrs.fit.engine import Engine, State

if TYPE_CHECKING:
    from snakemrs.fit.spectrum import SpectrumFit

LOWEST_SNR = 3.0
"""Height of the tallest metabolite line over the noise below which there is no spectrum."""
LARGEST_WIDTH_PPM = 0.25
"""Line width above which metabolites cannot be told apart, ppm."""
DOUBTFUL_RESIDUAL, FAILED_RESIDUAL = 2.0, 6.0
"""Residual over noise that makes a fit doubtful; that with a residual above a fifth of the signal makes it failed."""


@dataclass(frozen=True)
class Verdict:
    """`status` and, where it is not ``ok``, the reason."""

    status: Literal["ok", "doubtful", "failed"]
    reason: str


def judge(engine: Engine, state: State, result: SpectrumFit, converged: bool, rival: float) -> Verdict:
    """Say whether a fit is to be believed."""
    failed, doubtful = [], []
    problem, parameters = engine.problem, engine.parameters
    metabolites = problem.groups == 0
    if not np.any(state.amplitudes[metabolites] > 0):
        failed.append("no metabolite was found")
    if result.snr < LOWEST_SNR:
        failed.append(f"no signal of metabolites above the noise (ratio {result.snr:.1f}, at least {LOWEST_SNR:g})")
    if result.line_width > LARGEST_WIDTH_PPM * problem.spectrometer_frequency:
        failed.append(f"line width {result.line_width:.0f} Hz")
    shift = result.parameters["shift"] / problem.spectrometer_frequency
    limit = parameters.upper[parameters.index("shift")] / problem.spectrometer_frequency
    if abs(shift) > 0.95 * limit:
        failed.append(f"the shift ran to the end of its range ({shift:.2f} ppm)")
    signal = float(np.abs(result.fit - result.baseline).max())
    misfit = float(np.sqrt(np.mean(np.abs(result.fit - result.data) ** 2)))
    if result.residual_ratio > FAILED_RESIDUAL and misfit > 0.1 * signal:
        failed.append(
            f"the residual is {result.residual_ratio:.1f} times the noise and {misfit / signal:.0%} of the signal"
        )
    elif result.residual_ratio > DOUBTFUL_RESIDUAL:
        doubtful.append(f"the residual is {result.residual_ratio:.1f} times the noise")
    if not converged:
        doubtful.append("the search did not converge")
    if rival < 10.0:
        doubtful.append("another optimum is nearly as good")
    if failed:
        return Verdict("failed", "; ".join(failed))
    return Verdict("doubtful", "; ".join(doubtful)) if doubtful else Verdict("ok", "")
