"""Time and memory of `snakemrs segment` on a T1w, and whether a second run gives the same bytes.

Without an image a virtual head of 1 mm is drawn: whole (skull, scalp, neck), tilted by 20°. Claims: under three minutes
on two cores, under 3 GiB, the same bytes twice. The program runs with one thread (only then are the bytes the same), so
that its processor time bounds what it takes on an idle machine.

Run: python benchmarks/segmentation_cost.py [T1W] [--backend hmrf] [--once]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib


def draw(folder: Path) -> Path:
    """Write a virtual head."""
    from segmentation_heads import draw as draw_head

    head = draw_head(1, (1.0, 1.0, 1.0), 20.0, True)
    path = folder / "T1w.nii.gz"
    nib.save(nib.Nifti1Image(head.t1w.data, head.t1w.affine), path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("t1w", type=Path, nargs="?")
    parser.add_argument("--backend", default="atropos", choices=["atropos", "hmrf"])
    parser.add_argument("--once", action="store_true", help="Leave the second run out.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        t1w = arguments.t1w or draw(Path(folder))
        image = nib.load(t1w)
        size = " × ".join(f"{v:.2f}" for v in image.header.get_zooms()[:3])
        print(f"{t1w.name}: {' × '.join(map(str, image.shape))} voxels of {size} mm, backend {arguments.backend}\n")
        print("| run | processor (s) | wall clock (s) | largest memory (GiB) |")
        print("|---|---|---|---|", flush=True)
        bytes_of: list[dict[str, str]] = []
        for run in (1,) if arguments.once else (1, 2):
            prefix = Path(folder) / str(run) / "sub"
            command = [sys.executable, "-m", "snakemrs.cli.main", "segment", str(t1w), "--output", str(prefix)]
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            subprocess.run([*command, "--settings", json.dumps({"backend": arguments.backend})], check=True)
            wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            cost = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"| {run} | {cost:.0f} | {wall:.0f} | {after.ru_maxrss / 2**20:.2f} |", flush=True)
            files = sorted(prefix.parent.iterdir())
            bytes_of.append({f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files})
        if len(bytes_of) == 2:
            same = sum(bytes_of[0][name] == bytes_of[1].get(name) for name in bytes_of[0])
            print(f"\n{same} of {len(bytes_of[0])} files have the same bytes in both runs")


if __name__ == "__main__":
    main()
