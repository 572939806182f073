"""Eddy-current correction by the phase of the water reference (Klose, Magn Reson Med 1990, 14:26)."""

from __future__ import annotations

import numpy as np


def water_phase(water: np.ndarray, noise: float, points: int | None = None) -> np.ndarray:
    """Give the phase of the water signal over time, unwrapped.

    Where the signal has sunk into noise its phase means nothing: from there on it goes on with the mean frequency of
    the last quarter before.

    Parameters
    ----------
    water : ndarray of complex, shape (points,)
        Unsuppressed water, coils combined, averaged.
    noise : float
        Standard deviation of its noise (real and imaginary part each).
    points : int, optional
        Length of the answer; that of `water` by default. Longer ones go on as above.

    Returns
    -------
    ndarray of float, shape (points,)
        Radians.

    Raises
    ------
    ValueError
        If water is above the noise for less than 16 points.
    """
    points = len(water) if points is None else points
    smooth = np.convolve(np.abs(water), np.ones(9) / 9, mode="same")
    below = np.flatnonzero(smooth < 10 * noise)
    last = int(below[0]) if len(below) else len(water)
    last = min(last, points)
    if last < 16:
        raise ValueError("the water reference is hardly above its noise")
    phase = np.unwrap(np.angle(water[:last]))
    tail = max(12, last // 4)
    slope, level = np.polyfit(np.arange(-tail + 1, 1), phase[-tail:], 1, w=smooth[last - tail : last])
    more = level + slope * np.arange(1, points - last + 1)
    return np.concatenate([phase, more])


def correct(fids: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Take `phase` (points,) off each of `fids` (..., points)."""
    return fids * np.exp(-1j * phase)
