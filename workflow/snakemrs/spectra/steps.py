"""The steps of preprocessing that decide by what they see: coils, sign, eddy currents, axis; each says what it did.

`steps` gathers entries of ProcessingApplied (terms of Near et al. 2021), `notes` sentences for the user.
"""

from __future__ import annotations

import numpy as np

from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.spectra import align as registration
from snakemrs.spectra import checks, coils, cycling, eddy, hlsvd, quality
from snakemrs.spectra.measure import DETECTED, Scale, without_dominant_water
from snakemrs.spectra.reference import dominant_frequency, positive_phase
from snakemrs.spectra.water import Water
from snakemrs.spins.axis import shift_frequency
from snakemrs.study.settings.spectra import SpectraSettings


def transient_signals(image: NiftiMrs) -> np.ndarray:
    """Give the signals of an image, shape (transients, coils, points); no copy where the layout allows it."""
    signals = image.as_dims(*checks.TRANSIENT_TAGS, "DIM_COIL")
    return signals.reshape(-1, *signals.shape[3:])


def moved_band(ppm: tuple[float, float], mhz: float, shift: float) -> tuple[float, float]:
    """Give the frequencies (Hz) of a range of chemical shifts in a spectrum that lies `shift` Hz too high."""
    low, high = quality.band_of(ppm, mhz)
    return low + shift, high + shift


def refuse_cycled(
    svs: NiftiMrs, fids: np.ndarray, alignment: registration.Alignment, noise: float, scale: Scale, shift: float
) -> None:
    """Refuse transients of several conditions, in turn or in blocks."""
    if len(fids) < 2:
        return
    dwell, mhz = scale.dwell_time, scale.spectrometer_frequency
    if cycling.is_metabolite_cycled(fids, alignment):
        raise svs.error(
            "these look like metabolite-cycled data, which must not be averaged as plain transients",
            found="metabolites that change their sign from transient to transient while water does not",
            remedy="subtract alternate transients first, or set spectra.edited to accept",
        )
    aligned = registration.apply(fids, alignment, dwell)
    cleaned, _ = hlsvd.remove_components(aligned, dwell, moved_band((4.25, 5.05), mhz, shift))
    share = cycling.edited_share(cleaned, dwell, moved_band((1.8, 3.4), mhz, shift), noise)
    if share > 0.35:
        raise svs.error(
            "these look like difference-edited data, which must not be averaged as plain transients",
            found=f"groups of transients that differ by {100 * share:.0f} % of the highest peak at 1.8-3.4 ppm",
            remedy="extract one condition first, or set spectra.edited to accept",
        )


def water_frequency(water: np.ndarray, dwell_time: float, spectrometer_frequency: float) -> float:
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


def correct_eddy_currents(
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


def place(
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
    offset = 0.0 if corrected_by_water else water_frequency(water, dwell, mhz)
    moved = shift_frequency(probe, -offset, dwell)
    phase = positive_phase(moved, dwell, mhz, scale.ranges["metabolites"])
    notes.append(f"Frequency was referenced to the water reference at 4.65 ppm: {why}.")
    steps.append(
        (
            "Frequency and phase correction",
            f"Water reference at 4.65 ppm; phased by {-np.degrees(phase):.2f} degrees for a positive real part.",
        )
    )
    return shift_frequency(fids, -offset, dwell) * np.exp(-1j * phase)
