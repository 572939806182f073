"""Power of the trial as it was run, and the smallest effect that it could have found."""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.optimize import brentq


def power_of(effect: float, se: float, df: float, alpha: float = 0.05) -> float:
    """Power of a two-sided t test: P(|T| > t_crit), T noncentral t with effect / se."""
    critical = stats.t.ppf(1 - alpha / 2, df)
    shift = abs(effect) / se
    found = float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift))
    # scipy's noncentral t gives up far in the tail, where the power is 1.
    return found if np.isfinite(found) else 1.0


def smallest_detectable(se: float, df: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest effect that is found with the given power."""
    highest = 2 * float(stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(power, df)) + 1
    return float(se * brentq(lambda shift: power_of(shift, 1.0, df, alpha) - power, 1e-6, highest))


def power_curve(
    effect: float, se: float, df: float, n: int, sizes: list[int], alpha: float = 0.05, power: float = 0.8
) -> list[tuple[int, float, float]]:
    """Power, and smallest effect detectable with `power`, for other numbers of participants: (n, power, detectable).

    The standard error shrinks with the root of the number, the degrees of freedom grow with it.
    """
    rows = []
    for size in sizes:
        own_df = max(df * size / n, 1.0)
        own_se = se * float(np.sqrt(n / size))
        rows.append((size, power_of(effect, own_se, own_df, alpha), smallest_detectable(own_se, own_df, power, alpha)))
    return rows
