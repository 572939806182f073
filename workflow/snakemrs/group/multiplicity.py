"""Correction of p values for their number, and effect sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def holm(p: Array) -> Array:
    """Adjust by Holm 1979 (Scand J Stat 6:65): strong control of the family-wise error; NaN stay NaN."""
    p = np.asarray(p, float)
    result = np.full(p.shape, np.nan)
    valid = np.flatnonzero(np.isfinite(p))
    order = valid[np.argsort(p[valid], kind="stable")]
    m = len(order)
    if m:
        result[order] = np.minimum(np.maximum.accumulate(p[order] * (m - np.arange(m))), 1.0)
    return result


def benjamini_hochberg(p: Array) -> Array:
    """Adjust by Benjamini & Hochberg 1995 (J R Stat Soc B 57:289): false discovery rate; NaN stay NaN."""
    p = np.asarray(p, float)
    result = np.full(p.shape, np.nan)
    valid = np.flatnonzero(np.isfinite(p))
    order = valid[np.argsort(p[valid], kind="stable")]
    m = len(order)
    if m:
        scaled = p[order] * m / np.arange(1, m + 1)
        result[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return result


def hedges(df: float) -> float:
    """Correct a standardised mean difference for small samples: 1 - 3 / (4 df - 1) (Hedges 1981, J Educ Stat 6:107)."""
    return 1 - 3 / (4 * df - 1) if df > 1 else float("nan")
