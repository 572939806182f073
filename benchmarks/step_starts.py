"""What the start of a step costs: from the start of its process to its first look at its data.

    python benchmarks/step_starts.py

Each step is asked for a file that does not exist: it starts, loads what it computes with, looks, and leaves. `alone`:
by itself, as in a container or on a cluster. `in a run`: its work done by the run's loaded process
(`snakemrs.cli.loaded`); `first`: the first of its kind there, which loads for all others. Seconds by the clock, the
least of seven (of `first`: the only one). What a step loads after that look is added: the interface of the converter,
and ANTs. All code is compiled, as pip leaves what it installs.
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
LATER = {
    "ingest": "from snakemrs.interfaces.spec2nii import Spec2nii",
    "segment": "from snakemrs.interfaces.ants import load_ants; load_ants()",
}
"""What a step loads after it has looked at its data."""
LOAD_LATER = """
import importlib, sys, time
from snakemrs.cli.loaded import load
from snakemrs.cli.main import COMMANDS
command, of_a_run, code = sys.argv[1:]
importlib.import_module(COMMANDS[command][0])
import snakemrs.interfaces.nib
if of_a_run: load([command])
begun = time.perf_counter()
exec(code)
print(time.perf_counter() - begun)
"""
SNAKEMAKE_STARTS = 2.0
"""Seconds given for what a run begins with to be loaded. Snakemake takes longer to its first step: 2.4 and more."""


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


def later(step: str, of_a_run: bool) -> float:
    """Seconds that a step takes to load what it loads later, by itself or beside what the run has loaded."""
    if step not in LATER:
        return 0.0
    command = [sys.executable, "-c", LOAD_LATER, step, "yes" if of_a_run else "", LATER[step]]
    return min(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(TIMES))


def starts() -> dict[str, Start]:
    """Measure every step."""
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        around = environment(Path(folder) / "events", 0)
        with loaded(around, list(LATER)) as in_run:
            time.sleep(SNAKEMAKE_STARTS)
            for step, text in STEPS.items():
                words = text.format(none=f"{folder}/none").split()
                alone, inside = clocks(words, folder, around), clocks(words, folder, in_run)
                more, less = later(step, of_a_run=False), later(step, of_a_run=True)
                first = inside[0] + less if step in COMPUTES_WITH else None
                measured[step] = Start(min(alone) + more, min(inside) + less, first)
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
