"""Alignment of transients: error of frequency and phase against truth, next to the Cramér–Rao limit.

The limit is that of a transient whose noise-free shape is known exactly (metabolites and macromolecules; residual
water, which varies, does not count). Errors are counted about their mean: what is common to all transients is the
reference's, and is taken out when the mean is referenced to NAA.

Example: python benchmarks/spectra_alignment.py --repeats 10
"""

from __future__ import annotations

import argparse

import numpy as np

from snakemrs.spectra.align import align
from snakemrs.spectra.quality import band_of, noise_in_time
from spectra_signals import Sampling, brain, cramer_rao, noise, noise_for, residual_water


def transients(
    rng: np.random.Generator, sampling: Sampling, snr: float, count: int, drift: float, water: float, spoilt: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Make transients; gives signals, frequencies (Hz), phases (radians), and which are spoilt."""
    frequency = np.linspace(0, drift, count) + rng.normal(0, 0.5, count)
    phase = np.cumsum(rng.normal(0, 0.03, count)) + rng.normal(0, 0.15, count)
    clean = brain(sampling)
    shift = np.exp(1j * (2 * np.pi * np.multiply.outer(frequency, sampling.time) + phase[:, None]))
    residual = np.stack(
        [
            residual_water(sampling, water * (1 + 0.3 * rng.standard_normal()), offset=rng.normal(0, 1))
            for _ in range(count)
        ]
    )
    residual *= np.exp(1j * rng.normal(0, 0.6, count))[:, None]
    fids = (clean + residual) * shift + noise(rng, (count, sampling.points), noise_for(snr, sampling))
    bad = np.zeros(count, bool)
    bad[rng.choice(count, spoilt, replace=False)] = True
    # Motion: part of the signal lost, lines broadened, water and lipid from elsewhere.
    for k in np.flatnonzero(bad):
        fids[k] *= 0.5 * np.exp(-np.pi * 8 * sampling.time)
        fids[k] += residual_water(sampling, 20.0, offset=rng.normal(0, 10)) * np.exp(1j * rng.uniform(0, 6))
        fids[k] += 4 * np.exp(2j * np.pi * 410 * sampling.time - np.pi * 25 * sampling.time)
    return fids, frequency, phase, bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--transients", type=int, default=128)
    parser.add_argument("--low", type=float, default=0.5, help="lower end of the band used, ppm")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sampling = Sampling()
    clean = brain(sampling)
    print(f"{options.transients} transients, {options.repeats} repeats, 123.2 MHz, {sampling.points} points, 2 kHz\n")
    print("| case | SNR | drift Hz | RMSE Hz | limit Hz | ratio | RMSE deg | limit deg | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    cases = [
        ("no residual water", 0.0, 0),
        ("residual water, unstable", 5.0, 0),
        ("and 10 % spoilt by motion", 5.0, 10),
    ]
    for name, water, percent in cases:
        for snr in (5.0, 10.0, 20.0):
            for drift in (0.0, 10.0):
                rng = np.random.default_rng(options.seed)
                frequency_errors, phase_errors = [], []
                for _ in range(options.repeats):
                    spoilt = options.transients * percent // 100
                    fids, frequency, phase, bad = transients(
                        rng, sampling, snr, options.transients, drift, water, spoilt
                    )
                    dwell = 1 / sampling.bandwidth
                    sd = noise_in_time(np.diff(fids, axis=0) / np.sqrt(2), dwell, band_of((-0.5, 9.0), 123.2))
                    found = align(
                        fids, dwell, band_of((options.low, 4.2), 123.2), sd, water=band_of((4.25, 5.05), 123.2)
                    )
                    error = (found.frequency - frequency)[~bad]
                    turn = np.angle(np.exp(1j * (found.phase - phase)))[~bad]
                    centre = np.angle(np.exp(1j * turn).mean())
                    frequency_errors.append(error - error.mean())
                    phase_errors.append(np.angle(np.exp(1j * (turn - centre))))
                limit_hz, limit_rad = cramer_rao(clean, sampling, noise_for(snr, sampling))
                hertz = np.sqrt(np.mean(np.concatenate(frequency_errors) ** 2))
                radians = np.sqrt(np.mean(np.concatenate(phase_errors) ** 2))
                print(
                    f"| {name} | {snr:g} | {drift:g} | {hertz:.4f} | {limit_hz:.4f} | {hertz / limit_hz:.2f} "
                    f"| {np.degrees(radians):.2f} | {np.degrees(limit_rad):.2f} | {radians / limit_rad:.2f} |"
                )


if __name__ == "__main__":
    main()
