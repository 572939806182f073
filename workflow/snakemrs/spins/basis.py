"""A basis: the time signal of each metabolite, as one proton counts one.

Every basis in SnakeMRS, whatever file it came from, is normalised so that a metabolite's undamped signal starts at the
number of its (visible) protons: an amplitude of the fit is then proportional to concentration, on the same scale as
half the signal of water.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Kind = Literal["metabolite", "macromolecule", "lipid"]


@dataclass(frozen=True)
class Basis:
    """Time signals of metabolites, macromolecules and lipids.

    Attributes
    ----------
    names : tuple of str
        ``NAA``, ``Cr``, ``PCr``, ``GPC``, ``PCho``, ``Ins``, ``Glu``, ``Gln``, ``GABA``, ``GSH``, ...; macromolecules
        ``MM09`` ... or ``MM``; lipids ``Lip13`` ...
    fids : ndarray of complex, shape (len(names), points)
        In the sign of NIfTI-MRS (`snakemrs.spins.axis`), reference at 4.65 ppm, one proton counts one.
    dwell_time : float
        Seconds.
    spectrometer_frequency : float
        MHz.
    kinds : tuple of str
        ``metabolite``, ``macromolecule`` or ``lipid`` for each name.
    nucleus : str
    echo_time : float or None
        Seconds.
    sequence : str or None
        ``press``, ``steam``, ``slaser``, ``spin-echo`` ...
    line_width : float
        Full width at half maximum that the signals have already, Hz (Lorentzian).
    notes : dict
        Where it came from and what was done to it on reading.
    """

    names: tuple[str, ...]
    fids: np.ndarray
    dwell_time: float
    spectrometer_frequency: float
    kinds: tuple[Kind, ...]
    nucleus: str = "1H"
    echo_time: float | None = None
    sequence: str | None = None
    line_width: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.names) != len(self.fids) or len(self.names) != len(self.kinds):
            raise ValueError("names, kinds and fids differ in number")
        if len(set(self.names)) != len(self.names):
            raise ValueError("a name occurs twice in the basis")

    @property
    def points(self) -> int:
        """Number of points of each signal."""
        return int(self.fids.shape[1])
