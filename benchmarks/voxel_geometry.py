"""Volume of random oblique boxes from their mask, against the product of their edges; and the time it takes.

Claim: within 0.1 %. Run: python benchmarks/voxel_geometry.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.spatial.transform import Rotation

from snakemrs.voxel.geometry import box_overlap, box_volume


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    exact, nearest, seconds = [], [], []
    for _ in range(arguments.boxes):
        turns = Rotation.random(2, random_state=int(random.integers(2**31))).as_matrix()
        box, grid = np.eye(4), np.eye(4)
        box[:3, :3] = turns[0] @ np.diag(random.uniform(8, 30, 3))
        box[:3, 3] = random.uniform(-5, 5, 3)
        spacing = random.uniform(0.8, 1.5, 3)
        shape = tuple(int(n) for n in np.ceil(75 / spacing))
        grid[:3, :3] = turns[1] @ np.diag(spacing)
        grid[:3, 3] = -grid[:3, :3] @ ((np.array(shape) - 1) / 2)
        start = time.process_time()
        share = box_overlap(box, grid, shape)
        seconds.append(time.process_time() - start)
        exact.append(share.sum() * box_volume(grid) / box_volume(box) - 1)
        centres = np.argwhere(np.ones(shape, bool))
        inside = np.linalg.inv(box) @ grid
        within = np.all(np.abs(centres @ inside[:3, :3].T + inside[:3, 3]) <= 0.5, axis=1)
        nearest.append(within.sum() * box_volume(grid) / box_volume(box) - 1)
    print("| mask | worst error of the volume | mean of its size | s a box (processor) |")
    print("|---|---|---|---|")
    for name, errors, cost in (("exact", exact, f"{np.mean(seconds):.1f}"), ("centres inside", nearest, "")):
        print(f"| {name} | {100 * np.max(np.abs(errors)):.2g} % | {100 * np.mean(np.abs(errors)):.2g} % | {cost} |")


if __name__ == "__main__":
    main()
