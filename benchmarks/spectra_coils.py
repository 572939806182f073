"""Coil combination: signal-to-noise ratio by the optimum that truth allows.

Random sensitivities, correlated noise of unequal strength, phase and frequency that wander from transient to transient.
The optimum is that of weights from the true sensitivities and the true covariance. Next to ours: weights from the first
point of the signal without decorrelation, and the plain sum.

Example: python benchmarks/spectra_coils.py --repeats 10
"""

from __future__ import annotations

import argparse

import numpy as np

from snakemrs.spectra.coils import coil_weights, noise_covariance
from snakemrs.spectra.quality import band_of
from spectra_signals import Sampling, brain, noise, noise_for, residual_water


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sampling = Sampling()
    dwell = 1 / sampling.bandwidth
    print(f"{options.repeats} repeats; share of the optimal SNR, mean (least)\n")
    print("| coils | transients | SNR of a transient | from water | from metabolites | first point | plain sum |")
    print("|---|---|---|---|---|---|---|")
    for coils, transients, snr in ((4, 16, 5), (8, 32, 10), (32, 64, 5), (32, 64, 20)):
        rng = np.random.default_rng(options.seed)
        shares: dict[str, list[float]] = {"water": [], "metabolites": [], "first": [], "sum": []}
        for _ in range(options.repeats):
            sensitivity = noise(rng, (coils,), 1.0)
            mixing = np.diag(rng.uniform(0.5, 2.0, coils)) @ (np.eye(coils) + 0.2 * noise(rng, (coils, coils), 1.0))
            truth = mixing @ mixing.conj().T
            optimum = np.sqrt((sensitivity.conj() @ np.linalg.solve(truth, sensitivity)).real)
            # Scaled so that a single transient, optimally combined, has the SNR asked for.
            sd = noise_for(snr, sampling) * optimum
            t = sampling.time
            wander = rng.normal(0, 2, transients)[:, None] * 2 * np.pi * t + rng.uniform(0, 6, transients)[:, None]
            fids = (brain(sampling) + residual_water(sampling, 3.0)) * np.exp(1j * wander)
            white = noise(rng, (transients, coils, sampling.points), sd)
            signals = fids[:, None] * sensitivity[:, None] + np.einsum("ab,tbn->tan", mixing, white)
            signals = signals.astype(np.complex64)
            water = 2000 * sensitivity[:, None] * np.exp(-20 * t) + mixing @ noise(rng, (coils, len(t)), sd)

            def share(weights: np.ndarray, s: np.ndarray, c: np.ndarray, best: float) -> float:
                return float(np.abs(weights @ s) / np.sqrt((weights @ c @ weights.conj()).real) / best)

            covariance = noise_covariance(signals, dwell, band_of((-0.5, 9.0), 123.2))
            found = {
                "water": coil_weights(water[None], covariance, dwell).weights,
                "metabolites": coil_weights(signals, covariance, dwell, band_of((1.8, 3.5), 123.2)).weights,
                "first": water[:, 0].conj(),
                "sum": np.exp(-1j * np.angle(water[:, 0])),
            }
            for name, weights in found.items():
                shares[name].append(share(weights, sensitivity, truth, float(optimum)))
        cells = " | ".join(f"{np.mean(values):.3f} ({np.min(values):.3f})" for values in shares.values())
        print(f"| {coils} | {transients} | {snr} | {cells} |")


if __name__ == "__main__":
    main()
