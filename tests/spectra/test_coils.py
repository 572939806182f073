"""Coil combination reaches the signal-to-noise ratio that is possible."""

from __future__ import annotations

import numpy as np
import pytest

from snakemrs.spectra.coils import coil_weights, combine, efficiency, noise_covariance
from snakemrs.spectra.quality import band_of
from spectra_signals import Sampling, brain, noise, noise_for

SAMPLING = Sampling()
DWELL = 1 / SAMPLING.bandwidth
KEEP_OUT = band_of((-0.5, 9.0), 123.2)


def array_scan(coils: int, transients: int, seed: int, snr: float = 8.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals (transients, coils, points) of random sensitivities and correlated noise; sensitivities; covariance."""
    rng = np.random.default_rng(seed)
    sensitivity = noise(rng, (coils,), 1.0)
    sensitivity /= np.linalg.norm(sensitivity)
    mixing = np.eye(coils) + 0.25 * noise(rng, (coils, coils), 1.0)
    sd = noise_for(snr, SAMPLING)
    phases = np.exp(1j * rng.uniform(0, 6, transients))
    white = noise(rng, (transients, coils, SAMPLING.points), sd)
    signals = np.einsum("t,c,n->tcn", phases, sensitivity, brain(SAMPLING)) + np.einsum("ab,tbn->tan", mixing, white)
    return signals.astype(np.complex64), sensitivity, 2 * sd**2 * mixing @ mixing.conj().T


def reached(weights: np.ndarray, sensitivity: np.ndarray, covariance: np.ndarray) -> float:
    """SNR by the optimum, from truth."""
    optimum = np.sqrt(np.real(sensitivity.conj() @ np.linalg.solve(covariance, sensitivity)))
    return float(np.abs(weights @ sensitivity) / np.sqrt(np.real(weights @ covariance @ weights.conj())) / optimum)


@pytest.mark.parametrize("coils", [4, 16])
def test_weights_from_metabolites_reach_98_percent_of_the_optimum(coils: int) -> None:
    signals, sensitivity, truth = array_scan(coils, 24, seed=coils)
    covariance = noise_covariance(signals, DWELL, KEEP_OUT)
    found = coil_weights(signals, covariance, DWELL, band_of((1.8, 3.5), 123.2))
    assert reached(found.weights, sensitivity, truth) > 0.98
    assert found.expected_loss < 0.02


def test_weights_from_water_reach_99_percent_of_the_optimum() -> None:
    signals, sensitivity, truth = array_scan(16, 24, seed=2)
    covariance = noise_covariance(signals, DWELL, KEEP_OUT)
    water = 1000 * np.einsum("c,n->cn", sensitivity, np.exp(-20 * SAMPLING.time))[None]
    found = coil_weights(water, covariance, DWELL)
    assert reached(found.weights, sensitivity, truth) > 0.99
    assert found.signal_share > 0.999


def test_the_noise_covariance_is_that_of_truth() -> None:
    signals, _, truth = array_scan(6, 32, seed=1)
    found = noise_covariance(signals, DWELL, KEEP_OUT)
    assert np.abs(found - truth).max() < 0.05 * np.abs(truth).max()


def test_the_combined_signal_has_the_length_of_the_coil_vector() -> None:
    signals, _, _ = array_scan(5, 4, seed=6, snr=1e4)
    covariance = noise_covariance(signals, DWELL, KEEP_OUT)
    found = coil_weights(signals, covariance, DWELL)
    assert np.abs(combine(signals, found.weights)[:, 5]) == pytest.approx(np.abs(brain(SAMPLING)[5]), rel=0.01)


def test_a_silent_coil_is_left_out() -> None:
    signals, _, _ = array_scan(4, 8, seed=3)
    signals[:, 2] = 0
    covariance = noise_covariance(signals, DWELL, KEEP_OUT)
    found = coil_weights(signals, covariance, DWELL)
    assert found.used.tolist() == [True, True, False, True]
    assert found.weights[2] == 0
    assert np.isfinite(combine(signals, found.weights)).all()


def test_efficiency_is_one_for_the_best_and_less_for_others() -> None:
    signals, sensitivity, truth = array_scan(4, 24, seed=9)
    covariance = noise_covariance(signals, DWELL, KEEP_OUT)
    found = coil_weights(signals, covariance, DWELL)
    assert efficiency(found.weights, found) == pytest.approx(1)
    only_first = np.array([1, 0, 0, 0], complex)
    expected = reached(only_first, sensitivity, truth)
    assert efficiency(only_first, found) == pytest.approx(expected, abs=0.05)
