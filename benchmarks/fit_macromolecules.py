# ruff: noqa: E402
"""What the choice of macromolecules does to metabolites, in people whose macromolecules were measured.

    python benchmarks/fit_macromolecules.py SVS NULLED [SVS NULLED ...]

Pairs of preprocessed spectra (PRESS TE 30 ms) and inversion-nulled spectra of the same person, made with `snakemrs
ingest --convert` and `snakemrs preprocess`. Each spectrum is fitted with the measured macromolecules, with the defaults
(parametric), and with the lines that LCModel simulates and a stiff baseline: ratios to total creatine. Then a spectrum
is made of known amounts and the person's measured macromolecules, and fitted without knowing these: errors in percent.
(The parametric pattern is a mean of three sources, two of which are these people.)
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from fit_lcmodel_reference import SUMS, Model, ratio, with_lcmodel_lines
from snakemrs.fit.setup import with_measured_macromolecules
from snakemrs.fit.spectrum import SpectrumFit
from snakemrs.io import nifti_mrs
from snakemrs.spins.axis import time_axis
from snakemrs.spins.simulation import simulate_basis
from snakemrs.study.settings.fit import FitSettings

AMOUNTS = {
    "NAA": 1.1, "NAAG": 0.14, "Cr": 0.55, "PCr": 0.45, "GPC": 0.14, "PCho": 0.09, "Ins": 0.8, "Glu": 1.15, "Gln": 0.3,
    "GABA": 0.15, "GSH": 0.2, "Asp": 0.25, "Tau": 0.17, "sIns": 0.05, "PE": 0.15, "Lac": 0.07, "Ala": 0.05, "Glc": 0.12,
    "Asc": 0.1, "Gly": 0.08,
}  # fmt: skip
SHOWN = ("tNAA", "tCho", "Ins", "Glx", "Glu", "Gln", "GSH", "GABA")
STIFF = {"baseline": "fixed", "baseline_ed_per_ppm": 1.5, "window": (0.2, 4.0), "metabolite_shifts": "never"}
TE1 = 0.013
"""First echo time of the vendor's PRESS, s; not in the header."""


def main() -> None:
    """Fit all pairs and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--realisations", type=int, default=8)
    arguments = parser.parse_args()
    print(f"{'':42s}" + "".join(f"{label:>8s}" for label in SHOWN) + "   residual  noise  ed/ppm")
    for spectrum, nulled in zip(arguments.files[::2], arguments.files[1::2], strict=True):
        one_person(spectrum, nulled, arguments.realisations)


def one_person(spectrum: Path, nulled: Path, count: int) -> None:
    """Lines of a person: real data, then simulated."""
    image = nifti_mrs.read(spectrum)
    fid, step, frequency = image.as_dims("DIM_DYN").mean(axis=0), image.dwell_time, image.spectrometer_frequency
    basis = simulate_basis(
        "press", 0.030, TE1, spectrometer_frequency=frequency, bandwidth=1 / step, points=image.points
    )
    measured = with_measured_macromolecules(basis, nifti_mrs.read(nulled))
    data = (step, image.points, frequency)
    models = {
        "measured macromolecules": Model(measured, FitSettings(), *data),
        "defaults": Model(basis, FitSettings(), *data),
        "LCModel's lines, stiff": Model(with_lcmodel_lines(basis), FitSettings(**STIFF), *data),
    }
    name = spectrum.name.split("_")[0]
    fits = {label: model.fit(fid) for label, model in models.items()}
    for label, fit in fits.items():
        cells = "".join(f"{ratio(fit, SUMS[one][0])[0]:8.3f}" for one in SHOWN)
        print(f"{f'{name}, {label}':42s}{cells}{fit.residual_ratio:11.2f}{fit.excess:7.2f}{fit.baseline_ed:8.2f}")
    made = [simulated(fits["measured macromolecules"], measured.fids[-1], basis.fids, basis.names, step, seed)
            for seed in range(count)]  # fmt: skip
    truth = {label: sum(AMOUNTS[part] for part in SUMS[label][0]) for label in SHOWN}
    for label, model in models.items():
        found = [model.fit(one) for one in made]
        errors = [np.mean([ratio(fit, SUMS[one][0])[0] for fit in found]) / truth[one] - 1 for one in SHOWN]
        print(f"{f'{name}, simulated, {label}':42s}" + "".join(f"{error:+8.0%}" for error in errors))


def simulated(
    fit: SpectrumFit, broad: np.ndarray, fids: np.ndarray, names: tuple[str, ...], step: float, seed: int
) -> np.ndarray:
    """Known amounts (creatine 1) and as much of the measured macromolecules as the fit found; SNR 80."""
    creatine = sum(fit.amplitudes[fit.names.index(name)] for name in ("Cr", "PCr"))
    time = time_axis(fids.shape[1], step)
    signal = sum(AMOUNTS.get(name, 0.0) * fid for name, fid in zip(names, fids, strict=True))
    signal = signal * np.exp(-np.pi * 2.5 * time - (np.pi * 3 * time) ** 2 / (4 * np.log(2)))
    signal = signal + fit.amplitudes[fit.names.index("MM")] / creatine * broad
    noise = np.abs(np.fft.fft(signal)).max() / 80 / np.sqrt(len(signal))
    draw = np.random.default_rng(seed).normal(size=(2, len(signal)))
    return np.asarray(signal + noise * (draw[0] + 1j * draw[1]))


if __name__ == "__main__":
    main()
