"""The stage on images in memory: NIfTI-MRS in, corrected NIfTI-MRS and quality out (order of Near et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.spectra import align as registration
from snakemrs.spectra import checks, hlsvd, quality, timing
from snakemrs.spectra.measure import Figures, Scale, measure
from snakemrs.spectra.outliers import Outliers, find_outliers
from snakemrs.spectra.steps import (
    combine_coils,
    correct_eddy_currents,
    moved_band,
    orient,
    place,
    refuse_cycled,
    water_frequency,
)
from snakemrs.spectra.water import Water, follow_water, water_width
from snakemrs.spins.axis import shift_frequency
from snakemrs.study.resources import constants
from snakemrs.study.settings.spectra import SpectraSettings


@dataclass
class Corrected:
    """Corrected transients and how they came to be.

    Attributes
    ----------
    fids : ndarray of complex, shape (transients, points)
        Combined, aligned, referenced, phased, without eddy currents and residual water; rejected ones too.
    water : ndarray of complex, shape (points,), or None
    alignment : Alignment
    outliers : Outliers
    water_trace : Water or None
    before, after : Figures
    water_width_before, water_width_after : float or None
        Hz.
    onsets : ndarray, shape (transients,)
        Seconds; not a number where there is no repetition time.
    spacing : float
        Seconds from one transient to the next; not a number likewise.
    averages : int
        Excitations in one stored transient.
    has_naa : bool
        False for inversion-nulled scans.
    steps : list of (method, details)
        For ProcessingApplied.
    notes : list of str
        What was found and decided, in sentences.
    """

    fids: np.ndarray
    water: np.ndarray | None
    alignment: registration.Alignment
    outliers: Outliers
    water_trace: Water | None
    before: Figures
    after: Figures
    water_width_before: float | None
    water_width_after: float | None
    onsets: np.ndarray
    spacing: float
    averages: int
    has_naa: bool
    scale: Scale
    steps: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def mean(self) -> np.ndarray:
        """Weighted mean of the transients, shape (points,)."""
        weights = self.outliers.weights
        average: np.ndarray = weights @ self.fids / weights.sum()
        return average


def correct(svs: NiftiMrs, water: NiftiMrs | None = None, settings: SpectraSettings | None = None) -> Corrected:
    """Take raw or averaged spectra to corrected transients.

    Parameters
    ----------
    svs : NiftiMrs
        Metabolite data: any of DIM_COIL, DIM_DYN.
    water : NiftiMrs, optional
        Unsuppressed water of the same voxel.
    settings : SpectraSettings, optional

    Raises
    ------
    DataError
        Where the data cannot be used; the message says why and what to do.
    """
    settings = settings or SpectraSettings()
    checks.check_kind(svs, settings.edited == "accept")
    checks.check_signal(svs)
    same_voxel = True
    if water is not None:
        same_voxel = checks.check_water(svs, water, settings.water_elsewhere == "refuse")
        checks.check_signal(water)
    limits: dict[str, Any] = constants("quality")
    scale = Scale.of(svs.dwell_time, svs.spectrometer_frequency, limits, settings.reference_max_shift)
    steps: list[tuple[str, str]] = []
    notes: list[str] = []
    dwell, mhz = scale.dwell_time, scale.spectrometer_frequency

    fids, water_fids = combine_coils(svs, water, scale, settings, steps, notes)
    transients = len(fids)
    onsets, spacing, averages = timing.onsets(svs, transients)
    noise = quality.noise_in_time(np.diff(fids, axis=0) / np.sqrt(2) if transients > 1 else fids, dwell, scale.keep_out)
    if not noise > 0:
        noise = 1e-9 * float(np.abs(fids).max())

    inversion = checks.header_number(svs, "InversionTime")
    shortest, longest = limits["nulling"]["inversion_time"]
    has_naa = inversion is None or not shortest <= inversion <= longest
    fids, water_fids, shift = orient(svs, fids, water_fids, noise, scale, settings, has_naa, steps, notes)
    before = measure(fids.mean(axis=0), scale, water_removed=False, has_naa=has_naa)

    trace, water_mean, width_before = None, None, None
    corrected_by_water = False
    if water_fids is not None:
        trace = follow_water(water_fids, dwell, mhz, scale.keep_out)
        water_mean = trace.mean
        width_before = water_width(water_mean, dwell, mhz)
        if not trace.used.all():
            notes.append("The first water frame was not in steady state and was left out.")
        assert water is not None
        fids, water_mean, corrected_by_water = correct_eddy_currents(
            svs, water, fids, trace, same_voxel, settings, steps, notes
        )
        if corrected_by_water:
            shift -= water_frequency(trace.mean, dwell, mhz)

    alignment = registration.align(
        fids,
        dwell,
        moved_band(settings.align_range, mhz, shift),
        noise,
        settings.align_max_shift,
        water=moved_band(settings.water_range, mhz, shift),
    )
    if settings.edited == "refuse":
        refuse_cycled(svs, fids, alignment, noise, scale, shift)
    if settings.align and transients > 1:
        fids = registration.apply(fids, alignment, dwell)
        steps.append(
            (
                "Frequency and phase correction",
                "Robust spectral registration in the frequency domain over "
                f"{settings.align_range[0]:g}-{settings.align_range[1]:g} ppm, reference built iteratively.",
            )
        )
    silent = ~np.abs(fids).any(axis=1)
    found = find_outliers(
        alignment, silent, settings.outliers, settings.outlier_z, settings.outlier_amplitude, 0.03 * mhz
    )
    if not found.weights.sum() > 0:
        raise svs.error("no transient is left", found="all were rejected", remedy="look at the raw data")
    if transients > 1:
        hit = sum(rule is not None for rule in found.rules)
        steps.append(
            (
                "Removal of outlier transients" if settings.outliers == "reject" else "Weighting of outlier transients",
                f"{hit} of {transients} found ({settings.outliers}); rules in the transients' quality table.",
            )
        )
        steps.append(("Signal averaging", f"Mean over {int((found.weights > 0).sum())} of {transients} transients."))

    fids = place(fids, found.weights, water_mean, corrected_by_water, scale, settings, has_naa, shift, steps, notes)
    if settings.remove_water:
        cut = quality.band_of(settings.water_range, mhz)
        typical = found.weights > 0.5 * found.weights.max()
        fids, removed = hlsvd.remove_components(fids, dwell, cut, settings.water_components, typical=typical)
        steps.append(
            (
                "Residual water removal",
                f"HLSVD, {removed} of {settings.water_components} components between {settings.water_range[0]:g} and "
                f"{settings.water_range[1]:g} ppm, poles shared by all transients.",
            )
        )
    width_after = None
    if water_mean is not None:
        if not corrected_by_water:
            offset = water_frequency(water_mean, dwell, mhz)
            water_mean = shift_frequency(water_mean, -offset, dwell)
            water_mean = water_mean * np.exp(-1j * np.angle(water_mean[:4].sum()))
        width_after = water_width(water_mean, dwell, mhz)
    weights = found.weights
    after = measure(weights @ fids / weights.sum(), scale, settings.remove_water, has_naa)
    return Corrected(
        fids,
        water_mean,
        alignment,
        found,
        trace,
        before,
        after,
        width_before,
        width_after,
        onsets,
        spacing,
        averages,
        has_naa,
        scale,
        steps,
        notes,
    )
