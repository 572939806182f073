"""Time of all analyses of one crossover on one core.

    python benchmarks/statistics_speed.py --participants 26 --frames 6

All declared outcomes, clinical analyses, assumptions, specification curve; 1,000 bootstrap samples of each association
and 1,000 sign flips. Prints processor seconds by part.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from snakemrs.group.analyses import adjust_families, analyse_spectra
from snakemrs.group.clinic import analyse_clinic
from snakemrs.group.clinical import Score, clinical_rows
from snakemrs.group.collect import Joined
from snakemrs.group.instruments import load_instruments
from snakemrs.group.run import frame_table
from snakemrs.group.sensitivity import specification_curve
from snakemrs.scanner.cohort import simulate_table
from snakemrs.study.settings.group import GroupSettings

METABOLITES = ("glx", "glu", "gln", "gaba", "gsh", "ins", "tcho", "tcr")


def joined_tables(participants: int, frames: int, seed: int) -> Joined:
    """Make the joined tables of a virtual study, all outcomes of the settings in them."""
    table = simulate_table("realistic", participants, seed, baseline_frames=1, infusion_frames=frames - 1)
    rng = np.random.default_rng(seed)
    for name in METABOLITES:
        amplitude = table["glx"] * np.exp(rng.normal(0, 0.05, len(table)))
        table[f"{name}_amplitude"] = table["glx"] if name == "glx" else amplitude
        table[f"{name}_tnaa"] = table[f"{name}_amplitude"] / table["tnaa"]
        table[f"{name}_tcr"] = table[f"{name}_amplitude"] / (0.7 * table["tnaa"])
        table[f"{name}_molal"] = table[f"{name}_amplitude"]
    table["tnaa_amplitude"] = table["tnaa"]
    table["time_bin"] = table["frame"]
    start = table.loc[table["phase"] == "infusion", "onset"].min()
    table["regressor"] = np.where(table["onset"] < start, 0.0, 1 - np.exp(-(table["onset"] + 200 - start) / 600))
    table["verdict"] = "pass"
    table["sequence"] = "n/a"
    scores = []
    visits = table.drop_duplicates(["participant", "session"])
    for row in visits.itertuples():
        for visit, total in (("baseline", row.madrs_pre), ("day1", row.madrs_post)):
            scores.append(Score(row.participant, row.session, visit, "madrs", float(total), "complete"))
    design = {(r.participant, r.session): r for r in visits.itertuples()}
    clinical = []
    for score in clinical_rows(scores, load_instruments(), "baseline"):
        row = design[str(score["participant"]), str(score["session"])]
        clinical.append({**score, "condition": row.condition, "period": row.period, "sex": row.sex})
    rows = table.drop(columns=["madrs_pre", "madrs_post", "treatment"]).to_dict("records")
    return Joined(frames=rows, every_frame=rows, clinical=clinical)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=26)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    joined = joined_tables(arguments.participants, arguments.frames, arguments.seed)
    settings = GroupSettings()
    marks = [("", time.process_time())]
    frames, clinical = frame_table(joined.frames), frame_table(joined.clinical)
    results, primary = analyse_spectra(frames, settings)
    marks.append(("models of all outcomes, time course, sex, assumptions, leave one out", time.process_time()))
    analyse_clinic(results, clinical, frames, settings)
    adjust_families(results)
    marks.append((f"clinic, association, mediation, {settings.bootstrap} bootstrap samples each", time.process_time()))
    curve = specification_curve(joined, settings, results, primary, Path())
    marks.append((f"specification curve, {settings.sensitivity.permutations} sign flips", time.process_time()))
    assert curve is not None
    size = f"{arguments.participants} x 2 x {arguments.frames} frames"
    print(f"{size}: {len(results.rows)} results, {len(curve.rows)} choices")
    print("| part | processor time, s |\n|---|---|")
    for (_, before), (name, after) in pairwise(marks):
        print(f"| {name} | {after - before:.1f} |")
    print(f"| all | {marks[-1][1] - marks[0][1]:.1f} |")


if __name__ == "__main__":
    main()
