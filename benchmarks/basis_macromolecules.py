"""Widths and relative amplitudes of the parametric macromolecules, from a measured macromolecule signal.

Fits Gaussian lines at the positions of the experts' consensus (Cudalbu et al. 2021) to the measured macromolecule
baseline of the ISMRM fitting challenge (3 T, PRESS TE 30; CC BY-SA 4.0), with one shift common to all lines. The
numbers printed are those of config/constants/macromolecules.yaml.

    python benchmarks/basis_macromolecules.py --challenge ../shared/realdata/ismrm_challenge
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from snakemrs.spins.axis import ppm_axis, time_axis, to_spectrum
from snakemrs.spins.macromolecules import gaussian_line

FREQUENCY, BANDWIDTH, POINTS = 123.2, 4000.0, 2048
POSITIONS = np.array([0.92, 1.21, 1.39, 1.67, 2.04, 2.26, 2.56, 2.70, 2.99, 3.21, 3.62, 3.75, 3.86, 4.03])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challenge", type=Path, default=Path("../shared/realdata/ismrm_challenge"))
    arguments = parser.parse_args()
    columns = np.loadtxt(arguments.challenge / "basis_text" / "Mac.txt")
    spectrum = to_spectrum(columns[:, 0] + 1j * columns[:, 1])
    time = time_axis(POINTS, 1 / BANDWIDTH)
    ppm = ppm_axis(POINTS, 1 / BANDWIDTH, FREQUENCY)
    window = (ppm > 0.2) & (ppm < 4.15)
    target = np.concatenate([spectrum[window].real, spectrum[window].imag]) / np.abs(spectrum).max()

    def lines(parameters: np.ndarray) -> np.ndarray:
        shift, widths = parameters[0], parameters[1:]
        fids = [gaussian_line(p + shift, w, FREQUENCY, time) for p, w in zip(POSITIONS, widths, strict=True)]
        spectra = to_spectrum(np.array(fids))[:, window]
        return np.concatenate([spectra.real, spectra.imag], axis=1) / np.abs(spectrum).max()

    from scipy.optimize import nnls

    def residual(parameters: np.ndarray) -> np.ndarray:
        model = lines(parameters)
        amplitudes, _ = nnls(model.T, target)
        return amplitudes @ model - target

    start = np.concatenate([[-0.06], np.full(POSITIONS.size, 0.15)])
    lower = np.concatenate([[-0.15], np.full(POSITIONS.size, 0.06)])
    upper = np.concatenate([[0.15], np.full(POSITIONS.size, 0.24)])
    found = least_squares(residual, start, bounds=(lower, upper))
    amplitudes, _ = nnls(lines(found.x).T, target)
    explained = 1 - np.sum(residual(found.x) ** 2) / np.sum(target**2)
    print(f"common shift {found.x[0]:+.3f} ppm, share of the signal explained {explained:.4f}")
    print("position_ppm  fwhm_ppm  amplitude_relative_to_0.92")
    for position, width, amplitude in zip(POSITIONS, found.x[1:], amplitudes, strict=True):
        print(f"{position:12.2f}  {width:8.3f}  {amplitude / amplitudes[0]:8.3f}")


if __name__ == "__main__":
    main()
