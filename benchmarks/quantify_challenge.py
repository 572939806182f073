"""Water-scaled sums of the 2016 fitting challenge against their truth, and its 10 mM creatine test.

Fits with `snakemrs fit` and quantifies with `snakemrs quantify` and the constants of the challenge's README. Says the
mean ratio to truth (which is the water scaling) apart from the scatter (which is the fit). With --creatine it only
says, from the test's own signals and without a fit, which reading of its water makes 10 mM. Needs the real
measurements. Run: python benchmarks/quantify_challenge.py ../shared/realdata/ismrm_challenge [--creatine]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from snakemrs.io.tables import read_table, write_table

CONSTANTS = """
reference: README of the fitting challenge
metabolites: {%s}
water: {gm: {t1: 1.0, t2: 0.110}, wm: {t1: 1.0, t2: 0.080}, csf: {t1: 1.0, t2: 0.5}}
"""
SUMS = {
    "tNAA": ("NAA", "NAAG"),
    "tCr": ("Cr", "PCr"),
    "Glx": ("Glu", "Gln"),
    "Ins+Gly": ("Ins", "Gly"),
    "tCho": ("GPC", "PCho"),
}


def measure(folder: Path, name: str, work: Path) -> dict[str, float]:
    """Molar concentrations by metabolite of one spectrum."""
    metabolites, water = folder / f"{name}_metab.nii.gz", folder / f"{name}_wref.nii.gz"
    basis = next(p / "basis_text" for p in (folder, folder.parent) if (p / "basis_text").is_dir())
    command = [sys.executable, "-m", "snakemrs.cli.main"]
    stem = work / f"{name}_metab"
    fit = [*command, "fit", str(metabolites), "--basis", str(basis), "--water", str(water), "--output", str(stem)]
    subprocess.run(fit, check=True, capture_output=True)
    settings = '{"repetition_time": 1000, "water_repetition_time": 1000}'
    subprocess.run(
        [
            *command,
            *("quantify", f"{stem}_desc-static_amplitudes.tsv", "--tissue", str(work / "tissue.tsv")),
            *("--svs", str(metabolites), "--water", str(water), "--constants", str(work / "constants.yaml")),
            *("--settings", settings, "--output", str(stem)),
        ],
        check=True,
    )
    rows = read_table(f"{stem}_desc-static_concentrations.tsv")
    return {row["metabolite"]: float(row["molar"]) for row in rows if row["molar"] != "n/a"}


# Water of one proton after TE 30 ms, mM, as the README or LCModel's manual (WCONC) may be read.
WATER = 1e6 / 18.015
READINGS = {
    "README: 60 % grey (0.78, T2 110 ms), 40 % white matter (0.65, 80 ms)": WATER
    * (0.6 * 0.78 * np.exp(-30 / 110) + 0.4 * 0.65 * np.exp(-30 / 80)),
    "the same without T2 decay": WATER * (0.6 * 0.78 + 0.4 * 0.65),
    "grey matter only": WATER * 0.78 * np.exp(-30 / 110),
    "white matter only": WATER * 0.65 * np.exp(-30 / 80),
    "LCModel's default 35880 mM with its default decay of 0.7": 35880 * 0.7,
    "LCModel's default 35880 mM, T2 110 ms": 35880 * np.exp(-30 / 110),
    "content 0.65, T2 110 ms": WATER * 0.65 * np.exp(-30 / 110),
    "pure water, T2 110 ms": WATER * np.exp(-30 / 110),
}


def at_start(signal: np.ndarray, model: np.ndarray) -> float:
    """Amplitude of `model` in `signal` at t = 0: their ratio decays exponentially."""
    time = np.arange(len(signal))
    at = slice(1, 600)
    return float(np.exp(np.polyfit(time[at], np.log(np.abs(signal[at] / model[at])), 1)[1]))


def read_waters(challenge: Path) -> None:
    """Print the creatine that each reading of the test's water gives."""
    columns = np.loadtxt(challenge / "Cr_water_scaling_text" / "Cr_10mM_test_water_scaling.txt")
    basis = np.loadtxt(challenge / "basis_text" / "Cr.txt")
    creatine = at_start(columns[:, 0] + 1j * columns[:, 1], basis[:, 0] + 1j * basis[:, 1]) * np.exp(30 / 160)
    water = at_start(columns[:, 2] + 1j * columns[:, 3], np.ones(len(columns))) / 2
    print(f"creatine {creatine:.3f} a proton after its T2 correction; water {water:.0f} a proton\n")
    print("| water | mM a proton | creatine (mM) |")
    print("|---|---|---|")
    for name, value in READINGS.items():
        print(f"| {name} | {value:.0f} | {creatine * value / water:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("challenge", type=Path)
    parser.add_argument("--creatine", action="store_true", help="Only the readings of the test's water.")
    arguments = parser.parse_args()
    if arguments.creatine:
        read_waters(arguments.challenge)
        return
    truth = {row["metabolite"]: row for row in read_table(arguments.challenge / "truth_mM.tsv")}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        columns = ["gm", "wm", "csf", "outside", "volume_mm3", "gm_sd", "wm_sd", "csf_sd", "flag"]
        write_table(work / "tissue.tsv", [{"gm": 0.6, "wm": 0.4, "csf": 0.0, "outside": 0.0}], columns)
        names = [*truth, "default", "PCr", "Cr"]
        times = ", ".join(f"{n}: {{t1: 1.0, t2: 0.160}}" for n in dict.fromkeys(names) if "+" not in n)
        (work / "constants.yaml").write_text(CONSTANTS % times)
        creatine = measure(arguments.challenge, "Cr_10mM_test_water_scaling", work)["tCr"]
        ratios: dict[str, list[float]] = {name: [] for name in SUMS}
        for path in sorted((arguments.challenge / "datasets").glob("*_metab.nii.gz")):
            name = path.name.removesuffix("_metab.nii.gz")
            found = measure(path.parent, name, work)
            for total, parts in SUMS.items():
                ratios[total].append(found[total] / sum(float(truth[p][name]) for p in parts))
    print("| sum | spectra | found / true, mean | standard deviation |")
    print("|---|---|---|---|")
    for name, values in ratios.items():
        print(f"| {name} | {len(values)} | {np.mean(values):.3f} | {np.std(values, ddof=1):.3f} |")
    print(f"\nCreatine test (10 mM): {creatine:.3f} mM; the file's water is 27432 a proton, the README's 29697:")
    print(f"with the README's water {creatine * 27432.5 / 29697:.3f} mM")


if __name__ == "__main__":
    main()
