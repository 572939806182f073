"""The water reference: its frames followed over time, those not in steady state left out, one signal made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.spectra import align as registration
from snakemrs.spectra.quality import half_height_width, noise_in_time
from snakemrs.spectra.reference import dominant_frequency
from snakemrs.spins.axis import shift_frequency


@dataclass(frozen=True)
class Water:
    """Water over time and as one signal.

    Attributes
    ----------
    mean : ndarray of complex, shape (points,)
        Mean of the aligned frames that are used.
    noise : float
        Standard deviation of the noise of `mean` in time (real and imaginary part each).
    used : ndarray of bool, shape (frames,)
    amplitude, frequency, phase, line_width : ndarray, shape (frames,)
        Magnitude at t = 0 (units of the signal), Hz relative to the axis, radians, Hz.
    """

    mean: np.ndarray
    noise: float
    used: np.ndarray
    amplitude: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray
    line_width: np.ndarray


def follow_water(
    fids: np.ndarray,
    dwell_time: float,
    spectrometer_frequency: float,
    keep_out: tuple[float, float],
    steady: float = 0.03,
) -> Water:
    """Follow unsuppressed water over its frames.

    A first frame whose amplitude differs from the median of the others by more than `steady` (fraction) was not in
    steady state and is left out, where there are at least three.

    Parameters
    ----------
    fids : ndarray of complex, shape (frames, points)
    dwell_time : float
        Seconds.
    spectrometer_frequency : float
        MHz.
    keep_out : (float, float)
        Frequencies with signal, Hz.
    """
    frames = len(fids)
    reach = 1.5 * spectrometer_frequency
    noise = noise_in_time(fids, dwell_time, keep_out)
    found = registration.align(fids, dwell_time, (-reach, reach), noise, max_shift=0.5 * spectrometer_frequency)
    moved = registration.apply(fids, found, dwell_time)
    first = np.abs(moved[:, :8]).mean(axis=1)
    used = np.ones(frames, bool)
    if frames >= 3 and abs(first[0] / np.median(first[1:]) - 1) > steady:
        used[0] = False
    mean = moved[used].mean(axis=0)
    place = dominant_frequency(mean, dwell_time, (-reach, reach))
    widths = np.array([water_width(fid, dwell_time, spectrometer_frequency) for fid in moved])
    return Water(
        mean,
        noise / np.sqrt(used.sum()),
        used,
        first,
        found.frequency + place,
        np.angle(np.exp(1j * (found.phase + np.angle(mean[0])))),
        widths,
    )


def water_width(fid: np.ndarray, dwell_time: float, spectrometer_frequency: float) -> float:
    """Full width at half maximum of water, Hz, phased by its first points."""
    reach = 1.5 * spectrometer_frequency
    place = dominant_frequency(fid, dwell_time, (-reach, reach))
    centred = shift_frequency(fid, -place, dwell_time)
    centred = centred * np.exp(-1j * np.angle(centred[:4].sum()))
    return half_height_width(centred, dwell_time, (-0.3 * spectrometer_frequency, 0.3 * spectrometer_frequency))
