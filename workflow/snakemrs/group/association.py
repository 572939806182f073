"""Association of changes between spectra and clinic, by participant: correlation, bootstrap, exploratory mediation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[Any]
Statistic = Callable[[Array], Array]


@dataclass(frozen=True)
class Interval:
    """An estimate with its bootstrap interval; `p` where there is a test."""

    estimate: float
    ci_low: float
    ci_high: float
    n: int
    p: float = float("nan")
    note: str = ""


def pearson(samples: Array) -> Array:
    """Correlate the two last columns of (..., n, 2)."""
    x, y = samples[..., 0], samples[..., 1]
    x = x - x.mean(axis=-1, keepdims=True)
    y = y - y.mean(axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        result: Array = (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return result


def spearman(samples: Array) -> Array:
    """Correlate the ranks of the two columns of (..., n, 2); ties get their mean rank."""
    return pearson(stats.rankdata(samples, axis=-2))


def bca(data: Array, statistic: Statistic, samples: int, seed: int, confidence: float = 0.95) -> Interval:
    """Bootstrap by rows (participants): bias-corrected and accelerated interval (Efron 1987, J Am Stat Assoc 82:171).

    Parameters
    ----------
    data : (n, k) array
        A row a participant.
    statistic : callable
        Takes (m, n, k), gives (m,).
    samples : int
        Bootstrap samples.
    seed : int

    Returns
    -------
    Interval
        Not a number at both ends where the statistic does not vary.
    """
    data = np.asarray(data, float)
    n = len(data)
    estimate = float(statistic(data[None])[0])
    rng = np.random.default_rng(seed)
    drawn = statistic(data[rng.integers(0, n, size=(samples, n))])
    drawn = drawn[np.isfinite(drawn)]
    if n < 4 or len(drawn) < 0.9 * samples or not np.isfinite(estimate) or np.ptp(drawn) == 0:
        return Interval(estimate, float("nan"), float("nan"), n, note="too few participants for a bootstrap interval")
    left = np.array([np.delete(data, i, axis=0) for i in range(n)])
    jackknife = statistic(left)
    centred = np.nanmean(jackknife) - jackknife
    below = float(np.nansum(centred**2)) ** 1.5
    acceleration = float(np.nansum(centred**3)) / (6 * below) if below > 0 else 0.0
    # Ties with the estimate count half, so that a discrete statistic has no bias of its own.
    share = (np.sum(drawn < estimate) + 0.5 * np.sum(drawn == estimate)) / len(drawn)
    bias = stats.norm.ppf(np.clip(share, 1 / (2 * len(drawn)), 1 - 1 / (2 * len(drawn))))
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + stats.norm.ppf(tail)
        ends.append(float(np.quantile(drawn, stats.norm.cdf(bias + z / (1 - acceleration * z)))))
    return Interval(estimate, ends[0], ends[1], n)


def correlate(x: Array, y: Array, kind: str, samples: int, seed: int, confidence: float = 0.95) -> Interval:
    """Correlate two changes over participants, with a BCa interval and the usual test.

    Parameters
    ----------
    kind : {"pearson", "spearman"}
    """
    pairs = np.column_stack([x, y])
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if len(pairs) < 4 or np.ptp(pairs[:, 0]) == 0 or np.ptp(pairs[:, 1]) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), len(pairs), note="too few participants, or no spread")
    found = bca(pairs, pearson if kind == "pearson" else spearman, samples, seed, confidence)
    test = stats.pearsonr(*pairs.T) if kind == "pearson" else stats.spearmanr(*pairs.T)
    return Interval(found.estimate, found.ci_low, found.ci_high, found.n, float(test.pvalue), found.note)


def compare_correlations(first: Array, second: Array, samples: int, seed: int, confidence: float = 0.95) -> Interval:
    """Compare two correlations of the same participants (one a condition) by the difference of Fisher's z.

    Two correlations differ when their difference does, not when one has p < 0.05 and the other has not.

    Parameters
    ----------
    first, second : (n, 2) arrays
        Both changes under each condition; rows are participants.
    """
    both = np.column_stack([first, second])
    both = both[np.isfinite(both).all(axis=1)]

    def difference(s: Array) -> Array:
        a, b = pearson(s[..., :2]), pearson(s[..., 2:])
        with np.errstate(all="ignore"):
            result: Array = np.arctanh(b) - np.arctanh(a)
        return result

    if len(both) < 5:
        return Interval(float("nan"), float("nan"), float("nan"), len(both), note="too few participants")
    return bca(both, difference, samples, seed, confidence)


def mediate(mediator: Array, outcome: Array, samples: int, seed: int, confidence: float = 0.95) -> dict[str, Interval]:
    """Mediation in a two-condition within-participant design (Montoya & Hayes 2017, Psychol Methods 22:6). Exploratory.

    With differences dM, dY between the conditions and the centred mean of M: a = mean(dM); dY = c' + b dM + d mean(M).
    The indirect effect is a b. The mediator was not randomised: an indirect effect is no proof of a cause.

    Parameters
    ----------
    mediator, outcome : (n, 2) arrays
        Value under the first and the second condition.

    Returns
    -------
    dict
        ``a b direct total indirect``, each with BCa interval.
    """
    data = np.column_stack([mediator, outcome])
    data = data[np.isfinite(data).all(axis=1)]
    n = len(data)
    if n < 6:
        nothing = Interval(float("nan"), float("nan"), float("nan"), n, note="fewer than six complete participants")
        return dict.fromkeys(("a", "b", "direct", "total", "indirect"), nothing)

    def paths(s: Array) -> dict[str, Array]:
        dm, dy = s[..., 1] - s[..., 0], s[..., 3] - s[..., 2]
        mean = (s[..., 0] + s[..., 1]) / 2
        x = np.stack([np.ones_like(dm), dm, mean - mean.mean(-1, keepdims=True)], axis=-1)
        gram = np.einsum("...ni,...nj->...ij", x, x)
        ridge = 1e-12 * np.trace(gram, axis1=-2, axis2=-1)[..., None, None] * np.eye(3)
        coefficients = np.linalg.solve(gram + ridge, np.einsum("...ni,...n->...i", x, dy)[..., None])[..., 0]
        a = dm.mean(-1)
        b, direct = coefficients[..., 1], coefficients[..., 0]
        return {"a": a, "b": b, "direct": direct, "total": dy.mean(-1), "indirect": a * b}

    return {
        name: bca(data, lambda s, name=name: paths(s)[name], samples, seed, confidence)  # type: ignore[misc]
        for name in ("a", "b", "direct", "total", "indirect")
    }
