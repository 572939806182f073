"""Alignment finds frequency and phase of transients near the Cramér–Rao limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemrs.spectra.align import align, apply
from snakemrs.spectra.quality import band_of
from spectra_signals import Sampling, brain, cramer_rao, noise, noise_for, residual_water

SAMPLING = Sampling()
DWELL = 1 / SAMPLING.bandwidth
BAND, WATER = band_of((0.5, 4.2), 123.2), band_of((4.25, 5.05), 123.2)


def moved(frequency: np.ndarray, phase: np.ndarray, signal: np.ndarray) -> np.ndarray:
    turns = 2 * np.pi * np.multiply.outer(frequency, SAMPLING.time) + phase[:, None]
    return signal * np.exp(1j * turns)


def spread(difference: np.ndarray) -> float:
    """Root-mean-square about the mean, on the circle."""
    centred = np.angle(np.exp(1j * difference) * np.conj(np.exp(1j * difference).mean()))
    return float(np.sqrt(np.mean(centred**2)))


@pytest.mark.parametrize("snr", [10.0, 20.0])
@pytest.mark.parametrize("drift", [0.0, 10.0])
def test_error_is_within_1_3_of_the_cramer_rao_limit(snr: float, drift: float) -> None:
    rng = np.random.default_rng(3)
    frequency = np.linspace(0, drift, 96) + rng.normal(0, 0.4, 96)
    phase = rng.normal(0, 0.4, 96)
    sd = noise_for(snr, SAMPLING)
    water = np.stack([residual_water(SAMPLING, 5 * (1 + 0.3 * rng.standard_normal())) for _ in range(96)])
    fids = moved(frequency, phase, brain(SAMPLING) + water) + noise(rng, (96, SAMPLING.points), sd)
    found = align(fids, DWELL, BAND, sd, water=WATER)
    limit_hz, limit_rad = cramer_rao(brain(SAMPLING), SAMPLING, sd)
    assert np.std(found.frequency - frequency) < 1.3 * limit_hz
    assert spread(found.phase - phase) < 1.3 * limit_rad


def test_works_at_snr_five_under_a_drift_of_ten_hertz() -> None:
    rng = np.random.default_rng(4)
    frequency, phase = np.linspace(0, 10, 64), rng.normal(0, 0.3, 64)
    sd = noise_for(5.0, SAMPLING)
    fids = moved(frequency, phase, brain(SAMPLING)) + noise(rng, (64, SAMPLING.points), sd)
    found = align(fids, DWELL, BAND, sd, water=WATER)
    assert np.abs(found.frequency - frequency - np.mean(found.frequency - frequency)).max() < 1.5


def test_spoilt_transients_do_not_disturb_the_others() -> None:
    rng = np.random.default_rng(5)
    frequency, phase = rng.normal(0, 1, 60), rng.normal(0, 0.3, 60)
    sd = noise_for(15.0, SAMPLING)
    fids = moved(frequency, phase, brain(SAMPLING)) + noise(rng, (60, SAMPLING.points), sd)
    bad = np.arange(60) % 10 == 3
    fids[bad] = noise(rng, (6, SAMPLING.points), 5 * sd) + residual_water(SAMPLING, 30)
    found = align(fids, DWELL, BAND, sd, water=WATER)
    limit_hz, _ = cramer_rao(brain(SAMPLING), SAMPLING, sd)
    assert np.std((found.frequency - frequency)[~bad]) < 1.3 * limit_hz
    assert found.misfit[bad].min() > 5 * found.misfit[~bad].max()


@settings(deadline=None, max_examples=15)
@given(st.floats(-12, 12), st.floats(-3, 3), st.floats(0.1, 1e6))
def test_a_noiseless_shift_is_found_exactly_whatever_the_scale(hertz: float, radians: float, scale: float) -> None:
    frequency, phase = np.array([0, hertz, 0, hertz]), np.array([0, radians, 0, radians])
    fids = scale * moved(frequency, phase, brain(SAMPLING))
    found = align(fids, DWELL, BAND, 1e-6 * scale)
    aligned = apply(fids, found, DWELL)
    assert np.abs(aligned - aligned[0]).max() < 1e-2 * scale
    assert found.frequency[1] - found.frequency[0] == pytest.approx(hertz, abs=5e-3)


def test_a_change_of_amplitude_or_width_is_told_from_a_shift() -> None:
    fids = np.stack([brain(SAMPLING)] * 8)
    fids[3] *= 0.8
    fids[5] *= np.exp(-np.pi * 1.0 * SAMPLING.time)
    found = align(fids, DWELL, BAND, 1e-3)
    assert found.amplitude[3] / found.amplitude[0] == pytest.approx(0.8, abs=0.01)
    assert found.broadening[5] - found.broadening[0] == pytest.approx(1.0, abs=0.25)
    assert np.abs(found.frequency).max() < 0.02


def test_one_transient_is_left_alone() -> None:
    found = align(brain(SAMPLING)[None], DWELL, BAND, 0.01)
    assert found.frequency.tolist() == [0.0]
    assert found.amplitude.tolist() == [1.0]
