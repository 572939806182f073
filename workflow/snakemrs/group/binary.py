"""Paired binary outcomes (response, remission) of a crossover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[Any]


@dataclass(frozen=True)
class PairedBinary:
    """Comparison of two conditions in the same participants.

    Attributes
    ----------
    first, second : int
        Participants with the outcome under each condition.
    only_first, only_second : int
        Participants with it under one condition alone.
    n : int
        Participants with both conditions.
    difference, ci_low, ci_high : float
        Difference of the proportions (second minus first) with its interval.
    p_mcnemar, p_mid, p_period : float
        Exact McNemar test, its mid-p version, and the exact test adjusted for the period (NaN without sequences).
    """

    first: int
    second: int
    only_first: int
    only_second: int
    n: int
    difference: float
    ci_low: float
    ci_high: float
    p_mcnemar: float
    p_mid: float
    p_period: float


def _wilson(k: int, n: int, z: float) -> tuple[float, float]:
    centre = (2 * k + z**2) / (2 * (n + z**2))
    half = z * np.sqrt(z**2 + 4 * k * (1 - k / n)) / (2 * (n + z**2))
    return float(centre - half), float(centre + half)


def paired_binary(first: Array, second: Array, sequence: Array | None = None, confidence: float = 0.95) -> PairedBinary:
    """Compare a binary outcome between two conditions within participants.

    Interval by Newcombe 1998 (Stat Med 17:2635, method 10); mid-p by Fagerland et al. 2013 (BMC Med Res Methodol
    13:91); adjusted for the period by Mainland & Gart (Gart 1969, Biometrika 56:75): Fisher's exact test of which
    period was preferred by the discordant participants of each sequence.

    Parameters
    ----------
    first, second : (n,) arrays of 0 and 1
        Outcome under the first and second condition; NaN where missing.
    sequence : (n,) array, optional
        +1 where the second condition came first, -1 where it came second.

    Raises
    ------
    ValueError
        If nobody has both.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    whole = np.isfinite(first) & np.isfinite(second)
    if not whole.any():
        raise ValueError("no participant has the outcome under both conditions")
    x, y = first[whole].astype(int), second[whole].astype(int)
    n = len(x)
    both, neither = int(((x == 1) & (y == 1)).sum()), int(((x == 0) & (y == 0)).sum())
    only_first, only_second = int(((x == 1) & (y == 0)).sum()), int(((x == 0) & (y == 1)).sum())
    discordant = only_first + only_second
    p_exact = float(stats.binomtest(only_second, discordant, 0.5).pvalue) if discordant else 1.0
    p_mid = p_exact - float(stats.binom.pmf(only_second, discordant, 0.5)) if discordant else 1.0
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    p1, p2 = x.mean(), y.mean()
    (l1, u1), (l2, u2) = _wilson(int(x.sum()), n, z), _wilson(int(y.sum()), n, z)
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    phi = 0.0
    if margins > 0:
        numerator = float(both * neither - only_first * only_second)
        numerator = max(numerator - n / 2, 0.0) if numerator > 0 else numerator
        phi = numerator / np.sqrt(margins)
    delta = float(p2 - p1)
    low = delta - np.sqrt((p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2)
    high = delta + np.sqrt((u2 - p2) ** 2 - 2 * phi * (u2 - p2) * (p1 - l1) + (p1 - l1) ** 2)
    p_period = float("nan")
    if sequence is not None:
        s = np.asarray(sequence, float)[whole]
        prefers_second = y > x
        odd = x != y
        # Rows: sequence; columns: the outcome occurred in period 1 or in period 2.
        table = []
        for group in (1.0, -1.0):
            here = odd & (s == group)
            in_first = here & (prefers_second == (group > 0))
            table.append([int(in_first.sum()), int((here & ~in_first).sum())])
        p_period = float(stats.fisher_exact(table)[1])
    return PairedBinary(
        int(x.sum()), int(y.sum()), only_first, only_second, n, delta, float(low), float(high), p_exact, p_mid, p_period
    )
