"""Transients that are not repeats of one measurement, found by what they hold: edited and metabolite-cycled data."""

from __future__ import annotations

import numpy as np

from snakemrs.spectra.align import Alignment
from snakemrs.spins.axis import frequency_axis, to_spectrum


def edited_share(fids: np.ndarray, dwell_time: float, band: tuple[float, float], noise: float) -> float:
    """Give the largest difference between interleaved conditions, relative to the highest peak of the mean.

    Periods of two and four transients are looked at (ON/OFF; Hadamard editing). Differences within eight standard
    deviations of noise count as none.

    Parameters
    ----------
    fids : ndarray of complex, shape (transients, points)
        Aligned, residual water removed.
    dwell_time : float
        Seconds.
    band : (float, float)
        Frequencies looked at, Hz: singlets of NAA to choline.
    noise : float
        Standard deviation of noise of one point of one transient (real and imaginary part each).
    """
    count, points = fids.shape
    frequency = frequency_axis(points, dwell_time)
    inside = (frequency >= band[0]) & (frequency <= band[1])
    # A line of 0.5/(points·dwell) Hz is one point: smooth a little, so that noise of few transients does not count.
    window = np.exp(-np.arange(points) * dwell_time / 0.1)
    spectra = to_spectrum(fids * window)[:, inside]
    top = np.abs(spectra.mean(axis=0)).max()
    sd = noise * np.sqrt(np.sum(window**2))
    largest = 0.0
    for period in (2, 4):
        if count < 4 * period:
            continue
        means = np.stack([np.median(spectra[k::period].real, axis=0) for k in range(period)])
        error = 1.25 * sd * np.sqrt(2 * period / count)
        difference = np.ptp(means, axis=0).max()
        if difference > 8 * error:
            largest = max(largest, float(difference / top))
    return largest


def is_metabolite_cycled(fids: np.ndarray, alignment: Alignment) -> bool:
    """Whether metabolites turn by half a cycle from one transient to the next while water does not.

    Parameters
    ----------
    fids : ndarray of complex, shape (transients, points)
        Before alignment; with their (unsuppressed) water, which the first points are the phase of.
    alignment : Alignment
        Of the metabolites, water left out.
    """
    if len(fids) < 8:
        return False

    def turn(phases: np.ndarray) -> float:
        steps = np.exp(1j * phases[0::2]).mean() * np.conj(np.exp(1j * phases[1::2]).mean())
        # Only a steady turn counts: both halves of the transients must agree in themselves.
        return float(abs(np.angle(steps))) if abs(steps) > 0.5 else 0.0

    water = np.angle(fids[:, :4].sum(axis=1))
    return turn(alignment.phase) > 2.4 and turn(water) < 0.7
