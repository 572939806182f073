"""The amplitude of the water reference."""

from __future__ import annotations

import numpy as np
import pytest

from snakemrs.fit.water import fit_water

TIME = np.arange(2048) * 2.5e-4


def water(lorentz: float = 5, gauss: float = 5, noise: float = 1.0, seed: int = 0) -> np.ndarray:
    shape = np.exp(-np.pi * lorentz * TIME - (np.pi * gauss * TIME) ** 2 / (4 * np.log(2)))
    draw = np.random.default_rng(seed).normal(size=(2, len(TIME)))
    return 5e4 * shape + noise * (draw[0] + 1j * draw[1])


@pytest.mark.parametrize(("lorentz", "gauss"), [(4, 0), (0.5, 8), (6, 6)])
def test_amplitude_is_half_the_signal_at_the_start(lorentz: float, gauss: float) -> None:
    found = fit_water(water(lorentz, gauss), 2.5e-4)
    assert found.amplitude == pytest.approx(2.5e4, rel=2e-3)


def test_eddy_currents_and_frequency_do_not_matter() -> None:
    turned = water() * np.exp(1j * (0.8 * np.exp(-TIME / 0.05) + 2 * np.pi * 12 * TIME + 1.0))
    assert fit_water(turned, 2.5e-4).amplitude == pytest.approx(2.5e4, rel=2e-3)


def test_its_error_is_what_it_says() -> None:
    fits = [fit_water(water(noise=200, seed=seed), 2.5e-4) for seed in range(40)]
    spread = np.std([fit.amplitude for fit in fits])
    assert 0.6 < spread / np.mean([fit.amplitude_sd for fit in fits]) < 1.7


def test_noise_is_no_water() -> None:
    draw = np.random.default_rng(1).normal(size=(2, 2048))
    with pytest.raises(ValueError, match="no signal"):
        fit_water(draw[0] + 1j * draw[1], 2.5e-4)
    with pytest.raises(ValueError, match="zero"):
        fit_water(np.zeros(2048, complex), 2.5e-4)
