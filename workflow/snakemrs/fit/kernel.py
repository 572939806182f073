"""A free line shape: a short kernel beside the Voigt line, smooth and drawn to nothing.

All lines are convolved with a kernel of weights s_m at the offsets f_m = m·spacing (Hz), m = −M … M, that sum to 1. In
the time domain that is a factor r(t) = Σ s_m exp(2πi f_m t). The kernel is a single 1 plus a deviation d, which is a
Gaussian process (smooth over `SMOOTH` steps, standard deviation `SPREAD`) with Σ d = 0 and Σ m·d = 0, so that neither
amplitude nor shift can hide in it: a Voigt line where the data do not say otherwise, and any smooth shape where they do
(LCModel's kernel serves the same end: Provencher, Magn Reson Med 1993, 30:672).
"""

from __future__ import annotations

import numpy as np

REACH = 10
"""M: the kernel reaches as many steps to either side."""
STEPS_PER_WIDTH = 4.0
"""Steps in the line width of the Voigt line."""
SMOOTH, SPREAD = 1.2, 0.4
"""Length of correlation (steps) and standard deviation of the deviation."""
LEAST = 1e-3
"""Directions whose variance is less than this part of the largest are left out."""


def kernel_functions(line_width: float, time: np.ndarray) -> np.ndarray:
    """Functions g_j(t) with r(t) = 1 + Σ z_j·g_j(t), each z_j having the prior N(0, 1).

    Parameters
    ----------
    line_width : float
        Of the Voigt line found before, Hz.
    time : ndarray, shape (time,)
        Seconds.

    Returns
    -------
    ndarray of complex, shape (J, time)
    """
    steps = np.arange(-REACH, REACH + 1)
    covariance = SPREAD**2 * np.exp(-0.5 * ((steps[:, None] - steps) / SMOOTH) ** 2)
    taper = np.cos(0.5 * np.pi * steps / (REACH + 1))
    covariance *= np.outer(taper, taper)
    constraints = np.stack([np.ones(len(steps)), steps])
    gain = np.linalg.solve(constraints @ covariance @ constraints.T, constraints @ covariance)
    covariance -= covariance @ constraints.T @ gain  # what is left given that both sums are zero
    variances, directions = np.linalg.eigh(covariance)
    keep = variances > LEAST * variances[-1]
    weights = directions[:, keep] * np.sqrt(variances[keep])
    waves = np.exp(2j * np.pi * np.multiply.outer(steps * line_width / STEPS_PER_WIDTH, time))
    return np.asarray(weights.T[::-1] @ waves)
