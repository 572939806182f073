"""A virtual acquisition in memory with known truth, for the benchmarks and tests of the stage spectra."""

from __future__ import annotations

import numpy as np

from snakemrs.io.nifti_mrs import NiftiMrs
from spectra_signals import Sampling, brain, noise, noise_for, residual_water

AFFINE = np.array([[20.0, 0, 0, 5], [0, 30, 0, -20], [0, 0, 25, 10], [0, 0, 0, 1]])


def make_image(signal: np.ndarray, *tags: str, sampling: Sampling | None = None, **header: object) -> NiftiMrs:
    """A NIfTI-MRS image of `signal` (axes named by `tags`, points last)."""
    sampling = sampling or Sampling()
    base = NiftiMrs(
        np.zeros((1, 1, 1, sampling.points), np.complex64),
        AFFINE,
        1 / sampling.bandwidth,
        {"SpectrometerFrequency": [123.2], "ResonantNucleus": ["1H"], "EchoTime": 0.03, "RepetitionTime": 2.0},
    )
    return base.with_signal(signal, *tags, **header)


class Scan:
    """A virtual acquisition.

    Transients with a drift of 6 Hz and residual water, a water reference of four frames, both with the same eddy
    currents; three coils on request; `spoilt` transients have lost most of their signal.
    """

    def __init__(self, transients: int = 48, snr: float = 15.0, coils: int = 0, spoilt: tuple[int, ...] = ()) -> None:
        rng = np.random.default_rng(7)
        self.sampling = sampling = Sampling()
        t = sampling.time
        self.frequency = np.linspace(-3, 3, transients) + rng.normal(0, 0.3, transients)
        self.phase = rng.normal(0, 0.3, transients)
        self.eddy = 0.5 * np.exp(-t / 0.03) * np.sin(2 * np.pi * 15 * t)
        clean = (brain(sampling) + residual_water(sampling, 4.0)) * np.exp(1j * (self.eddy + 0.6))
        fids = clean * np.exp(1j * (2 * np.pi * np.multiply.outer(self.frequency, t) + self.phase[:, None]))
        for k in spoilt:
            fids[k] *= 0.4 * np.exp(-np.pi * 6 * t)
        sd = noise_for(snr, sampling)
        water = 2000 * np.exp(-np.pi * 6 * t + 1j * (self.eddy + 1.1))
        water = np.stack([water] * 4)
        self.sensitivity = np.array([1.0, 0.5j, -0.3 + 0.4j]) if coils else np.ones(1)
        mixing = np.array([[1, 0, 0], [0.3, 1, 0], [0, 0.2j, 1]]) if coils else np.eye(1)
        self.covariance = 2 * sd**2 * mixing @ mixing.conj().T

        def receive(signals: np.ndarray) -> np.ndarray:
            white = noise(rng, (len(signals), len(mixing), sampling.points), sd)
            received = signals[:, None] * self.sensitivity[:, None] + np.einsum("ab,tbn->tan", mixing, white)
            return received

        tags = ("DIM_DYN", "DIM_COIL") if coils else ("DIM_DYN",)
        data, reference = receive(fids), receive(water)
        if not coils:
            data, reference = data[:, 0], reference[:, 0]
        self.svs = make_image(data, *tags)
        self.water = make_image(reference, *tags)
