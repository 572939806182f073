"""The line shape that the water reference shows beyond a Voigt line: eddy currents, shim asymmetry."""

from __future__ import annotations

import numpy as np

from snakemrs.spins.axis import time_axis

SMALLEST = 0.02
"""Deviation (see `water_line_shape`) from which a line shape is worth taking over."""


def water_line_shape(fid: np.ndarray, dwell_time: float, points: int) -> tuple[np.ndarray, float]:
    """Factor of the time signal by which water differs from a Voigt line.

    Amplitude, phase, frequency, Lorentzian and Gaussian width of the best Voigt line are taken out of the signal; what
    is left, r(t), is 1 for a Voigt line. It is drawn towards 1 where water sinks into noise, with the weight
    |s|²/(|s|² + (10σ)²). A metabolite signal with the same line shape is the basis signal times r(t) times a Voigt
    decay: the model takes r over instead of dividing the data by it (Klose 1990; de Graaf et al. 1990), which would
    colour the noise.

    Parameters
    ----------
    fid : ndarray of complex, shape (n,)
        Unsuppressed water.
    dwell_time : float
        Seconds.
    points : int
        Length of the answer; beyond the signal it is 1.

    Returns
    -------
    shape : ndarray of complex, shape (points,)
    deviation : float
        Root mean square of r − 1 where water is above a fifth of its start.
    """
    size = np.abs(fid)
    noise = max(float(np.std(fid[int(0.9 * len(fid)) :])) / np.sqrt(2), 1e-9 * float(size.max()))
    below = np.flatnonzero(size < 0.2 * size[:8].max())
    stop = max(32, int(below[0]) if below.size else len(fid) // 4)
    time = time_axis(len(fid), dwell_time)
    weight = size[:stop]
    envelope = np.polyfit(time[:stop], np.log(np.maximum(size[:stop], 1e-300)), 2, w=weight)
    phase = np.unwrap(np.angle(fid[:stop]))
    turn = np.polyfit(time[:stop], phase, 1, w=weight)
    # a Voigt line has a straight phase and an envelope of second order; beyond `stop` the envelope is continued
    decay = np.minimum(np.polyval([min(envelope[0], 0.0), *envelope[1:]], time), envelope[2])
    voigt = np.exp(np.maximum(decay, -60.0) + 1j * np.polyval(turn, time))
    trust = size**2 / (size**2 + (10 * noise) ** 2)
    ratio = fid / voigt
    ratio = np.where(np.abs(ratio) > 3, 3 * ratio / np.maximum(np.abs(ratio), 1e-300), ratio)
    shape = 1 + trust * (ratio - 1)
    shape[0] = shape[1]  # the first point is not believed
    deviation = float(np.sqrt(np.average(np.abs(shape[:stop] - 1) ** 2, weights=weight)))
    out = np.ones(points, complex)
    length = min(points, len(shape))
    out[:length] = shape[:length]
    return out, deviation
