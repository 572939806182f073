"""7 T STEAM raw data (4 coils, 16 transients) against the processed version that came with them.

The signal-to-noise ratio that is possible is computed from the data: NAA in each coil after alignment, and the
covariance of the noise. Settings of the stage are compared.

Example: python benchmarks/spectra_seven_tesla.py ../shared/realdata/siemens_7t_multicoil
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from snakemrs.io.nifti_mrs import read
from snakemrs.spectra import coils
from snakemrs.spectra.align import apply
from snakemrs.spectra.measure import Scale, measure, without_dominant_water
from snakemrs.spectra.process import correct
from snakemrs.spectra.steps import transient_signals
from snakemrs.study.resources import constants
from snakemrs.study.settings.spectra import SpectraSettings


def possible_snr(signals: np.ndarray, done: object, scale: Scale) -> float:
    """SNR of optimal weights, from the height and phase of NAA in each coil and the noise between coils."""
    sensitivity = []
    for coil in range(signals.shape[1]):
        mean = apply(signals[:, coil].astype(complex), done.alignment, scale.dwell_time).mean(axis=0)
        fit = scale.fit(without_dominant_water(mean, scale))
        sensitivity.append(fit.heights["NAA"] * np.exp(1j * fit.phase))
    noise = coils.noise_covariance(signals, scale.dwell_time, scale.keep_out) * signals.shape[2] / len(signals) / 2
    found = np.array(sensitivity)
    return float(np.sqrt((found.conj() @ np.linalg.solve(noise, found)).real))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    svs, other = read(folder / "metab_raw_4coil.nii.gz"), read(folder / "metab_processed.nii.gz")
    scale = Scale.of(svs.dwell_time, svs.spectrometer_frequency, constants("quality"), 1.0)
    theirs = measure(other.as_dims(), scale, water_removed=False)
    print("| | SNR | line width NAA Hz | line width Cr Hz |\n|---|---|---|---|")

    def row(name: str, snr: float, naa: float, cr: float) -> None:
        print(f"| {name} | {snr:.1f} | {naa:.2f} | {cr:.2f} |")

    row("processed version", theirs.snr, theirs.line_width_naa, theirs.line_width_cr)
    for water in ("wref_raw_4coil", "ecc_4coil", "quant_raw_4coil"):
        reference = read(folder / f"{water}.nii.gz")
        for name, choice in (("default", {}), ("weights from water", {"coil_weights": "water"})):
            done = correct(svs, reference, SpectraSettings(**choice))
            row(f"{water}, {name}", done.after.snr, done.after.line_width_naa, done.after.line_width_cr)
            if not choice and water == "wref_raw_4coil":
                first = done
    print(f"\npossible with these coils and transients: SNR {possible_snr(transient_signals(svs), first, scale):.1f}")


if __name__ == "__main__":
    main()
