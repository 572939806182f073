"""When each transient was acquired."""

from __future__ import annotations

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.io.events import Event
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.spectra.checks import header_number
from snakemrs.study.settings.spectra import SpectraSettings

TIME_KEYS = ("AcquisitionTime", "TransientOnset", "AcquisitionStartTime")
"""Keys of the header of the dynamic dimension that may hold a time in seconds for each transient."""


def averages_per_transient(image: NiftiMrs, transients: int) -> int:
    """How many excitations one stored transient holds (scanners that average in blocks); 1 where it is not known."""
    total = header_number(image, "NumberOfTransients")
    if total is None or total < transients or total % transients:
        return 1
    return int(total) // transients


def recorded_times(image: NiftiMrs, transients: int) -> np.ndarray | None:
    """Give the acquisition times that the header of the dynamic dimension holds, seconds; None where it has none."""
    for number, tag in enumerate(image.dim_tags, start=5):
        extra = image.header.get(f"dim_{number}_header")
        if tag != "DIM_DYN" or not isinstance(extra, dict):
            continue
        for key in TIME_KEYS:
            value = extra.get(key)
            value = value.get("Value") if isinstance(value, dict) else value
            if not isinstance(value, list) or len(value) != transients:
                continue
            try:
                times = np.asarray(value, float)
            except (TypeError, ValueError):
                continue
            if np.isfinite(times).all() and (np.diff(times) > 0).all():
                return times
    return None


def onsets(image: NiftiMrs, transients: int) -> tuple[np.ndarray, float, int]:
    """Give the onset of each transient (s from the first), their usual spacing (s), and the excitations in each.

    Recorded acquisition times come first, then index times repetition time. Without either the times are not a number.
    """
    averages = averages_per_transient(image, transients)
    times = recorded_times(image, transients)
    if times is not None and transients > 1:
        return times - times[0], float(np.median(np.diff(times))), averages
    repetition = header_number(image, "RepetitionTime")
    spacing = float("nan") if repetition is None or not repetition > 0 else repetition * averages
    first = np.zeros(1)
    return (first if transients == 1 else np.arange(transients) * spacing), spacing, averages


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
    if transients > 1 and needed and np.isnan(onsets(svs, transients)[1]):
        raise svs.error(
            "the time of the transients is not known, so that they cannot be matched with events",
            expected="RepetitionTime in the header or sidecar",
            remedy="give the repetition time in study.yaml",
        )
