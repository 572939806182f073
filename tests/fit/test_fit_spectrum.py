"""The fit of a spectrum of which everything is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from snakemrs.fit.problem import Problem, prepare
from snakemrs.fit.spectrum import Failure, SpectrumFit, fit_spectrum
from snakemrs.fit.uncertainty import combination_sd
from snakemrs.spins.axis import WATER_PPM, shift_frequency
from snakemrs.spins.basis import Basis
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings

DWELL, POINTS, MHZ = 5e-4, 1024, 123.2
NO_PRIORS = FitSettings(soft_priors=False)
Measure = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def fit(prepare_problem: Callable[..., Problem]) -> Callable[..., SpectrumFit]:
    problem = prepare_problem()

    def run(fid: np.ndarray, settings: FitSettings = NO_PRIORS) -> SpectrumFit:
        return fit_spectrum(problem, fid, settings, constants("fit_priors"))

    return run


def amount(fit: SpectrumFit, *names: str) -> tuple[float, float]:
    weights = np.array([float(name in names) for name in fit.names])
    return float(weights @ fit.amplitudes), combination_sd(fit.covariance, weights)


def test_without_noise_the_truth_comes_back(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    result = fit(measure(snr=1e5))
    for name, true in (("NAA", 10), ("Ins", 6), ("Glu", 9), ("Gln", 3), ("GABA", 1.4), ("MM", 2.0)):
        assert amount(result, name)[0] == pytest.approx(true, rel=0.01), name
    assert result.parameters["lorentzian"] == pytest.approx(3, abs=0.05)
    assert result.parameters["gaussian_squared"] == pytest.approx(9, abs=0.5)
    assert result.verdict.status == "ok"


def test_values_lie_within_their_bounds_of_the_truth(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    scores = []
    for seed in range(12):
        result = fit(measure(snr=50, seed=seed))
        for names, true in ((("NAA",), 10), (("Cr", "PCr"), 8), (("Glu",), 9), (("Ins",), 6)):
            value, sd = amount(result, *names)
            scores.append((value - true) / sd)
    assert 0.7 < np.std(scores) < 1.3
    assert abs(np.mean(scores)) < 0.5


@pytest.mark.parametrize("shift_ppm", [-0.2, 0.2])
@pytest.mark.parametrize("phase", [0.0, 1.6, 3.14, -2.0])
def test_shift_and_phase_do_not_matter(
    fit: Callable[..., SpectrumFit], measure: Measure, shift_ppm: float, phase: float
) -> None:
    here = fit(measure(seed=4))
    there = fit(shift_frequency(measure(seed=4) * np.exp(1j * phase), shift_ppm * MHZ, DWELL))
    assert there.parameters["shift"] == pytest.approx(shift_ppm * MHZ, abs=0.3)
    assert amount(there, "NAA")[0] == pytest.approx(amount(here, "NAA")[0], rel=0.02)
    assert there.verdict.status == "ok"


def test_an_absent_metabolite_is_zero_or_nearly(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    value, sd = amount(fit(measure(GABA=0.0)), "GABA")
    assert 0 <= value < 3 * sd


def test_scale_of_the_data_carries_over(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    one, other = fit(measure()), fit(1e-7 * measure())
    np.testing.assert_allclose(other.amplitudes, 1e-7 * one.amplitudes, rtol=1e-6, atol=1e-16)
    np.testing.assert_allclose(other.covariance, 1e-14 * one.covariance, rtol=1e-5, atol=1e-22)


def test_same_input_same_result_to_the_last_bit(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    one, other = fit(measure()), fit(measure())
    assert np.array_equal(one.amplitudes, other.amplitudes)
    assert np.array_equal(one.covariance, other.covariance)


def test_a_halved_first_point_does_not_matter(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    fid = measure()
    halved = fid.copy()
    halved[0] *= 0.5
    np.testing.assert_allclose(fit(halved).amplitudes, fit(fid).amplitudes, rtol=0.02, atol=0.02)


def test_a_sum_is_better_known_than_its_parts(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    result = fit(measure())
    assert amount(result, "GPC", "PCho")[1] < 0.5 * amount(result, "GPC")[1]


def test_soft_priors_say_what_they_decide(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    noisy = measure(snr=12)
    free, held = fit(noisy), fit(noisy, FitSettings(soft_priors=True))
    share = dict(zip(held.names, held.prior_share, strict=True))
    assert not free.prior_share.any()
    assert share["GABA"] > 0.2 > share["NAA"]
    assert amount(held, "GABA")[1] < amount(free, "GABA")[1]


def test_priors_give_way_to_good_data(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    doubled = measure(snr=1000, GABA=2.8)
    assert amount(fit(doubled, FitSettings(soft_priors=True)), "GABA")[0] == pytest.approx(2.8, rel=0.05)


def test_lipids_are_added_only_where_they_are(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    fid = measure()
    time = np.arange(POINTS) * DWELL
    fat = 60 * np.exp(2j * np.pi * (WATER_PPM - 1.28) * MHZ * time - (np.pi * 15 * time) ** 2 / (4 * np.log(2)))
    assert "lipid" not in fit(fid).kinds
    with_fat = fit(fid + fat)
    assert "lipid" in with_fat.kinds
    assert amount(with_fat, "NAA")[0] == pytest.approx(10, rel=0.05)


def test_a_smooth_baseline_is_followed(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    time = np.arange(POINTS) * DWELL
    hump = 200 * np.exp(2j * np.pi * (WATER_PPM - 3.4) * MHZ * time - (np.pi * 120 * time) ** 2 / (4 * np.log(2)))
    bent, straight = fit(measure(snr=200) + hump), fit(measure(snr=200))
    assert bent.baseline_ed > straight.baseline_ed
    for name in ("NAA", "Ins", "Glu"):
        assert amount(bent, name)[0] == pytest.approx(amount(straight, name)[0], rel=0.05)


def test_what_the_model_misses_counts_as_noise(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    time = np.arange(POINTS) * DWELL
    unknown = 40 * np.exp(2j * np.pi * (WATER_PPM - 2.9) * MHZ * time - np.pi * 6 * time)
    clean, spoiled = fit(measure(snr=300)), fit(measure(snr=300) + unknown)
    assert clean.excess == 1.0
    assert spoiled.excess > 3 * spoiled.residual_ratio / 2
    assert spoiled.baseline_ed < 3  # the baseline does not bend after a narrow line
    assert amount(spoiled, "NAA")[1] > 2 * amount(clean, "NAA")[1]
    at = spoiled.names.index("NAA")
    assert spoiled.sampling[at, at] == pytest.approx(clean.sampling[at, at], rel=0.3)


def test_the_three_uncertainties_are_in_order(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    result = fit(measure(snr=20), FitSettings(soft_priors=True))
    for name in ("GABA", "Gln", "NAAG"):
        at = result.names.index(name)
        repeated, posterior, bound = (m[at, at] for m in (result.sampling, result.covariance, result.bound))
        assert repeated < posterior < bound


def test_a_window_beyond_the_spectral_width_is_cut(basis: Basis, measure: Measure) -> None:
    narrow = replace(basis, fids=basis.fids[:, ::2], dwell_time=2 * DWELL)  # 1000 Hz: 0.6 to 8.7 ppm
    problem = prepare(narrow, (-1.0, 4.2))
    assert problem.ppm.min() > WATER_PPM - 500 / MHZ
    assert problem.ppm.max() == pytest.approx(4.2, abs=0.02)


def noise(seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed).normal(size=(2, POINTS))
    return np.asarray(draw[0] + 1j * draw[1])


@pytest.mark.parametrize("seed", range(8))
def test_noise_is_no_spectrum(fit: Callable[..., SpectrumFit], seed: int) -> None:
    assert fit(noise(seed)).verdict.status == "failed"


@pytest.mark.parametrize("size", [1e2, 1e5])
def test_water_is_no_spectrum(fit: Callable[..., SpectrumFit], size: float) -> None:
    time = np.arange(POINTS) * DWELL
    assert fit(size * np.exp(-np.pi * 6 * time) + noise()).verdict.status == "failed"


@pytest.mark.parametrize("ppm", [-1.0, -0.5, 0.5, 1.0])
def test_a_spectrum_far_off_is_named(fit: Callable[..., SpectrumFit], measure: Measure, ppm: float) -> None:
    verdict = fit(shift_frequency(measure(), ppm * MHZ, DWELL)).verdict
    assert verdict.status == "failed"
    assert f"shifted by {-ppm:+.2f} ppm" in verdict.reason


def test_conjugated_data_are_named(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    verdict = fit(measure().conj()).verdict
    assert verdict.status == "failed"
    assert "opposite" in verdict.reason


def test_zero_and_not_finite_are_refused(fit: Callable[..., SpectrumFit], measure: Measure) -> None:
    with pytest.raises(Failure, match="zero"):
        fit(np.zeros(POINTS, complex))
    spoiled = measure()
    spoiled[7] = np.nan
    with pytest.raises(Failure, match="finite"):
        fit(spoiled)
