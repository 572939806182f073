"""Transients before and after alignment, and what changed from one to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from snakemrs.report.figures.chart import Axis, Chart, Panel, Series, limits
from snakemrs.report.figures.image import png, to_grey
from snakemrs.report.inputs import Table
from snakemrs.spins.axis import ppm_axis, shift_frequency, to_spectrum

MAX_ROWS = 400
"""More transients than this are averaged in the image, neighbours together (never in the data)."""
MAX_COLUMNS = 480


def undo_alignment(fids: np.ndarray, frequency: np.ndarray, phase: np.ndarray, dwell_time: float) -> np.ndarray:
    """Give corrected transients the frequency and phase back that alignment took from them.

    Parameters
    ----------
    fids : ndarray of complex, shape (transients, points)
    frequency : ndarray, shape (transients,)
        Frequency of each transient relative to the mean, Hz, as measured: correction multiplied by
        exp(−i(2π·frequency·t + phase)). Missing: nothing was corrected.
    phase : ndarray, shape (transients,)
        Phase of each transient, degrees, as measured.
    dwell_time : float
        Seconds.
    """
    shift = np.nan_to_num(np.asarray(frequency, float))
    turn = np.exp(1j * np.deg2rad(np.nan_to_num(np.asarray(phase, float))))
    return shift_frequency(fids, shift, dwell_time) * turn[:, None]


def transients_image(image: Any, quality: Table, name: str, window: tuple[float, float]) -> Markup | None:
    """Draw all transients, before and after, as two grey images: a row a transient, the first on top."""
    fids = image.as_dims("DIM_DYN")
    if fids.shape[0] < 2:
        return None
    if len(quality.rows) == fids.shape[0]:
        table = quality
    else:  # rejected transients may have been left out of the image
        kept = [row for row in quality.rows if row.get("rejected") not in ("true", "1", "True")]
        if len(kept) != fids.shape[0]:
            return None
        table = Table(quality.path, kept, quality.dictionary)
    shifts, phases = np.array(table.numbers("frequency_shift")), np.array(table.numbers("phase_shift"))
    before = undo_alignment(fids, shifts, phases, image.dwell_time)
    ppm = ppm_axis(image.points, image.dwell_time, image.spectrometer_frequency)
    shown = (ppm >= window[0]) & (ppm <= window[1])
    pictures = [_thin(to_spectrum(signal)[:, shown].real) for signal in (before, fids)]
    low, high = np.percentile(pictures[1], [2, 99.7])
    marks = Axis(window[0], window[1], falling=True).marks(5)
    ticks = Markup("").join(
        Markup('<span style="left:{}%">{}</span>').format(f"{100 * position:.1f}", text) for position, text in marks
    )
    boxes = [
        Markup(
            '<div class="stack"><h5>{}</h5><img src="{}" alt="{} transients as rows of grey, {} alignment">'
            '<div class="xticks">{}</div></div>'
        ).format(title, png(to_grey(picture, float(low), float(high))), fids.shape[0], word, ticks)
        for title, word, picture in (
            ("Before alignment", "before", pictures[0]),
            ("After alignment", "after", pictures[1]),
        )
    ]
    return Markup(
        '<figure class="chart" id="{}" role="group" aria-label="Transients before and after alignment"><div '
        'class="stacks">{}</div><figcaption>n = {} transients, one a row, the first on top; real part, {}–{} ppm. '
        "“Before” is what “after” becomes when the measured shifts of frequency and phase are put back."
        "</figcaption></figure>"
    ).format(name, Markup("").join(boxes), fids.shape[0], f"{window[0]:g}", f"{window[1]:g}")


def _thin(spectra: np.ndarray) -> np.ndarray:
    """Average neighbouring rows and columns until the image has a sensible number of both."""
    for axis, most in ((0, MAX_ROWS), (1, MAX_COLUMNS)):
        factor = -(-spectra.shape[axis] // most)
        if factor > 1:
            starts = np.arange(0, spectra.shape[axis], factor)
            counts = np.diff([*starts, spectra.shape[axis]])
            sums = np.add.reduceat(spectra, starts, axis=axis)
            spectra = sums / (counts[:, None] if axis == 0 else counts[None, :])
    return spectra


def traces_chart(quality: Table, name: str, events: list[tuple[float, float, str]]) -> Chart | None:
    """Draw frequency, phase, line width and SNR of each transient over time; rejected ones are marked."""
    rows = quality.rows
    if len(rows) < 2:
        return None
    onset = np.array(quality.numbers("onset"))
    over_time = np.isfinite(onset).all() and np.ptp(onset) > 0
    x = onset / 60 if over_time else np.arange(1, len(rows) + 1, dtype=float)
    rejected = np.array([row.get("rejected") in ("true", "True", "1") for row in rows])
    panels: list[Panel] = []
    traces = (
        ("frequency_shift", "frequency (Hz)"),
        ("phase_shift", "phase (°)"),
        ("line_width", "line width (Hz)"),
        ("snr", "SNR"),
    )
    for column, label in traces:
        values = np.array(quality.numbers(column))
        if not np.isfinite(values).any():
            continue
        panel = Panel(Axis(*limits([values]), label), height=110)
        panel.series.append(Series("line", x, values, name="each transient", colour="c5", style="thin"))
        if rejected.any():
            titles = [f"transient {row.get('transient', '?')}: {row.get('rule', 'rejected')}" for row in rows]
            bad = np.where(rejected, values, np.nan)
            panel.series.append(Series("dots", x, bad, name="rejected", colour="c6", titles=titles))
        if over_time:
            panel.spans += [(low / 60, high / 60, text if not panels else "") for low, high, text in events]
        panels.append(panel)
    if not panels:
        return None
    low, high = float(np.min(x)), float(np.max(x))
    reasons = sorted({row.get("rule", "") for row, bad in zip(rows, rejected, strict=True) if bad} - {"", "n/a"})
    caption = f"n = {len(rows)} transients, {int(rejected.sum())} rejected"
    caption += f" ({'; '.join(reasons)})" if reasons else ""
    axis = Axis(low, high, "time (min)" if over_time else "transient")
    for panel in panels:
        panel.spans = [(max(a, low), min(b, high), t) for a, b, t in panel.spans if b > low and a < high]
    return Chart(name, "From transient to transient", axis, panels, caption=f"{caption}.")
