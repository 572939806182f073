"""The stage on images in memory: NIfTI-MRS in, corrected NIfTI-MRS and quality out (order of Near et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.spectra import align as registration
from snakemrs.spectra import checks, coils, cycling, eddy, hlsvd, quality, timing
from snakemrs.spectra.frames import Event
from snakemrs.spectra.measure import DETECTED, Figures, Scale, measure, without_dominant_water
from snakemrs.spectra.outliers import Outliers, find_outliers
from snakemrs.spectra.reference import dominant_frequency, positive_phase
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


def transient_signals(image: NiftiMrs) -> np.ndarray:
    """Give the signals of an image, shape (transients, coils, points); no copy where the layout allows it."""
    signals = image.as_dims(*checks.TRANSIENT_TAGS, "DIM_COIL")
    return signals.reshape(-1, *signals.shape[3:])


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
        fids, water_mean, corrected_by_water = _eddy(svs, water, fids, trace, same_voxel, settings, steps, notes)
        if corrected_by_water:
            shift -= trace_frequency(trace.mean, dwell, mhz)

    alignment = registration.align(
        fids,
        dwell,
        _moved(settings.align_range, mhz, shift),
        noise,
        settings.align_max_shift,
        water=_moved(settings.water_range, mhz, shift),
    )
    if settings.edited == "refuse":
        _refuse_cycled(svs, fids, alignment, noise, scale, shift)
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

    fids = _place(fids, found.weights, water_mean, corrected_by_water, scale, settings, has_naa, shift, steps, notes)
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
            place = trace_frequency(water_mean, dwell, mhz)
            water_mean = shift_frequency(water_mean, -place, dwell)
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


def check_timing(svs: NiftiMrs, events: list[Event], settings: SpectraSettings) -> None:
    """Refuse frames by time of data whose times are not known, and event-locked frames without events.

    Raises
    ------
    DataError, RequestError
    """
    shape = [length for length, tag in zip(svs.data.shape[4:], svs.dim_tags, strict=False) if tag != "DIM_COIL"]
    transients = int(np.prod(shape))
    if settings.frames == "events" and not events:
        raise RequestError("event-locked frames need events", expected="an events.tsv with the scan (--events)")
    needed = bool(events) or settings.frame_duration is not None
    if transients > 1 and needed and np.isnan(timing.onsets(svs, transients)[1]):
        raise svs.error(
            "the time of the transients is not known, so that they cannot be matched with events",
            expected="RepetitionTime in the header or sidecar",
            remedy="give the repetition time in study.yaml",
        )


def _moved(ppm: tuple[float, float], mhz: float, shift: float) -> tuple[float, float]:
    """Give the frequencies (Hz) of a range of chemical shifts in a spectrum that lies `shift` Hz too high."""
    low, high = quality.band_of(ppm, mhz)
    return low + shift, high + shift


def _refuse_cycled(
    svs: NiftiMrs, fids: np.ndarray, alignment: registration.Alignment, noise: float, scale: Scale, shift: float
) -> None:
    """Refuse transients that alternate between conditions."""
    if len(fids) < 8:
        return
    dwell, mhz = scale.dwell_time, scale.spectrometer_frequency
    if cycling.is_metabolite_cycled(fids, alignment):
        raise svs.error(
            "these look like metabolite-cycled data, which must not be averaged as plain transients",
            found="metabolites that change their sign from transient to transient while water does not",
            remedy="subtract alternate transients first, or set spectra.edited to accept",
        )
    aligned = registration.apply(fids, alignment, dwell)
    cleaned, _ = hlsvd.remove_components(aligned, dwell, _moved((4.25, 5.05), mhz, shift))
    share = cycling.edited_share(cleaned, dwell, _moved((1.8, 3.4), mhz, shift), noise)
    if share > 0.35:
        raise svs.error(
            "these look like difference-edited data, which must not be averaged as plain transients",
            found=f"interleaved transients that differ by {100 * share:.0f} % of the highest peak",
            remedy="extract one condition first, or set spectra.edited to accept",
        )


def trace_frequency(water: np.ndarray, dwell_time: float, spectrometer_frequency: float) -> float:
    """Frequency (Hz) of the highest point of water."""
    reach = 1.5 * spectrometer_frequency
    return dominant_frequency(water, dwell_time, (-reach, reach))


def combine_coils(
    svs: NiftiMrs,
    water: NiftiMrs | None,
    scale: Scale,
    settings: SpectraSettings,
    steps: list[tuple[str, str]],
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray | None]:
    """Combine the coils of spectrum and water with the same weights; shapes (transients, points)."""
    signals = transient_signals(svs)
    water_signals = None if water is None else transient_signals(water)
    count = signals.shape[1]
    if water is not None and water_signals is not None and water_signals.shape[1] != count:
        raise water.error(
            "the water reference has another number of coils than the spectrum",
            found=water_signals.shape[1],
            expected=f"{count} as in {svs.path}",
            remedy="give the water reference that was stored in the same way: one combined on the scanner and one that "
            "was not are on different scales",
        )
    if count == 1:
        return signals[:, 0].astype(complex), None if water_signals is None else water_signals[:, 0].astype(complex)
    if settings.coil_weights == "water" and water_signals is None:
        raise svs.error("coil weights by water need a water reference", remedy="set spectra.coil_weights to auto")
    covariance = coils.noise_covariance(signals, scale.dwell_time, scale.keep_out)
    # Away from water and lipid, which come with coil profiles of their own.
    band = quality.band_of((1.8, 3.5), scale.spectrometer_frequency)
    found = by_signal = coils.coil_weights(signals, covariance, scale.dwell_time, band)
    source = "the metabolite signal"
    if water_signals is not None and settings.coil_weights != "metabolite":
        by_water = coils.coil_weights(water_signals, covariance, scale.dwell_time)
        kept = coils.efficiency(by_water.weights, by_signal)
        if settings.coil_weights == "water" or kept > 0.97 or by_signal.expected_loss > 0.01:
            found, source = by_water, "the water reference"
        if by_signal.expected_loss <= 0.01 and kept <= 0.97:
            notes.append(
                f"The coils see water and metabolites differently: weights from water keep {kept:.2f} of the "
                f"signal-to-noise ratio that weights from the metabolites give. Taken: {source}."
            )
    dead = int((~found.used).sum())
    steps.append(
        (
            "RF coil combination",
            f"Whitened singular value decomposition (Rodgers & Robson 2010), {count} coils, noise covariance from the "
            f"end of the signals, weights from {source}{f'; {dead} coils without signal left out' if dead else ''}.",
        )
    )
    if found.signal_share < 0.5:
        notes.append(f"The coils do not agree on one signal (share of the first component {found.signal_share:.2f}).")
    combined = None if water_signals is None else coils.combine(water_signals, found.weights)
    return coils.combine(signals, found.weights), combined


def orient(
    svs: NiftiMrs,
    fids: np.ndarray,
    water: np.ndarray | None,
    noise: float,
    scale: Scale,
    settings: SpectraSettings,
    has_naa: bool,
    steps: list[tuple[str, str]],
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Find conjugated data and where the axis lies roughly (Hz by which the spectrum lies too high)."""
    mhz = scale.spectrometer_frequency
    rough = fids
    if len(fids) > 1:
        # Both sides of water, since the sign is not known yet.
        found = registration.align(fids, scale.dwell_time, (-4.6 * mhz, 4.6 * mhz), noise, iterations=1)
        rough = registration.apply(fids, found, scale.dwell_time)
    probe = without_dominant_water(np.mean(rough, axis=0), scale)
    _require_signal(svs, probe, rough, scale)
    if not has_naa or settings.reference == "none":
        return fids, water, 0.0
    here, mirror = scale.search(probe), scale.search(probe.conj())
    if not (mirror.score > 2 * DETECTED and mirror.score > 2 * here.score):
        return fids, water, here.shift if here.score > DETECTED else 0.0
    if settings.conjugated == "refuse":
        raise svs.error(
            "the data are conjugated: NAA, creatine and choline lie on the wrong side of water",
            found=f"the three lines at their mirror image (score {mirror.score:.0f}; at their place {here.score:.0f})",
            expected="the sign of NIfTI-MRS: higher ppm at lower frequency",
            remedy="convert the raw file anew with the right sign, or set spectra.conjugated to correct",
        )
    notes.append("The data were conjugated (NAA lay on the wrong side of water) and were conjugated back.")
    steps.append(("Conjugation", "Sign of the imaginary part changed: NAA lay on the wrong side of water."))
    return fids.conj(), None if water is None else water.conj(), mirror.shift


def _require_signal(svs: NiftiMrs, probe: np.ndarray, rough: np.ndarray, scale: Scale) -> None:
    """Refuse data in which nothing stands above the noise."""
    mean = rough.mean(axis=0)
    noise = quality.noise_in_time(mean, scale.dwell_time, scale.keep_out) * np.sqrt(np.count_nonzero(mean))
    top = max(
        quality.highest(signal, scale.dwell_time, scale.spectrometer_frequency, (-0.5, 9.0), "magnitude")
        for signal in (mean, probe)
    )
    if noise > 0 and top < 6 * noise:
        raise svs.error(
            "there is no signal: nothing stands above the noise",
            found=f"highest peak {top / noise:.1f} times the noise",
            expected="at least 6",
            remedy="look at the raw data; leave the scan out",
        )


def _eddy(
    svs: NiftiMrs,
    water_image: NiftiMrs,
    fids: np.ndarray,
    trace: Water,
    same_voxel: bool,
    settings: SpectraSettings,
    steps: list[tuple[str, str]],
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Correct eddy currents by the water reference where that is right."""
    reason = None
    if settings.eddy_current == "none":
        reason = "switched off in the settings"
    elif not same_voxel:
        reason = "the water reference is from another voxel"
    elif _differ(svs.echo_time, water_image.echo_time):
        reason = "the echo time of the water reference differs"
    elif any("eddy" in str(step.get("Method", "")).lower() for step in svs.header.get("ProcessingApplied", [])):
        reason = "it was done already"
    if reason is None:
        try:
            phase = eddy.water_phase(trace.mean, trace.noise, max(fids.shape[1], len(trace.mean)))
        except ValueError as error:
            reason = str(error)
    if reason is not None:
        notes.append(f"No eddy-current correction: {reason}.")
        return fids, trace.mean, False
    steps.append(("Eddy current correction", "Phase of the water reference subtracted (Klose 1990)."))
    # The phase that the receiver gave to water at the start is no eddy current, and not that of the metabolites.
    relative = phase[: fids.shape[1]] - phase[:4].mean()
    return eddy.correct(fids, relative), eddy.correct(trace.mean, phase[: len(trace.mean)]), True


def _differ(a: float | None, b: float | None) -> bool:
    """Whether two echo times (s) are both known and differ."""
    return a is not None and b is not None and abs(a - b) > 1e-4


def _place(
    fids: np.ndarray,
    weights: np.ndarray,
    water: np.ndarray | None,
    corrected_by_water: bool,
    scale: Scale,
    settings: SpectraSettings,
    has_naa: bool,
    shift: float,
    steps: list[tuple[str, str]],
    notes: list[str],
) -> np.ndarray:
    """Put the frequency axis and the zero-order phase where they belong."""
    mode = settings.reference
    if mode == "none":
        return fids
    dwell, mhz = scale.dwell_time, scale.spectrometer_frequency
    probe = without_dominant_water(weights @ fids / weights.sum(), scale)
    fit = scale.find(probe) if has_naa and mode != "water" else None
    if mode == "metabolites" and fit is None:
        notes.append("NAA, creatine and choline were not found: frequency and phase were left as they are.")
        return fids
    if fit is not None:
        steps.append(
            (
                "Frequency and phase correction",
                f"NAA at {scale.singlets['NAA']:g} ppm, with creatine and choline: shifted by {-fit.shift:.3f} Hz, "
                f"phased by {-np.degrees(fit.phase):.2f} degrees.",
            )
        )
        return shift_frequency(fids, -fit.shift, dwell) * np.exp(-1j * fit.phase)
    why = "an inversion-nulled scan has no NAA" if not has_naa else "NAA, creatine and choline were not found"
    if water is None:
        notes.append(f"Frequency and phase were left as they are: {why}, and there is no water reference.")
        return fids
    place = 0.0 if corrected_by_water else trace_frequency(water, dwell, mhz)
    moved = shift_frequency(probe, -place, dwell)
    phase = positive_phase(moved, dwell, mhz, scale.ranges["metabolites"])
    notes.append(f"Frequency was referenced to the water reference at 4.65 ppm: {why}.")
    steps.append(
        (
            "Frequency and phase correction",
            f"Water reference at 4.65 ppm; phased by {-np.degrees(phase):.2f} degrees for a positive real part.",
        )
    )
    return shift_frequency(fids, -place, dwell) * np.exp(-1j * phase)
