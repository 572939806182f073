# ruff: noqa: E402, E501
"""The LCModel reference case: a measured spectrum, its basis, and what LCModel made of it.

    python benchmarks/fit_lcmodel_reference.py DIR

DIR holds data.raw, 3t.basis, control.file and test-reference-out.csv. Prints ratios to total creatine of SnakeMRS and
of LCModel, with their uncertainties, and their difference.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from snakemrs.fit.setup import build_problem
from snakemrs.fit.spectrum import fit_spectrum
from snakemrs.fit.uncertainty import ratio_with_sd
from snakemrs.spins.basis_formats import read_basis
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


def main() -> None:
    """Fit and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--settings", help="settings of the fit (JSON text or file)")
    arguments = parser.parse_args()
    folder = arguments.folder
    control = (folder / "control.file").read_text()
    step, frequency = (float(re.search(rf"{key}=(\S+)", control).group(1)) for key in ("deltat", "hzpppm"))
    numbers = np.array((folder / "data.raw").read_text().split("$END")[1].split(), float)
    fid = numbers[0::2] + 1j * numbers[1::2]
    settings = load_settings(FitSettings, arguments.settings)
    problem, notes = build_problem(
        read_basis(folder / "3t.basis"),
        settings,
        dwell_time=step,
        points=len(fid),
        spectrometer_frequency=frequency,
        not_fitted=constants("fit_basis")["not_fitted"],
    )
    fit = fit_spectrum(problem, fid, settings, constants("fit_priors"))
    with (folder / "test-reference-out.csv").open() as file:
        names, values = list(csv.reader(file, skipinitialspace=True))
    lcmodel = dict(zip(names, map(float, values), strict=True))
    creatine = np.array([float(name in ("Cr", "PCr")) for name in fit.names])
    print(
        f"status {fit.verdict.status} {fit.verdict.reason}; line width {fit.line_width:.1f} Hz, SNR {fit.snr:.0f}, "
        f"residual {fit.residual_ratio:.2f}, baseline {fit.baseline_ed:.1f} per ppm; {'; '.join(notes)}\n"
    )
    print("            SnakeMRS           LCModel")
    print("ratio/tCr   value     sd    value     sd   difference  in joint 95%")
    for label, (parts, theirs) in SUMS.items():
        weights = np.array([float(name in parts) for name in fit.names])
        ratio, sd = ratio_with_sd(fit.amplitudes, fit.covariance, weights, creatine)
        other = lcmodel[f"{theirs}/Cr+PCr"]
        other_sd = other * lcmodel[f"{theirs} %SD"] / 100
        inside = abs(ratio - other) < 1.96 * np.hypot(sd, other_sd)
        difference = f"{ratio / other - 1:+.1%}" if other > 0 else "n/a"
        print(
            f"{label:8s} {ratio:8.3f} {sd:6.3f} {other:8.3f} {other_sd:6.3f} {difference:>11s}  {'yes' if inside else 'no'}"
        )


if __name__ == "__main__":
    main()
