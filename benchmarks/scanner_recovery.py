"""A virtual study that has been run, against its truth: concentrations, ratios, tissue fractions.

Prints the median error and the median absolute error, in percent, over sessions (static) and over frames; for tissue
fractions in percentage points; how many spoilt transients were found; and the change that the dynamic fits found.

    snakemrs demo DEMO && python benchmarks/scanner_recovery.py DEMO
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from snakemrs.io.events import read_events
from snakemrs.io.tables import Row, parse_number, read_table

METABOLITES = ("Glu", "Gln", "Glx", "tNAA", "tCr", "tCho", "Ins", "GSH", "GABA")
MEASURES = ("molal", "molar", "ratio_tcr", "ratio_tnaa")


def read_truth(study: Path) -> dict[tuple[str, str, str], list[Row]]:
    table = defaultdict(list)
    for row in read_table(study / "truth" / "concentrations.tsv"):
        table[row["participant"], row["session"], row["metabolite"]].append(row)
    return table


def labels(path: Path) -> tuple[str, str]:
    parts = dict(part.split("-", 1) for part in path.name.split("_") if "-" in part)
    return parts["sub"], parts["ses"]


def errors(study: Path, label: str) -> dict[tuple[str, str], list[float]]:
    """Errors in percent by metabolite and measure, of the static fit or of the frames."""
    truth = read_truth(study)
    found = defaultdict(list)
    for path in sorted(study.glob(f"derivatives/snakemrs/sub-*/ses-*/mrs/*_desc-{label}_concentrations.tsv")):
        who = labels(path)
        for row in read_table(path):
            rows = truth.get((*who, row["metabolite"]), [])
            if label == "static":
                matching = [r for r in rows if r["frame"] == "n/a"]
            else:
                middle = float(row["onset"]) + float(row["duration"]) / 2
                matching = [
                    r for r in rows if r["frame"] != "n/a" and 0 <= middle - float(r["onset"]) < float(r["duration"])
                ]
            for measure in MEASURES:
                value = parse_number(row[measure]) if measure in row else None
                if matching and value is not None:
                    found[row["metabolite"], measure].append(100 * (value / float(matching[0][measure]) - 1))
    return found


def print_errors(title: str, found: dict[tuple[str, str], list[float]]) -> None:
    count = max((len(values) for values in found.values()), default=0)
    print(f"\n{title} ({count} values each): median error, median absolute error, percent")
    print(f"{'':<8}" + "".join(f"{measure:>20}" for measure in MEASURES))
    for metabolite in METABOLITES:
        cells = []
        for measure in MEASURES:
            values = found.get((metabolite, measure), [])
            cells.append(f"{np.median(values):+12.1f} {np.median(np.abs(values)):7.1f}" if values else f"{'n/a':>20}")
        print(f"{metabolite:<8}" + "".join(cells))


def print_tissue(study: Path) -> None:
    truth = {(row["participant"], row["session"]): row for row in read_table(study / "truth" / "sessions.tsv")}
    differences = defaultdict(list)
    for path in sorted(study.glob("derivatives/snakemrs/sub-*/ses-*/mrs/*_tissue.tsv")):
        row = read_table(path)[0]
        for name in ("gm", "wm", "csf", "outside"):
            differences[name].append(100 * (float(row[name]) - float(truth[labels(path)][name])))
    print("\ntissue fractions: mean difference and largest, percentage points")
    for name, values in differences.items():
        print(f"{name:<8}{np.mean(values):+8.2f}{np.max(np.abs(values)):8.2f}")


def print_transients(study: Path) -> None:
    hit = missed = false = 0
    for path in sorted(study.glob("derivatives/snakemrs/sub-*/ses-*/mrs/*_desc-transients_quality.tsv")):
        participant, session = labels(path)
        true = read_table(study / "truth" / f"sub-{participant}_ses-{session}_transients.tsv")
        for row, expected in zip(read_table(path), true, strict=True):
            rejected = row["rejected"] in ("true", "1")
            spoilt = expected["fate"] == "spoilt"
            hit, missed, false = hit + (rejected and spoilt), missed + (spoilt > rejected), false + (rejected > spoilt)
    print(f"\nspoilt transients: {hit} found, {missed} not; {false} others left out")


def print_changes(study: Path) -> None:
    """Change from before the first event to the time during it: dynamic fit against truth, per cent of the baseline."""
    table = study / "derivatives" / "snakemrs" / "group" / "functional.tsv"
    if not table.exists():
        return
    truth = read_truth(study)
    start = min(event.onset for event in read_events(study / "events.tsv"))
    found = defaultdict(list)
    for row in read_table(table):
        rows = [
            r for r in truth.get((row["participant"], row["session"], row["metabolite"]), []) if r["frame"] != "n/a"
        ]
        if row["metabolite"] not in METABOLITES or not rows:
            continue
        early = [float(r["molal"]) for r in rows if float(r["onset"]) + float(r["duration"]) / 2 < start]
        late = [float(r["molal"]) for r in rows if float(r["onset"]) + float(r["duration"]) / 2 >= start]
        true = 100 * (np.mean(late) / np.mean(early) - 1)
        cells = (parse_number(row[name]) for name in ("percent", "percent_sd", "ci_low", "ci_high"))
        found[row["metabolite"]].append((true, *cells))
    print("\nchange during the event, per cent: dynamic fit against truth, means over sessions")
    print(f"{'':<8}{'sessions':>10}{'truth':>8}{'found':>8}{'sd':>8}{'truth in the 95 % interval':>30}")
    for metabolite in [name for name in METABOLITES if name in found]:
        true, value, sd, low, high = np.array(found[metabolite], float).T
        inside = f"{np.sum((low <= true) & (true <= high))} of {len(true)}"
        print(f"{metabolite:<8}{len(true):>10}{true.mean():8.2f}{value.mean():8.2f}{sd.mean():8.2f}{inside:>30}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    study = parser.parse_args().study
    for label, title in (("static", "whole sessions"), ("frames", "frames")):
        print_errors(title, errors(study, label))
    print_tissue(study)
    print_transients(study)
    print_changes(study)


if __name__ == "__main__":
    main()
