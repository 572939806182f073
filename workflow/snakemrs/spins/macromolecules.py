"""Parametric macromolecules and lipids: sums of Gaussian lines (config/constants/macromolecules.yaml)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.spins.axis import WATER_PPM, time_axis
from snakemrs.spins.basis import Basis
from snakemrs.study.resources import constants


def gaussian_line(position: float, fwhm: float, spectrometer_frequency: float, time: np.ndarray) -> np.ndarray:
    """Time signal of a Gaussian line that starts at 1.

    Parameters
    ----------
    position, fwhm : float
        Chemical shift and full width at half maximum, both ppm.
    spectrometer_frequency : float
        MHz.
    time : ndarray, shape (points,)
        Seconds.
    """
    hertz = (position - WATER_PPM) * spectrometer_frequency
    width = fwhm * spectrometer_frequency
    return np.exp(-2j * np.pi * hertz * time - (np.pi * width * time) ** 2 / (4 * np.log(2)))


def parametric_signals(
    *,
    spectrometer_frequency: float,
    bandwidth: float,
    points: int,
    names: Sequence[str] | None = None,
) -> Basis:
    """Make the signals of macromolecules and lipids.

    Parameters
    ----------
    spectrometer_frequency : float
        MHz.
    bandwidth : float
        Hz.
    points : int
    names : sequence of str, optional
        Symbols of the table such as ``MM09`` and ``Lip13a``; all of them where not given.

    Returns
    -------
    Basis
        One proton counts one, as the table counts them.
    """
    table = constants("macromolecules")["signals"]
    chosen = tuple(table if names is None else names)
    unknown = [name for name in chosen if name not in table]
    if unknown:
        raise RequestError(f"there is no macromolecule '{unknown[0]}'", expected=f"one of {', '.join(table)}")
    time = time_axis(points, 1 / bandwidth)
    fids = [
        sum(line["protons"] * gaussian_line(line["ppm"], line["fwhm"], spectrometer_frequency, time) for line in lines)
        for lines in (table[name]["lines"] for name in chosen)
    ]
    return Basis(
        names=chosen,
        fids=np.array(fids, complex).reshape(len(chosen), points),
        dwell_time=1 / bandwidth,
        spectrometer_frequency=spectrometer_frequency,
        kinds=tuple(table[name]["kind"] for name in chosen),
        notes={"origin": "parametric, config/constants/macromolecules.yaml"},
    )


def joined(first: Basis, second: Basis) -> Basis:
    """Put the signals of `second` behind those of `first` (same sampling); what else is said of it comes from `first`.

    Raises
    ------
    ValueError
        If dwell time, points or spectrometer frequency differ.
    """
    from dataclasses import replace

    same = (
        first.points == second.points
        and np.isclose(first.dwell_time, second.dwell_time)
        and np.isclose(first.spectrometer_frequency, second.spectrometer_frequency)
    )
    if not same:
        raise ValueError("the two bases are sampled differently")
    return replace(
        first,
        names=first.names + second.names,
        fids=np.concatenate([first.fids, second.fids]),
        kinds=first.kinds + second.kinds,
    )
