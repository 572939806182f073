"""Synthetic spectra with known truth, for the benchmarks and tests of the stage spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Lines of a proton spectrum in vivo: chemical shift (ppm), protons times concentration (NAA singlet = 1), additional
# width (Hz). Singlets of NAA, creatine, choline; the rest stands for multiplets and macromolecules.
LINES = [
    (2.01, 1.00, 0.0), (3.03, 0.75, 0.0), (3.21, 0.45, 0.0), (3.92, 0.45, 0.5),
    (2.30, 0.18, 3.0), (2.36, 0.25, 3.0), (2.41, 0.14, 3.0), (2.10, 0.15, 4.0), (2.49, 0.08, 3.0), (2.67, 0.10, 3.0),
    (3.56, 0.35, 3.0), (3.62, 0.20, 3.0), (3.75, 0.40, 5.0), (4.06, 0.12, 4.0),
]  # fmt: skip
MACROMOLECULES = [(0.91, 0.7, 22.0), (1.21, 0.3, 22.0), (1.39, 0.5, 22.0), (1.67, 0.4, 28.0), (2.05, 0.6, 30.0),
                  (2.27, 0.3, 26.0), (3.00, 0.3, 30.0)]  # fmt: skip
WATER_PPM = 4.65


@dataclass(frozen=True)
class Sampling:
    """Sampling of a spectrum: MHz, Hz, points."""

    spectrometer_frequency: float = 123.2
    bandwidth: float = 2000.0
    points: int = 2048

    @property
    def time(self) -> np.ndarray:
        """Seconds, shape (points,)."""
        return np.arange(self.points) / self.bandwidth


def lines(sampling: Sampling, table: list[tuple[float, float, float]], line_width: float) -> np.ndarray:
    """Sum Lorentzian lines; signs as in NIfTI-MRS."""
    t = sampling.time
    signal = np.zeros(sampling.points, complex)
    for ppm, amplitude, extra in table:
        frequency = -(ppm - WATER_PPM) * sampling.spectrometer_frequency
        signal += amplitude * np.exp(2j * np.pi * frequency * t - np.pi * (line_width + extra) * t)
    return signal


def brain(sampling: Sampling, line_width: float = 5.0, macromolecules: bool = True) -> np.ndarray:
    """Metabolites (and macromolecules) without water; the NAA singlet starts at 1."""
    signal = lines(sampling, LINES, line_width)
    return signal + lines(sampling, MACROMOLECULES, line_width) if macromolecules else signal


def naa_height(sampling: Sampling, line_width: float = 5.0) -> float:
    """Height of the NAA singlet in the spectrum: the sum of its decay."""
    return float(np.exp(-np.pi * line_width * sampling.time).sum())


def residual_water(sampling: Sampling, amplitude: float, line_width: float = 9.0, offset: float = 0.0) -> np.ndarray:
    """Residual water (three lines of different phase), `amplitude` times the NAA singlet."""
    table = [(4.65, 1.0, 0.0, 0.3), (4.70, 0.6, 6.0, 2.0), (4.60, 0.5, 4.0, -1.5)]
    t = sampling.time
    signal = np.zeros(sampling.points, complex)
    for ppm, share, extra, phase in table:
        frequency = -(ppm - WATER_PPM) * sampling.spectrometer_frequency + offset
        decay = np.pi * (line_width + extra) * t
        signal += share * np.exp(1j * phase + 2j * np.pi * frequency * t - decay)
    return amplitude * signal


def noise_for(snr: float, sampling: Sampling, line_width: float = 5.0) -> float:
    """Standard deviation of noise in time (real and imaginary part each) for an SNR of the NAA singlet."""
    return naa_height(sampling, line_width) / snr / np.sqrt(sampling.points)


def noise(rng: np.random.Generator, shape: tuple[int, ...], sd: float) -> np.ndarray:
    """Complex white noise with standard deviation `sd` in each part."""
    return sd * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def cramer_rao(signal: np.ndarray, sampling: Sampling, sd: float) -> tuple[float, float]:
    """Limits of the standard deviation of frequency (Hz) and phase (radians) of a transient whose shape is known."""
    t = sampling.time
    by_frequency, by_phase = 2j * np.pi * t * signal, 1j * signal
    derivatives = np.stack([by_frequency, by_phase])
    information = (derivatives.conj() @ derivatives.T).real / sd**2
    covariance = np.linalg.inv(information)
    return float(np.sqrt(covariance[0, 0])), float(np.sqrt(covariance[1, 1]))
