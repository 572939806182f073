"""Axes and the Fourier transform of spectra: one convention for all of SnakeMRS.

Time signals have the sign of NIfTI-MRS: a resonance at δ ppm evolves as exp(−2πi·(δ − reference)·F·t). A spectrum is
``fftshift(fft(fid))``; its ppm axis falls from left to right, as spectroscopists draw it.
"""

from __future__ import annotations

import numpy as np

WATER_PPM = 4.65
"""Chemical shift at zero frequency, ppm: water at body temperature, the reference of NIfTI-MRS and FSL-MRS."""


def time_axis(points: int, dwell_time: float) -> np.ndarray:
    """Sampling times in seconds, shape (points,)."""
    return np.arange(points) * dwell_time


def frequency_axis(points: int, dwell_time: float) -> np.ndarray:
    """Frequencies of `to_spectrum` in Hz, rising, shape (points,)."""
    return np.fft.fftshift(np.fft.fftfreq(points, dwell_time))


def ppm_axis(points: int, dwell_time: float, spectrometer_frequency: float, reference: float = WATER_PPM) -> np.ndarray:
    """Chemical shifts of `to_spectrum` in ppm, falling, shape (points,); `spectrometer_frequency` in MHz."""
    return reference - frequency_axis(points, dwell_time) / spectrometer_frequency


def to_spectrum(fid: np.ndarray) -> np.ndarray:
    """Fourier transform along the last axis, zero frequency in the middle."""
    return np.fft.fftshift(np.fft.fft(fid, axis=-1), axes=-1)


def to_fid(spectrum: np.ndarray) -> np.ndarray:
    """Inverse of `to_spectrum`."""
    return np.fft.ifft(np.fft.ifftshift(spectrum, axes=-1), axis=-1)


def shift_frequency(fid: np.ndarray, hertz: float | np.ndarray, dwell_time: float) -> np.ndarray:
    """Move a spectrum by `hertz` towards lower ppm (multiply by exp(2πi·hertz·t)).

    `hertz` may have the shape of the leading axes of `fid`.
    """
    time = time_axis(fid.shape[-1], dwell_time)
    return fid * np.exp(2j * np.pi * np.multiply.outer(hertz, time))
