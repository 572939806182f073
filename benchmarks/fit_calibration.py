# ruff: noqa: E402
"""Whether uncertainties are right and values unbiased.

    python benchmarks/fit_calibration.py BASIS [--realisations 300] [--figure FILE.svg]

Spectra are simulated from BASIS (SNR 60, 5 Hz) with fresh noise and fitted. First table, one person measured many
times: spread of the estimates over the mean Cramér-Rao bound (without soft priors, for which it holds), and over the
mean `noise_sd` (with soft priors, the default). Second table, many people, whose weakly determined metabolites differ
as the soft priors say (normal, drawn again where negative) and the others by 10 %: root mean square of the error over
the mean `amplitude_sd`, and how often the truth lies within 1.96 of it. Third: bias and spread against signal-to-noise
ratio and line width, which --figure draws.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
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


def simulate(
    problem: Problem, snr: float, width: float, rng: np.random.Generator, amounts: dict[str, float] = AMOUNTS
) -> np.ndarray:
    """A spectrum with `amounts`, `width` Hz of Voigt broadening, random phase and shift."""
    time = np.arange(problem.points) * problem.dwell_time
    lorentz, gauss = 0.6 * width, 0.55 * width
    signal = sum(amounts.get(n, 0.0) * f for n, f in zip(problem.names, problem.basis.fids, strict=True))
    signal = signal * np.exp(-np.pi * lorentz * time - (np.pi * gauss * time) ** 2 / (4 * np.log(2)))
    noise = np.abs(np.fft.fft(signal)).max() / snr / np.sqrt(problem.points)
    signal = signal * np.exp(2j * np.pi * rng.uniform(-4, 4) * time + 1j * rng.uniform(-0.5, 0.5))
    return np.asarray(signal + noise * (rng.normal(size=len(time)) + 1j * rng.normal(size=len(time))))


def person(rng: np.random.Generator) -> dict[str, float]:
    """Amounts of a person: weakly determined metabolites as the soft priors say, the others within 10 %."""
    known = constants("fit_priors")
    amounts = {name: value * rng.normal(1, 0.1) for name, value in AMOUNTS.items()}
    creatine = amounts["Cr"] + amounts["PCr"]
    for one, other, share, spread in known["pairs"]:
        total, part = amounts[one] + amounts[other], positive(share, spread, rng)
        amounts[one], amounts[other] = total * min(part, 1.0), total * max(1.0 - part, 0.0)
    for name, (mean, spread) in known["ratios"].items():
        amounts[name] = creatine * positive(mean, spread, rng)
    return amounts


def positive(mean: float, spread: float, rng: np.random.Generator) -> float:
    """A normal variate, drawn again until it is positive."""
    while True:
        value = float(rng.normal(mean, spread))
        if value > 0:
            return value


@dataclass(frozen=True)
class Found:
    """Values and the three uncertainties, each of shape (count,), and the truths."""

    values: np.ndarray
    amplitude_sd: np.ndarray
    noise_sd: np.ndarray
    bound: np.ndarray
    truth: np.ndarray

    @property
    def spread(self) -> float:
        """Standard deviation of the values."""
        return float(self.values.std(ddof=1))

    @property
    def bias(self) -> float:
        """Mean error."""
        return float((self.values - self.truth).mean())


def run(
    problem: Problem, settings: FitSettings, snr: float, width: float, count: int, people: bool = False
) -> dict[str, Found]:
    """Fit `count` spectra, of the same person or of as many people."""
    known = constants("fit_priors")
    rows: dict[str, list[tuple[float, ...]]] = {}
    rng = np.random.default_rng(20)
    for _ in range(count):
        amounts = person(rng) if people else AMOUNTS
        fit = fit_spectrum(problem, simulate(problem, snr, width, rng, amounts), settings, known)
        for label, parts in (SHOWN | SUMS).items():
            weights = np.array([float(name in parts) for name in fit.names])
            sds = [combination_sd(matrix, weights) for matrix in (fit.covariance, fit.sampling, fit.bound)]
            truth = sum(amounts[name] for name in parts)
            rows.setdefault(label, []).append((float(weights @ fit.amplitudes), *sds, truth))
    return {label: Found(*np.array(values).T) for label, values in rows.items()}


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
    count = arguments.realisations
    print(f"One person, {count} realisations, SNR 60, 5 Hz\n")
    print("        without priors: spread / bound  bias / spread    with priors: spread / noise_sd  bias / spread")
    without, with_priors = (run(problem, settings, 60, 5, count) for settings in (free, held))
    for label in SHOWN | SUMS:
        one, other = without[label], with_priors[label]
        print(
            f"{label:6s}  {one.spread / one.bound.mean():30.2f}{one.bias / one.spread:15.2f}"
            f"{other.spread / other.noise_sd.mean():34.2f}{other.bias / other.spread:15.2f}"
        )
    print(f"\n{count} people as the priors say, SNR 60, 5 Hz, with priors\n")
    print("        error / amplitude_sd  in 95 %   amplitude_sd  noise_sd  bound (percent of the value)")
    for label, found in run(problem, held, 60, 5, count, people=True).items():
        error = found.values - found.truth
        inside = np.mean(np.abs(error) < 1.96 * found.amplitude_sd)
        sds = (found.amplitude_sd, found.noise_sd, found.bound)
        percent = [100 * sd.mean() / found.values.mean() for sd in sds]
        print(
            f"{label:6s}  {np.sqrt(np.mean(error**2)) / found.amplitude_sd.mean():20.2f}{inside:9.0%}"
            f"{percent[0]:15.1f}{percent[1]:10.1f}{percent[2]:7.1f}"
        )
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
            one, true = found[label], found[label].truth[0]
            cells.append(f"{100 * one.bias / true:+7.1f} ± {100 * one.spread / true:4.1f} ")
        print(f"{snr:5.0f} {width:6.1f} " + "".join(cells))
    if arguments.figure:
        draw(arguments.figure, table, labels)


def draw(path: Path, table: dict[tuple[float, float], dict[str, Found]], labels: list[str]) -> None:
    """Bias and spread against signal-to-noise ratio and line width, a panel for each quantity."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "snakemrs"
    figure, axes = plt.subplots(2, len(labels), figsize=(1.45 * len(labels), 4.4), sharey=True, sharex="row")
    for row, (fixed, title) in enumerate(((5.0, "signal to noise"), (60.0, "line width (Hz)"))):
        points = sorted(at for at in table if at[1 - row] == fixed)
        for axis, label in zip(axes[row], labels, strict=True):
            founds = [table[at][label] for at in points]
            bias = [100 * found.bias / found.truth[0] for found in founds]
            spread = [100 * found.spread / found.truth[0] for found in founds]
            axis.errorbar(
                [at[row] for at in points], bias, spread, marker="o", markersize=3, linewidth=1, color="black"
            )
            axis.axhline(0, color="0.6", linewidth=0.7)
            axis.set_title(label, fontsize=9)
            axis.set_xlabel(title, fontsize=8)
            axis.tick_params(labelsize=7)
        axes[row, 0].set_ylabel("bias ± spread (%)", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
