"""One kind of chart for all figures: panels over a common horizontal axis, as HTML with inline SVG.

The curves live in a stretched SVG (``preserveAspectRatio="none"``) whose lines and dots keep their width, the text
beside it is HTML. So a chart fills a laptop and a telephone alike with text of readable size, follows the light or
dark theme by CSS, and is zoomed by changing the SVG's view box (templates/page.js).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup, escape

# The view box of a panel, in both directions. Fine enough for a zoom of fifty.
UNITS = 100_000


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`.

    Attributes
    ----------
    low, high : float
        Limits, low < high.
    label : str
        What and in which unit.
    falling : bool
        True where values fall to the right (ppm).
    ticks : sequence of (float, str), optional
        Named positions (categories); round numbers where None.
    """

    low: float
    high: float
    label: str = ""
    falling: bool = False
    ticks: Sequence[tuple[float, str]] | None = None

    def position(self, values: Any) -> np.ndarray:
        """Positions from the left (or bottom), 0 to 1."""
        share = (np.asarray(values, float) - self.low) / (self.high - self.low)
        return 1.0 - share if self.falling else share

    def marks(self, count: int = 6) -> list[tuple[float, str]]:
        """Ticks as (position from 0 to 1, text)."""
        if self.ticks is not None:
            return [(float(self.position(value)), text) for value, text in self.ticks]
        return [(float(self.position(value)), text) for value, text in round_ticks(self.low, self.high, count)]


@dataclass(frozen=True)
class Series:
    """Something drawn in a panel.

    Attributes
    ----------
    kind : str
        ``line``, ``dots``, ``band`` (between `y` and `y2`), ``bars`` (vertical lines from `y` to `y2`).
    x, y, y2 : array_like
        Values in units of the axes; not-a-number leaves a gap.
    name : str
        For the legend; series of one name are switched together. No legend where empty.
    colour : str
        CSS class of the palette: ``ink soft c1 … c7 pass warn fail``.
    style : str
        Further CSS classes: ``dashed thin thick faint``.
    hidden : bool
        Switched off at first.
    titles : sequence of str
        Text shown over each dot.
    """

    kind: str
    x: Any
    y: Any
    y2: Any = None
    name: str = ""
    colour: str = "ink"
    style: str = ""
    hidden: bool = False
    titles: Sequence[str] = ()


@dataclass
class Panel:
    """A panel: its vertical axis, height in CSS pixels and what is drawn in it."""

    axis: Axis
    height: int = 240
    series: list[Series] = field(default_factory=list)
    labels: list[tuple[float, float, str]] = field(default_factory=list)
    """Text inside the panel: x, y in units of the axes, text."""
    spans: list[tuple[float, float, str]] = field(default_factory=list)
    """Shaded stretches of the horizontal axis: from, to, text."""
    lines: list[float] = field(default_factory=list)
    """Horizontal reference lines."""
    zoom_y: bool = True
    show_ticks: bool = True


@dataclass
class Chart:
    """A chart of panels over one horizontal axis.

    Attributes
    ----------
    name : str
        Identifier in the page.
    title : str
        What is shown, read out by a screen reader.
    caption : str
        What bands and dots are, and n.
    """

    name: str
    title: str
    axis: Axis
    panels: list[Panel]
    caption: str = ""
    zoomable: bool = True
    chips: bool = False
    """Legend entries as many small buttons, off at first (metabolites)."""

    def html(self) -> Markup:
        """Give the chart as HTML."""
        data = {
            "x": [self.axis.low, self.axis.high],
            "falling": self.axis.falling,
            "fixed": self.axis.ticks is not None,
        }
        parts = [
            Markup('<figure class="chart{zoom}" id="{id}" data-chart="{data}"{focus} aria-label="{title}">').format(
                zoom=" zoomable" if self.zoomable else "",
                id=self.name,
                data=json.dumps(data),
                focus=Markup(' tabindex="0" role="group"') if self.zoomable else Markup(' role="group"'),
                title=self.title,
            ),
            Markup('<div class="chart-head"><h4>{}</h4>{}</div>').format(self.title, self._buttons()),
            self._legend(),
            Markup('<div class="chart-body"{}>').format(self._room()),
        ]
        parts += [self._panel(panel) for panel in self.panels]
        parts.append(Markup('<div class="xticks">{}</div>').format(_ticks(self.axis.marks(), "left")))
        parts.append(Markup('<div class="xlabel">{}</div></div>').format(self.axis.label))
        if self.caption:
            parts.append(Markup("<figcaption>{}</figcaption>").format(self.caption))
        parts.append(Markup("</figure>"))
        return Markup("").join(parts)

    def _buttons(self) -> Markup:
        if not self.zoomable:
            return Markup("")
        keys = [
            ("in", "+", "Zoom in"),
            ("out", "−", "Zoom out"),
            ("left", "←", "Move left"),
            ("right", "→", "Move right"),
        ]
        keys.append(("reset", "⟲", "Show all"))
        made = [Markup('<button type="button" data-do="{}" title="{}" aria-label="{}">{}</button>').format(k, t, t, s)
                for k, s, t in keys]  # fmt: skip
        return Markup('<span class="zoom-buttons" hidden>{}<output></output></span>').format(Markup("").join(made))

    def _room(self) -> Markup:
        """Make room for the longest name beside the panels."""
        names = [text for panel in self.panels if panel.axis.ticks is not None for _, text in panel.axis.ticks]
        longest = max(map(len, names), default=0)
        return Markup(' style="--ticks:{}ch"').format(longest) if longest > 5 else Markup("")

    def _legend(self) -> Markup:
        seen: dict[str, Series] = {}
        for panel in self.panels:
            for series in panel.series:
                if series.name:
                    seen.setdefault(series.name, series)
        if not seen:
            return Markup("")
        items = []
        for name, series in seen.items():
            items.append(
                Markup(
                    '<button type="button" class="key" data-series="{name}" aria-pressed="{on}">'
                    '<i class="{kind} {colour} {style}"></i>{name}</button>'
                ).format(
                    name=name,
                    on="false" if series.hidden else "true",
                    kind=series.kind,
                    colour=series.colour,
                    style=series.style,
                )
            )
        return Markup('<div class="legend">{}</div>').format(Markup("").join(items))

    def _panel(self, panel: Panel) -> Markup:
        body = [_grid(self.axis, panel)]
        for low, high, _ in panel.spans:
            left, right = sorted(float(v) for v in self.axis.position([low, high]))
            body.append(
                Markup('<rect class="span" x="{}" y="0" width="{}" height="{}"/>').format(
                    round(left * UNITS), round((right - left) * UNITS), UNITS
                )
            )
        for value in panel.lines:
            height = round((1 - float(panel.axis.position(value))) * UNITS)
            body.append(Markup('<path class="ref" d="M0 {}h{}"/>').format(height, UNITS))
        body += [self._series(panel, series) for series in panel.series]
        texts = [
            Markup('<span class="note" data-x="{x}" data-y="{y}" style="left:{x}%;bottom:{y}%">{text}</span>').format(
                x=f"{100 * float(self.axis.position(x)):.2f}", y=f"{100 * float(panel.axis.position(y)):.2f}", text=text
            )
            for x, y, text in panel.labels
        ]
        for low, high, text in panel.spans:
            left = min(float(v) for v in self.axis.position([low, high]))
            texts.append(
                Markup('<span class="note span-note" data-x="{x}" style="left:{x}%">{text}</span>').format(
                    x=f"{100 * left:.2f}", text=text
                )
            )
        ticks = _ticks(panel.axis.marks(max(3, panel.height // 45)), "bottom") if panel.show_ticks else Markup("")
        return Markup(
            '<div class="ylabel"><span>{label}</span></div><div class="yticks">{ticks}</div>'
            '<div class="panel" style="height:{height}px" data-y="{range}" data-zoomy="{zoom}"{named}>'
            '<svg viewBox="0 0 {units} {units}" preserveAspectRatio="none" aria-hidden="true">{body}</svg>{texts}</div>'
        ).format(
            label=panel.axis.label,
            ticks=ticks,
            height=panel.height,
            range=json.dumps([panel.axis.low, panel.axis.high]),
            zoom="1" if panel.zoom_y and panel.axis.ticks is None and panel.show_ticks else "0",
            named=Markup(' data-named="1"') if panel.axis.ticks is not None else "",
            units=UNITS,
            body=Markup("").join(body),
            texts=Markup("").join(texts),
        )

    def _series(self, panel: Panel, series: Series) -> Markup:
        x = self.axis.position(series.x) * UNITS
        y = (1 - panel.axis.position(series.y)) * UNITS
        off = " off" if series.hidden else ""
        attributes = Markup(' data-series="{}"').format(series.name) if series.name else Markup("")
        opening = Markup('<g class="{} {} {}{}"{}>').format(
            series.kind, series.colour, series.style, Markup(off), attributes
        )
        if series.kind == "line":
            inner = Markup('<path d="{}"/>').format(Markup(polyline(x, y)))
        elif series.kind == "dots":
            inner = _dots(x, y, series.titles)
        elif series.kind in ("band", "bars"):
            other = (1 - panel.axis.position(series.y2)) * UNITS
            inner = Markup('<path d="{}"/>').format(
                Markup(_band(x, y, other) if series.kind == "band" else _bars(x, y, other))
            )
        else:
            raise ValueError(f"unknown kind of series: {series.kind}")
        return opening + inner + Markup("</g>")


def round_ticks(low: float, high: float, count: int = 6) -> list[tuple[float, str]]:
    """Round numbers between `low` and `high`, about `count` of them, as (value, text)."""
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return []
    raw = span / max(count, 1)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    steps = [factor * magnitude for factor in (0.5, 1, 2, 5, 10)]
    chosen = next(n for n, step in enumerate(steps) if step >= raw * 0.999)
    if chosen and math.floor(high / steps[chosen] + 1e-9) - math.ceil(low / steps[chosen] - 1e-9) < 1:
        chosen -= 1  # one tick tells no scale
    step = steps[chosen]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    marks = []
    for n in range(first, last + 1):
        value = n * step
        text = f"{value:.{decimals}f}" if abs(value) < 1e5 else f"{value:.0e}"
        marks.append((value, (text if float(text) else text.lstrip("-")).replace("-", "−")))
    return marks


def limits(values: Iterable[Any], margin: float = 0.06, include: Iterable[float] = ()) -> tuple[float, float]:
    """Limits that hold all finite `values` (arrays) and `include`, with a margin."""
    arrays = [np.ravel(np.asarray(v, float)) for v in values]
    joined = np.concatenate([*arrays, np.asarray(list(include), float)]) if arrays else np.asarray(list(include), float)
    finite = joined[np.isfinite(joined)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        half = abs(low) * 0.1 or 0.5
        return low - half, high + half
    return low - margin * (high - low), high + margin * (high - low)


def polyline(x: np.ndarray, y: np.ndarray) -> str:
    """Path of a line in whole units, relative steps; a gap where a value is missing."""
    good = np.isfinite(x) & np.isfinite(y)
    pieces = []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        px = np.clip(np.rint(x[start:stop]), -50 * UNITS, 50 * UNITS).astype(int)
        py = np.clip(np.rint(y[start:stop]), -50 * UNITS, 50 * UNITS).astype(int)
        steps = np.stack([np.diff(px), np.diff(py)], axis=1).ravel().tolist()
        text = "".join(str(v) if v < 0 else f" {v}" for v in steps)
        pieces.append(f"M{px[0]} {py[0]}" + (f"l{text.lstrip()}" if steps else "h0"))
    return "".join(pieces)


def _dots(x: np.ndarray, y: np.ndarray, titles: Sequence[str]) -> Markup:
    points = [(round(a), round(b), n) for n, (a, b) in enumerate(zip(x, y, strict=True))
              if math.isfinite(a) and math.isfinite(b)]  # fmt: skip
    if not titles:
        return Markup('<path d="{}"/>').format(Markup("".join(f"M{a} {b}h0" for a, b, _ in points)))
    return Markup("").join(
        Markup('<path d="M{} {}h0"><title>{}</title></path>').format(a, b, titles[n]) for a, b, n in points
    )


def _band(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    good = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    if not good.any():
        return ""
    xs = np.concatenate([x[good], x[good][::-1]])
    ys = np.concatenate([low[good], high[good][::-1]])
    return polyline(xs, ys) + "z"


def _bars(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    good = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    rows = zip(
        np.rint(x[good]).astype(int), np.rint(low[good]).astype(int), np.rint(high[good]).astype(int), strict=True
    )
    return "".join(f"M{a} {b}V{c}" for a, b, c in rows)


def _grid(axis: Axis, panel: Panel) -> Markup:
    lines = [f"M{round(p * UNITS)} 0v{UNITS}" for p, _ in axis.marks() if 0 <= p <= 1]
    if panel.show_ticks:
        marks = panel.axis.marks(max(3, panel.height // 45))
        lines += [f"M0 {round((1 - p) * UNITS)}h{UNITS}" for p, _ in marks if 0 <= p <= 1]
    return Markup('<path class="grid" d="{}"/>').format(Markup("".join(lines)))


def _ticks(marks: list[tuple[float, str]], side: str) -> Markup:
    return Markup("").join(
        Markup('<span style="{}:{}%">{}</span>').format(side, f"{100 * position:.2f}", escape(text))
        for position, text in marks
        if -0.001 <= position <= 1.001
    )
