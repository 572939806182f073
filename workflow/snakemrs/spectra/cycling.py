"""Transients that are not repeats of one measurement, found by what they hold: edited and metabolite-cycled data."""

from __future__ import annotations

import numpy as np

from snakemrs.spectra.align import Alignment
from snakemrs.spins.axis import frequency_axis, to_spectrum


def arrangements(count: int) -> list[np.ndarray]:
    """Give the ways in which the conditions of an edited scan may follow each other.

    Returns
    -------
    list of ndarray of int, shape (count,)
        Condition of each transient: four in turn (Hadamard editing), then two in turn, in blocks of every length that
        fits the scan, down to single transients. A block that ends a little early or late does no harm.
    """
    number = np.arange(count)
    lengths = sorted({count // pieces for pieces in range(2, count + 1, 2)} | ({1} if count > 1 else set()))
    return ([number % 4] if count >= 16 else []) + [number // length % 2 for length in lengths]


def edited_share(fids: np.ndarray, dwell_time: float, band: tuple[float, float], noise: float) -> float:
    """Give the largest difference between conditions of an edited scan, relative to the highest peak of the mean.

    Conditions in turn and in blocks are looked at (`arrangements`). What differs by a factor or by a broad baseline
    (another line width, lipid after a movement) is not counted, nor what is within eight standard deviations of noise.

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
    place = np.linspace(-1, 1, spectra.shape[1])
    parabola = np.vander(place, 3)
    largest = 0.0
    for conditions in arrangements(count):
        kinds = range(conditions.max() + 1)
        typical = np.stack([_median(spectra[conditions == kind]) for kind in kinds])
        # Beside the mean of the conditions, what each may have more of: a factor and a baseline.
        allowed = np.column_stack([typical.mean(axis=0), parabola])
        rest = typical.T - allowed @ np.linalg.lstsq(allowed, typical.T, rcond=None)[0]
        difference = max(np.abs(rest[:, one] - rest[:, other]).max() for one in kinds for other in kinds)
        # A median is less certain than a mean by 1.25, where there are more than two.
        error = 1.25 * sd * np.sqrt(2 * len(kinds) / count)
        if difference > 8 * error:
            largest = max(largest, float(difference / top))
    return largest


def _median(spectra: np.ndarray) -> np.ndarray:
    """Median of real and imaginary parts, which a few spoilt transients do not move."""
    middle: np.ndarray = np.median(spectra.real, axis=0) + 1j * np.median(spectra.imag, axis=0)
    return middle


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
