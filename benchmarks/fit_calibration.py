# ruff: noqa: E402
"""Whether bounds are right and values unbiased.

    python benchmarks/fit_calibration.py BASIS [--realisations 300] [--figure FILE.svg]

Spectra are simulated from BASIS with known amounts and fresh noise, and fitted with the defaults but without soft
priors (bounds of unbiased estimates), then with them. First table: spread over the realisations divided by the mean
bound. Second: bias and spread against signal-to-noise ratio and line width.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from snakemrs.fit.problem import Problem
from snakemrs.fit.setup import build_problem
from snakemrs.fit.spectrum import fit_spectrum
from snakemrs.fit.uncertainty import combination_sd
from snakemrs.spins.basis_formats import read_basis
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings

AMOUNTS = {
    "NAA": 12.0, "NAAG": 1.4, "Cr": 4.5, "PCr": 3.8, "GPC": 1.0, "PCho": 0.6, "Ins": 6.5, "Glu": 10.0, "Gln": 3.0,
    "GABA": 1.4, "GSH": 1.3, "Asp": 2.0, "Asc": 1.0, "Gly": 0.8, "Tau": 1.4, "sIns": 0.3, "PE": 1.5, "Lac": 0.6,
    "Ala": 0.5, "Glc": 1.2, "MM": 10.0,
}  # fmt: skip
SHOWN = {name: (name,) for name in ("Glu", "Gln", "GABA", "NAA", "Cr", "Ins")}
SUMS = {"tNAA": ("NAA", "NAAG"), "tCr": ("Cr", "PCr"), "tCho": ("GPC", "PCho"), "Glx": ("Glu", "Gln")}


def simulate(problem: Problem, snr: float, width: float, rng: np.random.Generator) -> np.ndarray:
    """A spectrum with the amounts above, `width` Hz of Voigt broadening, random phase and shift."""
    time = np.arange(problem.points) * problem.dwell_time
    lorentz, gauss = 0.6 * width, 0.55 * width
    signal = sum(AMOUNTS.get(n, 0.0) * f for n, f in zip(problem.names, problem.basis.fids, strict=True))
    signal = signal * np.exp(-np.pi * lorentz * time - (np.pi * gauss * time) ** 2 / (4 * np.log(2)))
    noise = np.abs(np.fft.fft(signal)).max() / snr / np.sqrt(problem.points)
    signal = signal * np.exp(2j * np.pi * rng.uniform(-4, 4) * time + 1j * rng.uniform(-0.5, 0.5))
    return np.asarray(signal + noise * (rng.normal(size=len(time)) + 1j * rng.normal(size=len(time))))


def run(problem: Problem, settings: FitSettings, snr: float, width: float, count: int) -> dict[str, np.ndarray]:
    """Values and bounds by metabolite, shape (count, 2)."""
    known, out = constants("fit_priors"), {}
    rng = np.random.default_rng(20)
    for _ in range(count):
        fit = fit_spectrum(problem, simulate(problem, snr, width, rng), settings, known)
        for label, parts in (SHOWN | SUMS).items():
            weights = np.array([float(name in parts) for name in fit.names])
            out.setdefault(label, []).append((weights @ fit.amplitudes, combination_sd(fit.covariance, weights)))
    return {label: np.array(values) for label, values in out.items()}


def main() -> None:
    """Print the tables and draw the second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("basis", type=Path)
    parser.add_argument("--realisations", type=int, default=300)
    parser.add_argument("--bias-realisations", type=int, default=40)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    basis = read_basis(arguments.basis)
    problem, _ = build_problem(
        basis,
        FitSettings(),
        dwell_time=basis.dwell_time,
        points=basis.points,
        spectrometer_frequency=basis.spectrometer_frequency,
        not_fitted=constants("fit_basis")["not_fitted"],
    )
    free, held = FitSettings(soft_priors=False), FitSettings()
    print(f"{arguments.realisations} realisations, SNR 60, 5 Hz: spread / mean bound, bias in spreads\n")
    print("            without priors       with soft priors")
    print("           ratio     bias        ratio     bias")
    both = [run(problem, settings, 60, 5, arguments.realisations) for settings in (free, held)]
    for label, parts in (SHOWN | SUMS).items():
        true = sum(AMOUNTS[name] for name in parts)
        cells = []
        for found in both:
            values, sds = found[label].T
            cells += [f"{values.std(ddof=1) / sds.mean():8.2f} {(values.mean() - true) / values.std(ddof=1):8.2f}"]
        print(f"{label:6s} " + "    ".join(cells))
    print(
        f"\nbias ± spread in percent of the truth, with soft priors, {arguments.bias_realisations} realisations each\n"
    )
    grid = [(snr, 5.0) for snr in (15, 30, 60, 120)] + [(60.0, width) for width in (2, 8, 12)]
    table = {at: run(problem, held, *at, arguments.bias_realisations) for at in grid}
    labels = ["Glu", "Gln", "GABA", "NAA", "Ins", "tNAA", "tCr", "tCho", "Glx"]
    print("  SNR  width " + "".join(f"{label:>15s}" for label in labels))
    for (snr, width), found in table.items():
        cells = []
        for label in labels:
            true = sum(AMOUNTS[name] for name in (SHOWN | SUMS)[label])
            values = found[label][:, 0] / true
            cells.append(f"{100 * (values.mean() - 1):+7.1f} ± {100 * values.std(ddof=1):4.1f} ")
        print(f"{snr:5.0f} {width:6.1f} " + "".join(cells))
    if arguments.figure:
        draw(arguments.figure, table, labels)


def draw(path: Path, table: dict[tuple[float, float], dict[str, np.ndarray]], labels: list[str]) -> None:
    """Bias against signal-to-noise ratio and line width."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
    for axis, which, title in ((axes[0], 0, "signal to noise"), (axes[1], 1, "line width (Hz)")):
        points = sorted(at for at in table if at[1 - which] == (5.0, 60.0)[which])
        for label in labels:
            true = sum(AMOUNTS[name] for name in (SHOWN | SUMS)[label])
            bias = [100 * (table[at][label][:, 0].mean() / true - 1) for at in points]
            axis.plot([at[which] for at in points], bias, marker="o", markersize=3, linewidth=1, label=label)
        axis.set_xlabel(title)
        axis.axhline(0, color="black", linewidth=0.5)
    axes[0].set_ylabel("bias (%)")
    axes[1].legend(fontsize=7, ncols=2)
    figure.savefig(path, bbox_inches="tight")


if __name__ == "__main__":
    main()
