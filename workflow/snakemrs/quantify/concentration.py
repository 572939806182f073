"""Concentrations from amplitudes: the equations.

Symbols: S_M and S_W amplitudes of metabolite and water per proton; f_t volume fractions of grey matter, white matter
and CSF; c_t water content of tissue t over pure water; R attenuation by relaxation, (1 − exp(−TR/T1))·exp(−TE/T2).

Near et al., NMR Biomed 2021;34:e4257; Gasparovic et al., Magn Reson Med 2006;55:1219; Harris et al., J Magn Reson
Imaging 2015;42:1431.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

TISSUES = ("gm", "wm", "csf")


@dataclass(frozen=True)
class Timing:
    """Echo and repetition times in seconds of the metabolite spectrum and of the water reference."""

    te: float
    tr: float
    water_te: float
    water_tr: float


def attenuation(te: float, tr: float, t1: float, t2: float) -> float:
    """Signal left after saturation and transverse decay: (1 − exp(−TR/T1))·exp(−TE/T2)."""
    return -math.expm1(-tr / t1) * math.exp(-te / t2)


def mole_fractions(fractions: Mapping[str, float], content: Mapping[str, float]) -> dict[str, float]:
    """Mole fractions of water in each tissue from volume fractions (Gasparovic 2006, equation 5).

    Parameters
    ----------
    fractions : mapping
        Volume fractions of ``gm wm csf``; they need not sum to 1 (what lies outside has no water).
    content : mapping
        Water content of each over pure water.
    """
    water = {t: fractions[t] * content[t] for t in TISSUES}
    total = sum(water.values())
    return {t: value / total for t, value in water.items()}


def molality(
    ratio: float,
    fractions: Mapping[str, float],
    content: Mapping[str, float],
    water_left: Mapping[str, float],
    metabolite_left: float,
    pure_water: float,
) -> float:
    """Millimoles of metabolite per kilogram of tissue water (Near 2021, equation for molality; Gasparovic 2006).

    [M] = S_M/S_W · Σ_t x_t·R_t / (R_M·(1 − x_CSF)) · [water], with x_t the *mole* fractions of water.

    Parameters
    ----------
    ratio : float
        S_M/S_W, both per proton.
    fractions, content : mapping
        As in `mole_fractions`.
    water_left : mapping
        Attenuation of water in ``gm wm csf``.
    metabolite_left : float
        Attenuation of the metabolite.
    pure_water : float
        Pure water, mol/kg.
    """
    x = mole_fractions(fractions, content)
    seen = sum(x[t] * water_left[t] for t in TISSUES)
    return 1000.0 * ratio * seen / (metabolite_left * (1.0 - x["csf"])) * pure_water


def molarity(
    ratio: float,
    fractions: Mapping[str, float],
    content: Mapping[str, float],
    water_left: Mapping[str, float],
    metabolite_left: float,
    pure_water: float,
) -> float:
    """Millimoles of metabolite per litre of tissue (Near 2021, equation for molarity).

    [M] = S_M/S_W · Σ_t f_t·c_t·R_t / (R_M·(f_GM + f_WM)) · [water], with [water] in mol/l.
    """
    seen = sum(fractions[t] * content[t] * water_left[t] for t in TISSUES)
    return 1000.0 * ratio * seen / (metabolite_left * (fractions["gm"] + fractions["wm"])) * pure_water


def alpha_corrected(
    ratio: float,
    fractions: Mapping[str, float],
    content: Mapping[str, float],
    water_left: Mapping[str, float],
    metabolite_left: float,
    pure_water: float,
    alpha: float,
) -> float:
    """Millimoles per litre of grey matter, where white matter holds `alpha` times as much (Harris 2015).

    [M] = S_M/S_W · Σ_t f_t·c_t·R_t / (R_M·(f_GM + α·f_WM)) · [water].
    """
    seen = sum(fractions[t] * content[t] * water_left[t] for t in TISSUES)
    return 1000.0 * ratio * seen / (metabolite_left * (fractions["gm"] + alpha * fractions["wm"])) * pure_water
