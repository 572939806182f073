"""Residual water is removed; metabolites stay."""

from __future__ import annotations

import numpy as np

from snakemrs.spectra.hlsvd import remove_components, signal_poles
from snakemrs.spectra.quality import band_of
from snakemrs.spins.axis import ppm_axis, to_spectrum
from spectra_signals import Sampling, brain, noise, noise_for, residual_water

SAMPLING = Sampling()
DWELL = 1 / SAMPLING.bandwidth
WATER = band_of((4.25, 5.05), 123.2)
PPM = ppm_axis(SAMPLING.points, DWELL, 123.2)


def test_poles_of_a_noiseless_signal_are_found() -> None:
    frequency, damping = np.array([-150.0, 20.0, 301.5]), np.array([12.0, 20.0, 35.0])
    poles = np.exp((2j * np.pi * frequency - damping) * DWELL)
    signal = np.sum(poles[:, None] ** np.arange(1024), axis=0)
    found = signal_poles(signal[None], 3)
    assert np.abs(np.sort_complex(found) - np.sort_complex(poles)).max() < 1e-8


def test_water_fifty_times_naa_sinks_below_the_metabolites_and_leaves_them_alone() -> None:
    rng = np.random.default_rng(0)
    sd = noise_for(80.0, SAMPLING)
    clean = brain(SAMPLING) + noise(rng, (SAMPLING.points,), sd)
    cleaned, removed = remove_components((clean + residual_water(SAMPLING, 50))[None], DWELL, WATER)
    difference = np.abs(to_spectrum(cleaned[0] - clean))
    top = np.abs(to_spectrum(clean)).max()
    assert removed >= 3
    assert difference[(PPM > 0.2) & (PPM < 4.1)].max() < 0.04 * top
    assert np.abs(to_spectrum(cleaned[0]))[(PPM > 4.4) & (PPM < 4.9)].max() < 0.15 * top


def test_the_mean_of_cleaned_transients_is_the_cleaned_mean() -> None:
    rng = np.random.default_rng(1)
    sd = noise_for(20.0, SAMPLING)
    water = np.stack([residual_water(SAMPLING, 5 + rng.standard_normal(), offset=rng.normal()) for _ in range(12)])
    fids = brain(SAMPLING) + water + noise(rng, (12, SAMPLING.points), sd)
    cleaned, _ = remove_components(fids, DWELL, WATER)
    apart = np.abs(to_spectrum(cleaned[:6].mean(0) - brain(SAMPLING)))
    noise_level = sd * np.sqrt(2 * SAMPLING.points / 6)
    assert apart[(PPM > 1) & (PPM < 4.0)].max() < 6 * noise_level


def test_nothing_is_removed_where_there_is_no_water() -> None:
    cleaned, _ = remove_components(brain(SAMPLING)[None], DWELL, WATER)
    inside = (PPM > 0.2) & (PPM < 4.0)
    change = np.abs(to_spectrum(cleaned[0] - brain(SAMPLING)))[inside].max()
    assert change < 0.02 * np.abs(to_spectrum(brain(SAMPLING))).max()


def test_agrees_with_hlsvdpropy() -> None:
    from hlsvdpropy import hlsvd

    rng = np.random.default_rng(2)
    fid = brain(SAMPLING) + residual_water(SAMPLING, 20) + noise(rng, (SAMPLING.points,), noise_for(200, SAMPLING))
    count, _, frequency, _, amplitude, _ = hlsvd(fid[:800], 15, DWELL * 1e3)
    strongest = np.asarray(frequency)[np.argmax(amplitude)] * 1e3
    ours = np.angle(signal_poles(fid[None, :800], 15)) / (2 * np.pi * DWELL)
    assert count == 15
    assert np.abs(ours - strongest).min() < 0.2
