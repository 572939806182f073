"""Eddy-current correction by the phase of water."""

from __future__ import annotations

import numpy as np
import pytest

from snakemrs.spectra.eddy import correct, water_phase
from spectra_signals import Sampling, brain, noise

SAMPLING = Sampling()
T = SAMPLING.time
EDDY = 0.8 * np.exp(-T / 0.02) * np.cos(2 * np.pi * 20 * T) + 2 * np.pi * 3 * T


def test_the_phase_that_water_shares_is_taken_off() -> None:
    rng = np.random.default_rng(0)
    water = 1000 * np.exp(-np.pi * 5 * T + 1j * EDDY) + noise(rng, T.shape, 0.5)
    corrected = correct(brain(SAMPLING) * np.exp(1j * EDDY), water_phase(water, 0.5))
    early = T < 0.2
    assert np.abs(corrected - brain(SAMPLING))[early].max() < 0.02 * np.abs(brain(SAMPLING)).max()


def test_where_water_has_gone_the_phase_goes_on_without_noise() -> None:
    rng = np.random.default_rng(0)
    water = 1000 * np.exp(-np.pi * 12 * T + 2j * np.pi * 3 * T) + noise(rng, T.shape, 0.5)
    phase = water_phase(water, 0.5, points=SAMPLING.points + 100)
    late = np.diff(phase)[SAMPLING.points // 2 :]
    assert len(phase) == SAMPLING.points + 100
    assert late == pytest.approx(np.full(len(late), late[0]))
    assert late[0] / (2 * np.pi) * SAMPLING.bandwidth == pytest.approx(3, abs=1)


def test_a_reference_of_noise_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="above its noise"):
        water_phase(noise(rng, T.shape, 1.0), 1.0)
