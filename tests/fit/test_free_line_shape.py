"""Line shapes that are no Voigt line, and metabolites with a width of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from snakemrs.fit.kernel import kernel_functions
from snakemrs.fit.problem import Problem
from snakemrs.fit.spectrum import SpectrumFit, fit_spectrum
from snakemrs.spins.basis import Basis
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings

DWELL, POINTS = 5e-4, 1024
TIME = np.arange(POINTS) * DWELL
Measure = Callable[..., np.ndarray]
SHOWN = (("NAA",), 10.0), (("Glu",), 9.0), (("Ins",), 6.0), (("Cr", "PCr"), 8.0), (("GPC", "PCho"), 1.5)


def two_lobes(apart: float, share: float) -> np.ndarray:
    """A field with two values, `apart` Hz from each other; the first holds `share` of the voxel, the mean is 0."""
    first, second = -(1 - share) * apart, share * apart
    return share * np.exp(2j * np.pi * first * TIME) + (1 - share) * np.exp(2j * np.pi * second * TIME)


def fitted(problem: Problem, fid: np.ndarray, **settings: object) -> SpectrumFit:
    chosen = FitSettings(**settings)
    return fit_spectrum(problem, fid, chosen, constants("fit_priors"))


def errors(fit: SpectrumFit) -> np.ndarray:
    """Relative errors of what is well determined."""
    values = [sum(fit.amplitudes[fit.names.index(name)] for name in names) for names, _ in SHOWN]
    return np.array([value / true - 1 for value, (_, true) in zip(values, SHOWN, strict=True)])


@pytest.mark.parametrize(("apart", "share"), [(8.0, 0.6), (10.0, 0.7), (12.0, 0.5)])
def test_a_field_of_two_values_is_followed(
    prepare_problem: Callable[..., Problem], measure: Measure, apart: float, share: float
) -> None:
    clean = measure(snr=1e5, lorentz=2, gauss=2)
    noise = measure(snr=80) - measure(snr=1e9)
    fid = clean * two_lobes(apart, share) + noise
    problem = prepare_problem()
    voigt, free = fitted(problem, fid), fitted(problem, fid, line_shape="free")
    assert voigt.residual_ratio > 1.5
    assert free.residual_ratio < 1.05
    assert np.abs(errors(free)).mean() < 0.05


def test_a_voigt_line_stays_one(prepare_problem: Callable[..., Problem], measure: Measure) -> None:
    fid, problem = measure(snr=60), prepare_problem()
    voigt, free = fitted(problem, fid), fitted(problem, fid, line_shape="free")
    np.testing.assert_allclose(errors(free), errors(voigt), atol=0.02)


def test_the_kernel_holds_neither_amplitude_nor_shift() -> None:
    functions = kernel_functions(6.0, np.array([0.0, 1e-6]))
    np.testing.assert_allclose(functions[:, 0], 0, atol=1e-9)
    np.testing.assert_allclose(functions[:, 1], 0, atol=1e-8)


def test_a_metabolite_may_be_broader_than_the_others(
    prepare_problem: Callable[..., Problem], measure: Measure, basis: Basis
) -> None:
    broad = measure(snr=1e9, NAA=10) - measure(snr=1e9, NAA=0)
    fid = measure(snr=200, NAA=0) + broad * np.exp(-np.pi * 2.0 * TIME)
    problem = prepare_problem()
    common, own = fitted(problem, fid), fitted(problem, fid, metabolite_width_sd=1.0)
    assert own.parameters[f"width_{basis.names.index('NAA') + 1}"] == pytest.approx(2.0, abs=0.4)
    assert abs(errors(own)[0]) < 0.02 < abs(errors(common)[0])
