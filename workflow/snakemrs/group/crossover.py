"""The crossover by one number a session: period-adjusted tests beside the mixed model.

The 2 x 2 crossover is analysed by each participant's difference between periods (Hills & Armitage 1979, Br J Clin
Pharmacol 8:7; Senn 2002, Cross-over Trials in Clinical Research, chapter 3): the two sequences differ in it by twice
the treatment effect, whatever the effect of the period.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snakemrs.group.formula import natural_key
from snakemrs.group.multiplicity import hedges

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True)
class PeriodDifferences:
    """Differences between periods of the participants with both.

    Attributes
    ----------
    participants : tuple of str
    difference : (n,) array
        Period 1 minus period 2.
    sign : (n,) array
        +1 where the second condition (in order of its name) came in period 1, -1 where it came in period 2.
    mean : (n,) array
        Mean of both periods.
    conditions : (str, str)
        Their names; effects are second minus first.
    incomplete : tuple of str
        Participants with one period only.
    """

    participants: tuple[str, ...]
    difference: Array
    sign: Array
    mean: Array
    conditions: tuple[str, str]
    incomplete: tuple[str, ...]

    @property
    def effects(self) -> Array:
        """Each participant's difference between the conditions (second minus first)."""
        result: Array = self.difference * self.sign
        return result


@dataclass(frozen=True)
class CrossoverTest:
    """Treatment effect (second condition minus first) of the period-adjusted t test.

    `sd` is the standard deviation, within sequences, of the participants' differences between the conditions.
    """

    estimate: float
    se: float
    df: float
    t: float
    p: float
    ci_low: float
    ci_high: float
    period_effect: float
    period_p: float
    carryover: float
    carryover_p: float
    n: int
    sd: float


def session_change(
    frames: pd.DataFrame, value: str, baseline: str, active: str, keys: tuple[str, ...] = ("participant", "session")
) -> pd.DataFrame:
    """Change of a session: mean of its frames in the active phase minus mean of its baseline frames.

    Parameters
    ----------
    frames : DataFrame
        A row a frame, with `keys`, ``phase`` and the column `value` (already transformed).
    """
    means = {
        phase: frames[frames["phase"].astype(str) == phase].groupby(list(keys), observed=True)[value].mean()
        for phase in (baseline, active)
    }
    table = (means[active] - means[baseline]).rename("change").reset_index()
    design = [c for c in ("condition", "period", "sex", "sequence") if c in frames.columns]
    first = frames.groupby(list(keys), observed=True)[design].first().reset_index()
    return table.merge(first, on=list(keys)).dropna(subset=["change"])


def period_differences(table: pd.DataFrame, value: str) -> PeriodDifferences:
    """Collect the differences between periods.

    Parameters
    ----------
    table : DataFrame
        A row a session: ``participant period condition`` and the column `value`.

    Raises
    ------
    ValueError
        If there are not two conditions and two periods.
    """
    clean = table.dropna(subset=[value, "condition", "period"])
    conditions = sorted({str(c) for c in clean["condition"]}, key=natural_key)
    periods = sorted({str(p) for p in clean["period"]}, key=natural_key)
    if len(conditions) != 2 or len(periods) != 2:
        raise ValueError(f"a 2 x 2 crossover has two conditions and periods, not {len(conditions)} and {len(periods)}")
    visits: dict[str, list[tuple[str, str, float]]] = {}
    for participant, period, condition, number in zip(
        clean["participant"].astype(str), clean["period"], clean["condition"], clean[value].astype(float), strict=True
    ):
        visits.setdefault(participant, []).append((str(period), str(condition), number))
    names, difference, sign, mean, incomplete = [], [], [], [], []
    for participant, rows in sorted(visits.items()):
        by_period = {period: (condition, number) for period, condition, number in rows}
        if len(rows) != 2 or set(by_period) != set(periods) or len({condition for _, condition, _ in rows}) != 2:
            incomplete.append(participant)
            continue
        (first, a), (_, b) = by_period[periods[0]], by_period[periods[1]]
        names.append(participant)
        difference.append(a - b)
        mean.append((a + b) / 2)
        sign.append(1.0 if first == conditions[1] else -1.0)
    return PeriodDifferences(
        tuple(names),
        np.array(difference),
        np.array(sign),
        np.array(mean),
        (conditions[0], conditions[1]),
        tuple(incomplete),
    )


def two_by_two(data: PeriodDifferences, confidence: float = 0.95) -> CrossoverTest:
    """Test the treatment effect of a 2 x 2 crossover, adjusted for the period.

    The carry-over row compares the sequences' means; it is shown for completeness and decides nothing (a pre-test for
    carry-over makes the type I error larger: Freeman 1989, Stat Med 8:1421).

    Raises
    ------
    ValueError
        If a sequence has fewer than two participants.
    """
    forward, backward = data.difference[data.sign > 0], data.difference[data.sign < 0]
    n1, n2 = len(forward), len(backward)
    if min(n1, n2) < 2:
        raise ValueError(f"each sequence needs two complete participants, there are {n1} and {n2}")
    df = n1 + n2 - 2
    pooled = (np.sum((forward - forward.mean()) ** 2) + np.sum((backward - backward.mean()) ** 2)) / df
    se = float(np.sqrt(pooled * (1 / n1 + 1 / n2)) / 2)
    effect = float(forward.mean() - backward.mean()) / 2
    period = -float(forward.mean() + backward.mean()) / 2
    sums = stats.ttest_ind(data.mean[data.sign > 0] * 2, data.mean[data.sign < 0] * 2)
    t = effect / se if se > 0 else float("nan")
    half = float(stats.t.ppf(0.5 + confidence / 2, df)) * se
    return CrossoverTest(
        effect,
        se,
        float(df),
        t,
        float(2 * stats.t.sf(abs(t), df)),
        effect - half,
        effect + half,
        period,
        float(2 * stats.t.sf(abs(period / se), df)) if se > 0 else float("nan"),
        float(2 * (data.mean[data.sign > 0].mean() - data.mean[data.sign < 0].mean())),
        float(sums.pvalue),
        n1 + n2,
        float(np.sqrt(pooled)),
    )


def effect_size(test: CrossoverTest) -> tuple[float, float]:
    """Hedges' g_z of a 2 x 2 crossover and its standard error: the effect by the SD of the differences within people.

    The SD is pooled within the sequences, so that neither the period nor their sizes change g. Its variance is that of
    the estimate in units of the SD, and g^2 / (2n) for the SD itself (Borenstein et al. 2009, Introduction to
    Meta-Analysis, chapter 4; with equal sequences theirs, 1/n + g^2 / (2n)).
    """
    g = test.estimate / test.sd * hedges(test.df) if test.sd > 0 else float("nan")
    return g, float(np.sqrt((test.se / test.sd) ** 2 + g**2 / (2 * test.n))) if test.sd > 0 else float("nan")


def sign_flip(data: PeriodDifferences, samples: int, seed: int) -> float:
    """P value by flipping the treatment of participants at random, the period effect being estimated in each sample.

    Flipping a participant's sign is giving them the other sequence, which is what was randomised. The statistic is the
    t value of the sign in a regression of the differences on it and a constant (the period). The observed allocation
    counts as a sample (Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39).
    """
    rng = np.random.default_rng(seed)
    n = len(data.difference)
    signs = np.vstack([data.sign, rng.choice([-1.0, 1.0], size=(samples, n))])
    centred = signs - signs.mean(axis=1, keepdims=True)
    residual = data.difference - data.difference.mean()
    spread = np.maximum(np.sum(centred**2, axis=1), 1e-300)
    slope = centred @ residual / spread
    rest = np.maximum(np.sum(residual**2) - slope**2 * spread, 1e-300)
    with np.errstate(all="ignore"):
        t = np.abs(slope) / np.sqrt(rest / max(n - 2, 1) / spread)
    t = np.where(np.sum(centred**2, axis=1) < 1e-12, 0.0, t)
    return float(np.mean(t >= t[0] * (1 - 1e-12)))
