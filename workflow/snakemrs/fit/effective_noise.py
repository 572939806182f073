"""How large the noise is that a fit has to reckon with: that of the scanner, or what the model misses.

In vivo no model explains a spectrum down to its noise: line shapes, shifts and patterns are never quite right. What is
missed is not white. It lies where the signal lies, in the first tenth of a second, with a density that may be ten times
that of the noise; averaged over a second, as the root mean square of a residual does, it looks small. A baseline or a
weakly determined metabolite that is judged against the average follows the misfit instead of the data.
"""

from __future__ import annotations

import numpy as np

from snakemrs.fit.engine import Engine, State
from snakemrs.fit.stiffness import MOST_FLEXIBLE

BAND = 3.0
"""End of the band in which the misfit is measured, in units of its start."""


def excess_of(engine: Engine, state: State) -> float:
    """Standard deviation of the effective noise over that of the scanner's noise, at least 1.

    The density of the residual at times just beyond those that any baseline can reach: a real function with E
    parameters per ppm ends at t = E/(2ν₀) (27 ms at 3 T for 7 per ppm), and the band is t to 3t. Metabolites are still
    there, the baseline is not; what the model misses at earlier times, where baseline and macromolecules take it up, is
    at least as large. A density that noise alone could have (within two standard deviations) is taken for noise.

    Parameters
    ----------
    engine : Engine
    state : State
        At an optimum.
    """
    problem = engine.problem
    residual = state.residual.view(complex) * engine.excess
    count = len(residual)
    density = np.abs(np.fft.ifft(residual)) ** 2 * (count / 2)
    time = np.arange(count) * (problem.points * problem.dwell_time / count)
    start = MOST_FLEXIBLE / (2 * problem.spectrometer_frequency)
    band = (time >= start) & (time < BAND * start)
    if not band.any():
        return 1.0
    mean = float(density[band].mean())
    by_chance = 1 + 2 * np.sqrt(1 / band.sum())  # of a mean over twice as many real numbers
    return float(np.sqrt(mean)) if mean > by_chance else 1.0
