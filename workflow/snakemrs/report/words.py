"""Numbers and verdicts in words: how the pages write them."""

from __future__ import annotations

import math
import re

# Worst first.
VERDICTS = ("fail", "warn", "pass", "n/a")
SIGNS = {"pass": "✓", "warn": "!", "fail": "✕", "n/a": "–"}
SPOKEN = {"pass": "good", "warn": "look at it", "fail": "failed", "n/a": "not known"}

_METRICS = {
    "snr": "Signal to noise",
    "line_width_naa": "Line width of NAA",
    "line_width_tcr": "Line width of tCr",
    "line_width_cr": "Line width of creatine",
    "marked_transients": "Marked transients",
    "frequency_sd": "Scatter of frequency",
    "phase_sd": "Scatter of phase",
    "drift": "Drift of frequency",
    "lipid": "Lipid",
    "overall": "Overall",
    "line_width_water": "Line width of water",
    "frequency_shift": "Frequency shift",
    "residual_water": "Residual water",
    "rejected_transients": "Rejected transients",
    "csf": "CSF",
    "gm": "Grey matter",
    "wm": "White matter",
}


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with `digits` significant digits, a real minus sign, and ``n/a`` where it is missing."""
    if value is None or not math.isfinite(value):
        return "n/a"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    text = f"{value:.{max(0, digits - 1 - size)}f}" if -4 <= size < 6 else f"{value:.{digits - 1}e}"
    return text.replace("-", "−")


def percent(value: float | None, digits: int = 2) -> str:
    """Write a share (0 to 1) as per cent."""
    return "n/a" if value is None or not math.isfinite(value) else f"{number(100 * value, digits)} %"


def plus_minus(value: float, sd: float, digits: int = 3) -> str:
    """Write a value and its standard deviation with the same decimals."""
    if not math.isfinite(value):
        return "n/a"
    if not math.isfinite(sd):
        return number(value, digits)
    size = math.floor(math.log10(abs(value))) if value else 0
    if not -4 <= size < 6:
        return f"{number(value, digits)} ± {number(sd, 2)}"
    decimals = max(0, digits - 1 - size)
    if sd > 0:  # no more than two digits of what is uncertain
        decimals = max(0, min(decimals, 1 - math.floor(math.log10(sd))))
    return f"{value:.{decimals}f} ± {sd:.{decimals}f}".replace("-", "−")


def with_interval(value: float, low: float, high: float, unit: str = "") -> str:
    """Write a value and its interval with the decimals that two digits of half the interval need."""
    half = (high - low) / 2
    if not (math.isfinite(value) and math.isfinite(half) and half > 0):
        return f"{number(value)}{unit} ({number(low)} to {number(high)})"
    decimals = max(0, 1 - math.floor(math.log10(half)))
    if decimals > 6:
        return f"{number(value)}{unit} ({number(low)} to {number(high)})"
    shown = [f"{v:.{decimals}f}".replace("-", "−") for v in (value, low, high)]
    return f"{shown[0]}{unit} ({shown[1]} to {shown[2]})"


def count_or_number(value: float | None) -> str:
    """Write a count as it is, another number with three significant digits and no more than three decimals."""
    if value is None or not math.isfinite(value):
        return "n/a"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}".replace("-", "−")
    text = number(value)
    short = f"{value:.3f}".replace("-", "−")
    return min(text, short, key=len) if abs(value) < 1 else text


def term(name: str) -> str:
    """Write a term of a model in plain words: ``condition[T.B]:phase[T.infusion]`` is condition B × phase infusion."""
    return re.sub(r"(\w+)\[T\.([^\]]+)\]", r"\1 \2", name).replace(":", " × ")


def p_value(value: float) -> str:
    """Write a p value."""
    if not math.isfinite(value):
        return "n/a"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def worst(verdicts: list[str]) -> str:
    """Give the worst of several verdicts; ``n/a`` of none."""
    known = [verdict if verdict in VERDICTS else "n/a" for verdict in verdicts]
    return min(known, key=VERDICTS.index) if known else "n/a"


def metric(name: str) -> str:
    """Name of a quality metric in plain words."""
    return _METRICS.get(name, name.replace("_", " ").strip().capitalize())
