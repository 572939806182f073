"""Widths and relative amplitudes of the parametric macromolecules, from measured macromolecules.

    snakemrs ingest --convert ACT.SDAT sub-01_svs.nii.gz --convert REF.SDAT sub-01_mrsref.nii.gz
    snakemrs preprocess sub-01_svs.nii.gz --water sub-01_mrsref.nii.gz --output sub-01
    python benchmarks/basis_macromolecules.py --challenge ../shared/realdata/ismrm_challenge \
        --nulled sub-01_desc-preproc_svs.nii.gz sub-02_desc-preproc_svs.nii.gz

Sources: the measured macromolecules of the ISMRM fitting challenge (CC BY-SA 4.0), and inversion-nulled spectra such
as those of the two people of Osprey's example data (philips_press_mm, MIT), all PRESS TE 30 ms at 3 T. Gaussian lines
at the positions of the experts' consensus (Cudalbu et al. 2021) are fitted to all of them together: widths in common; a
shift, a phase, amplitudes and a constant for each; for nulled spectra what is left of the singlets of NAA, creatine and
choline, of either sign. Prints the amplitudes relative to the mean of the lines at 0.92, 1.39, 1.67 and 2.04 ppm, and
for the signals of config/constants/macromolecules.yaml their spread over the sources: the numbers of that file, and of
fit_priors.yaml.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares, nnls

from snakemrs.io import nifti_mrs
from snakemrs.spins.axis import ppm_axis, time_axis, to_spectrum
from snakemrs.spins.basis_formats import read_basis
from snakemrs.spins.macromolecules import gaussian_line

POSITIONS = np.array([0.92, 1.21, 1.39, 1.67, 2.04, 2.26, 2.56, 2.70, 2.99, 3.21, 3.62, 3.75, 3.86, 4.03])
SIGNALS = {"MM09": [0], "MM12": [1], "MM14": [2], "MM17": [3], "MM20": [4], "MM22": [5], "MM26": [6, 7], "MM30": [8, 9]}
SIGNALS["MM37"] = [10, 11, 12, 13]
SCALE = [0, 2, 3, 4]
LEFT_OVER, LEFT_OVER_WIDTH = (2.008, 3.027, 3.21, 3.925), 7.0
"""Singlets (ppm) that inversion does not null altogether, and their width, Hz."""
APODISATION, DURATION = 6.0, 0.25
"""Gaussian broadening of data and lines, Hz, and how much of the signal is left to look at, s."""
WINDOW = (-0.3, 4.2)


@dataclass
class Source:
    """A measured macromolecule spectrum in the window, with what it takes to make lines like it."""

    name: str
    frequency: float
    time: np.ndarray
    window: np.ndarray
    data: np.ndarray
    nuisance: np.ndarray

    @classmethod
    def of(cls, name: str, fid: np.ndarray, step: float, frequency: float, nulled: bool) -> Source:
        """Prepare a time signal; of nulled spectra what is left of singlets is let free."""
        fid = fid[: round(DURATION / step)]
        time, ppm = time_axis(len(fid), step), ppm_axis(len(fid), step, frequency)
        window = (ppm > WINDOW[0]) & (ppm < WINDOW[1])
        source = cls(name, frequency, time, window, np.empty(0), np.empty(0))
        spectrum = source.spectra(fid[None])[0]
        size = np.abs(spectrum).max()
        source.data = spectrum / size
        constant = np.ones((1, int(window.sum())), complex)
        left = [gaussian_line(ppm, LEFT_OVER_WIDTH / frequency, frequency, time) for ppm in LEFT_OVER]
        free = [constant, 1j * constant, *([source.spectra(np.array(left))] if nulled else [])]
        source.nuisance = np.concatenate([sign * part for part in free for sign in (1, -1)])
        return source

    def spectra(self, fids: np.ndarray) -> np.ndarray:
        """Spectra of time signals in the window, broadened."""
        decay = np.exp(-((np.pi * APODISATION * self.time) ** 2) / (4 * np.log(2)))
        return np.ascontiguousarray(to_spectrum(fids * decay)[:, self.window])

    def solve(self, shift: float, phase: float, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Amplitudes of the lines, and the residual."""
        lines = [gaussian_line(p + shift, w, self.frequency, self.time) for p, w in zip(POSITIONS, widths, strict=True)]
        parts = np.concatenate([self.spectra(np.array(lines)), self.nuisance]).view(float)
        data = (self.data * np.exp(-1j * phase)).view(float)
        scale = np.linalg.norm(parts, axis=1)
        amplitudes = nnls((parts / scale[:, None]).T, data)[0] / scale
        return amplitudes[: len(POSITIONS)], amplitudes @ parts - data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challenge", type=Path, default=Path("../shared/realdata/ismrm_challenge"))
    parser.add_argument("--nulled", type=Path, nargs="*", default=[], help="preprocessed inversion-nulled spectra")
    arguments = parser.parse_args()
    basis = read_basis(arguments.challenge / "press3T_30ms.BASIS")
    fid = basis.fids[basis.names.index("MM")]
    sources = [Source.of("challenge", fid, basis.dwell_time, basis.spectrometer_frequency, nulled=False)]
    for path in arguments.nulled:
        image = nifti_mrs.read(path)
        signal = image.as_dims("DIM_DYN").mean(axis=0)
        name = path.name.split("_")[0]
        sources.append(Source.of(name, signal, image.dwell_time, image.spectrometer_frequency, nulled=True))
    count, lines = len(sources), len(POSITIONS)

    def solved(parameters: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        own, widths = parameters[: 2 * count].reshape(count, 2), parameters[2 * count :]
        return [source.solve(*pair, widths) for source, pair in zip(sources, own, strict=True)]

    found = least_squares(
        lambda parameters: np.concatenate([residual for _, residual in solved(parameters)]),
        np.concatenate([np.tile([-0.05, 0.0], count), np.full(lines, 0.16)]),
        bounds=(
            np.concatenate([np.tile([-0.15, -1.0], count), np.full(lines, 0.08)]),
            np.concatenate([np.tile([0.15, 1.0], count), np.full(lines, 0.24)]),
        ),
    )
    widths = found.x[2 * count :]
    results = solved(found.x)
    for number, (source, (_, residual)) in enumerate(zip(sources, results, strict=True)):
        explained = 1 - np.sum(residual**2) / np.sum(np.abs(source.data) ** 2)
        print(f"{source.name}: shift {found.x[2 * number]:+.3f} ppm, {explained:.1%} of the signal explained")
    amplitudes = np.array([found_here / found_here[SCALE].mean() for found_here, _ in results])
    mean = amplitudes.mean(axis=0)
    protons = 3.0 * mean / mean[0]
    print("\n ppm   fwhm  protons  " + " ".join(f"{source.name:>9s}" for source in sources))
    for n, ppm in enumerate(POSITIONS):
        each = " ".join(f"{value:9.3f}" for value in amplitudes[:, n])
        print(f"{ppm:4.2f}  {widths[n]:.3f}  {protons[n]:7.3f}  {each}")
    print("\nsignal  over its mean in each source    spread")
    for name, members in SIGNALS.items():
        ratio = amplitudes[:, members].sum(axis=1) / mean[members].sum()
        print(f"{name:6s} " + " ".join(f"{value:9.2f}" for value in ratio) + f"  {ratio.std(ddof=1):9.2f}")


if __name__ == "__main__":
    main()
