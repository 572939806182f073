"""Concentrations of metabolites and their sums with uncertainty, its parts, and what each constant does.

A concentration is linear in the amplitudes: C = Σ_i k_i·S_i / S_W, with a factor k_i for each part i of a sum (one for
a single metabolite). Its variance is the sum of four parts: the fit (covariance of the amplitudes), the water fit, the
tissue fractions and the constants; the latter two by first-order propagation with central differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from snakemrs.quantify.concentration import TISSUES, Timing, alpha_corrected, attenuation, molality, molarity
from snakemrs.study.relaxation import Times, TissueConstants, WaterTimes

Quantity = Literal["molar", "molal", "uncorrected", "alpha_corrected"]
PARTS = ("fit", "water", "tissue", "constants")
CONSTANTS = (
    "metabolite_t1",
    "metabolite_t2",
    *(f"water_t1_{t}" for t in TISSUES),
    *(f"water_t2_{t}" for t in TISSUES),
    *(f"content_{t}" for t in TISSUES),
)
"""Constants whose uncertainty is propagated. ``metabolite_t1`` scales the T1 of all metabolites at once."""


@dataclass(frozen=True)
class Conditions:
    """Everything but the amplitudes that a concentration depends on.

    Attributes
    ----------
    timing : Timing
    fractions : dict
        Volume fractions of ``gm wm csf``.
    constants : TissueConstants
    by_tissue : bool
        Weigh the metabolite's attenuation by tissue instead of taking mean times.
    alpha : mapping
        Concentration in white over grey matter, by metabolite.
    """

    timing: Timing
    fractions: dict[str, float]
    constants: TissueConstants
    by_tissue: bool = False
    alpha: Mapping[str, float] | None = None

    def factor(self, metabolite: str, quantity: Quantity, alpha: float = 1.0) -> float:
        """Concentration of a metabolite for S_M = S_W, in mmol/l or mmol/kg."""
        c, t, f = self.constants, self.timing, self.fractions
        left = {k: attenuation(t.water_te, t.water_tr, c.water.t1[k], c.water.t2[k]) for k in TISSUES}
        mine = self._metabolite_left(c.times(metabolite))
        if quantity == "molal":
            return molality(1.0, f, c.content, left, mine, c.molal_pure)
        if quantity == "alpha_corrected":
            return alpha_corrected(1.0, f, c.content, left, mine, c.molar_pure, alpha)
        return molarity(1.0, f, c.content, left, mine, c.molar_pure)

    def _metabolite_left(self, times: Times) -> float:
        if not self.by_tissue:
            return attenuation(self.timing.te, self.timing.tr, times.t1, times.t2)
        grey = attenuation(self.timing.te, self.timing.tr, times.t1_gm, times.t2_gm)
        white = attenuation(self.timing.te, self.timing.tr, times.t1_wm, times.t2_wm)
        gm, wm = self.fractions["gm"], self.fractions["wm"]
        return (gm * grey + wm * white) / (gm + wm)

    def changed(self, constant: str, by: float) -> Conditions:
        """Give conditions with one of `CONSTANTS` multiplied by 1 + `by`."""
        c, scale = self.constants, 1.0 + by
        if constant.startswith("metabolite_"):
            fields = (f"{constant[-2:]}_gm", f"{constant[-2:]}_wm")
            new = {n: replace(v, **{k: getattr(v, k) * scale for k in fields}) for n, v in c.metabolites.items()}
            return replace(self, constants=replace(c, metabolites=new))
        name, tissue = constant.rsplit("_", 1)
        if name == "content":
            return replace(self, constants=replace(c, content={**c.content, tissue: c.content[tissue] * scale}))
        times = {"water_t1": dict(c.water.t1), "water_t2": dict(c.water.t2)}
        times[name][tissue] *= scale
        return replace(self, constants=replace(c, water=WaterTimes(times["water_t1"], times["water_t2"])))

    def relative_sd(self, constant: str) -> float:
        """Standard deviation of one of `CONSTANTS` over its value."""
        known = self.constants.relative_sd
        if constant in known:
            return known[constant]
        return known["water_t2_csf"] if constant == "water_t2_csf" else known[constant.rsplit("_", 1)[0]]


@dataclass(frozen=True)
class Estimate:
    """A value with its standard deviation and the parts of that."""

    value: float
    parts: dict[str, float]

    @property
    def sd(self) -> float:
        """Standard deviation of all parts together."""
        return float(np.sqrt(sum(v**2 for v in self.parts.values())))


def fraction_covariance(sd: Mapping[str, float]) -> np.ndarray:
    """Covariance of the tissue fractions from their standard deviations, shape (3, 3).

    What one tissue gains another loses: errors that sum to zero fix the covariances, cov(a, b) = (σ_c² − σ_a² −
    σ_b²)/2. Standard deviations that no such errors can have (one larger than the others together) give the nearest
    covariance.
    """
    s = np.array([sd[t] for t in TISSUES])
    covariance = np.diag(s**2)
    for a, b, c in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        covariance[a, b] = covariance[b, a] = (s[c] ** 2 - s[a] ** 2 - s[b] ** 2) / 2
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def estimate(
    members: Sequence[str],
    amplitudes: np.ndarray,
    covariance: np.ndarray,
    water: tuple[float, float],
    conditions: Conditions,
    quantity: Quantity,
    fraction_cov: np.ndarray | None,
    alpha: float = 1.0,
) -> Estimate:
    """Concentration of a metabolite or a sum of metabolites.

    Parameters
    ----------
    members : sequence of str
        Canonical names of the parts; one for a single metabolite.
    amplitudes : ndarray, shape (len(members),)
        Per proton.
    covariance : ndarray, shape (len(members), len(members))
        Of the amplitudes.
    water : tuple of float
        Amplitude per proton and its standard deviation.
    conditions : Conditions
    quantity : str
    fraction_cov : ndarray, shape (3, 3), or None
        Covariance of the fractions of ``gm wm csf``; None: taken as exact.
    alpha : float
        For ``alpha_corrected``.
    """
    signal, signal_sd = water

    def value(c: Conditions) -> float:
        return sum(c.factor(m, quantity, alpha) * a for m, a in zip(members, amplitudes, strict=True)) / signal

    here = value(conditions)
    factors = np.array([conditions.factor(m, quantity, alpha) for m in members]) / signal
    parts = {
        "fit": float(np.sqrt(max(factors @ covariance @ factors, 0.0))),
        "water": abs(here) * signal_sd / signal,
        "tissue": 0.0,
        "constants": float(np.sqrt(sum(d**2 for d in constant_effects(value, conditions).values()))),
    }
    if fraction_cov is not None:
        gradient = np.array([_fraction_slope(value, conditions, t) for t in TISSUES])
        parts["tissue"] = float(np.sqrt(max(gradient @ fraction_cov @ gradient, 0.0)))
    return Estimate(here, parts)


def constant_effects(value: Callable[[Conditions], float], conditions: Conditions) -> dict[str, float]:
    """Change of `value` for one standard deviation more of each constant (half of two-sided), in its own unit."""
    effects = {}
    for name in CONSTANTS:
        sd = conditions.relative_sd(name)
        effects[name] = (value(conditions.changed(name, sd)) - value(conditions.changed(name, -sd))) / 2 if sd else 0.0
    return effects


def _fraction_slope(value: Callable[[Conditions], float], conditions: Conditions, tissue: str) -> float:
    """Slope of `value` along one fraction, the others as they are."""
    step = 1e-4
    up = replace(conditions, fractions={**conditions.fractions, tissue: conditions.fractions[tissue] + step})
    down = replace(conditions, fractions={**conditions.fractions, tissue: conditions.fractions[tissue] - step})
    return (value(up) - value(down)) / (2 * step)


def ratio(
    top: np.ndarray, bottom: np.ndarray, amplitudes: np.ndarray, covariance: np.ndarray
) -> tuple[float, float] | None:
    """Ratio of two sums of amplitudes with its standard deviation (delta method, with all covariances).

    Parameters
    ----------
    top, bottom : ndarray, shape (n,)
        1 for each amplitude in the sum, else 0.
    amplitudes : ndarray, shape (n,)
    covariance : ndarray, shape (n, n)

    Returns
    -------
    tuple of float or None
        Ratio and standard deviation; None where the denominator is not above zero.
    """
    a, b = float(top @ amplitudes), float(bottom @ amplitudes)
    if not b > 0:
        return None
    r = a / b
    gradient = (top - r * bottom) / b
    return r, float(np.sqrt(max(gradient @ covariance @ gradient, 0.0)))
