"""Virtual studies of every vendor, run as a user runs them, against their truth.

For each vendor: `simulate` (T1w images as DICOM), then with nothing but its raw files `init`, `plan` and `run`. Printed
are, from what the run wrote,

- the voxel of the dataset against the truth: centre (mm), axes (degrees), sides (mm);
- left and right: the T1w image of the dataset against the same one that never was a DICOM (largest difference of the
  affine in mm, of the samples in percent of the largest), and the same after swapping left and right; and how far from
  the true centre the centre of the voxel's mask in that image lies (mm; the mask lives on voxels of 1.5 mm);
- tissue fractions (largest difference, percentage points);
- concentrations (mmol/kg): mean and largest error in percent over the sessions, largest error in reported standard
  deviations, and how many of them are within the reported 95 % interval (1.96 standard deviations).

Leaves with 1 where a run fails, where geometry is off by more than 0.1 mm or 0.1 degrees, or where one of the five sums
is further than `BOUND` from the truth.

    python benchmarks/scanner_vendors.py [--vendor siemens] [--participants 2] [--sessions 1] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import nibabel as nib
import numpy as np

from scanner_recovery import labels, read_truth
from snakemrs.io.nifti_mrs import read
from snakemrs.io.tables import read_table
from snakemrs.scanner.presets import vendor_names

SUMS = ("tNAA", "tCr", "tCho", "Glx", "Ins")
SINGLE = ("NAA", "Glu", "Gln", "GSH", "GABA")
BOUND = 10.0
"""Percent. Set beforehand: the between-session reproducibility of a good 3 T protocol."""
EXACT = 0.1


def snakemrs(*words: object) -> None:
    """Run a command as a user does; leave with what it said where it fails."""
    command = [sys.executable, "-m", "snakemrs.cli.main", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(
            f"snakemrs {' '.join(map(str, words))} left with {done.returncode}:\n{done.stdout}{done.stderr}"
        )


def run_study(folder: Path, vendor: str, participants: int, sessions: int, transients: int, seed: int) -> None:
    """Simulate `folder`/truth-of and run `folder`/study from its raw files alone; and the T1w images as NIfTI."""
    people = ("--vendor", vendor, "--participants", participants, "--sessions", sessions, "--seed", seed)
    snakemrs("simulate", folder / "scanner", *people, "--transients", transients, "--t1w", "dicom")
    snakemrs("simulate", folder / "plain", *people, "--transients", 16)
    snakemrs("init", folder / "scanner" / "raw", folder / "study")
    snakemrs("plan", folder / "study")
    snakemrs("run", folder / "study", "--cores", os.cpu_count() or 1)


def session_geometry(study: Path, truth: Path, who: tuple[str, str]) -> tuple[float, float, float]:
    """Differences of the dataset's voxel from the true one: centre (mm), axes (degrees), sides (mm)."""
    participant, session = who
    (path,) = (study / "bids" / f"sub-{participant}" / f"ses-{session}" / "mrs").glob("*_svs.nii.gz")
    found = read(path).affine
    expected = np.array(
        json.loads((truth / f"sub-{participant}_ses-{session}_geometry.json").read_text())["voxel_affine"]
    )
    sizes = [np.linalg.norm(affine[:3, :3], axis=0) for affine in (found, expected)]
    # The axes of a box have no sign and no order: GE names them the other way round.
    cosines = np.abs((found[:3, :3] / sizes[0]).T @ (expected[:3, :3] / sizes[1]))
    match = cosines.argmax(axis=1)
    angle = np.rad2deg(np.arccos(np.clip(cosines.max(axis=1), -1, 1))).max()
    centre = np.linalg.norm(found[:3, 3] - expected[:3, 3])
    return float(centre), float(angle), float(np.abs(sizes[0] - sizes[1][match]).max())


def session_image(folder: Path, who: tuple[str, str]) -> tuple[float, float, float, float]:
    """T1w of the dataset against the plain one: affine (mm), samples (%), samples swapped (%); centre of mask (mm)."""
    participant, session = who
    place = Path(f"sub-{participant}") / f"ses-{session}"
    (path,) = (folder / "study" / "bids" / place / "anat").glob("*_T1w.nii.gz")
    made, plain = (
        nib.as_closest_canonical(nib.load(p)) for p in (path, folder / "plain" / "raw" / place / "T1w.nii.gz")
    )
    affine = float(np.abs(made.affine - plain.affine)[:3].max())
    values, expected = (np.asarray(image.dataobj, float) / np.max(image.dataobj) for image in (made, plain))
    same, swapped = (100 * float(np.abs(v - expected).max()) for v in (values, values[::-1]))
    (mask_path,) = (folder / "study" / "derivatives" / "snakemrs" / place / "anat").glob(
        "*_space-T1w_desc-*_mask.nii.gz"
    )
    mask = nib.load(mask_path)
    weights = np.asarray(mask.dataobj, float)
    indices = np.stack(np.nonzero(weights))
    centre = (indices * weights[tuple(indices)]).sum(axis=1) / weights.sum()
    truth = json.loads((folder / "scanner" / "truth" / f"sub-{participant}_ses-{session}_geometry.json").read_text())
    away = np.linalg.norm(nib.affines.apply_affine(mask.affine, centre) - np.array(truth["voxel_affine"])[:3, 3])
    return affine, same, swapped, float(away)


def session_errors(folder: Path) -> tuple[dict[str, list[float]], dict[str, list[float]], float]:
    """Errors of concentrations (%), the same in reported standard deviations, largest of tissue fractions (points)."""
    truth = read_truth(folder / "scanner")
    percent, scores = defaultdict(list), defaultdict(list)
    derivatives = folder / "study" / "derivatives" / "snakemrs"
    for path in sorted(derivatives.glob("sub-*/ses-*/mrs/*_desc-static_concentrations.tsv")):
        for row in read_table(path):
            name = row["metabolite"]
            if name in SUMS + SINGLE:
                (true,) = (float(r["molal"]) for r in truth[(*labels(path), name)] if r["frame"] == "n/a")
                percent[name].append(100 * (float(row["molal"]) / true - 1))
                scores[name].append((float(row["molal"]) - true) / float(row["molal_sd"]))
    sessions = {(r["participant"], r["session"]): r for r in read_table(folder / "scanner" / "truth" / "sessions.tsv")}
    tissue = max(
        100 * abs(float(row[name]) - float(sessions[labels(path)][name]))
        for path in derivatives.glob("sub-*/ses-*/mrs/*_tissue.tsv")
        for row in read_table(path)
        for name in ("gm", "wm", "csf")
    )
    return percent, scores, tissue


def report(folder: Path, vendor: str) -> tuple[str, str, list[str]]:
    """Give a vendor's row of geometry, its row of concentrations, and what is wrong."""
    truth = folder / "scanner" / "truth"
    who = [(row["participant"], row["session"]) for row in read_table(truth / "sessions.tsv")]
    boxes = np.array([session_geometry(folder / "study", truth, w) for w in who]).max(axis=0)
    images = np.array([session_image(folder, w) for w in who])
    affine, same, away = images[:, [0, 1, 3]].max(axis=0)
    swapped = images[:, 2].min()
    percent, scores, tissue = session_errors(folder)
    exact = " | ".join(f"{value:.0e}" for value in (*boxes, affine))
    geometry = f"| {vendor} | {len(who)} | {exact} | {same:.2f} | {swapped:.0f} | {away:.2f} | {tissue:.1f} |"
    cells = " | ".join(f"{np.mean(percent[n]):+.1f} ({max(percent[n], key=abs):+.1f})" for n in SUMS + SINGLE)
    every = np.abs(np.concatenate([scores[name] for name in SUMS + SINGLE]))
    recovery = f"| {vendor} | {cells} | {every.max():.1f} | {np.sum(every <= 1.96)} of {len(every)} |"
    wrong = [f"{vendor}: {n} off by more than {BOUND:g} %" for n in SUMS if np.abs(percent[n]).max() > BOUND]
    if max(*boxes, affine, same) > EXACT or swapped < 10:
        wrong.append(f"{vendor}: geometry")
    return geometry, recovery, wrong


GEOMETRY = ("vendor", "sessions", "centre mm", "axes °", "sides mm", "T1w affine mm", "T1w samples %", "swapped %")
GEOMETRY += ("mask's centre mm", "tissue, points")
RECOVERY = ("vendor", *SUMS, *SINGLE, "largest, sd", "in 95 %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vendor", action="append", choices=vendor_names(), help="default: all")
    parser.add_argument("--participants", type=int, default=2)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--transients", type=int, default=96)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="folder that keeps the studies; what ran there is only read")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for vendor in chosen.vendor or vendor_names():
            folder = (chosen.keep or Path(temporary)) / vendor
            if not (folder / "study" / "derivatives" / "snakemrs" / "index.html").exists():
                run_study(folder, vendor, chosen.participants, chosen.sessions, chosen.transients, chosen.seed)
            rows.append(report(folder, vendor))
    for number, heads in enumerate((GEOMETRY, RECOVERY)):
        print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
        print("\n".join(str(row[number]) for row in rows))
    wrong = [words for row in rows for words in row[2]]
    for words in wrong:
        print("WRONG:", words)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
