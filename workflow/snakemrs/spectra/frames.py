"""How transients are grouped into frames: fixed blocks, sliding blocks, bins after events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snakemrs.io.events import Event


@dataclass(frozen=True)
class Frame:
    """A group of transients.

    Attributes
    ----------
    members : ndarray of int
        Indices of transients.
    onset, duration : float
        Seconds; of event-locked frames: after the onset of the event.
    label : str
        Phase or trial type; ``all`` without events.
    """

    members: np.ndarray
    onset: float
    duration: float
    label: str


def segments(onsets: np.ndarray, events: list[Event]) -> list[tuple[str, np.ndarray]]:
    """Cut transients at each onset and end of an event: runs of transients that one phase of the experiment holds.

    Returns
    -------
    list of (label, indices)
        Label: the trial types that are on, joined with ``+``; else ``baseline`` before the first event or ``after``.
        An event without duration starts a phase that lasts to the next event.
    """
    if not events:
        return [("all", np.arange(len(onsets)))]
    starts = sorted(event.onset for event in events)

    def phase(time: float) -> tuple[int, str]:
        edge = sum(event.onset <= time for event in events)
        edge += sum(event.duration > 0 and event.onset + event.duration <= time for event in events)
        on = [e.kind for e in events if e.onset <= time < e.onset + e.duration]
        points = [e for e in events if e.duration <= 0 and e.onset <= time]
        if points and not on:
            on = [max(points, key=lambda e: e.onset).kind]
        label = "+".join(dict.fromkeys(on))
        return edge, label or ("baseline" if time < starts[0] else "after")

    # Times are compared with a microsecond's grace: 40 × 1.5 s must be 60 s.
    keys = [phase(float(time) + 1e-6) for time in onsets]
    runs: list[tuple[str, np.ndarray]] = []
    first = 0
    for k in range(1, len(keys) + 1):
        if k == len(keys) or keys[k] != keys[first]:
            runs.append((keys[first][1], np.arange(first, k)))
            first = k
    return runs


def _length(onsets: np.ndarray, spacing: float, transients: int, duration: float | None) -> int:
    """Length of a block in transients."""
    return transients if duration is None else max(1, round(duration / spacing))


def fixed_frames(
    onsets: np.ndarray, spacing: float, transients: int, duration: float | None, events: list[Event]
) -> list[Frame]:
    """Cut consecutive blocks; none reaches over the start or end of an event.

    What is left at the end of a phase is a frame of its own when it is at least half as long as the others; otherwise
    it goes to the frame before, or, where there is none, stays a short frame.
    """
    length = _length(onsets, spacing, transients, duration)
    frames = []
    for label, indices in segments(onsets, events):
        cuts = list(range(0, len(indices), length))
        if len(cuts) > 1 and len(indices) - cuts[-1] < length / 2:
            cuts.pop()
        for start, end in zip(cuts, [*cuts[1:], len(indices)], strict=True):
            frames.append(_frame(indices[start:end], onsets, spacing, label))
    return frames


def sliding_frames(
    onsets: np.ndarray, spacing: float, transients: int, duration: float | None, step: int, events: list[Event]
) -> list[Frame]:
    """Cut overlapping blocks within each phase: for figures, never for statistics."""
    length = _length(onsets, spacing, transients, duration)
    frames = []
    for label, indices in segments(onsets, events):
        last = max(1, len(indices) - length + 1)
        for start in range(0, last, step):
            frames.append(_frame(indices[start : start + length], onsets, spacing, label))
    return frames


def event_frames(
    onsets: np.ndarray, spacing: float, bin_width: float | None, window: tuple[float, float] | None, events: list[Event]
) -> list[Frame]:
    """Gather transients by time after the onset of events, over all events of one trial type.

    A transient belongs to the last event that began before it; within `window` (s; default 0 to the duration) and bin
    `bin_width` (s; default one bin). Transients outside of any event are gathered as ``baseline``.
    """
    ordered = sorted(events, key=lambda event: event.onset)
    groups: dict[tuple[str, int], list[int]] = {}
    spans: dict[tuple[str, int], tuple[float, float]] = {}
    for k, time in enumerate(onsets):
        key, span = ("baseline", 0), (float(onsets[0]), float(onsets[-1] - onsets[0] + spacing))
        for number, event in enumerate(ordered):
            start, end = window or (0.0, event.duration)
            after = float(time) - event.onset + 1e-6
            following = ordered[number + 1].onset - event.onset if number + 1 < len(ordered) else np.inf
            if not start <= after < min(end, max(following, start)):
                continue
            width = bin_width or end - start
            index = int((after - start) // width)
            key, span = (event.kind, index), (start + index * width, min(width, end - start - index * width))
        groups.setdefault(key, []).append(k)
        spans[key] = span
    order = sorted(groups, key=lambda key: (key[0] != "baseline", key))
    return [Frame(np.array(groups[key]), *spans[key], key[0]) for key in order]


def _frame(members: np.ndarray, onsets: np.ndarray, spacing: float, label: str) -> Frame:
    """Make a frame of consecutive transients."""
    onset = float(onsets[members[0]])
    return Frame(members, onset, float(onsets[members[-1]]) + spacing - onset, label)
