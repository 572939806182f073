"""7 T STEAM raw data (4 coils, 16 transients) against the processed version that came with them.

Printed are signal-to-noise ratio and line widths of the processed version and of ours (with each of the three water
references; of ours with the standard error from leaving out one transient at a time), and

- the signal-to-noise ratio that is possible with the coils and transients that were kept, computed from the data: NAA
  in each coil after alignment, and the covariance of the noise;
- how much of the noise of the processed version the kept signals explain: its samples later than 0.2 s, at frequencies
  without signal, fitted by those of the kept signals with free complex weights (of the mean of each coil, and of every
  coil and transient; the frequency between the two versions is searched). A version made of the kept signals alone has
  100 %, one that has nothing to do with them what that many free weights explain by chance;
- the signal-to-noise ratio that the processed version has for this share of its data: it grows with the root of the
  share, as it does with the root of the number of transients or of like coils.

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
from snakemrs.spectra.process import Corrected, correct
from snakemrs.spectra.steps import transient_signals
from snakemrs.study.resources import constants
from snakemrs.study.settings.spectra import SpectraSettings


def possible_snr(signals: np.ndarray, done: Corrected, scale: Scale) -> float:
    """SNR of optimal weights, from the height and phase of NAA in each coil and the noise between coils."""
    sensitivity = []
    for coil in range(signals.shape[1]):
        mean = apply(signals[:, coil].astype(complex), done.alignment, scale.dwell_time).mean(axis=0)
        fit = scale.fit(without_dominant_water(mean, scale))
        sensitivity.append(fit.heights["NAA"] * np.exp(1j * fit.phase))
    noise = coils.noise_covariance(signals, scale.dwell_time, scale.keep_out) * signals.shape[2] / len(signals) / 2
    found = np.array(sensitivity)
    return float(np.sqrt((found.conj() @ np.linalg.solve(noise, found)).real))


def aligned_coils(signals: np.ndarray, done: Corrected, scale: Scale) -> np.ndarray:
    """Signals of each transient and coil, aligned; shape as `signals` (transients, coils, points)."""
    coils_first = [
        apply(signals[:, n].astype(complex), done.alignment, scale.dwell_time) for n in range(signals.shape[1])
    ]
    return np.stack(coils_first, axis=1)


def explained_noise(processed: np.ndarray, kept: np.ndarray, scale: Scale) -> float:
    """Share of the noise of `processed` (points,) that a weighted sum of `kept` (signals, points) gives."""
    lost = kept.shape[-1] - processed.size  # the processed version begins later by so many points
    time = np.arange(kept.shape[-1])[lost:] * scale.dwell_time
    late = time > 0.2
    frequency = np.fft.fftfreq(late.sum(), scale.dwell_time)
    # Slopes of ends that do not meet spread over all frequencies: a window takes them away.
    window = np.hanning(late.sum())
    empty = (frequency < scale.keep_out[0]) | (frequency > scale.keep_out[1])
    target = np.fft.fft(processed[late] * window)[empty]
    best = 0.0
    for shift in np.arange(-30, 30, 0.25):
        turn = window * np.exp(2j * np.pi * shift * time[late])
        sources = np.fft.fft(kept[:, lost:][:, late] * turn, axis=1)[:, empty].T
        rest = target - sources @ np.linalg.lstsq(sources, target, rcond=None)[0]
        best = max(best, 1 - float(np.linalg.norm(rest) ** 2 / np.linalg.norm(target) ** 2))
    return best


def standard_errors(done: Corrected, scale: Scale) -> tuple[float, float, float]:
    """Jackknife over transients: standard errors of signal-to-noise ratio and line widths of NAA and creatine."""
    found = []
    for left_out in range(len(done.fids)):
        weights = np.where(np.arange(len(done.fids)) == left_out, 0, done.outliers.weights)
        figures = measure(weights @ done.fids / weights.sum(), scale, water_removed=True)
        found.append((figures.snr, figures.line_width_naa, figures.line_width_cr))
    count = len(found)
    snr, naa, cr = np.sqrt((count - 1) / count * np.sum((np.array(found) - np.mean(found, axis=0)) ** 2, axis=0))
    return float(snr), float(naa), float(cr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    svs, other = read(folder / "metab_raw_4coil.nii.gz"), read(folder / "metab_processed.nii.gz")
    scale = Scale.of(svs.dwell_time, svs.spectrometer_frequency, constants("quality"), 1.0)
    theirs = measure(other.as_dims(), scale, water_removed=False)
    print("| | SNR | line width NAA Hz | line width Cr Hz |\n|---|---|---|---|")
    print(f"| processed version | {theirs.snr:.1f} | {theirs.line_width_naa:.2f} | {theirs.line_width_cr:.2f} |")
    results = {}
    for water in ("wref_raw_4coil", "ecc_4coil", "quant_raw_4coil"):
        reference = read(folder / f"{water}.nii.gz")
        for name, choice in (("default", {}), ("weights from water", {"coil_weights": "water"})):
            done = results[water, name] = correct(svs, reference, SpectraSettings(**choice))
            values = (done.after.snr, done.after.line_width_naa, done.after.line_width_cr)
            cells = [
                f"{v:.{d}f} ± {e:.{d}f}"
                for v, e, d in zip(values, standard_errors(done, scale), (1, 2, 2), strict=True)
            ]
            print(f"| {water}, {name} | {' | '.join(cells)} |")
    done = results["wref_raw_4coil", "default"]
    signals = transient_signals(svs)
    print(f"\npossible with the kept coils and transients: SNR {possible_snr(signals, done, scale):.1f}")
    coil = svs.header.get("ReceiveCoilName", {}).get("Value", "unknown")
    print(f"receiver by the header: {coil}; kept: {signals.shape[1]} coils × {signals.shape[0]} transients")
    aligned = aligned_coils(signals, done, scale)
    processed = other.as_dims().astype(complex)
    print("\n| noise explained by | share % | by chance % | SNR of the processed version for it |\n|---|---|---|---|")
    for name, kept in (("mean of each coil", aligned.mean(axis=0)), ("every signal", aligned.reshape(-1, svs.points))):
        share = explained_noise(processed, kept, scale)
        # The same signals backwards in time hold noise of the same colour that has nothing to do with it.
        chance = explained_noise(processed, kept[:, ::-1].conj(), scale)
        print(f"| {name} | {100 * share:.1f} | {100 * chance:.1f} | {theirs.snr * np.sqrt(share):.1f} |")


if __name__ == "__main__":
    main()
