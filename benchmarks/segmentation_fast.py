"""Agreement with FSL FAST on a measured T1w: overlap of tissue, and fractions in voxels over cortex and white matter.

FAST's maps are no truth: it counts most of the thalamus and pallidum as white matter. Needs the real measurements.
Run: python benchmarks/segmentation_fast.py ../shared/realdata/t1_brain_fast [--maps PREFIX]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--maps", help="Beginning of the names of maps that `snakemrs segment` wrote already.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prefix = arguments.maps
        if prefix is None:
            prefix = str(Path(folder) / "sub")
            command = [sys.executable, "-m", "snakemrs.cli.main", "segment", str(arguments.folder / "bet.nii.gz")]
            subprocess.run([*command, "--output", prefix], check=True)
        ours = {t: np.asarray(nib.load(f"{prefix}_label-{t}_probseg.nii.gz").dataobj) for t in ("GM", "WM", "CSF")}
    image = nib.load(arguments.folder / "pve_1.nii.gz")
    fast = {"GM": image.get_fdata(), "WM": nib.load(arguments.folder / "pve_2.nii.gz").get_fdata()}
    fast["CSF"] = np.where(ours["GM"] + ours["WM"] + ours["CSF"] > 0.5, np.clip(1 - fast["GM"] - fast["WM"], 0, 1), 0)
    print("| tissue | Dice at one half | ours (ml) | FAST (ml) |")
    print("|---|---|---|---|")
    for name in ("GM", "WM", "CSF"):
        a, b = ours[name] > 0.5, fast[name] > 0.5
        overlap = 2 * (a & b).sum() / (a.sum() + b.sum())
        print(f"| {name} | {overlap:.3f} | {ours[name].sum() / 1000:.0f} | {fast[name].sum() / 1000:.0f} |")
    # Ten voxels: five over cortex (lateral, frontal to occipital), five in the white matter above the ventricles.
    where = np.argwhere(fast["GM"] + fast["WM"] > 0.5) @ image.affine[:3, :3].T + image.affine[:3, 3]
    low, high = np.percentile(where, 1, axis=0), np.percentile(where, 99, axis=0)
    middle, half = (low + high) / 2, (high - low) / 2
    places = {
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
    print("\n| voxel of 25 mm | GM ours | FAST | WM ours | FAST | CSF ours | FAST | worst difference |")
    print("|---|---|---|---|---|---|---|---|")
    worst = []
    for name, place in places.items():
        box = np.diag([25.0, 25.0, 25.0, 1.0])
        box[:3, 3] = middle + np.array(place) * half
        share = box_overlap(box, image.affine, image.shape)
        volume = float(abs(np.linalg.det(image.affine[:3, :3])))
        a, b = (tissue_fractions(share, m, volume, 25.0**3) for m in (ours, fast))
        worst.append(max(abs(a[t] - b[t]) for t in ("GM", "WM", "CSF")))
        cells = " | ".join(f"{a[t]:.3f} | {b[t]:.3f}" for t in ("GM", "WM", "CSF"))
        print(f"| {name} | {cells} | {worst[-1]:.3f} |")
    print(f"\n{sum(w <= 0.05 for w in worst)} of {len(worst)} voxels within 0.05")


if __name__ == "__main__":
    main()
