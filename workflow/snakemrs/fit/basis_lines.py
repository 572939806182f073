"""Where the lines of basis functions lie."""

from __future__ import annotations

import numpy as np

from snakemrs.spins.axis import ppm_axis, time_axis, to_spectrum
from snakemrs.spins.basis import Basis


def strongest_lines(basis: Basis, name: str, count: int = 4, line_width: float = 2.0) -> list[float]:
    """Shifts (ppm) of the tallest peaks of the magnitude spectrum between 0 and 5 ppm, tallest first.

    Peaks lower than a tenth of the tallest, or closer than 0.04 ppm to a taller one, are left out.
    """
    fid = basis.fids[basis.names.index(name)]
    fid = fid * np.exp(-np.pi * line_width * time_axis(basis.points, basis.dwell_time))
    size = np.abs(to_spectrum(np.concatenate([fid, np.zeros_like(fid)])))
    ppm = ppm_axis(2 * basis.points, basis.dwell_time, basis.spectrometer_frequency)
    peak = (size > np.roll(size, 1)) & (size >= np.roll(size, -1)) & (ppm > 0) & (ppm < 5)
    found: list[float] = []
    order = np.flatnonzero(peak)[np.argsort(-size[peak])]
    for k in order:
        if len(found) == count or size[k] < 0.1 * size[order[0]]:
            break
        if all(abs(ppm[k] - other) > 0.04 for other in found):
            found.append(float(ppm[k]))
    return found
