"""Time and memory of `snakemrs preprocess` on a large raw file, one core.

Writes 320 transients × 32 coils × 4096 points (with drift, unstable residual water and coil noise) and an eight-frame
water reference into a temporary folder and runs the command on them in a process of its own.

Example: python benchmarks/spectra_speed.py
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from snakemrs.io.nifti_mrs import NiftiMrs, write
from spectra_signals import Sampling, brain, noise_for, residual_water


def make(folder: Path, transients: int, coils: int, points: int) -> tuple[Path, Path]:
    """Write the raw data and the water reference."""
    rng = np.random.default_rng(0)
    sampling = Sampling(points=points, bandwidth=4000.0)
    sensitivity = (rng.standard_normal(coils) + 1j * rng.standard_normal(coils)) / np.sqrt(2 * coils)
    sd = noise_for(15.0, sampling) / np.sqrt(1.0)
    frequency = np.linspace(0, 8, transients) + rng.normal(0, 0.5, transients)
    phase = rng.normal(0, 0.3, transients)
    data = np.empty((1, 1, 1, points, coils, transients), np.complex64, order="F")
    clean = brain(sampling)
    for k in range(transients):
        fid = clean + residual_water(sampling, 5 + rng.standard_normal())
        fid = fid * np.exp(1j * (2 * np.pi * frequency[k] * sampling.time + phase[k]))
        noise = rng.standard_normal((2, points, coils), np.float32)
        data[0, 0, 0, :, :, k] = np.outer(fid, sensitivity) + sd * (noise[0] + 1j * noise[1])
    header = {"SpectrometerFrequency": [123.2], "ResonantNucleus": ["1H"], "EchoTime": 0.03, "RepetitionTime": 2.0}
    header |= {"dim_5": "DIM_COIL", "dim_6": "DIM_DYN"}
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    write(NiftiMrs(data, affine, 1 / 4000.0, header), folder / "raw_svs.nii.gz")
    water = 3000 * np.exp(-np.pi * 7 * sampling.time)
    data = np.empty((1, 1, 1, points, coils, 8), np.complex64, order="F")
    for k in range(8):
        noise = rng.standard_normal((2, points, coils), np.float32)
        data[0, 0, 0, :, :, k] = np.outer(water, sensitivity) + sd * (noise[0] + 1j * noise[1])
    write(NiftiMrs(data, affine, 1 / 4000.0, header), folder / "raw_mrsref.nii.gz")
    return folder / "raw_svs.nii.gz", folder / "raw_mrsref.nii.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transients", type=int, default=320)
    parser.add_argument("--coils", type=int, default=32)
    parser.add_argument("--points", type=int, default=4096)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        svs, water = make(folder, options.transients, options.coils, options.points)
        command = [sys.executable, "-m", "snakemrs.cli.main", "preprocess", str(svs), "--water", str(water)]
        command += ["--output", str(folder / "out" / "big")]
        threads = {f"{lib}_NUM_THREADS": "1" for lib in ("OMP", "OPENBLAS", "MKL")}
        start = time.perf_counter()
        subprocess.run(command, check=True, env={**os.environ, **threads})
        wall = time.perf_counter() - start
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20
        load = os.getloadavg()[0]
        print(f"load of the machine: {load:.1f} on {os.cpu_count()} cores")
        print("| transients | coils | points | file MiB | seconds | seconds of processor | peak GiB |")
        print("|---|---|---|---|---|---|---|")
        size = svs.stat().st_size / 2**20
        shape = f"{options.transients} | {options.coils} | {options.points}"
        print(f"| {shape} | {size:.0f} | {wall:.1f} | {cpu:.1f} | {peak:.2f} |")


if __name__ == "__main__":
    main()
