"""Type I error, coverage and power of the shipped analyses, on virtual cohorts at the level of tables.

    python benchmarks/statistics_type1.py --cohorts 2000 --preset null
    python benchmarks/statistics_type1.py --cohorts 2000 --preset realistic

Prints, for each analysis, the share of cohorts with p < 0.05 and the share of 95 % intervals that hold the true effect,
each with its Monte-Carlo 95 % interval (Wilson). Beside the shipped models stand three that `snakemrs stats` refuses.
The changes that are correlated have an effect of the period of one standard deviation each, and no link within people.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from snakemrs.group.association import correlate, mediate, steiger, within_sequence
from snakemrs.group.binary import paired_binary
from snakemrs.group.crossover import (
    PeriodDifferences,
    period_differences,
    session_change,
    sign_flip,
    two_by_two,
)
from snakemrs.group.design import Design, build_design
from snakemrs.group.formula import parse_formula, prepare
from snakemrs.group.inference import Inference
from snakemrs.group.mixed import Estimate
from snakemrs.group.multiplicity import benjamini_hochberg, holm
from snakemrs.group.reml import fit_reml
from snakemrs.scanner.cohort import simulate_table
from snakemrs.scanner.presets import load_preset, load_protocol

BOTH = "(1|participant) + (1|participant:session)"
PRIMARY = f"y ~ condition*phase + period + sex + {BOTH}"
MODELS = {
    "condition x phase, mixed model": (PRIMARY, "condition:phase"),
    "condition x regressor": (f"y ~ condition*regressor + period + sex + {BOTH}", "condition:regressor"),
    "condition x frame (F test)": (f"y ~ condition*time + period + sex + {BOTH}", "condition:time"),
    "condition x phase x sex": (f"y ~ condition*phase*sex + period + {BOTH}", "condition:phase:sex"),
}
NAIVE = {
    "refused: condition, infusion frames, no session term": "y ~ condition + period + sex + (1|participant)",
    "refused: condition, change of each frame, no session term": "change ~ condition + period + sex + (1|participant)",
    "refused: condition x phase, no session term": "y ~ condition*phase + period + sex + (1|participant)",
}


_designs: dict[tuple[str, str], tuple[Design, list[np.ndarray]]] = {}


def engine(rows: pd.DataFrame, text: str, design_key: str, time: np.ndarray | None = None) -> tuple[Design, Inference]:
    """Fit by the engine that `fit_mixed` calls; cohorts of one design share its matrix."""
    formula = parse_formula(text)
    key = (text, design_key)
    if key not in _designs:
        groups = [rows.groupby(list(g), sort=False, observed=True).ngroup().to_numpy() for g in formula.random]
        _designs[key] = (build_design(formula, rows)[1], groups)
    design, groups = _designs[key]
    y = rows[formula.outcome].to_numpy(float)
    series = None if time is None else groups[1]
    return design, Inference(fit_reml(design.X, y, groups, series, time), "kenward-roger", len(y))


def fit(
    rows: pd.DataFrame, text: str, term: str, design_key: str, time: np.ndarray | None = None
) -> tuple[float, Estimate | None]:
    """Give the p value of a term, and its estimate where it has one coefficient."""
    design, found = engine(rows, text, design_key, time)
    test = found.contrast(design.contrasts[term])
    names = [n for n in design.names if sorted(p.split("[")[0] for p in n.split(":")) == sorted(term.split(":"))]
    if len(names) != 1:
        return test.p, None
    row = np.eye(len(design.names))[design.names.index(names[0])]
    return test.p, combine(found, row, names[0])


def combine(found: Inference, row: np.ndarray, name: str) -> Estimate:
    """Estimate a combination of fixed effects."""
    df = found.degrees_of_freedom(row)
    estimate, se = float(row @ found.beta), float(np.sqrt(row @ found.covariance @ row))
    half, p = float(stats.t.ppf(0.975, df)) * se, float(2 * stats.t.sf(abs(estimate / se), df))
    return Estimate(name, estimate, se, df, estimate / se, p, estimate - half, estimate + half)


def in_each_sex(rows: pd.DataFrame, design_key: str) -> dict[str, Estimate]:
    """The effect of the condition on the change, in women and in men, from the model with sex."""
    design, found = engine(rows, MODELS["condition x phase x sex"][0], design_key)
    base, third = (
        np.array([float(name.count(":") == order and "condition[" in name and "phase[" in name and with_sex ==
                        ("sex[" in name)) for name in design.names])
        for order, with_sex in ((1, False), (2, True))
    )  # fmt: skip
    return {"women": combine(found, base, "women"), "men": combine(found, base + third, "men")}


def in_order(frames: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Sort participants by sex and sequence, so that cohorts of one composition have one design; name the design."""
    first = frames[frames["period"] == 1].drop_duplicates("participant").set_index("participant")
    order = frames["participant"].map(first["sex"] + first["condition"])
    ordered = frames.assign(order=order).sort_values(["order", "participant", "session", "frame"], kind="stable")
    return ordered.drop(columns="order").reset_index(drop=True), " ".join(sorted(first["sex"] + first["condition"]))


def truth(frames: pd.DataFrame, preset: str) -> dict[str, float]:
    """True effects (second code minus first) of this cohort: its people, its frames."""
    chosen, protocol = load_preset(preset), load_protocol()
    effect: dict[tuple[str, str], float] = {}
    infusion = frames[frames["phase"] == "infusion"].drop_duplicates("frame")
    tau, start = chosen.rise_time_constant, protocol.baseline_duration
    for sex in "FM":
        for treatment in ("placebo", "naltrexone"):
            rise = chosen.glx_rise(treatment, sex)
            values = []
            for row in infusion.itertuples():
                t = row.onset - start + (np.arange(200) + 0.5) / 200 * row.duration
                values.append(np.log1p(rise * np.mean(1 - np.exp(-t / tau))))
            effect[sex, treatment] = float(np.mean(values))
    people = frames.drop_duplicates("participant")["sex"]
    named = dict(frames.drop_duplicates("condition")[["condition", "treatment"]].to_numpy())
    rise_a, rise_b = (float(np.mean([effect[s, named[code]] for s in people])) for code in "AB")
    clinic = chosen.madrs_change(named["B"]) - chosen.madrs_change(named["A"])
    return {"glx": rise_b - rise_a, "rise A": rise_a, "rise B": rise_b, "madrs": clinic}


def analyse(frames: pd.DataFrame, seed: int, resampling: bool) -> dict[str, tuple[float, float, float, str]]:
    """Run all analyses of one cohort: p, ends of the interval, which truth it is about."""
    frames, key = in_order(frames)
    rows = frames.copy()
    rows["y"] = np.log(rows["glx_tnaa"])
    start = load_protocol().baseline_duration
    t0, t1 = np.maximum(rows["onset"] - start, 0), np.maximum(rows["onset"] + rows["duration"] - start, 0)
    # The mean of 1 - exp(-t/tau) over each frame.
    tau = 600.0
    rows["regressor"] = (t1 - t0 + tau * (np.exp(-t1 / tau) - np.exp(-t0 / tau))) / rows["duration"]
    rows["time"] = np.where(rows["phase"] == "baseline", "0", rows["frame"].astype(str))
    base = rows[rows["phase"] == "baseline"].groupby(["participant", "session"])["y"].mean().rename("base")
    rows = rows.join(base, on=["participant", "session"])
    rows["change"] = rows["y"] - rows["base"]
    everything = "y ~ condition + phase + period + sex + time + regressor + change + (1|participant) + (1|session)"
    new = (PRIMARY, key) not in _designs
    rows = prepare(rows, parse_formula(everything)) if new else rows
    found: dict[str, tuple[float, float, float, str]] = {}
    for name, (text, term) in MODELS.items():
        p, e = fit(rows, text, term, key)
        about = "glx" if term == "condition:phase" else ""
        found[name] = (p, e.ci_low if e else np.nan, e.ci_high if e else np.nan, about)
    for people, e in in_each_sex(rows, key).items():
        found[f"condition x phase in {people}"] = (e.p, e.ci_low, e.ci_high, "")
    p, e = fit(rows, PRIMARY, "condition:phase", key, frames["frame"].to_numpy(float))
    assert e is not None
    found["condition x phase, autoregressive residuals"] = (p, e.ci_low, e.ci_high, "glx")
    infusion = rows[rows["phase"] == "infusion"]
    for name, text in NAIVE.items():
        data = rows if "phase" in text else infusion
        p, e = fit(data, text, "condition:phase" if "phase" in text else "condition", key)
        found[name] = (p, e.ci_low if e else np.nan, e.ci_high if e else np.nan, "glx")
    plain = frames.assign(y=np.log(frames["glx_tnaa"]))
    data = period_differences(session_change(plain, "y", "baseline", "infusion"), "change")
    test = two_by_two(data)
    found["one number a session, 2x2 t test"] = (test.p, test.ci_low, test.ci_high, "glx")
    visits = frames.drop_duplicates(["participant", "session"])
    visits = visits.assign(change=visits["madrs_post"] - visits["madrs_pre"])
    long = pd.concat([visits.assign(time="0", y=visits["madrs_pre"]), visits.assign(time="1", y=visits["madrs_post"])])
    clinical = f"y ~ condition*time + period + sex + {BOTH} + (1|participant:time)"
    long = long.reset_index(drop=True)
    p, e = fit(prepare(long, parse_formula(clinical)) if new else long, clinical, "condition:time", key)
    assert e is not None
    found["MADRS, condition x time, mixed model"] = (p, e.ci_low, e.ci_high, "madrs")
    parts = [fit(rows.assign(y=np.log(frames[c])), PRIMARY, "condition:phase", key)[0] for c in ("glx", "tnaa")]
    family = np.array([p, *parts])
    found["MADRS, Glx, tNAA: any of the three, Holm"] = (float(holm(family).min()), np.nan, np.nan, "")
    found["MADRS, Glx, tNAA: any, Benjamini-Hochberg"] = (float(benjamini_hochberg(family).min()), np.nan, np.nan, "")
    clinic = period_differences(visits, "change")
    test = two_by_two(clinic)
    found["MADRS change, 2x2 t test"] = (test.p, test.ci_low, test.ci_high, "madrs")
    responded = visits.assign(value=(visits["madrs_post"] <= visits["madrs_pre"] / 2).astype(float))
    pair = paired_binary(*by_condition(period_differences(responded, "value")).T, clinic.sign)
    found["response, McNemar exact"] = (pair.p_mcnemar, np.nan, np.nan, "")
    found["response, McNemar mid-p"] = (pair.p_mid, np.nan, np.nan, "")
    found["response, Mainland-Gart"] = (pair.p_period, np.nan, np.nan, "")
    if resampling:
        p = sign_flip(data, 1000, seed)
        found["one number a session, 1,000 sign flips"] = (p, np.nan, np.nan, "")
        data, clinic = with_period(data), with_period(clinic)
        p = float(stats.pearsonr(data.effects, clinic.effects).pvalue)
        found["not shipped: association of changes, sequence ignored"] = (p, np.nan, np.nan, "")
        for kind in ("pearson", "spearman"):
            link = correlate(data.effects, clinic.effects, kind, 1000, seed, sequence=data.sign)
            found[f"association of changes, {kind} test"] = (link.p, np.nan, np.nan, "")
            p = float(not link.ci_low <= 0 <= link.ci_high)
            found[f"association of changes, {kind}, BCa leaves out 0"] = (0.0 if p else 1.0, np.nan, np.nan, "")
        glx, madrs = by_condition(data), by_condition(clinic)
        both = np.column_stack([glx[:, 0], madrs[:, 0], glx[:, 1], madrs[:, 1]])
        p = steiger(within_sequence(both[None], data.sign[None])[0], len(both) - 4)
        found["association under both conditions compared, Steiger"] = (p, np.nan, np.nan, "")
        for name, path in mediate(glx, madrs, 1000, seed, sequence=data.sign).items():
            if name in ("a", "b", "indirect"):
                p = 0.0 if not path.ci_low <= 0 <= path.ci_high else 1.0
                found[f"mediation, {name}, BCa leaves out 0"] = (p, np.nan, np.nan, "")
    return found


def with_period(data: PeriodDifferences) -> PeriodDifferences:
    """Add an effect of the period: one standard deviation of the differences within people."""
    inner = data.difference - np.where(data.sign > 0, *(data.difference[data.sign == s].mean() for s in (1, -1)))
    return replace(data, difference=data.difference - np.sqrt(np.sum(inner**2) / (len(inner) - 2)))


def by_condition(data: PeriodDifferences) -> np.ndarray:
    """Values of each participant under the first and the second condition, (n, 2)."""
    half = data.effects / 2
    return np.column_stack([data.mean - half, data.mean + half])


def wilson(k: int, n: int) -> str:
    interval = stats.binomtest(k, n).proportion_ci(method="wilson")
    return f"{100 * k / n:5.1f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=2000)
    parser.add_argument("--participants", type=int, default=26)
    parser.add_argument("--preset", default="null")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--every", type=int, default=0, help="print the table so far every so many cohorts")
    parser.add_argument("--no-resampling", action="store_true", help="leave out bootstrap and sign flips")
    arguments = parser.parse_args()
    results: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    begun = time.process_time()
    for cohort in range(arguments.cohorts):
        seed = arguments.seed + cohort
        frames = simulate_table(arguments.preset, arguments.participants, seed)
        true = truth(frames, arguments.preset)
        for name, (p, low, high, about) in analyse(frames, seed, not arguments.no_resampling).items():
            results[name].append((p, low, high, true.get(about, np.nan)))
        if arguments.every and (cohort + 1) % arguments.every == 0 and cohort + 1 < arguments.cohorts:
            report(results, arguments, cohort + 1, time.process_time() - begun)
    report(results, arguments, arguments.cohorts, time.process_time() - begun)


def report(
    results: dict[str, list[tuple[float, float, float, float]]], arguments: argparse.Namespace, done: int, spent: float
) -> None:
    """Print the table of what is done so far."""
    size = f"{arguments.participants} x 2 sessions"
    print(f"\npreset {arguments.preset}, {done} cohorts of {size}, {spent:.0f} s on one core\n")
    print("| analysis | p < 0.05, % (95 % interval) | 95 % interval holds the truth, % |\n|---|---|---|")
    for name, values in results.items():
        table = np.array(values)
        covered = np.isfinite(table[:, 1:]).all(axis=1)
        inside = int(np.sum((table[:, 1] <= table[:, 3]) & (table[:, 3] <= table[:, 2]) & covered))
        coverage = wilson(inside, int(covered.sum())) if covered.any() else ""
        print(f"| {name} | {wilson(int((table[:, 0] < 0.05).sum()), len(table))} | {coverage} |", flush=True)


if __name__ == "__main__":
    main()
