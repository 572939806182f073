"""What the first plan of a study costs a raw file: its hash, and what its header and signal say it is.

    python benchmarks/header_reading.py [T1W ...]

Virtual scans of every vendor in their full size, and T1w images of one's own. Milliseconds by the clock on one
processor, the least of five; later plans know a file by its size and time. The last column is what a thousand
participants × 2 sessions of such files take on one processor. Of images of one's own, so many together as a trial of
26 participants × 2 sessions has, on one processor and on all.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from snakemrs.cli.headers import read_header
from snakemrs.io.parallel import on_all_processors
from snakemrs.io.tables import read_table
from snakemrs.study.hashes import companions, hash_file

OF_A_TRIAL = 52
VENDORS = ("philips", "philips-list", "siemens", "ge")
TIMES = 5


def milliseconds(work: Callable[[], object]) -> float:
    """Least time of some calls."""
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begun))
    return min(taken)


def print_row(vendor: str, path: Path) -> None:
    """Measure a file and print its line."""
    files = [path, *companions(path)]
    hashed = milliseconds(lambda: [hash_file(file) for file in files])
    read = milliseconds(lambda: read_header(path))
    size = sum(file.stat().st_size for file in files) / 1e6
    minutes = 2000 * (hashed + read) / 60_000
    print(f"| {vendor} | {path.name} | {size:.1f} | {hashed:.1f} | {read:.1f} | {minutes:.1f} |", flush=True)


def print_trial(images: list[Path]) -> None:
    """Measure as many images as a trial has."""
    trial = [images[n % len(images)] for n in range(OF_A_TRIAL)]
    seconds = []
    for mapped in (map, on_all_processors):
        begun = time.perf_counter()
        assert len(list(mapped(read_header, trial))) == OF_A_TRIAL
        seconds.append(time.perf_counter() - begun)
    processors = len(os.sched_getaffinity(0))
    print(f"\n{OF_A_TRIAL} images: {seconds[0]:.1f} s on one processor, {seconds[1]:.1f} s on {processors}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", type=Path, metavar="T1W", help="images of one's own")
    arguments = parser.parse_args()
    print("| vendor | file | MB | hash ms | header ms | 2,000 files min |\n|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for vendor in VENDORS:
            study = Path(folder) / vendor
            command = [sys.executable, "-m", "snakemrs.cli.main", "simulate", str(study), "--vendor", vendor]
            subprocess.run([*command, "--participants", "1", "--sessions", "1"], check=True, capture_output=True)
            for path in sorted({study / "raw" / row["path"] for row in read_table(study / "scans.tsv")}):
                print_row(vendor, path)
    for path in arguments.images:
        print_row("measured", path)
    if arguments.images:
        print_trial(arguments.images)


if __name__ == "__main__":
    main()
