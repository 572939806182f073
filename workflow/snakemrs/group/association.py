"""Association of changes between spectra and clinic, by participant: correlation, bootstrap, exploratory mediation.

A participant's difference between the conditions holds the effect of the period, with the sign of their sequence. Where
both variables have such an effect, their differences correlate without any link within people. So everything here is
adjusted for the sequence (+1 or -1): what counts is how participants of the same sequence differ.
"""

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


def within_sequence(samples: Array, sequence: Array) -> Array:
    """Residuals of columns (..., n, k) given the sequence (..., n); where all are of one, deviations from the mean."""
    centred = samples - samples.mean(axis=-2, keepdims=True)
    s = sequence - sequence.mean(axis=-1, keepdims=True)
    spread = (s**2).sum(-1)[..., None, None]
    slope = np.einsum("...n,...nk->...k", s, centred)[..., None, :]
    result: Array = centred - s[..., None] * np.where(spread > 0, slope / np.where(spread > 0, spread, 1.0), 0.0)
    return result


def bca(
    data: Array, statistic: Statistic, samples: int, seed: int, confidence: float = 0.95, strata: Array | None = None
) -> Interval:
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
    strata : (n,) array, optional
        Rows are drawn within each stratum (sequence). The acceleration then weighs each stratum's influence values by
        its size (Davison & Hinkley 1997, Bootstrap Methods and their Application, section 5.4.2).

    Returns
    -------
    Interval
        Not a number at both ends where the statistic does not vary.
    """
    data = np.asarray(data, float)
    n = len(data)
    strata = np.zeros(n) if strata is None else strata
    estimate = float(statistic(data[None])[0])
    drawn = statistic(data[_draw(strata, samples, seed)])
    return _interval(estimate, drawn, statistic(_without_each(data)), strata, confidence)


def _draw(strata: Array, samples: int, seed: int) -> Array:
    """Rows of each bootstrap sample, (samples, n), drawn within the strata."""
    rng = np.random.default_rng(seed)
    chosen = np.empty((samples, len(strata)), dtype=int)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        chosen[:, rows] = rows[rng.integers(0, len(rows), size=(samples, len(rows)))]
    return chosen


def _without_each(data: Array) -> Array:
    """The data without each row in turn, (n, n - 1, k)."""
    return np.array([np.delete(data, i, axis=0) for i in range(len(data))])


def _interval(estimate: float, drawn: Array, jackknife: Array, strata: Array, confidence: float) -> Interval:
    """BCa interval of a statistic from its bootstrap samples and its values without each row."""
    n, samples = len(jackknife), len(drawn)
    drawn = drawn[np.isfinite(drawn)]
    if n < 4 or len(drawn) < 0.9 * samples or not np.isfinite(estimate) or np.ptp(drawn) == 0:
        return Interval(estimate, float("nan"), float("nan"), n, note="too few participants for a bootstrap interval")
    centred = np.zeros(n)
    for stratum in np.unique(strata):
        rows = strata == stratum
        if rows.sum() > 1:
            centred[rows] = (np.nanmean(jackknife[rows]) - jackknife[rows]) * (1 - 1 / rows.sum())
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


def _complete(columns: Array, sequence: Array | None) -> tuple[Array, Array | None]:
    """Complete rows with the sequence as last column, and the bootstrap's strata; zeros and None for one sequence."""
    with_sequence = np.column_stack([columns, np.zeros(len(columns)) if sequence is None else sequence])
    data = with_sequence[np.isfinite(with_sequence).all(axis=1)]
    if len(set(data[:, -1].tolist())) < 2:
        data[:, -1] = 0.0
        return data, None
    return data, data[:, -1]


def correlate(
    x: Array, y: Array, kind: str, samples: int, seed: int, confidence: float = 0.95, sequence: Array | None = None
) -> Interval:
    """Correlate two changes over participants given the sequence, with a BCa interval and the usual t test.

    Pearson: of the residuals within the sequence. Spearman: partial rank correlation, of the residuals of the ranks.
    The test has n - 2 degrees of freedom, n - 3 with two sequences (Fisher 1924, Metron 3:329).

    Parameters
    ----------
    kind : {"pearson", "spearman"}
    sequence : (n,) array, optional
        +1 or -1; unadjusted without it, and where all are of one sequence.
    """
    data, strata = _complete(np.column_stack([x, y]), sequence)
    n = len(data)

    def coefficient(s: Array) -> Array:
        pairs = s[..., :2] if kind == "pearson" else stats.rankdata(s[..., :2], axis=-2)
        return pearson(within_sequence(pairs, s[..., 2]))

    nothing = Interval(float("nan"), float("nan"), float("nan"), n, note="too few participants, or no spread")
    if n < 4:
        return nothing
    rest = within_sequence(data[None, :, :2], data[None, :, 2])[0]
    if np.any(np.abs(rest).max(axis=0) <= 1e-12 * np.maximum(np.abs(data[:, :2]).max(axis=0), 1e-300)):
        return nothing
    found = bca(data, coefficient, samples, seed, confidence, strata)
    r, df = found.estimate, n - 2 - (strata is not None)
    rest_variance = 1 - r**2
    if not rest_variance > 1e-12:
        note = found.note or "a perfect correlation leaves nothing to test by"
        return Interval(r, found.ci_low, found.ci_high, n, note=note)
    p = float(2 * stats.t.sf(abs(r) * np.sqrt(df / rest_variance), df))
    return Interval(r, found.ci_low, found.ci_high, n, p, found.note)


def steiger(residuals: Array, df: int) -> float:
    """Test whether columns 1 and 2 correlate as 3 and 4 do, in the same people (Steiger 1980, Psychol Bull 87:245).

    The difference of Fisher's z by its standard error, which knows how the two correlations depend on each other (Dunn
    & Clark 1969, J Am Stat Assoc 64:366), with the mean of both correlations in it.

    Parameters
    ----------
    residuals : (n, 4) array
    df : int
        1 / variance of each z: n - 3, less one for each covariate.

    Returns
    -------
    float
        Two-sided p.
    """
    r = np.corrcoef(residuals.T)
    if df < 1 or not np.isfinite(r).all() or max(abs(r[0, 1]), abs(r[2, 3])) >= 1:
        return float("nan")
    mean = (r[0, 1] + r[2, 3]) / 2
    r13, r14, r23, r24 = r[0, 2], r[0, 3], r[1, 2], r[1, 3]
    together = (
        (r13 - mean * r23) * (r24 - r23 * mean)
        + (r14 - r13 * mean) * (r23 - mean * r13)
        + (r13 - r14 * mean) * (r24 - mean * r14)
        + (r14 - mean * r24) * (r23 - r24 * mean)
    ) / 2
    covariance = together / (1 - mean**2) ** 2
    z = float(np.arctanh(r[2, 3]) - np.arctanh(r[0, 1])) * np.sqrt(df / max(2 - 2 * covariance, 1e-12))
    return float(2 * stats.norm.sf(abs(z)))


def compare_correlations(
    first: Array, second: Array, samples: int, seed: int, confidence: float = 0.95, sequence: Array | None = None
) -> Interval:
    """Compare two correlations of the same participants (one a condition) by the difference of Fisher's z.

    Two correlations differ when their difference does, not when one has p < 0.05 and the other has not. The interval is
    BCa, the test that of `steiger`; both given the sequence, which within a condition is the period.

    Parameters
    ----------
    first, second : (n, 2) arrays
        Both changes under each condition; rows are participants.
    sequence : (n,) array, optional
        +1 or -1, as in `correlate`.
    """
    data, strata = _complete(np.column_stack([first, second]), sequence)
    n = len(data)

    def difference(s: Array) -> Array:
        rest = within_sequence(s[..., :4], s[..., 4])
        a, b = pearson(rest[..., :2]), pearson(rest[..., 2:])
        with np.errstate(all="ignore"):
            result: Array = np.arctanh(b) - np.arctanh(a)
        return result

    if n < 5:
        return Interval(float("nan"), float("nan"), float("nan"), n, note="too few participants")
    found = bca(data, difference, samples, seed, confidence, strata)
    rest = within_sequence(data[None, :, :4], data[None, :, 4])[0]
    with np.errstate(all="ignore"):
        p = steiger(rest, n - 3 - (strata is not None))
    return Interval(found.estimate, found.ci_low, found.ci_high, n, p, found.note)


def mediate(
    mediator: Array,
    outcome: Array,
    samples: int,
    seed: int,
    confidence: float = 0.95,
    sequence: Array | None = None,
) -> dict[str, Interval]:
    """Mediation in a two-condition within-participant design (Montoya & Hayes 2017, Psychol Methods 22:6). Exploratory.

    With differences dM, dY between the conditions, the mean of M and the sequence S (+1 or -1, so that 0 is midway
    between the sequences, where the period cancels): dM = a + e S; dY = c' + b dM + d mean(M) + f S, with mean(M)
    counted from its own value at S = 0. The indirect effect is a b, the total c' + a b. The mediator was not
    randomised: an indirect effect is no proof of a cause.

    Parameters
    ----------
    mediator, outcome : (n, 2) arrays
        Value under the first and the second condition.
    sequence : (n,) array, optional
        +1 or -1, as in `correlate`.

    Returns
    -------
    dict
        ``a b direct total indirect``, each with BCa interval.
    """
    data, strata = _complete(np.column_stack([mediator, outcome]), sequence)
    n = len(data)
    if n < 6:
        nothing = Interval(float("nan"), float("nan"), float("nan"), n, note="fewer than six complete participants")
        return dict.fromkeys(("a", "b", "direct", "total", "indirect"), nothing)

    def regress(x: Array, y: Array) -> Array:
        gram = np.einsum("...ni,...nj->...ij", x, x)
        # The ridge leaves out the sequence where there is none (a column of zeros).
        ridge = 1e-12 * np.trace(gram, axis1=-2, axis2=-1)[..., None, None] * np.eye(x.shape[-1])
        result: Array = np.linalg.solve(gram + ridge, np.einsum("...ni,...n->...i", x, y)[..., None])[..., 0]
        return result

    def paths(s: Array) -> dict[str, Array]:
        dm, dy, order = s[..., 1] - s[..., 0], s[..., 3] - s[..., 2], s[..., 4]
        mean = (s[..., 0] + s[..., 1]) / 2
        alone = np.stack([np.ones_like(dm), order], axis=-1)
        mean = mean - regress(alone, mean)[..., :1]
        coefficients = regress(np.stack([np.ones_like(dm), dm, mean, order], axis=-1), dy)
        a = regress(alone, dm)[..., 0]
        b, direct = coefficients[..., 1], coefficients[..., 0]
        return {"a": a, "b": b, "direct": direct, "total": regress(alone, dy)[..., 0], "indirect": a * b}

    strata = np.zeros(n) if strata is None else strata
    estimate, left = paths(data[None]), paths(_without_each(data))
    drawn = paths(data[_draw(strata, samples, seed)])
    return {
        name: _interval(float(estimate[name][0]), drawn[name], left[name], strata, confidence)
        for name in ("a", "b", "direct", "total", "indirect")
    }
