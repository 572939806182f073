"""What the start of a step costs: from the start of its process to its first look at its data.

    python benchmarks/step_starts.py

Each step is asked for a file that does not exist: it starts, loads what it computes with, looks, and leaves. `alone`:
by itself, as in a container or on a cluster. `in a run`: its work done by the run's loaded process
(`snakemrs.cli.loaded`); `first`: the first of its kind there, which loads for all others. Seconds by the clock, the
least of seven (of `first`: the only one). For the segmentation, ANTs is added, which it loads after that look. All code
is compiled, as pip leaves what it installs.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import snakemrs
from snakemrs.cli.loaded import COMPUTES_WITH, loaded
from snakemrs.cli.snakemake import environment

STEPS = {
    "ingest": "ingest --convert {none}.SDAT {none}_svs.nii.gz",
    "segment": "segment {none}.nii.gz --output {none}",
    "preprocess": "preprocess {none}.nii.gz --output {none}",
    "voxel": "voxel {none}.nii.gz --t1w {none} --brain-mask {none} --gm {none} --wm {none} --csf {none}"
    " --output {none}",
    "fit": "fit {none}.nii.gz --basis {none}.BASIS --output {none}",
    "quantify": "quantify {none}.tsv --svs {none}.nii.gz --output {none}",
    "group": "group --plan {none}.json --output {none}",
    "report": "report participant --plan {none}.json --participant 01 --output {none}.html",
}
PROGRAM = str(Path(sys.executable).with_name("snakemrs"))
TIMES = 7
ANTS = """
import sys, time
from snakemrs.cli.loaded import load
if sys.argv[1:]: load(sys.argv[1:])
begun = time.perf_counter()
from snakemrs.interfaces.ants import load_ants
load_ants()
print(time.perf_counter() - begun)
"""


@dataclass(frozen=True)
class Start:
    """Seconds that the start of a step takes; `first` is the first one of a run, None where each loads for itself."""

    alone: float
    in_run: float
    first: float | None


def as_installed() -> None:
    """Have our code compiled, as pip leaves every package that it installs."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    package = Path(snakemrs.__file__).parent
    for folder in (package, *package.parent.glob("snakemake_*_plugin_snakemrs")):
        compileall.compile_dir(folder, quiet=1)


def clocks(words: Sequence[str], folder: str, env: dict[str, str]) -> list[float]:
    """Seconds by the clock of each of some runs of a step."""
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        done = subprocess.run([PROGRAM, *words], check=False, capture_output=True, cwd=folder, env=env)
        taken.append(time.perf_counter() - begun)
        if done.returncode not in (1, 2):
            raise SystemExit(f"{words[0]}: exit code {done.returncode} where a missing file should be told")
    return taken


def ants(*beside: str) -> float:
    """Seconds that ANTs takes to load, alone or beside what a step has loaded."""
    command = [sys.executable, "-c", ANTS, *beside]
    return min(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(TIMES))


def starts() -> dict[str, Start]:
    """Measure every step."""
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        around = environment(Path(folder) / "events", 0)
        with loaded(around) as in_run:
            for step, text in STEPS.items():
                words = text.format(none=f"{folder}/none").split()
                alone, inside = clocks(words, folder, around), clocks(words, folder, in_run)
                shared = step in COMPUTES_WITH
                measured[step] = Start(min(alone), min(inside), inside[0] if shared else None)
    segment = measured["segment"]
    measured["segment"] = Start(segment.alone + ants(), segment.in_run + ants("segment"), segment.first)
    return measured


def print_starts() -> None:
    """Print the table."""
    print("| step | alone s | in a run s | the first of a run s |\n|---|---|---|---|")
    for step, start in starts().items():
        first = "each loads for itself" if start.first is None else f"{start.first:.2f}"
        print(f"| {step} | {start.alone:.2f} | {start.in_run:.2f} | {first} |")


if __name__ == "__main__":
    as_installed()
    print_starts()
