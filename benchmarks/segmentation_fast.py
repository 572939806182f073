"""Agreement with FSL FAST on a measured T1w: overlap of tissue, and fractions in voxels over cortex and white matter.

FAST's maps are no truth: it counts most of the thalamus and pallidum as white matter. Needs the real measurements.
Run: python benchmarks/segmentation_fast.py ../shared/realdata/t1_brain_fast [--backend hmrf] [--maps PREFIX]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from snakemrs.voxel.geometry import box_overlap, tissue_fractions

TISSUES = ("GM", "WM", "CSF")
# Ten voxels: five over cortex, five mostly in white matter; centres as shares of half the brain's extent, to the right,
# front and top of its middle.
PLACES = {
    "frontal left": (-0.5, 0.6, 0.4),
    "frontal right": (0.5, 0.6, 0.4),
    "medial frontal": (0.0, 0.7, 0.3),
    "medial parietal": (0.0, -0.5, 0.55),
    "occipital": (0.0, -0.75, 0.2),
    "centrum semiovale left": (-0.35, 0.0, 0.5),
    "centrum semiovale right": (0.35, 0.0, 0.5),
    "parietal left": (-0.45, -0.4, 0.5),
    "parietal right": (0.45, -0.4, 0.5),
    "temporal left": (-0.7, -0.1, -0.2),
}
Maps = dict[str, np.ndarray]


def load(path: Path | str) -> np.ndarray:
    """Read the data of an image."""
    return np.asarray(nib.load(path).dataobj, np.float32)


def boxes(fast: Maps, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Place the ten voxels of 25 mm in the brain."""
    where = np.argwhere(fast["GM"] + fast["WM"] > 0.5) @ affine[:3, :3].T + affine[:3, 3]
    low, high = np.percentile(where, 1, axis=0), np.percentile(where, 99, axis=0)
    middle, half = (low + high) / 2, (high - low) / 2
    placed = {}
    for name, place in PLACES.items():
        placed[name] = np.diag([25.0, 25.0, 25.0, 1.0])
        placed[name][:3, 3] = middle + np.array(place) * half
    return placed


def compare(ours: Maps, fast: Maps, affine: np.ndarray) -> None:
    """Print overlaps, volumes, and fractions in the ten voxels."""
    print("| tissue | Dice at one half | ours (ml) | FAST (ml) |")
    print("|---|---|---|---|")
    for name in TISSUES:
        a, b = ours[name] > 0.5, fast[name] > 0.5
        overlap = 2 * (a & b).sum() / (a.sum() + b.sum())
        print(f"| {name} | {overlap:.3f} | {ours[name].sum() / 1000:.0f} | {fast[name].sum() / 1000:.0f} |")
    print("\n| voxel of 25 mm | GM ours | FAST | WM ours | FAST | CSF ours | FAST | worst difference |")
    print("|---|---|---|---|---|---|---|---|")
    worst = []
    volume = float(abs(np.linalg.det(affine[:3, :3])))
    for name, box in boxes(fast, affine).items():
        share = box_overlap(box, affine, fast["GM"].shape)
        a, b = (tissue_fractions(share, m, volume, 25.0**3) for m in (ours, fast))
        worst.append(max(abs(a[t] - b[t]) for t in TISSUES))
        cells = " | ".join(f"{a[t]:.3f} | {b[t]:.3f}" for t in TISSUES)
        print(f"| {name} | {cells} | {worst[-1]:.3f} |")
    print(f"\n{sum(w <= 0.05 for w in worst)} of {len(worst)} voxels within 0.05")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backend", default="atropos", choices=["atropos", "hmrf"])
    parser.add_argument("--maps", help="Beginning of the names of maps that `snakemrs segment` wrote already.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prefix = arguments.maps
        if prefix is None:
            prefix = str(Path(folder) / "sub")
            command = [sys.executable, "-m", "snakemrs.cli.main", "segment", str(arguments.folder / "bet.nii.gz")]
            settings = ["--settings", f'{{"backend": "{arguments.backend}"}}']
            subprocess.run([*command, "--output", prefix, *settings], check=True)
        ours = {t: load(f"{prefix}_label-{t}_probseg.nii.gz") for t in TISSUES}
        mask = load(f"{prefix}_desc-brain_mask.nii.gz") > 0
    affine = nib.load(arguments.folder / "pve_1.nii.gz").affine
    fast = {"GM": load(arguments.folder / "pve_1.nii.gz"), "WM": load(arguments.folder / "pve_2.nii.gz")}
    fast["CSF"] = np.where(mask, np.clip(1 - fast["GM"] - fast["WM"], 0, 1), 0)
    compare(ours, fast, affine)


if __name__ == "__main__":
    main()
