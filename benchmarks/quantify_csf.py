"""A voxel of constant tissue concentration with more and more CSF, from the signals of its molecules to the table.

The signals are made here, without the code of quantify: moles of water and of metabolites in each litre of tissue, each
with its own saturation and decay, a spectrum of simulated multiplets and a water reference with other echo and
repetition times. `snakemrs fit` and `snakemrs quantify` get the files and the tissue table. The last column is the
mistake of dividing by one minus the volume fraction. Run: python benchmarks/quantify_csf.py
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import tempfile
from pathlib import Path

import numpy as np

from snakemrs.fit.command import fit
from snakemrs.io import nifti_mrs
from snakemrs.io.tables import read_table, write_table
from snakemrs.quantify.command import quantify
from snakemrs.spins.simulation import simulate_basis

# mmol in a kilogram of tissue water, grey and white matter alike; CSF has none.
PUT_IN = {"NAA": 10.0, "Cr": 4.0, "PCr": 4.0, "GPC": 1.5, "Ins": 6.0, "Glu": 10.0, "Gln": 2.5}
# T1 and T2 in grey and in white matter at 3 T, s (Mlynárik 2001, Wyss 2018).
TIMES = {
    "NAA": {"gm": (1.47, 0.258), "wm": (1.35, 0.343)},
    "Cr": {"gm": (1.46, 0.146), "wm": (1.24, 0.166)},
    "PCr": {"gm": (1.46, 0.146), "wm": (1.24, 0.166)},
    "GPC": {"gm": (1.30, 0.248), "wm": (1.08, 0.218)},
    "Ins": {"gm": (1.23, 0.2365), "wm": (1.01, 0.161)},
    "Glu": {"gm": (1.27, 0.1285), "wm": (1.17, 0.124)},
    "Gln": {"gm": (1.34, 0.1105), "wm": (1.19, 0.168)},
}
# Water in a litre of tissue, litres; T1 and T2 of it, s (Ernst 1993; Wansapura 1999, Lu 2005, Piechnik 2009).
WATER = {"gm": (0.78, 1.331, 0.110), "wm": (0.65, 0.832, 0.0792), "csf": (0.97, 3.817, 0.503)}
WATER_MOLAR_MASS = 0.018015  # kg/mol

MHZ, BANDWIDTH, POINTS = 123.25, 4000.0, 4096
TE, TR, WATER_TE, WATER_TR = 0.030, 2.0, 0.035, 5.0
SHOWN = ("Glu", "NAA", "Ins")


def left(te: float, tr: float, t1: float, t2: float) -> float:
    """Share of the magnetisation that a 90° pulse every `tr` sees at the echo `te`, all in s."""
    return (1 - math.exp(-tr / t1)) * math.exp(-te / t2)


def signals(litres: dict[str, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum and water reference of a voxel of one litre, in moles of protons."""
    time = np.arange(POINTS) / BANDWIDTH
    multiplets = simulate_basis(
        "press", TE, spectrometer_frequency=MHZ, bandwidth=BANDWIDTH, points=POINTS, names=tuple(PUT_IN)
    )
    spectrum, water = np.zeros(POINTS, complex), np.zeros(POINTS, complex)
    for tissue, volume in litres.items():
        content, t1, t2 = WATER[tissue]
        kilograms = volume * content  # a litre of pure water: 55.51 mol, taken as a kilogram
        protons = 2 * kilograms / WATER_MOLAR_MASS
        water += protons * left(WATER_TE, WATER_TR, t1, t2) * np.exp(-np.pi * 7.0 * time)
        for name, multiplet in zip(multiplets.names, multiplets.fids, strict=True):
            if tissue != "csf":
                moles = PUT_IN[name] / 1000 * kilograms
                spectrum += moles * left(TE, TR, *TIMES[name][tissue]) * multiplet * np.exp(-np.pi * 5.0 * time)
    noise = rng.normal(size=(2, 2, POINTS)) * abs(spectrum[0]) / 2000
    return spectrum + noise[0, 0] + 1j * noise[0, 1], water + noise[1, 0] + 1j * noise[1, 1]


def save(path: Path, signal: np.ndarray, te: float, tr: float) -> Path:
    header = {"SpectrometerFrequency": [MHZ], "ResonantNucleus": ["1H"], "EchoTime": te, "RepetitionTime": tr}
    header["SequenceName"] = "PRESS"
    affine = np.diag([100.0, 100.0, 100.0, 1.0])
    data = signal[None, None, None].astype(np.complex64)
    nifti_mrs.write(nifti_mrs.NiftiMrs(data, affine, 1 / BANDWIDTH, header), path)
    return path


def recovered(csf: float, folder: Path, rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """Molality by metabolite that the two commands give: with a metabolite's mean times, and with those by tissue."""
    litres = {"gm": 0.6 * (1 - csf), "wm": 0.4 * (1 - csf), "csf": csf}
    spectrum, water = signals(litres, rng)
    svs, ref = save(folder / "x_svs.nii.gz", spectrum, TE, TR), save(folder / "x_ref.nii.gz", water, WATER_TE, WATER_TR)
    write_table(folder / "tissue.tsv", [litres], list(litres), {tissue: {"Description": tissue} for tissue in litres})
    choice = json.dumps({"include": list(PUT_IN), "macromolecules": "none", "lipids": "never"})
    output = ["--water", str(ref), "--output", str(folder / "x"), "--settings"]
    with contextlib.redirect_stdout(io.StringIO()):
        fit.main([str(svs), *output, choice], standalone_mode=False)
    found = []
    for by_tissue in (False, True):
        choice = json.dumps({"relaxation_by_tissue": by_tissue})
        table = [
            str(folder / "x_desc-static_amplitudes.tsv"),
            "--tissue",
            str(folder / "tissue.tsv"),
            "--svs",
            str(svs),
        ]
        quantify.main([*table, *output, choice], standalone_mode=False)
        rows = read_table(folder / "x_desc-static_concentrations.tsv")
        found.append({row["metabolite"]: float(row["molal"]) for row in rows if row["molal"] != "n/a"})
    return found[0], found[1]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    rng = np.random.default_rng(1)
    titles = [f"{name} ({PUT_IN[name]:g} put in)" for name in SHOWN]
    print(f"| CSF | {' | '.join(titles)} | largest error | times by tissue | Glu with the volume fraction |")
    print("|---|---|---|---|---|---|---|")
    for percent in range(0, 45, 5):
        csf = percent / 100
        with tempfile.TemporaryDirectory() as folder:
            found, by_tissue = recovered(csf, Path(folder), rng)
        error, other = (max((100 * (f[n] / PUT_IN[n] - 1) for n in SHOWN), key=abs) for f in (found, by_tissue))
        kilograms = {"tissue": (1 - csf) * (0.6 * WATER["gm"][0] + 0.4 * WATER["wm"][0]), "csf": csf * WATER["csf"][0]}
        wrong = found["Glu"] * kilograms["tissue"] / sum(kilograms.values()) / (1 - csf)
        shown = " | ".join(f"{found[name]:.3f}" for name in SHOWN)
        wrong = 100 * (wrong / PUT_IN["Glu"] - 1)
        print(f"| {csf:.2f} | {shown} | {error:+.2f} % | {other:+.2f} % | {wrong:+.1f} % |")


if __name__ == "__main__":
    main()
