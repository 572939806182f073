"""Plan a study: how precise is a frame of so many transients, and how often is an effect found with so many people.

From a virtual study that has been run: the standard deviation of Glx/tNAA in a frame, as the fit says and as the truth
says (error of each frame without the mean error of its session), and from it that of one transient. Then, for each
number of participants and of transients a frame, the share of virtual cohorts in which the 2×2 t test of the change of
Glx/tNAA from baseline to infusion has p < 0.05, with its Monte-Carlo 95 % interval (Wilson). Frames of a cohort err by
what the transients leave and by the physiological fluctuation of the preset.

    snakemrs simulate PLAN --participants 4 --seed 1 && snakemrs run PLAN
    python benchmarks/scanner_planning.py PLAN [--preset realistic] [--cohorts 200]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy import stats

from scanner_recovery import labels, read_truth
from snakemrs.group.crossover import period_differences, session_change, two_by_two
from snakemrs.io.tables import read_table
from snakemrs.scanner.cohort import simulate_table
from snakemrs.scanner.presets import Preset, load_preset

PARTICIPANTS = (12, 18, 26, 40)
TRANSIENTS = (25, 50, 100, 200)
RATIO = "Glx"


def frame_precision(study: Path) -> tuple[float, float, float]:
    """Standard deviation of Glx/tNAA in a frame by the fit and by the truth (shares of it); transients in a frame."""
    truth = read_truth(study)
    stated: list[float] = []
    counts: list[float] = []
    errors = defaultdict(list)
    for path in sorted(study.glob("derivatives/snakemrs/sub-*/ses-*/mrs/*_desc-frames_concentrations.tsv")):
        who = labels(path)
        quality = read_table(path.with_name(path.name.replace("concentrations", "quality")))
        counts += [float(row["transients"]) for row in quality]
        for row in read_table(path):
            if row["metabolite"] != RATIO:
                continue
            middle = float(row["onset"]) + float(row["duration"]) / 2
            found = float(row["ratio_tnaa"])
            stated.append(float(row["ratio_tnaa_sd"]) / found)
            (true,) = (
                float(r["ratio_tnaa"])
                for r in truth[(*who, RATIO)]
                if r["frame"] != "n/a" and 0 <= middle - float(r["onset"]) < float(r["duration"])
            )
            errors[who].append(np.log(found / true))
    squares = [np.sum((np.array(e) - np.mean(e)) ** 2) for e in errors.values()]
    free = sum(len(e) - 1 for e in errors.values())
    return float(np.sqrt(np.mean(np.square(stated)))), float(np.sqrt(sum(squares) / free)), float(np.mean(counts))


def found(preset: Preset, cohorts: int) -> list[int]:
    """In how many virtual cohorts of each size the effect on the change of log Glx/tNAA has p < 0.05."""
    hits = [0] * len(PARTICIPANTS)
    for seed in range(cohorts):
        frames = simulate_table(preset, max(PARTICIPANTS), seed)
        frames["y"] = np.log(frames["glx_tnaa"])
        changes = session_change(frames, "y", "baseline", "infusion")
        number = changes["participant"].astype(int)
        for size, people in enumerate(PARTICIPANTS):
            # The first people of a cohort are those of a smaller one.
            hits[size] += two_by_two(period_differences(changes[number <= people], "change")).p < 0.05
    return hits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--preset", default="realistic")
    parser.add_argument("--cohorts", type=int, default=200)
    chosen = parser.parse_args()
    stated, true, transients = frame_precision(chosen.study)
    single = true * np.sqrt(transients)
    print(
        f"Glx/tNAA in a frame of {transients:.0f} transients: sd {100 * stated:.2f} % by the fit, {100 * true:.2f} % by"
    )
    print(f"the truth; of one transient {100 * single:.0f} %\n")
    preset = load_preset(chosen.preset)
    print(f"effect found, % of {chosen.cohorts} cohorts ({preset.name}; 2 baseline and 6 infusion frames)\n")
    print("| participants | " + " | ".join(f"{n} transients a frame" for n in TRANSIENTS) + " |")
    print("|---" * (len(TRANSIENTS) + 1) + "|")
    columns = []
    for count in TRANSIENTS:
        sd = float(np.hypot(preset.glx_sd_frame_physiological, single / np.sqrt(count)))
        columns.append(found(preset.model_copy(update={"glx_sd_frame": sd}), chosen.cohorts))
    for participants, row in zip(PARTICIPANTS, zip(*columns, strict=True), strict=True):
        ends = [stats.binomtest(hits, chosen.cohorts).proportion_ci(method="wilson") for hits in row]
        cells = [
            f"{100 * hits / chosen.cohorts:.0f} ({100 * end.low:.0f}-{100 * end.high:.0f})"
            for hits, end in zip(row, ends, strict=True)
        ]
        print(f"| {participants} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
