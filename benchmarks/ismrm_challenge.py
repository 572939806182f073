# ruff: noqa: E402, E501
"""Accuracy and speed on the ISMRM 2016 fitting challenge.

    python benchmarks/ismrm_challenge.py DIR [--settings JSON] [--by-dataset]

DIR holds datasets/datasetN_{metab,wref}.nii.gz, press3T_30ms.BASIS and truth_mM.tsv. Concentrations are water-scaled
with the constants of the challenge's README; nothing is taken from the truth but the comparison. Prints the mean absolute
errors over spectra and metabolites (`high`: the five major sums; `all`: all metabolites and sums, Cr, PCr, GPC, PCho
alone left out) and the seconds per spectrum (fit of spectrum and water, one thread, files read before, best of
three; processor time beside it, for machines with other work to do).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from snakemrs.fit.line_shape import SMALLEST, water_line_shape
from snakemrs.fit.problem import Problem
from snakemrs.fit.setup import build_problem
from snakemrs.fit.spectrum import SpectrumFit, fit_spectrum
from snakemrs.fit.uncertainty import combination_sd
from snakemrs.fit.water import fit_water
from snakemrs.io import nifti_mrs, tables
from snakemrs.spins.basis_formats import read_basis
from snakemrs.study.resources import constants
from snakemrs.study.settings import load_settings
from snakemrs.study.settings.fit import FitSettings

WATER_MILLIMOLAR = 29697.0
"""Relaxation-corrected water concentration, mM (README of the challenge)."""
RELAXATION = 1 / np.exp(-30 / 160)
"""Correction of metabolites for T2 = 160 ms at TE 30 ms (ibidem)."""
HIGH = ("NAA+NAAG", "Cr+PCr", "Glu+Gln", "Ins+Gly", "GPC+PCho")
LEFT_OUT = ("Cr", "PCr", "GPC", "PCho")


def concentration(fit: SpectrumFit, name: str, factor: float) -> tuple[float, float]:
    """Concentration of a metabolite or sum ``A+B`` and its standard deviation, mM."""
    weights = np.array([float(n in name.split("+")) for n in fit.names])
    return factor * float(weights @ fit.amplitudes), factor * combination_sd(fit.covariance, weights)


def main() -> None:
    """Fit all spectra there and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--settings", help="settings of the fit (JSON text or file)")
    parser.add_argument("--by-dataset", action="store_true", help="a line for each spectrum too")
    parser.add_argument("--by-metabolite", action="store_true", help="a line for each metabolite too")
    arguments = parser.parse_args()
    folder = arguments.folder
    settings = load_settings(FitSettings, arguments.settings)
    truth = tables.read_table(folder / "truth_mM.tsv")
    datasets = [name for name in truth[0] if (folder / "datasets" / f"{name}_metab.nii.gz").exists()]
    basis = read_basis(folder / "press3T_30ms.BASIS")
    images = [nifti_mrs.read(folder / "datasets" / f"{name}_metab.nii.gz") for name in datasets]
    waters = [nifti_mrs.read(folder / "datasets" / f"{name}_wref.nii.gz").as_dims() for name in datasets]
    first = images[0]

    def prepare(line_shape: np.ndarray | None = None) -> Problem:
        return build_problem(
            basis,
            settings,
            dwell_time=first.dwell_time,
            points=first.points,
            spectrometer_frequency=first.spectrometer_frequency,
            not_fitted=constants("fit_basis")["not_fitted"],
            line_shape=line_shape,
        )[0]

    plain = problem = prepare()
    known = constants("fit_priors")
    fit_spectrum(problem, images[0].as_dims(), settings, known)
    errors: dict[str, list[tuple[float, float, float, bool]]] = {}
    seconds: list[float] = []
    processor: list[float] = []
    by_dataset = []
    for name, image, water in zip(datasets, images, waters, strict=True):
        fid = image.as_dims()
        shape, deviation = water_line_shape(water, image.dwell_time, image.points)
        problem = prepare(shape) if deviation > SMALLEST else plain
        spent, busy = [], []
        for _ in range(3):
            begin, started = time.perf_counter(), time.process_time()
            fit = fit_spectrum(problem, fid, settings, known)
            reference = fit_water(water, image.dwell_time)
            spent.append(time.perf_counter() - begin)
            busy.append(time.process_time() - started)
        seconds.append(min(spent))
        processor.append(min(busy))
        factor = WATER_MILLIMOLAR * RELAXATION / reference.amplitude
        of_this = []
        for row in truth:
            true = tables.parse_number(row[name])
            if true is None or not set(row["metabolite"].split("+")) <= set(fit.names):
                continue
            found, sd = concentration(fit, row["metabolite"], factor)
            wrong = abs(found - true)
            errors.setdefault(row["metabolite"], []).append(
                (100 * wrong / true, wrong, sd, abs(found - true) < 1.96 * sd)
            )
            of_this.append((row["metabolite"], 100 * wrong / true))
        high = np.mean([e for m, e in of_this if m in HIGH])
        everything = np.mean([e for m, e in of_this if m not in LEFT_OUT])
        by_dataset.append(
            f"{name:10s} {high:6.2f} {everything:6.1f} {fit.line_width:6.1f} {fit.snr:6.0f} {fit.residual_ratio:6.2f} "
            f"{fit.baseline_ed:6.2f} {1e3 * seconds[-1]:6.1f}  {fit.verdict.status} {fit.verdict.reason}"
        )
    if arguments.by_dataset:
        print("dataset    high_%   all_%  width    snr  resid   ed/ppm     ms  status")
        print("\n".join(by_dataset) + "\n")
    if arguments.by_metabolite:
        print("metabolite  error_%  error_mM  mean_bound_mM  in_95%")
        for metabolite, values in errors.items():
            a = np.array(values, float)
            print(
                f"{metabolite:10s} {a[:, 0].mean():8.1f} {a[:, 1].mean():9.3f} {a[:, 2].mean():14.3f} {a[:, 3].mean():7.0%}"
            )
        print()
    sums = [value for name in HIGH for value in errors[name]]
    rest = [value for name, values in errors.items() if name not in LEFT_OUT for value in values]
    print("high_percent  high_mM  all_percent  all_mM  seconds_per_spectrum  processor_seconds  spectra")
    print(
        f"{np.mean([v[0] for v in sums]):12.2f} {np.mean([v[1] for v in sums]):8.3f} {np.mean([v[0] for v in rest]):12.1f} "
        f"{np.mean([v[1] for v in rest]):7.3f} {np.mean(seconds):21.4f} {np.mean(processor):18.4f} {len(datasets):8d}"
    )


if __name__ == "__main__":
    main()
