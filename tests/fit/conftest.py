"""A small basis and spectra made of it, with everything known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from snakemrs.fit.problem import Problem
from snakemrs.fit.setup import build_problem
from snakemrs.spins.axis import WATER_PPM
from snakemrs.spins.basis import Basis
from snakemrs.spins.macromolecules import parametric_signals
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings

DWELL, POINTS, MHZ = 5e-4, 1024, 123.2
LINES = {
    "NAA": [(2.008, 3), (2.49, 0.5), (2.60, 0.5), (2.66, 0.5), (2.71, 0.5)],
    "NAAG": [(2.042, 3), (2.19, 1)],
    "Cr": [(3.027, 3), (3.913, 2)],
    "PCr": [(3.029, 3), (3.930, 2)],
    "GPC": [(3.212, 9), (3.66, 2)],
    "PCho": [(3.208, 9), (3.64, 2)],
    "Ins": [(3.52, 1), (3.54, 1), (3.61, 1), (3.63, 1), (4.05, 1), (3.27, 0.5)],
    "Glu": [(2.33, 1), (2.36, 1), (2.05, 1), (2.10, 1), (3.75, 1)],
    "Gln": [(2.42, 1), (2.46, 1), (2.11, 1), (2.15, 1), (3.77, 1)],
    "GABA": [(2.28, 2), (1.89, 2), (3.01, 2)],
}
TRUTH = {
    "NAA": 10,
    "NAAG": 1.2,
    "Cr": 4.4,
    "PCr": 3.6,
    "GPC": 0.9,
    "PCho": 0.6,
    "Ins": 6,
    "Glu": 9,
    "Gln": 3,
    "GABA": 1.4,
}


@pytest.fixture(scope="session")
def basis() -> Basis:
    """Ten metabolites of damped lines (2 Hz) and the parametric macromolecules in one."""
    time = np.arange(POINTS) * DWELL
    fids = [
        sum(h * np.exp(2j * np.pi * (WATER_PPM - ppm) * MHZ * time - np.pi * 2 * time) for ppm, h in lines)
        for lines in LINES.values()
    ]
    broad = parametric_signals(spectrometer_frequency=MHZ, bandwidth=1 / DWELL, points=POINTS)
    mm = sum(fid for fid, kind in zip(broad.fids, broad.kinds, strict=True) if kind == "macromolecule")
    return Basis(
        names=(*LINES, "MM"),
        fids=np.array([*fids, mm]),
        dwell_time=DWELL,
        spectrometer_frequency=MHZ,
        kinds=(*["metabolite"] * len(LINES), "macromolecule"),
        line_width=2.0,
    )


@pytest.fixture(scope="session")
def prepare_problem(basis: Basis) -> Callable[..., Problem]:
    """Prepare the basis for given settings."""

    def prepare(settings: FitSettings | None = None) -> Problem:
        return build_problem(
            basis,
            settings or FitSettings(),
            dwell_time=DWELL,
            points=POINTS,
            spectrometer_frequency=MHZ,
            not_fitted=constants("fit_basis")["not_fitted"],
        )[0]

    return prepare


@pytest.fixture(scope="session")
def measure(basis: Basis) -> Callable[..., np.ndarray]:
    """Make a measurement: truth, line shape, shift (Hz, to lower ppm), phase, noise."""

    def make(
        snr: float = 60,
        seed: int = 1,
        lorentz: float = 3,
        gauss: float = 3,
        shift: float = 0,
        phase: float = 0,
        **truth: float,
    ) -> np.ndarray:
        amounts = {**TRUTH, "MM": 2.0, **truth}
        time = np.arange(POINTS) * DWELL
        signal = sum(amounts[name] * fid for name, fid in zip(basis.names, basis.fids, strict=True))
        signal = signal * np.exp(-np.pi * lorentz * time - (np.pi * gauss * time) ** 2 / (4 * np.log(2)))
        signal = signal * np.exp(2j * np.pi * shift * time + 1j * phase)
        height = np.abs(np.fft.fft(signal)).max()
        noise = np.random.default_rng(seed).normal(size=(2, POINTS)) * height / snr / np.sqrt(POINTS)
        return np.asarray(signal + noise[0] + 1j * noise[1])

    return make
