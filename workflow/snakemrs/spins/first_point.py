"""The first point of a time signal, which some programs halve and others do not.

A discrete Fourier transform of a causal signal that starts at its full height lies above its true spectrum by half the
first point, a constant over the whole spectrum. Some programs halve that point. Data and basis must agree: SnakeMRS
keeps signals at their full height.
"""

from __future__ import annotations

import numpy as np

from snakemrs.spins.axis import WATER_PPM

MIDDLE_PPM = 2.5


def expected_first_point(fids: np.ndarray, dwell_time: float, spectrometer_frequency: float) -> np.ndarray:
    """First point as the next points say, shape (...,).

    The signal is brought to rest at 2.5 ppm, where what matters is slow, and a cubic through the points 1 to 8 (least
    squares) is continued to 0.

    Parameters
    ----------
    fids : ndarray of complex, shape (..., points)
    dwell_time : float
        Seconds.
    spectrometer_frequency : float
        MHz.
    """
    count = 9
    turn = np.exp(-2j * np.pi * (WATER_PPM - MIDDLE_PPM) * spectrometer_frequency * dwell_time * np.arange(count))
    still = fids[..., :count] * turn
    design = np.vander(np.arange(1.0, count), 4, increasing=True)
    return np.asarray(still[..., 1:] @ np.linalg.pinv(design)[0])


def first_point_ratio(fids: np.ndarray, dwell_time: float, spectrometer_frequency: float) -> np.ndarray:
    """First point over the expected one (real part of the ratio), shape (...,): 1 whole, 0.5 halved."""
    expected = expected_first_point(fids, dwell_time, spectrometer_frequency)
    return np.asarray((fids[..., 0] / np.where(expected == 0, 1, expected)).real)
