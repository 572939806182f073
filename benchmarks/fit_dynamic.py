# ruff: noqa: E402
"""Dynamic fit: false change, bias and coverage in simulated sessions; time.

    python benchmarks/fit_dynamic.py BASIS [--sessions 20] [--snr 20] [--transients 32]

Sessions of transients with random phase and shift, the second half changed: nothing; Glu +5 %; lines 0.2 Hz narrower
(with the line-width term and without it). Prints the mean change with its standard error, the spread over sessions, the
mean standard deviation that the fit says, and how often the 95 % interval holds the truth.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from fit_calibration import AMOUNTS
from snakemrs.fit.dynamic import align_to_fit, fit_dynamic
from snakemrs.fit.problem import Problem
from snakemrs.fit.setup import build_problem
from snakemrs.fit.spectrum import fit_state
from snakemrs.fit.start import noise_level
from snakemrs.fit.uncertainty import ratio_with_sd
from snakemrs.spins.basis_formats import read_basis
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings

SHOWN = {"Glu": ("Glu",), "Glx": ("Glu", "Gln"), "tNAA": ("NAA", "NAAG"), "tCr": ("Cr", "PCr")}
CASES = {  # change of Glu, change of line width (Hz), line width followed
    "nothing changes": (0.0, 0.0, True),
    "Glu +5 %": (0.05, 0.0, True),
    "0.2 Hz narrower": (0.0, -0.2, True),
    "0.2 Hz narrower, line width not followed": (0.0, -0.2, False),
}


def session(problem: Problem, glu: float, width: float, count: int, snr: float, seed: int) -> np.ndarray:
    """Transients, shape (count, points); the second half changed."""
    rng = np.random.default_rng(seed)
    t = np.arange(problem.points) * problem.dwell_time
    fids = []
    for m in range(count):
        on = float(m >= count // 2)
        amounts = AMOUNTS | {"Glu": AMOUNTS["Glu"] * (1 + glu * on)}
        signal = sum(amounts.get(n, 0.0) * f for n, f in zip(problem.names, problem.basis.fids, strict=True))
        decay = np.pi * (4 + width * on) * t + (np.pi * 3 * t) ** 2 / (4 * np.log(2))
        fids.append(signal * np.exp(2j * np.pi * 0.6 * rng.normal() * t + 0.05j * rng.normal() - decay))
    out = np.array(fids)
    noise = np.abs(np.fft.fft(out[0])).max() / snr / np.sqrt(problem.points)
    return np.asarray(out + noise * (rng.normal(size=out.shape) + 1j * rng.normal(size=out.shape)))


def fit(problem: Problem, fids: np.ndarray, follow: bool) -> dict[str, tuple[float, float]]:
    """Change in percent and its standard deviation, by metabolite; line width in Hz."""
    settings, known = FitSettings(), constants("fit_priors")
    t = np.arange(problem.points) * problem.dwell_time
    optimum = fit_state(problem, fids.mean(axis=0), settings, known)
    for _ in range(2):
        aligned = align_to_fit(optimum.engine, optimum.state, fids)
        turn = np.exp(-1j * aligned.phase[:, None] - 2j * np.pi * np.multiply.outer(aligned.shift, t))
        optimum = fit_state(problem, (fids * turn).mean(axis=0), settings, known)
    aligned = align_to_fit(optimum.engine, optimum.state, fids)
    count = len(fids)
    step = (np.arange(count) >= count // 2).astype(float)
    noise = float(np.median([noise_level(f, problem.dwell_time, problem.spectrometer_frequency) for f in fids]))
    widths = step[:, None] if follow else np.zeros((count, 0))
    design = np.column_stack([np.ones(count), step])
    found = fit_dynamic(optimum.engine, optimum.state, aligned, noise, design, widths, np.ones((count, 1)))
    out, size = {}, len(found.names)
    for label, parts in SHOWN.items():
        weights = np.array([float(name in parts) for name in found.names])
        base = np.concatenate([weights, np.zeros(size)])
        ratio, sd = ratio_with_sd(found.betas.ravel(), found.covariance, np.roll(base, size), base)
        out[label] = (100 * ratio, 100 * sd)
    out["width"] = (float(found.width_betas[0]), float(np.sqrt(found.width_covariance[0, 0]))) if follow else (0.0, 0.0)
    return out


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("basis", type=Path)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--snr", type=float, default=20.0, help="of a transient")
    parser.add_argument("--transients", type=int, default=32)
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
    print(f"{arguments.sessions} sessions of {arguments.transients} transients, SNR {arguments.snr:g} each\n")
    print("case, quantity                                     true   mean ± error  spread    said   in 95 %")
    for title, (glu, width, follow) in CASES.items():
        found = [
            fit(problem, session(problem, glu, width, arguments.transients, arguments.snr, seed), follow)
            for seed in range(arguments.sessions)
        ]
        share = AMOUNTS["Glu"] / (AMOUNTS["Glu"] + AMOUNTS["Gln"])
        truth = {"Glu": 100 * glu, "Glx": 100 * glu * share, "tNAA": 0.0, "tCr": 0.0, "width": width}
        for label, true in truth.items():
            values, sds = np.array([one[label] for one in found]).T
            if not sds.any():
                continue
            inside = np.mean(np.abs(values - true) < 1.96 * sds)
            error = values.std(ddof=1) / np.sqrt(len(values))
            print(
                f"{title + ', ' + label:48s} {true:6.2f} {values.mean():6.2f} ± {error:5.2f} {values.std(ddof=1):7.2f} "
                f"{sds.mean():7.2f} {inside:8.0%}",
                flush=True,
            )
    print("\ntransients  processor_seconds")
    for count in (32, 320):
        fids = session(problem, 0.05, 0.0, count, arguments.snr, 1)
        begin = time.process_time()
        fit(problem, fids, True)
        print(f"{count:10d} {time.process_time() - begin:18.2f}")


if __name__ == "__main__":
    main()
