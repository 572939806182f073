"""Agreement of the two views of a session, the dynamic fit and frames fitted one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snakemrs.io.tables import Row, parse_number

LEAST_OWN = 0.3
"""Share of the frames' variance that is theirs alone, at the least."""
TOO_FAR = 3.0
"""Standard deviations beyond which the two views do not agree."""


@dataclass(frozen=True)
class Agreement:
    """Change in the frames, per cent of their baseline; `z`: its distance from the dynamic fit's."""

    percent: float
    sd: float
    z: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is what chance makes of it."""
        return abs(self.z) < TOO_FAR


def frame_rows(rows: Sequence[Row], metabolite: str) -> np.ndarray:
    """Onset, duration, amplitude and standard deviation of a metabolite in each frame, shape (F, 4)."""
    found = []
    for row in rows:
        if row["metabolite"] == metabolite:
            cells = [parse_number(row[key]) for key in ("onset", "duration", "amplitude", "amplitude_sd")]
            if all(cell is not None for cell in cells):
                found.append(cells)
    return np.array(found, float).reshape(-1, 4)


def compare(
    frames: np.ndarray,
    onset: np.ndarray,
    phase: Sequence[str],
    baseline: str,
    response: str,
    percent: float,
    percent_sd: float,
) -> Agreement | None:
    """Compare the mean change over frames with that of the dynamic fit (Hausman, Econometrica 1978;46:1251).

    Both come from the same transients. Where the dynamic fit makes better use of them, the difference has the variance
    of the frames less that of the dynamic fit.

    Parameters
    ----------
    frames : ndarray, shape (F, 4)
        Of `frame_rows`. A frame counts to a phase when all its transients do.
    onset : ndarray, shape (M,)
        Of the transients.
    phase : sequence of str
        Of the transients.
    percent, percent_sd : float
        Change of the dynamic fit.
    """
    labels = np.array(phase)
    levels = []
    for wanted in (response, baseline):
        inside = np.array([_all_in(labels, onset, start, length, wanted) for start, length, _, _ in frames], bool)
        if not inside.any():
            return None
        _, length, value, sd = frames[inside].T
        weights = length / length.sum()
        levels.append((float(weights @ value), float(np.sum((weights * sd) ** 2))))
    (on, on_var), (off, off_var) = levels
    if off <= 0:
        return None
    ratio = on / off
    variance = 1e4 * (on_var + ratio**2 * off_var) / off**2
    own = max(variance - percent_sd**2, LEAST_OWN * variance)
    change = 100 * (ratio - 1)
    return Agreement(change, float(np.sqrt(variance)), float((change - percent) / np.sqrt(own)))


def _all_in(labels: np.ndarray, onset: np.ndarray, start: float, length: float, wanted: str) -> bool:
    inside = (onset >= start - 1e-6) & (onset < start + length - 1e-6)
    return bool(inside.any() and np.all(labels[inside] == wanted))
