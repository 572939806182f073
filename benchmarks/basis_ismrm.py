"""How well the simulated basis agrees with that of the ISMRM fitting challenge (PRESS 11 + 19 ms, ideal pulses).

Prints the correlation of each metabolite's spectrum in 0.2-4.2 ppm at 3 Hz broadening with basis_text of the challenge.

    python benchmarks/basis_ismrm.py --challenge ../shared/realdata/ismrm_challenge
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from snakemrs.spins.axis import ppm_axis, shift_frequency, time_axis, to_spectrum
from snakemrs.spins.simulation import simulate_basis

FREQUENCY, BANDWIDTH, POINTS = 123.2, 4000.0, 2048


def correlation(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Real part of the correlation of two complex spectra, without mean removal."""
    return float(np.vdot(theirs, ours).real / (np.linalg.norm(theirs) * np.linalg.norm(ours)))


def compare(ours: np.ndarray, theirs: np.ndarray, broadening: float = 3.0) -> tuple[float, float, float]:
    """Correlation as it stands; the best over a shift of ±4 Hz; and that shift (Hz, towards lower ppm)."""
    ppm = ppm_axis(POINTS, 1 / BANDWIDTH, FREQUENCY)
    window = (ppm > 0.2) & (ppm < 4.2)
    damping = np.exp(-np.pi * broadening * time_axis(POINTS, 1 / BANDWIDTH))
    reference = to_spectrum(theirs * damping)[window]
    shifts = np.linspace(-4, 4, 81)
    values = [
        correlation(to_spectrum(shift_frequency(ours * damping, h, 1 / BANDWIDTH))[window], reference) for h in shifts
    ]
    best = int(np.argmax(values))
    return values[40], values[best], float(shifts[best])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challenge", type=Path, default=Path("../shared/realdata/ismrm_challenge"))
    # The challenge's signals are damped already: 2 Hz, read off the decay of its singlets.
    parser.add_argument("--line-width", type=float, default=2.0, help="Hz that the challenge's signals have already")
    arguments = parser.parse_args()
    start = time.perf_counter()
    basis = simulate_basis("press", 0.030, 0.011, spectrometer_frequency=FREQUENCY, bandwidth=BANDWIDTH, points=POINTS)
    seconds = time.perf_counter() - start
    damping = np.exp(-np.pi * arguments.line_width * time_axis(POINTS, 1 / BANDWIDTH))
    print(f"{len(basis.names)} metabolites simulated in {seconds:.1f} s")
    print("metabolite  correlation  after shift  shift_hz  size_ratio  verdict")
    for name, fid in zip(basis.names, basis.fids, strict=True):
        path = arguments.challenge / "basis_text" / f"{name}.txt"
        if not path.exists():
            print(f"{name:<10}  not in the challenge")
            continue
        columns = np.loadtxt(path)
        theirs = columns[:, 0] + 1j * columns[:, 1]
        candidates = [compare(fid * damping, theirs), compare(fid * damping, theirs.conj())]
        plain, shifted, shift = max(candidates)
        ratio = abs(theirs[0]) / abs(fid[0])
        verdict = "ok" if plain >= 0.99 else "BELOW"
        print(f"{name:<10}  {plain:11.4f}  {shifted:11.4f}  {shift:8.1f}  {ratio:10.3f}  {verdict}")


if __name__ == "__main__":
    main()
