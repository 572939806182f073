"""The spectrum with its fit, baseline, residual and each metabolite."""

from __future__ import annotations

import numpy as np

from snakemrs.report.figures.chart import Axis, Chart, Panel, Series
from snakemrs.report.inputs import Table, number

# Order in which the metabolites are stacked: the large ones first, as spectroscopists look for them.
ORDER = (
    "NAA",
    "NAAG",
    "Cr",
    "PCr",
    "GPC",
    "PCho",
    "PCh",
    "Cho",
    "Ins",
    "mI",
    "Glu",
    "Gln",
    "GABA",
    "GSH",
    "Tau",
    "Lac",
    "Asp",
)
_PALETTE = ("c2", "c5", "c3", "c6", "c1", "c7")


def frames_of(curves: Table) -> list[str]:
    """Frames of a table of curves, in their order."""
    return list(dict.fromkeys(row.get("frame", "n/a") for row in curves.rows))


def by_column(curves: Table, frame: str) -> dict[str, np.ndarray]:
    """Columns of one frame as numbers, the shift falling or rising as written."""
    rows = [row for row in curves.rows if row.get("frame", "n/a") == frame]
    columns = [c for c in curves.columns if c not in ("frame", "onset", "duration")]
    cells = [[row[c] for c in columns] for row in rows]
    flat = np.array([[np.nan if v == "n/a" or not v else float(v) for v in row] for row in cells], float)
    return {column: flat[:, n] for n, column in enumerate(columns)} if rows else {}


def basis_names(columns: dict[str, np.ndarray]) -> list[str]:
    """Names of the basis functions, in the order of the figure."""
    names = [c.removeprefix("fit_") for c in columns if c.startswith("fit_") and c not in ("fit_re", "fit_im")]
    first = [name for name in ORDER if name in names]
    return first + sorted((n for n in names if n not in first), key=lambda n: (n.upper().startswith(("MM", "LIP")), n))


def spectrum_chart(curves: Table, name: str, window: tuple[float, float], frame: str | None = None) -> Chart | None:
    """Draw one fitted spectrum.

    Parameters
    ----------
    curves : Table
        ``…_curves.tsv`` of the fit.
    name : str
        Identifier in the page.
    window : (float, float)
        Lowest and highest shift shown, ppm.
    frame : str, optional
        Which frame; the first where None.

    Returns
    -------
    Chart or None
        None where the table is empty.
    """
    frames = frames_of(curves)
    if not frames:
        return None
    columns = by_column(curves, frame or frames[0])
    shown = (columns["ppm"] >= window[0]) & (columns["ppm"] <= window[1])
    if shown.sum() < 2:
        return None
    columns = {key: values[shown] for key, values in columns.items()}
    ppm, data, fit, baseline = (columns[key] for key in ("ppm", "data_re", "fit_re", "baseline_re"))
    residual = data - fit
    low, high = _limits(data, fit, baseline)
    span = high - low
    scale = span if span > 0 else 1.0
    offset = high + 0.06 * scale + max(0.0, float(-np.nanmin(residual)))
    top = offset + max(0.04 * scale, float(np.nanmax(residual))) + 0.04 * scale
    main = Panel(
        # In parts of the tallest peak: the unit of the signal is arbitrary.
        Axis((low - 0.03 * scale), top, "signal (arbitrary unit)"),
        height=380,
        show_ticks=False,
        lines=[0.0, offset],
        labels=[(float(ppm.max()), offset + 0.01 * scale, "residual")],
    )
    main.series += [
        Series("line", ppm, residual + offset, name="residual", colour="soft", style="thin"),
        Series("line", ppm, data, name="data", colour="ink", style="thin"),
        Series("line", ppm, baseline, name="baseline", colour="c5", style="dashed"),
        Series("line", ppm, fit, name="fit", colour="c6"),
    ]
    macromolecules = [n for n in basis_names(columns) if n.upper().startswith("MM")]
    if macromolecules:
        total = sum(columns[f"fit_{n}"] for n in macromolecules)
        main.series.append(Series("line", ppm, total, name="macromolecules", colour="c3", style="thin"))
    panels = [main]
    stacked = _stack(columns, ppm, scale)
    if stacked is not None:
        panels.append(stacked)
    return Chart(
        name,
        "Spectrum and fit",
        Axis(float(ppm.min()), float(ppm.max()), "chemical shift (ppm)", falling=True),
        panels,
        caption=(
            "Real part. Residual: data minus fit, moved upwards, same scale. Fit includes the baseline. Below: each "
            "basis function as fitted, on one scale per row where it says so. Click names in the legend to hide "
            "or show curves."
        ),
    )


def _limits(*curves: np.ndarray) -> tuple[float, float]:
    joined = np.concatenate(curves)
    finite = joined[np.isfinite(joined)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _stack(columns: dict[str, np.ndarray], ppm: np.ndarray, scale: float) -> Panel | None:
    """Each basis function on a line of its own; what is too small to see is magnified, and says so."""
    names = basis_names(columns)
    if not names:
        return None
    panel = Panel(
        Axis(-len(names), 1.0, "basis functions"), height=40 + 26 * len(names), show_ticks=False, zoom_y=False
    )
    for row, name in enumerate(names):
        curve = columns[f"fit_{name}"]
        peak = float(np.nanmax(np.abs(curve))) if np.isfinite(curve).any() else 0.0
        factor = 1
        while peak > 0 and 3.0 * factor * peak / scale < 0.25 and factor < 64:
            factor *= 2
        height = np.clip(3.0 * factor * curve / scale, -0.9, 2.5)
        note = "not found" if peak == 0 else (f" ×{factor}" if factor > 1 else "")
        panel.lines.append(-float(row))
        panel.series.append(Series("line", ppm, height - row, colour=_PALETTE[row % len(_PALETTE)], style="thin"))
        panel.labels.append((float(ppm.max()), -row + 0.05, f"{name} {note}".strip()))
    panel.axis = Axis(-len(names) + 0.2, 2.6, "basis functions")
    return panel


MOST_FRAMES = 24


def frames_chart(curves: Table, name: str, window: tuple[float, float]) -> Chart | None:
    """Draw the spectra of all frames with their fits, the first on top."""
    frames = frames_of(curves)
    if len(frames) < 2:
        return None
    step = -(-len(frames) // MOST_FRAMES)
    shown = frames[::step]
    needed = ("ppm", "data_re", "fit_re")
    rows: dict[str, list[tuple[float, ...]]] = {}
    for row in curves.rows:
        rows.setdefault(row.get("frame", "n/a"), []).append(tuple(number(row.get(c, "n/a")) for c in needed))
    spectra = [np.array(rows[frame], float) for frame in shown]
    spectra = [s[(s[:, 0] >= window[0]) & (s[:, 0] <= window[1])] for s in spectra]
    heights = [float(np.nanmax(s[:, 2]) - np.nanmin(s[:, 2])) for s in spectra if np.isfinite(s[:, 2]).any()]
    scale = max(heights, default=0.0)
    if not scale > 0:
        return None
    panel = Panel(Axis(0, 1), height=60 + 56 * len(shown), show_ticks=False, zoom_y=False)
    top = 0.0
    for n, (frame, spectrum) in enumerate(zip(shown, spectra, strict=True)):
        offset = -0.45 * n
        base = float(np.nanmedian(spectrum[:, 2])) / scale
        panel.series.append(
            Series("line", spectrum[:, 0], spectrum[:, 1] / scale - base + offset, "", "data", style="thin")
        )
        panel.series.append(
            Series("line", spectrum[:, 0], spectrum[:, 2] / scale - base + offset, "", "fit", "c6", "thin")
        )
        panel.labels.append((float(spectrum[:, 0].max()), offset + 0.02, frame))
        top = max(top, float(np.nanmax(spectrum[:, 1])) / scale - base + offset)
    low = -0.45 * (len(shown) - 1) - 0.25
    panel.axis = Axis(low, top + 0.05, "frame")
    every = f", every {step}th shown" if step > 1 else ""
    axis = Axis(window[0], window[1], "chemical shift (ppm)", falling=True)
    caption = f"n = {len(frames)} frames{every}, the first on top, all on one scale; real part, fit with baseline."
    return Chart(name, "Spectra of the frames", axis, [panel], caption=caption)
