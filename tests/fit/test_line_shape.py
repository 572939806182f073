"""The line shape of the water reference in the model of the spectrum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from snakemrs.fit.line_shape import SMALLEST, water_line_shape
from snakemrs.fit.setup import build_problem
from snakemrs.fit.spectrum import fit_spectrum
from snakemrs.spins.basis import Basis
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings

DWELL, POINTS, MHZ = 5e-4, 1024, 123.2
TIME = np.arange(POINTS) * DWELL
EDDY = np.exp(1j * (1.2 * np.exp(-TIME / 0.04) + 0.6 * np.exp(-TIME / 0.15)))


def water(lorentz: float = 3, gauss: float = 5) -> np.ndarray:
    decay = np.exp(-np.pi * lorentz * TIME - (np.pi * gauss * TIME) ** 2 / (4 * np.log(2)))
    noise = np.random.default_rng(0).normal(size=(2, POINTS))
    return 1e5 * decay * np.exp(2j * np.pi * 4 * TIME + 0.3j) + noise[0] + 1j * noise[1]


@pytest.mark.parametrize(("lorentz", "gauss"), [(6, 0), (1, 8), (4, 4)])
def test_a_voigt_line_has_no_shape_of_its_own(lorentz: float, gauss: float) -> None:
    _, deviation = water_line_shape(water(lorentz, gauss), DWELL, POINTS)
    assert deviation < SMALLEST / 2


def test_eddy_currents_no_longer_matter(basis: Basis, measure: Callable[..., np.ndarray]) -> None:
    shape, deviation = water_line_shape(water() * EDDY, DWELL, POINTS)
    assert deviation > SMALLEST
    fits = {}
    clean, spoiled = measure(snr=100), measure(snr=100) * EDDY
    for label, fid, line_shape in (("clean", clean, None), ("ignored", spoiled, None), ("used", spoiled, shape)):
        problem, _ = build_problem(
            basis,
            FitSettings(),
            dwell_time=DWELL,
            points=POINTS,
            spectrometer_frequency=MHZ,
            not_fitted={},
            line_shape=line_shape,
        )
        fits[label] = fit_spectrum(problem, fid, FitSettings(), constants("fit_priors"))
    assert fits["used"].residual_ratio == pytest.approx(fits["clean"].residual_ratio, abs=0.03)
    assert fits["ignored"].residual_ratio > fits["clean"].residual_ratio + 0.05
    for name in ("NAA", "Glu", "Ins"):
        at = fits["clean"].names.index(name)
        assert fits["used"].amplitudes[at] == pytest.approx(fits["clean"].amplitudes[at], rel=0.02)
