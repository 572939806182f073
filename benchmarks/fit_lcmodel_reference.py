# ruff: noqa: E402
"""The LCModel reference case: a measured spectrum, its basis, and what LCModel made of it.

    python benchmarks/fit_lcmodel_reference.py DIR

DIR holds data.raw, 3t.basis, control.file and test-reference-out.csv. Prints ratios to total creatine of SnakeMRS and
of LCModel, with their uncertainties, and their difference: first with SnakeMRS's defaults, then with the macromolecule
and lipid lines that LCModel simulates and a stiff baseline, which shows how much of the difference is due to these.

Which of the two is right the same data can say (a test of two models that do not contain each other: Cox 1961). Both
fits are taken for the truth in turn, fresh noise is added, and both models are fitted to it: a model that is right
makes the other's value what it was on the real data.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
from dataclasses import replace
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from snakemrs.fit.engine import PIVOT_PPM
from snakemrs.fit.setup import build_problem
from snakemrs.fit.spectrum import SpectrumFit, fit_spectrum
from snakemrs.fit.uncertainty import ratio_with_sd
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats import read_basis
from snakemrs.spins.basis_formats.settle import kind_of
from snakemrs.spins.macromolecules import gaussian_line
from snakemrs.study.resources import constants
from snakemrs.study.settings import load_settings
from snakemrs.study.settings.fit import FitSettings

SUMS = {
    "tNAA": (("NAA", "NAAG"), "NAA+NAAG"),
    "tCho": (("GPC", "PCho"), "GPC+PCh"),
    "Ins": (("Ins",), "Ins"),
    "Glx": (("Glu", "Gln"), "Glu+Gln"),
    "Glu": (("Glu",), "Glu"),
    "Gln": (("Gln",), "Gln"),
    "GSH": (("GSH",), "GSH"),
    "Tau": (("Tau",), "Tau"),
    "sIns": (("sIns",), "sIns"),
    "Asp": (("Asp",), "Asp"),
    "GABA": (("GABA",), "GABA"),
    "NAA": (("NAA",), "NAA"),
    "NAAG": (("NAAG",), "NAAG"),
}

LCMODEL_LINES = {  # ppm, full width at half maximum (ppm), relative protons
    "MM09": [(0.91, 0.14, 3.0)],
    "MM12": [(1.21, 0.15, 2.0)],
    "MM14": [(1.43, 0.17, 2.0)],
    "MM17": [(1.67, 0.15, 2.0)],
    "MM20": [(2.08, 0.15, 1.33), (2.25, 0.20, 0.33), (1.95, 0.15, 0.33), (3.00, 0.20, 0.40)],
    "Lip09": [(0.89, 0.14, 3.0)],
    "Lip13a": [(1.28, 0.15, 2.0)],
    "Lip13b": [(1.28, 0.089, 2.0)],
    "Lip20": [(2.04, 0.15, 1.33), (2.25, 0.15, 0.67), (2.80, 0.20, 0.87)],
}


def main() -> None:
    """Fit and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--settings", help="settings of the fit (JSON text or file)")
    parser.add_argument("--realisations", type=int, default=20, help="of noise in the comparison of the two models")
    arguments = parser.parse_args()
    folder = arguments.folder
    control = (folder / "control.file").read_text()
    step, frequency = (float(re.search(rf"{key}=(\S+)", control).group(1)) for key in ("deltat", "hzpppm"))
    numbers = np.array((folder / "data.raw").read_text().split("$END")[1].split(), float)
    fid = numbers[0::2] + 1j * numbers[1::2]
    settings = load_settings(FitSettings, arguments.settings)
    with (folder / "test-reference-out.csv").open() as file:
        names, values = list(csv.reader(file, skipinitialspace=True))
    lcmodel = dict(zip(names, map(float, values), strict=True))
    basis = read_basis(folder / "3t.basis")
    stiff = settings.model_copy(update={"baseline": "fixed", "baseline_ed_per_ppm": 1.5, "window": (0.2, 4.0)})
    stiff = stiff.model_copy(update={"metabolite_shifts": "never"})
    models = {
        "defaults": Model(basis, settings, step, len(fid), frequency),
        "LCModel's lines": Model(with_lcmodel_lines(basis), stiff, step, len(fid), frequency),
    }
    fits = {name: model.fit(fid) for name, model in models.items()}
    for name, fit in fits.items():
        compare(name, fit, models[name].notes, lcmodel)
    cross(fid, models, fits, arguments.realisations)


class Model:
    """A basis and settings, prepared for the data."""

    def __init__(self, basis: Basis, settings: FitSettings, step: float, points: int, frequency: float) -> None:
        self.settings = settings
        self.problem, self.notes = build_problem(
            basis,
            settings,
            dwell_time=step,
            points=points,
            spectrometer_frequency=frequency,
            not_fitted=constants("fit_basis")["not_fitted"],
        )

    def fit(self, fid: np.ndarray) -> SpectrumFit:
        """Fit a time signal."""
        return fit_spectrum(self.problem, fid, self.settings, constants("fit_priors"))

    def remade(self, fid: np.ndarray, fit: SpectrumFit, rng: np.random.Generator) -> np.ndarray:
        """The time signal with this model's fit and fresh noise in the place of the data in its window."""
        phase = fit.parameters["phase0"] + np.deg2rad(fit.parameters["phase1"]) * (fit.ppm - PIVOT_PPM)
        spectrum, size = np.fft.fft(fid), len(fit.ppm)
        noise = fit.noise * (rng.normal(size=size) + 1j * rng.normal(size=size))
        spectrum[self.problem.bins] = fit.fit * np.exp(1j * phase) + noise
        return np.asarray(np.fft.ifft(spectrum))


def ratio(fit: SpectrumFit, parts: tuple[str, ...]) -> tuple[float, float]:
    """Ratio to total creatine and its standard deviation."""
    weights, creatine = (np.array([float(n in names) for n in fit.names]) for names in (parts, ("Cr", "PCr")))
    return ratio_with_sd(fit.amplitudes, fit.covariance, weights, creatine)


def cross(fid: np.ndarray, models: dict[str, Model], fits: dict[str, SpectrumFit], count: int) -> None:
    """Fit what each model makes with both, and print the means."""
    shown = ("tNAA", "tCho", "Ins", "Glx", "Glu")
    rng = np.random.default_rng(7)
    print(f"{count} realisations of noise each; mean ratio to tCr\n")
    print("truth            fitted with      " + "".join(f"{label:>8s}" for label in shown) + "  residual")
    for name, fit in fits.items():
        print(row(f"real data        {name}", [fit], shown))
    for truth, fit in fits.items():
        made = [models[truth].remade(fid, fit, rng) for _ in range(count)]
        print(row(f"{truth:16s} (the truth)", [fit], shown, residual=False))
        for name, model in models.items():
            print(row(f"{truth:16s} {name}", [model.fit(one) for one in made], shown))


def row(title: str, fits: list[SpectrumFit], shown: tuple[str, ...], residual: bool = True) -> str:
    """One line of the table of `cross`."""
    values = [np.mean([ratio(fit, SUMS[label][0])[0] for fit in fits]) for label in shown]
    rest = f"{np.mean([fit.residual_ratio for fit in fits]):10.2f}" if residual else ""
    return f"{title:33s}" + "".join(f"{value:8.3f}" for value in values) + rest


def with_lcmodel_lines(basis: Basis) -> Basis:
    """Add the Gaussian lines that LCModel simulates (manual, section 11.7)."""
    time = np.arange(basis.points) * basis.dwell_time
    fids = [
        sum(h * gaussian_line(ppm, width, basis.spectrometer_frequency, time) for ppm, width, h in lines)
        for lines in LCMODEL_LINES.values()
    ]
    return replace(
        basis,
        names=(*basis.names, *LCMODEL_LINES),
        fids=np.concatenate([basis.fids, np.array(fids)]),
        kinds=(*basis.kinds, *(kind_of(name) for name in LCMODEL_LINES)),
    )


def compare(title: str, fit: SpectrumFit, notes: list[str], lcmodel: dict[str, float]) -> None:
    """Print one table."""
    print(f"{title}: {fit.verdict.status} {fit.verdict.reason}; line width {fit.line_width:.1f} Hz, SNR {fit.snr:.0f},")
    print(
        f"residual {fit.residual_ratio:.2f}, effective noise {fit.excess:.2f}, baseline {fit.baseline_ed:.1f} per ppm"
    )
    print("; ".join(notes) + "\n")
    print("            SnakeMRS           LCModel")
    print("ratio/tCr   value     sd    value     sd   difference  in joint 95%")
    for label, (parts, theirs) in SUMS.items():
        value, sd = ratio(fit, parts)
        other = lcmodel[f"{theirs}/Cr+PCr"]
        other_sd = other * lcmodel[f"{theirs} %SD"] / 100
        inside = "yes" if abs(value - other) < 1.96 * np.hypot(sd, other_sd) else "no"
        difference = f"{value / other - 1:+.1%}" if other > 0 else "n/a"
        print(f"{label:8s} {value:8.3f} {sd:6.3f} {other:8.3f} {other_sd:6.3f} {difference:>11s}  {inside}")
    print()


if __name__ == "__main__":
    main()
