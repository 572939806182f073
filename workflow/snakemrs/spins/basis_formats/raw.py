"""A basis as a file holds it, before its conventions are settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class RawBasis:
    """Time signals of a file with its own sign, reference and scale.

    Attributes
    ----------
    path : Path
        The file, for messages.
    format : str
        ``LCModel``, ``Osprey``, ``FSL-MRS json``, ``jMRUI text``, ``text``, ``NIfTI-MRS``.
    names : list of str
        As in the file.
    fids : ndarray of complex, shape (names, points)
    dwell_time : float
        Seconds.
    spectrometer_frequency : float
        MHz.
    echo_time : float or None
        Seconds.
    sequence : str or None
    nucleus : str
    notes : dict
    """

    path: Path
    format: str
    names: list[str]
    fids: np.ndarray
    dwell_time: float
    spectrometer_frequency: float
    echo_time: float | None = None
    sequence: str | None = None
    nucleus: str = "1H"
    notes: dict[str, Any] = field(default_factory=dict)
