"""Whether a fit can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from snakemrs.fit.engine import Engine, State
from snakemrs.fit.nnls import solve_nonnegative

if TYPE_CHECKING:
    from snakemrs.fit.spectrum import SpectrumFit

LOWEST_SNR = 3.0
"""Height of the tallest metabolite line over the noise below which there is no spectrum."""
LOWEST_GAIN = 60.0
"""Least fall of χ² when metabolites are added to baseline and macromolecules; noise alone gives up to about 40."""
LARGEST_WIDTH_PPM = 0.25
"""Line width above which metabolites cannot be told apart, ppm."""
DOUBTFUL_MISFIT, FAILED_MISFIT = 0.03, 0.08
"""What the residual has beyond noise (root mean square) over the tallest metabolite line."""


@dataclass(frozen=True)
class Verdict:
    """`status` and, where it is not ``ok``, the reason."""

    status: Literal["ok", "doubtful", "failed"]
    reason: str


@dataclass(frozen=True)
class Search:
    """What the search met.

    Attributes
    ----------
    rival : float
        Difference in χ² to the next best, distinct optimum (infinite if there is none).
    elsewhere : float or None
        Shift in Hz/MHz at which the spectrum looks more like one than within the allowed range (positive: the data lie
        at lower ppm).
    surely_elsewhere : bool
        Whether it looks so much more like one there that nothing else need be asked.
    converged : bool
    """

    rival: float
    elsewhere: float | None = None
    surely_elsewhere: bool = False
    converged: bool = True


def judge(engine: Engine, state: State, result: SpectrumFit, search: Search) -> Verdict:
    """Say whether a fit is to be believed."""
    failed, doubtful = [], []
    problem, parameters = engine.problem, engine.parameters
    gain = metabolite_gain(engine, state)
    misfit = float(np.sqrt(max(result.residual_ratio**2 - 1, 0.0))) / max(result.snr, 1e-9)
    if result.snr < LOWEST_SNR or gain < LOWEST_GAIN:
        failed.append(f"no metabolites above the noise (signal to noise {result.snr:.1f}, χ² falls by {gain:.0f})")
    if result.line_width > LARGEST_WIDTH_PPM * problem.spectrometer_frequency:
        failed.append(f"line width {result.line_width:.0f} Hz")
    shift = result.parameters["shift"] / problem.spectrometer_frequency
    limit = parameters.upper[parameters.index("shift")] / problem.spectrometer_frequency
    if abs(shift) > 0.95 * limit:
        failed.append(f"the shift ran to the end of its range ({-shift:+.2f} ppm)")
    if search.elsewhere is not None and (search.surely_elsewhere or result.residual_ratio > 1.3):
        failed.append(f"the spectrum seems to be shifted by {-search.elsewhere:+.2f} ppm")
    if misfit > FAILED_MISFIT:
        failed.append(f"what the model misses is {misfit:.0%} of the tallest line")
    elif misfit > DOUBTFUL_MISFIT:
        doubtful.append(f"what the model misses is {misfit:.0%} of the tallest line")
    for group in ("macromolecule", "lipid"):
        for what in ("shift", "width"):
            name = f"{what}_{group}"
            if name in parameters.names:
                at = parameters.index(name)
                low, high = parameters.lower[at], parameters.upper[at]
                if min(state.theta[at] - low, high - state.theta[at]) < 0.01 * (high - low):
                    doubtful.append(f"the {what} of {group}s ran to the end of its range")
    if not search.converged:
        doubtful.append("the search did not converge")
    if search.rival < 10.0:
        doubtful.append("another optimum is nearly as good")
    if failed:
        return Verdict("failed", "; ".join(failed))
    return Verdict("doubtful", "; ".join(doubtful)) if doubtful else Verdict("ok", "")


def metabolite_gain(engine: Engine, state: State) -> float:
    """Fall of χ² when metabolites are added to baseline, macromolecules and lipids, at the line shape found."""
    rest = np.flatnonzero(engine.problem.groups > 0)
    with_all = float(state.target @ state.amplitudes)
    if rest.size == 0:
        return with_all
    without, _ = solve_nonnegative(state.gram[rest[:, None], rest], state.target[rest])
    return with_all - float(state.target[rest] @ without)
