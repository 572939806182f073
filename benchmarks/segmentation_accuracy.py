"""Tissue fractions in MRS voxels of virtual heads, against the truth that made the heads.

Half the heads are whole (skull, scalp, neck), half skull-stripped; 1 mm and 0.8 × 0.8 × 1 mm; every other one tilted by
20°. In each, voxels of 25 mm at random places of the brain, turned at random, at most 10 % outside. Claim: mean
absolute error at most 0.02 for each tissue, worst at most 0.05.

A head takes a minute or two. With --rows FILE each head that is done is kept there, and a later call goes on from it.
--hard takes other heads: images of 1.8 mm, a receive field that varies twice as much, a head turned by 30°.
Run: python benchmarks/segmentation_accuracy.py --heads 20 --rows heads.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """How a head is drawn and scanned."""

    spacing: tuple[float, float, float]
    tilt: float
    whole: bool
    bias: float = 0.15


HARD = {
    101: Case((1.8, 1.8, 1.8), 20.0, True),
    102: Case((1.8, 1.8, 1.8), 0.0, False),
    103: Case((1.0, 1.0, 1.0), 0.0, True, bias=0.3),
    104: Case((1.0, 1.0, 1.0), 20.0, False, bias=0.3),
    105: Case((1.0, 1.0, 1.0), 30.0, True),
}


def case_of(seed: int) -> Case:
    """The case of a head: half are whole, half tilted, a third of 0.8 × 0.8 × 1 mm; or one of the hard ones."""
    if seed in HARD:
        return HARD[seed]
    spacing = (1.0, 1.0, 1.0) if seed % 3 else (0.8, 0.8, 1.0)
    return Case(spacing, 20.0 if seed % 4 < 2 else 0.0, bool(seed % 2))


def boxes_in(truth: dict[str, np.ndarray], affine: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Draw voxels of 25 mm that lie in the brain."""
    from scipy import ndimage
    from scipy.spatial.transform import Rotation

    from snakemrs.voxel.geometry import box_overlap, box_volume

    random = np.random.default_rng(seed)
    brain = sum(truth.values())
    places = np.argwhere(truth["gm"] + truth["wm"] > 0.8)
    at = (np.arange(20) + 0.5) / 20 - 0.5
    points = np.stack(np.meshgrid(at, at, at, indexing="ij")).reshape(3, -1)
    boxes: list[np.ndarray] = []
    while len(boxes) < count:
        box = np.eye(4)
        box[:3, :3] = 25.0 * Rotation.random(random_state=int(random.integers(2**31))).as_matrix()
        box[:3, 3] = affine[:3, :3] @ places[random.integers(len(places))] + affine[:3, 3]
        # Most are far outside, which some points tell faster than the exact share.
        index = np.linalg.inv(affine)[:3, :3] @ (box[:3, :3] @ points + box[:3, 3:] - affine[:3, 3:])
        if ndimage.map_coordinates(brain, index, order=1).mean() < 0.85:
            continue
        share = box_overlap(box, affine, brain.shape)
        if (share * brain).sum() * box_volume(affine) > 0.9 * box_volume(box):
            boxes.append(box)
    return boxes


def measure(seed: int, count: int, backend: str) -> dict[str, Any]:
    """Segment a virtual head and compare the fractions in `count` voxels with its truth."""
    from segmentation_heads import draw
    from snakemrs.anatomy import backends
    from snakemrs.anatomy.checks import looks_extracted
    from snakemrs.study.settings.anatomy import AnatomySettings
    from snakemrs.voxel.geometry import box_overlap, box_volume, tissue_fractions

    case = case_of(seed)
    head = draw(seed, case.spacing, case.tilt, case.whole, bias=case.bias)
    start = time.process_time()
    extracted = looks_extracted(head.t1w)
    with tempfile.TemporaryDirectory() as folder:
        result = backends.segment(head.t1w, extracted, AnatomySettings(backend=backend), Path(folder))
    cost = time.process_time() - start
    affine, errors = head.t1w.affine, []
    brain = sum(head.truth.values()) > 0.5
    for box in boxes_in(head.truth, affine, count, seed):
        share = box_overlap(box, affine, brain.shape)
        volumes = box_volume(affine), box_volume(box)
        found = tissue_fractions(share, {t.lower(): d for t, d in result.maps.items()}, *volumes)
        truth = tissue_fractions(share, head.truth, *volumes)
        errors.append([found[t] - truth[t] for t in ("gm", "wm", "csf")])
    return {
        "seed": seed,
        "backend": backend,
        "kind": "stripped" if extracted else "whole",
        "voxel": " × ".join(f"{s:g}" for s in case.spacing),
        "tilt": case.tilt,
        "bias": case.bias,
        "dice": float(2 * (brain & result.mask).sum() / (brain.sum() + result.mask.sum())),
        "errors": errors,
        "processor_s": cost,
        "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="Seed of the first head.")
    parser.add_argument("--hard", action="store_true", help="The hard heads instead.")
    parser.add_argument("--boxes", type=int, default=5)
    parser.add_argument("--backend", default="atropos", choices=["atropos", "hmrf"])
    parser.add_argument("--rows", type=Path, help="File in which heads that are done are kept.")
    arguments = parser.parse_args()
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    kept: dict[tuple[int, str], dict[str, Any]] = {}
    if arguments.rows and arguments.rows.exists():
        for line in arguments.rows.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            kept[row["seed"], row["backend"]] = row
    print(
        "| head | kind | voxel (mm) | tilt | receive field | brain mask Dice | worst error GM | WM | CSF | time (s) |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for seed in HARD if arguments.hard else range(arguments.first, arguments.first + arguments.heads):
        row = kept.get((seed, arguments.backend))
        if row is None:
            row = measure(seed, arguments.boxes, arguments.backend)
            if arguments.rows:
                with arguments.rows.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(row) + "\n")
        rows.append(row)
        worst = " | ".join(f"{v:.3f}" for v in np.abs(row["errors"]).max(axis=0))
        how = f"{row['kind']} | {row['voxel']} | {row['tilt']:.0f}° | {row.get('bias', 0.15):g}"
        print(f"| {seed} | {how} | {row['dice']:.3f} | {worst} | {row['processor_s']:.0f} |", flush=True)
    table = np.concatenate([row["errors"] for row in rows])
    print(f"\n{len(table)} voxels of 25 mm in {len(rows)} heads, backend {arguments.backend}\n")
    print("| tissue | mean error | mean absolute error | worst |")
    print("|---|---|---|---|")
    for name, column in zip(("GM", "WM", "CSF"), table.T, strict=True):
        print(f"| {name} | {column.mean():+.4f} | {np.abs(column).mean():.4f} | {np.abs(column).max():.3f} |")
    memory = max(row["memory_gib"] for row in rows)
    print(f"\nlargest memory {memory:.1f} GiB (the drawing of the heads included)")


if __name__ == "__main__":
    main()
