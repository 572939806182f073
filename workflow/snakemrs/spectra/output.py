"""What preprocessing writes: images with their processing steps, tables of quality with their dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.io.events import Event
from snakemrs.io.nifti_mrs import NiftiMrs, write
from snakemrs.io.tables import write_table
from snakemrs.spectra import quality, timing
from snakemrs.spectra.checks import header_number
from snakemrs.spectra.frames import Frame, event_frames, fixed_frames, sliding_frames
from snakemrs.spectra.measure import measure
from snakemrs.spectra.process import Corrected
from snakemrs.study.resources import constants
from snakemrs.study.settings.spectra import SpectraSettings

Row = dict[str, Any]
Dictionary = dict[str, dict[str, Any]]

QUALITY_COLUMNS: Dictionary = {
    "metric": {
        "Description": "What was measured; `overall` is the worst verdict of all",
        "Levels": {
            "snr": "Height of NAA in the real part, by the standard deviation of noise in the real part",
            "line_width_naa": "Full width at half maximum of NAA",
            "line_width_cr": "Full width at half maximum of creatine",
            "line_width_water": "Full width at half maximum of the water reference",
            "frequency_shift": "Frequency by which NAA lay above its place",
            "residual_water": "Highest magnitude between 4.35 and 4.95 ppm by the height of NAA",
            "lipid": "Highest real part between 1.15 and 1.45 ppm by the height of NAA",
            "rejected_transients": "Share of transients left out",
            "marked_transients": "Share of transients that an outlier rule found",
            "drift": "Range of the frequency over the scan, running median of transients",
            "frequency_sd": "Standard deviation of the frequency from transient to transient, about the drift",
            "phase_sd": "Standard deviation of the phase from transient to transient, about the drift",
            "transients": "Number of transients",
        },
    },
    "before": {"Description": "Before correction: plain mean of all transients, coils combined"},
    "after": {"Description": "After correction"},
    "unit": {"Description": "Unit of before and after"},
    "verdict": {
        "Description": "pass, warn or fail by the limits of config/constants/quality.yaml; n/a: no limit or no value"
    },
    "rule": {"Description": "The limit that was crossed"},
}
TRANSIENT_COLUMNS: Dictionary = {
    "transient": {"Description": "Number of the transient, from 0, as in the raw data"},
    "onset": {"Description": "Start of the transient after that of the first", "Units": "s"},
    "duration": {"Description": "Time to the next transient", "Units": "s"},
    "frequency_shift": {"Description": "Frequency relative to the mean of transients", "Units": "Hz"},
    "phase_shift": {"Description": "Phase relative to the mean of transients", "Units": "degrees"},
    "snr": {"Description": "Height of NAA by the standard deviation of noise, of this transient alone", "Units": "1"},
    "line_width": {"Description": "Full width at half maximum of NAA", "Units": "Hz"},
    "weight": {"Description": "Weight in averages", "Units": "1"},
    "rejected": {"Description": "Whether the transient was left out"},
    "rule": {"Description": "Rules that found the transient to be an outlier, left out or not"},
    "amplitude": {"Description": "Amplitude relative to the mean of transients (motion trace)", "Units": "1"},
    "residual": {
        "Description": "Mean squared difference from the mean by the variance of noise (motion trace)",
        "Units": "1",
    },
}
FRAME_COLUMNS: Dictionary = {
    "frame": {"Description": "Number of the frame, from 0, as in the image of frames; n/a: not in the image"},
    "onset": {"Description": "Start of the frame (of event-locked frames: after the event's onset)", "Units": "s"},
    "duration": {"Description": "Length of the frame", "Units": "s"},
    "transients": {"Description": "Transients in the frame that were not left out"},
    "snr": {"Description": "Height of NAA by the standard deviation of noise", "Units": "1"},
    "line_width_naa": {"Description": "Full width at half maximum of NAA", "Units": "Hz"},
    "line_width_water": {
        "Description": "Full width at half maximum of interleaved water within the frame; n/a without",
        "Units": "Hz",
    },
    "frequency_shift": {"Description": "Frequency of NAA from its place, after correction", "Units": "Hz"},
    "verdict": {"Description": "pass, warn or fail by the limits of config/constants/quality.yaml"},
    "rule": {"Description": "The limit that was crossed"},
    "phase": {"Description": "Trial type that was on, or baseline, after, all"},
    "kind": {"Description": "fixed, sliding (overlapping: for figures only, never for statistics) or events"},
}
WATER_COLUMNS: Dictionary = {
    "frame": {"Description": "Number of the water frame, from 0"},
    "onset": {"Description": "Start of the frame; on the clock of the spectrum where interleaved", "Units": "s"},
    "amplitude": {"Description": "Magnitude at the start of the signal, units of the signal"},
    "frequency_shift": {"Description": "Frequency of water on the scanner's axis", "Units": "Hz"},
    "phase_shift": {"Description": "Phase", "Units": "degrees"},
    "line_width": {"Description": "Full width at half maximum", "Units": "Hz"},
    "used": {"Description": "Whether the frame is part of the mean water reference"},
}


def make_frames(done: Corrected, events: list[Event], settings: SpectraSettings) -> tuple[str, list[Frame]]:
    """Group the transients as the settings say; gives the kind of frames and the frames."""
    kind = "fixed" if settings.frames == "auto" else settings.frames
    if len(done.fids) == 1 or kind == "none":
        return kind, fixed_frames(done.onsets, done.spacing, len(done.fids), None, [])
    arguments = (done.onsets, done.spacing, settings.frame_transients, settings.frame_duration)
    if kind == "fixed":
        return kind, fixed_frames(*arguments, events)
    if kind == "sliding":
        return kind, sliding_frames(*arguments, settings.frame_step, events)
    return kind, event_frames(done.onsets, done.spacing, settings.frame_duration, settings.event_window, events)


def quality_rows(done: Corrected) -> list[Row]:
    """Make the rows of the quality table of the mean."""
    limits = constants("quality")["limits"]["mean"]
    mhz = done.scale.spectrometer_frequency
    before, after = done.before, done.after
    values: list[tuple[str, float | None, float | None, str]] = [
        ("snr", before.snr, after.snr, "1"),
        ("line_width_naa", before.line_width_naa, after.line_width_naa, "Hz"),
        ("line_width_cr", before.line_width_cr, after.line_width_cr, "Hz"),
        ("line_width_water", done.water_width_before, done.water_width_after, "Hz"),
        ("frequency_shift", before.shift, after.shift, "Hz"),
        ("residual_water", before.residual_water, after.residual_water, "1"),
        ("lipid", before.lipid, after.lipid, "1"),
    ]
    count = len(done.fids)
    if count > 1:
        used = ~done.outliers.rejected
        marked = 100 * float(np.mean([rule is not None for rule in done.outliers.rules]))
        values.append(("rejected_transients", 0.0, 100 * float(np.mean(~used)), "percent"))
        values.append(("marked_transients", None, marked, "percent"))
        drift, frequency_sd, phase_sd = drift_figures(done, used)
        values.append(("drift", drift, None, "Hz"))
        values.append(("frequency_sd", frequency_sd, None, "Hz"))
        values.append(("phase_sd", phase_sd, None, "degrees"))
    values.append(("transients", count * done.averages, int(np.sum(done.outliers.weights > 0)) * done.averages, "1"))
    rows: list[Row] = []
    judgements = []
    for metric, first, second, unit in values:
        # A shift and a drift are judged as they were found; the rest as it is after correction.
        judged = first if metric in ("frequency_shift", "drift") else second
        judgement = quality.judge(metric, judged, limits, mhz)
        judgements.append(judgement)
        rows.append(
            {
                "metric": metric,
                "before": first,
                "after": second,
                "unit": unit,
                "verdict": judgement.verdict,
                "rule": judgement.rule,
            }
        )
    if done.has_naa and after.snr is None:
        judgements.append(quality.Judgement("fail", "snr_fail: NAA, creatine and choline were not found"))
        rows[0].update(verdict="fail", rule=judgements[-1].rule)
    overall = quality.worst(judgements)
    rows.append({"metric": "overall", "unit": "n/a", "verdict": overall.verdict, "rule": overall.rule})
    return rows


def drift_figures(done: Corrected, used: np.ndarray) -> tuple[float, float, float]:
    """Give the drift (Hz), and the scatter of frequency (Hz) and phase (degrees) about it, of the used transients."""
    from snakemrs.spectra.outliers import local_median

    frequency = done.alignment.frequency[used]
    phase = np.degrees(np.unwrap(done.alignment.phase[used]))
    trend = local_median(frequency, 15)
    return (
        float(np.ptp(trend)),
        float(np.std(frequency - trend)),
        float(np.std(phase - local_median(phase, 15))),
    )


def transient_rows(done: Corrected) -> list[Row]:
    """Make the rows of the table of transients."""
    alignment, decided, after = done.alignment, done.outliers, done.after
    mean_noise = after.noise
    weights = decided.weights
    effective = weights.sum() ** 2 / np.sum(weights**2)
    rows = []
    for k in range(len(done.fids)):
        width, snr = None, None
        if after.line_width_naa is not None and after.height is not None and mean_noise:
            width = max(after.line_width_naa + float(alignment.broadening[k]), 0.0)
            single = mean_noise * np.sqrt(effective)
            peak = after.height * float(alignment.amplitude[k]) * after.line_width_naa / max(width, 1e-3)
            snr = max(peak, 0.0) / single
        rows.append(
            {
                "transient": k,
                "onset": done.onsets[k],
                "duration": done.spacing,
                "frequency_shift": alignment.frequency[k],
                "phase_shift": float(np.degrees(alignment.phase[k])),
                "snr": snr,
                "line_width": width,
                "weight": weights[k],
                "rejected": bool(decided.rejected[k]),
                "rule": decided.rules[k],
                "amplitude": alignment.amplitude[k],
                "residual": alignment.misfit[k],
            }
        )
    return rows


def frame_signals(done: Corrected, frames: list[Frame]) -> list[np.ndarray | None]:
    """Average each frame by the weights of its transients; None where no transient is left."""
    signals: list[np.ndarray | None] = []
    for frame in frames:
        weights = done.outliers.weights[frame.members]
        signals.append(weights @ done.fids[frame.members] / weights.sum() if weights.sum() > 0 else None)
    return signals


def frame_rows(
    done: Corrected, kind: str, frames: list[Frame], signals: list[np.ndarray | None], water_rows: list[Row]
) -> list[Row]:
    """Make the rows of the table of frames."""
    limits = constants("quality")["limits"]["frame"]
    rows: list[Row] = []
    number = 0
    for frame, signal in zip(frames, signals, strict=True):
        row: Row = {"onset": frame.onset, "duration": frame.duration, "phase": frame.label, "kind": kind}
        row["transients"] = int(np.sum(done.outliers.weights[frame.members] > 0))
        if signal is None:
            rows.append({**row, "frame": None, "verdict": "fail", "rule": "transients_fail: all were left out"})
            continue
        figures = measure(signal, done.scale, True, done.has_naa)
        widths = [
            w["line_width"] for w in water_rows if w["interleaved"] and 0 <= w["onset"] - frame.onset < frame.duration
        ]
        row.update(
            frame=number,
            snr=figures.snr,
            line_width_naa=figures.line_width_naa,
            frequency_shift=figures.shift,
            line_width_water=float(np.mean(widths)) if widths and kind != "events" else None,
        )
        number += 1
        judgements = [quality.judge(name, row[name], limits, done.scale.spectrometer_frequency) for name in limits]
        if done.has_naa and figures.snr is None:
            judgements.append(quality.Judgement("fail", "snr_fail: NAA, creatine and choline were not found"))
        overall = quality.worst(judgements)
        row.update(verdict=overall.verdict, rule=overall.rule)
        rows.append(row)
    return rows


def water_trace_rows(done: Corrected, water: NiftiMrs, interleaved: bool) -> list[Row]:
    """Make the rows of the table of water over time; `interleaved`: its frames lie between the transients."""
    trace = done.water_trace
    if trace is None:
        return []
    count = len(trace.amplitude)
    times, _, _ = timing.onsets(water, count)
    if interleaved and timing.recorded_times(water, count) is None:
        # Spread evenly over the transients that they were acquired between.
        times = np.arange(count) * done.spacing * len(done.fids) / count
    return [
        {
            "frame": k,
            "onset": times[k],
            "amplitude": trace.amplitude[k],
            "frequency_shift": trace.frequency[k],
            "phase_shift": float(np.degrees(trace.phase[k])),
            "line_width": trace.line_width[k],
            "used": bool(trace.used[k]),
            "interleaved": interleaved,
        }
        for k in range(count)
    ]


def _noted(image: NiftiMrs, steps: list[tuple[str, str]]) -> NiftiMrs:
    """Add the processing steps to an image."""
    for method, details in steps:
        image = image.processed(method, details)
    return image


def _value(values: list[Any], description: str) -> dict[str, Any]:
    """Make a user-defined entry of a dimension's header."""
    return {"Value": values, "Description": description}


def write_result(
    done: Corrected,
    svs: NiftiMrs,
    water: NiftiMrs | None,
    events: list[Event],
    settings: SpectraSettings,
    prefix: Path,
) -> list[Row]:
    """Write all images and tables of `prefix`; gives the rows of the quality table."""

    def place(rest: str) -> Path:
        return prefix.with_name(f"{prefix.name}_{rest}")

    notes: Dictionary = {"Notes": {"Description": " ".join(done.notes)}} if done.notes else {}
    count = len(done.fids)
    used = int(np.sum(done.outliers.weights > 0))
    total = header_number(svs, "NumberOfTransients")
    # Of an image that was averaged on the scanner without saying of how many, the number stays unknown.
    known = (
        {}
        if count == 1 and total is None
        else {"NumberOfTransients": used * done.averages, "TransientsPerSignal": done.averages}
    )
    mean = svs.with_signal(done.mean, **known)
    water_rows = [] if water is None else water_trace_rows(done, water, settings.water_interleaved)
    # Frames and tables are written for a single transient too: every spectrum has the same files.
    kind, frames = make_frames(done, events, settings)
    signals = frame_signals(done, frames)
    rows = frame_rows(done, kind, frames, signals, water_rows)
    kept = [signal for signal in signals if signal is not None]
    if kept:
        shown = [row for row in rows if row["frame"] is not None]
        image = svs.with_signal(np.stack(kept), "DIM_DYN")
        extra = {
            "FrameOnset": _value([round(float(r["onset"]), 6) for r in shown], "Start of each frame, s"),
            "FrameDuration": _value([round(float(r["duration"]), 6) for r in shown], "Length of each frame, s"),
            "FrameTransients": _value([r["transients"] * done.averages for r in shown], "Transients in each frame"),
        }
        if np.isnan(done.spacing):
            extra = {"FrameTransients": extra["FrameTransients"]}
        header = {
            **image.header,
            "NumberOfTransients": int(np.median([r["transients"] for r in shown])) * done.averages,
            **({"TransientsPerSignal": done.averages} if known else {}),
        }
        if len(kept) > 1:
            header["dim_5_header"] = extra
        image = NiftiMrs(image.data, image.affine, image.dwell_time, header, image.path)
        detail = "Averaged to frames: " + kind + (" (overlapping, for figures only)." if kind == "sliding" else ".")
        write(_noted(image, [*done.steps, ("Signal averaging", detail)]), place("desc-frames_svs.nii.gz"))
        write_table(place("desc-frames_quality.tsv"), rows, list(FRAME_COLUMNS), {**FRAME_COLUMNS, **notes})
    if count > 1:
        single = svs.with_signal(
            done.fids, "DIM_DYN", NumberOfTransients=done.averages, TransientsPerSignal=done.averages
        )
        without = [step for step in done.steps if step[0] != "Signal averaging"]
        write(_noted(single, without), place("desc-transients_svs.nii.gz"))
    write_table(
        place("desc-transients_quality.tsv"),
        transient_rows(done),
        list(TRANSIENT_COLUMNS),
        {**TRANSIENT_COLUMNS, **notes},
    )
    if water is not None and done.water is not None:
        assert done.water_trace is not None
        frames_used = int(done.water_trace.used.sum())
        frames_all = len(done.water_trace.used)
        _, _, averages = timing.onsets(water, frames_all)
        total = header_number(water, "NumberOfTransients")
        known = (
            {}
            if frames_all == 1 and total is None
            else {"NumberOfTransients": frames_used * averages, "TransientsPerSignal": averages}
        )
        image = water.with_signal(done.water, **known)
        water_steps = [
            s for s in done.steps if s[0] in ("RF coil combination", "Conjugation", "Eddy current correction")
        ]
        write(_noted(image, water_steps), place("desc-preproc_mrsref.nii.gz"))
        if frames_all > 1:
            rows = [{k: v for k, v in row.items() if k in WATER_COLUMNS} for row in water_rows]
            write_table(place("desc-water_quality.tsv"), rows, list(WATER_COLUMNS), {**WATER_COLUMNS, **notes})
    table = quality_rows(done)
    write_table(place("desc-preproc_quality.tsv"), table, list(QUALITY_COLUMNS), {**QUALITY_COLUMNS, **notes})
    # Last, since it says that the rest is there.
    write(_noted(mean, done.steps), place("desc-preproc_svs.nii.gz"))
    return table
