"""Bring a basis to the dwell time, length and field of data, or refuse with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.spins.axis import WATER_PPM, shift_frequency
from snakemrs.spins.basis import Basis

SAME_FREQUENCY = 2e-3
"""Relative difference of spectrometer frequency up to which nothing is done (labels are rounded)."""
LARGEST_FREQUENCY = 0.05
"""Relative difference up to which chemical shifts are rescaled; couplings are then off by as much."""
SHORTEST = 0.1
"""Shortest common duration of data and basis, seconds."""


def match(
    basis: Basis, *, dwell_time: float, points: int, spectrometer_frequency: float, nucleus: str = "1H"
) -> tuple[Basis, list[str]]:
    """Resample a basis to data.

    Time signals are interpolated (quintic splines, after the middle of the metabolites was moved to zero frequency); no
    point is made up: where the basis is shorter in time than the data, the basis stays shorter and the caller fits as
    many points of the data as it has.

    Parameters
    ----------
    basis : Basis
    dwell_time : float
        Of the data, seconds.
    points : int
        Of the data.
    spectrometer_frequency : float
        Of the data, MHz.
    nucleus : str
        Of the data.

    Returns
    -------
    Basis
        With the dwell time and frequency of the data and at most `points` points.
    notes : list of str
        What was done, for the user.
    """
    if nucleus != basis.nucleus:
        raise RequestError(
            "the basis is one of another nucleus", found=f"data {nucleus}, basis {basis.nucleus}", expected=nucleus
        )
    notes = []
    ratio = spectrometer_frequency / basis.spectrometer_frequency
    if abs(ratio - 1) > LARGEST_FREQUENCY:
        raise RequestError(
            "the basis was made for another field strength",
            found=f"data {spectrometer_frequency:.2f} MHz, basis {basis.spectrometer_frequency:.2f} MHz",
            expected=f"a difference below {LARGEST_FREQUENCY:.0%}",
            remedy="simulate one with `snakemrs basis simulate`, or leave --basis out",
        )
    stretch = 1.0
    if abs(ratio - 1) > SAME_FREQUENCY:
        stretch = ratio
        notes.append(
            f"the basis is for {basis.spectrometer_frequency:.2f} MHz, the data of {spectrometer_frequency:.2f} MHz: "
            f"shifts were rescaled, couplings are off by {abs(ratio - 1):.1%}"
        )
    duration = basis.points * basis.dwell_time / stretch
    count = min(points, int(duration / dwell_time * (1 + 1e-6)))
    if count * dwell_time < SHORTEST:
        raise RequestError(
            "the basis is too short in time",
            found=f"{duration:.3f} s",
            expected=f"at least {SHORTEST} s, better {points * dwell_time:.3f} s",
        )
    if count < points:
        notes.append(
            f"the basis lasts {duration:.3f} s: only the first {count} of {points} points of the data are fitted"
        )
    same = abs(basis.dwell_time / dwell_time - 1) < 1e-5 and stretch == 1.0
    if same:
        fids = basis.fids[:, :count]
    else:
        if stretch == 1.0:
            notes.append(f"the basis was resampled from {basis.dwell_time * 1e6:.2f} to {dwell_time * 1e6:.2f} µs")
        fids = _resample(basis, dwell_time * stretch, count)
    return replace(
        basis,
        fids=fids,
        dwell_time=dwell_time,
        spectrometer_frequency=spectrometer_frequency,
        line_width=basis.line_width * stretch,
    ), notes


def _resample(basis: Basis, step: float, count: int) -> np.ndarray:
    """Signals at times 0, step, 2·step …; `step` in seconds of the basis."""
    from scipy.interpolate import make_interp_spline

    middle = (WATER_PPM - 2.5) * basis.spectrometer_frequency
    still = shift_frequency(basis.fids, -middle, basis.dwell_time)
    old = np.arange(basis.points) * basis.dwell_time
    new = np.minimum(np.arange(count) * step, old[-1])
    stacked = np.concatenate([still.real, still.imag])
    values = make_interp_spline(old, stacked, k=5, axis=1)(new)
    half = len(still)
    return np.asarray(shift_frequency(values[:half] + 1j * values[half:], middle, step))
