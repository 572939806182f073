"""Degrees of freedom of a naive and of the right model in a trial of the published one's shape.

    python benchmarks/statistics_published_df.py

26 participants, two sessions, six frames in each (one before, five during the infusion): once with five frames missing,
once with sessions missing too. Prints F, denominator degrees of freedom and p of the same data under each model, and by
the method of the degrees of freedom. The published trial reports F(1, 253) for Glx/tNAA and F(1, 74) for MADRS.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from snakemrs.group.crossover import period_differences, session_change, two_by_two
from snakemrs.group.mixed import fit_mixed
from snakemrs.scanner.cohort import simulate_table

BOTH = "(1|participant) + (1|participant:session)"


def trial(seed: int, missing_frames: int, missing_sessions: int) -> pd.DataFrame:
    """Draw the trial and take frames of the infusion and whole sessions out."""
    frames = simulate_table("realistic", 26, seed, baseline_frames=1, infusion_frames=5)
    frames["log_glx_tnaa"] = np.log(frames["glx_tnaa"])
    rng = np.random.default_rng(seed)
    infusion = frames.index[frames["phase"] == "infusion"]
    frames = frames.drop(index=rng.choice(infusion, missing_frames, replace=False))
    people = rng.choice(sorted(set(frames["participant"])), missing_sessions, replace=False)
    gone = {(p, f"0{rng.integers(1, 3)}") for p in people}
    kept = [(p, s) not in gone for p, s in zip(frames["participant"], frames["session"], strict=True)]
    frames = frames[kept]
    base = frames[frames["phase"] == "baseline"].set_index(["participant", "session"])["log_glx_tnaa"].rename("base")
    frames = frames.join(base, on=["participant", "session"])
    return frames.assign(change=frames["log_glx_tnaa"] - frames["base"])


def line(name: str, data: pd.DataFrame, formula: str, term: str, method: str = "kenward-roger") -> str:
    """Fit one model, overriding the refusal where it is one."""
    model = fit_mixed(data, formula, method, allow=["no-session-term"])  # type: ignore[arg-type]
    test = dict(model.anova())[term]
    refused = "refused" if any(w.startswith("OVERRIDDEN") for w in model.warnings) else ""
    return (
        f"| {name} | {term} | {method} | {len(model.y)} | {test.f:.2f} | {test.den_df:.1f} | {test.p:.4f} | {refused} |"
    )


def table(frames: pd.DataFrame) -> None:
    """Print one trial's models."""
    infusion = frames[frames["phase"] == "infusion"]
    sessions = len(frames.drop_duplicates(["participant", "session"]))
    print(f"{frames['participant'].nunique()} participants, {sessions} sessions, {len(frames)} frames "
          f"({len(infusion)} of the infusion)\n")  # fmt: skip
    print("| model | term | df method | rows | F | den df | p | by snakemrs |\n|---|---|---|---|---|---|---|---|")
    naive = "change ~ condition + period + sex + (1|participant)"
    print(line("change of each infusion frame, no session term", infusion, naive, "condition", "residual"))
    print(line("change of each infusion frame, no session term", infusion, naive, "condition"))
    right = f"change ~ condition + period + sex + {BOTH}"
    print(line("change of each infusion frame, session term", infusion, right, "condition"))
    print(line("infusion frames, no session term", infusion, naive.replace("change", "log_glx_tnaa"), "condition"))
    print(line("infusion frames, session term", infusion, right.replace("change", "log_glx_tnaa"), "condition"))
    crossed = f"log_glx_tnaa ~ condition*phase + period + sex + {BOTH}"
    for method in ("residual", "satterthwaite", "kenward-roger"):
        print(line("all frames, session term (primary)", frames, crossed, "condition:phase", method))
    test = two_by_two(period_differences(session_change(frames, "log_glx_tnaa", "baseline", "infusion"), "change"))
    print(f"| one number a session, 2x2 t test | condition | exact | {2 * test.n} | {test.t**2:.2f} | {test.df:.1f} "
          f"| {test.p:.3f} | |")  # fmt: skip
    visits = frames.drop_duplicates(["participant", "session"])
    long = pd.concat(
        [visits.assign(time="before", y=visits["madrs_pre"]), visits.assign(time="after", y=visits["madrs_post"])]
    )
    for name, text in (
        ("MADRS, no session term", "y ~ condition*time + period + sex + (1|participant)"),
        ("MADRS, session term", f"y ~ condition*time + period + sex + {BOTH}"),
        ("MADRS, session and person's response", f"y ~ condition*time + period + sex + {BOTH} + (1|participant:time)"),
    ):
        print(line(name, long.reset_index(drop=True), text, "condition:time"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    table(trial(arguments.seed, missing_frames=5, missing_sessions=0))
    print()
    table(trial(arguments.seed, missing_frames=12, missing_sessions=3))


if __name__ == "__main__":
    main()
