"""How far apart edited scans and plain ones are for the check that refuses edited data under a plain name.

Virtual scans of known kind (64 transients with drift, jitter and residual water; editing takes NAA away). Printed is
the largest difference between conditions in percent of the highest peak (least and largest over SNR 4, 8, 15 of a
transient), and in how many of the three the scan is refused (beyond 35 %).

    python benchmarks/spectra_edited.py
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from snakemrs.spectra.align import align, apply
from snakemrs.spectra.cycling import edited_share
from snakemrs.spectra.hlsvd import remove_components
from snakemrs.spectra.quality import band_of
from spectra_signals import Sampling, brain, noise, noise_for, residual_water

SAMPLING = Sampling()
LIMIT = 0.35


Course = Callable[[int], float]


def scan(
    snr: float,
    edited: Callable[[int], bool] = lambda number: False,
    count: int = 64,
    width: Course = lambda number: 5.0,
    lipid: Course = lambda number: 0.0,
    size: Course = lambda number: 1.0,
    drift: float = 6.0,
) -> np.ndarray:
    """Transients, shape (count, points); `edited` says which have no NAA, the others how each is spoilt."""
    random, time, mhz = np.random.default_rng(0), SAMPLING.time, SAMPLING.spectrometer_frequency
    fids = np.empty((count, SAMPLING.points), complex)
    for number in range(count):
        fid = brain(SAMPLING, width(number))
        if edited(number):
            fid -= np.exp(-2j * np.pi * (2.01 - 4.65) * mhz * time - np.pi * width(number) * time)
        fid += lipid(number) * np.exp(-2j * np.pi * (1.3 - 4.65) * mhz * time - np.pi * 20 * time)
        fid = size(number) * fid + residual_water(SAMPLING, 4.0)
        frequency = drift * number / count + random.normal(0, 0.3)
        fids[number] = fid * np.exp(1j * (2 * np.pi * frequency * time + random.normal(0, 0.2)))
    return fids + noise(random, fids.shape, noise_for(snr, SAMPLING))


def share(fids: np.ndarray, snr: float) -> float:
    """Largest difference between conditions, as the stage spectra finds it."""
    dwell, sd = 1 / SAMPLING.bandwidth, noise_for(snr, SAMPLING)
    mhz = SAMPLING.spectrometer_frequency
    found = align(fids, dwell, band_of((0.5, 4.2), mhz), sd, 30.0, water=band_of((4.25, 5.05), mhz))
    cleaned, _ = remove_components(apply(fids, found, dwell), dwell, band_of((4.25, 5.05), mhz))
    return edited_share(cleaned, dwell, band_of((1.8, 3.4), mhz), sd)


CASES: dict[str, dict] = {
    "edited in turn": {"edited": lambda k: k % 2 == 1},
    "edited in two blocks": {"edited": lambda k: k < 32},
    "the same, the second cut short": {"edited": lambda k: k < 34, "count": 60},
    "edited in blocks of 8": {"edited": lambda k: k // 8 % 2 == 1},
    "edited in blocks of 10 of 90": {"edited": lambda k: k // 10 % 2 == 1, "count": 90},
    "four conditions, two of them edited": {"edited": lambda k: k % 4 < 2},
    "four conditions, one of them edited": {"edited": lambda k: k % 4 == 0},
    "two averages, one of them edited": {"edited": lambda k: k == 1, "count": 2},
    "plain": {},
    "plain, two averages": {"count": 2},
    "drift of 20 Hz": {"drift": 20.0},
    "lines from 5 to 13 Hz, slowly": {"width": lambda k: 5 + k / 8},
    "lines of 8 Hz in the second half": {"width": lambda k: 5.0 if k < 32 else 8.0},
    "lines of 13 Hz in the second half": {"width": lambda k: 5.0 if k < 32 else 13.0},
    "half the signal in the second half": {"size": lambda k: 1.0 if k < 32 else 0.5},
    "lipid of 20 NAA in the second half": {"lipid": lambda k: 0.0 if k < 32 else 20.0},
    "every second broad and half as high": {
        "width": lambda k: 5.0 + 4 * (k % 2),
        "size": lambda k: 1.0 - 0.5 * (k % 2),
    },
}


def main() -> None:
    print("| scan | difference % | refused |\n|---|---|---|")
    for name, how in CASES.items():
        found = [share(scan(snr, **how), snr) for snr in (4.0, 8.0, 15.0)]
        refused = sum(value > LIMIT for value in found)
        print(f"| {name} | {100 * min(found):.0f}-{100 * max(found):.0f} | {refused} of 3 |", flush=True)


if __name__ == "__main__":
    main()
