# ruff: noqa: E402
"""What a fit costs against number of points, of metabolites and of spectra.

    python benchmarks/fit_cost.py BASIS

One thread; processor time (other work on the machine does not count), best of three runs over twelve spectra.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from fit_calibration import simulate
from snakemrs.fit.setup import build_problem
from snakemrs.fit.spectrum import fit_spectrum
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats import read_basis
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings


def seconds(basis: Basis, points: int, step: float, include: tuple[str, ...] | None, spectra: int = 12) -> float:
    """Processor seconds for all `spectra` together."""
    settings, known = FitSettings(include=include), constants("fit_priors")
    problem, _ = build_problem(
        basis,
        settings,
        dwell_time=step,
        points=points,
        spectrometer_frequency=basis.spectrometer_frequency,
        not_fitted=constants("fit_basis")["not_fitted"],
    )
    rng = np.random.default_rng(1)
    data = [simulate(problem, 60, 5, rng) for _ in range(spectra)]
    fit_spectrum(problem, data[0], settings, known)
    best = np.inf
    for _ in range(3):
        begin = time.process_time()
        for fid in data:
            fit_spectrum(problem, fid, settings, known)
        best = min(best, time.process_time() - begin)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("basis", type=Path)
    basis = read_basis(parser.parse_args().basis)
    few = tuple(n for n in ("NAA", "Cr", "PCr", "GPC", "PCho", "Ins", "Glu", "Gln", "MM") if n in basis.names)
    padded = replace(basis, fids=np.concatenate([basis.fids, np.zeros_like(basis.fids)], axis=1))
    step = basis.dwell_time
    print("points  bandwidth_Hz  metabolites  spectra  seconds  seconds_per_spectrum")
    for points, dwell, names, count in (
        (1024, step, None, 12),
        (2048, step, None, 12),
        (4096, step, None, 12),
        (1024, 2 * step, None, 12),
        (4096, step / 2, None, 12),
        (2048, step, few, 12),
        (2048, step, None, 1),
        (2048, step, None, 120),
    ):
        used = padded if points * dwell > basis.points * step * 1.001 else basis
        spent = seconds(used, points, dwell, names, count)
        size = len(names or basis.names)
        print(f"{points:6d} {1 / dwell:13.0f} {size:12d} {count:8d} {spent:8.3f} {spent / count:21.4f}", flush=True)


if __name__ == "__main__":
    main()
