"""What Snakemake's scheduler costs while jobs run: with our logger plugin, which stops its timers, and without.

    python benchmarks/scheduler.py --jobs 200

A workflow of so many jobs that sleep, two at a time. Prints processor seconds of Snakemake and of the shells that it
starts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from orchestration import SNAKEMAKE, measured

WORKFLOW = """
rule all:
    input: [f"out/{{n}}" for n in range({jobs})]
rule job:
    output: "out/{{n}}"
    shell: "sleep {seconds}; touch {{output}}"
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.5, help="that each job sleeps")
    arguments = parser.parse_args()
    os.environ["SNAKEMRS_EVENTS"] = os.devnull
    options = [*SNAKEMAKE[SNAKEMAKE.index("--cores") + 2 :], "--cores", "2", "--scheduler", "greedy"]
    start = SNAKEMAKE[: SNAKEMAKE.index("--cores")]
    print("| jobs | logger plugin | processor s | clock s |")
    print("|---|---|---|---|", flush=True)
    for name, plugin in (("none", []), ("snakemrs", ["--logger", "snakemrs"])):
        with tempfile.TemporaryDirectory() as folder:
            text = WORKFLOW.format(jobs=arguments.jobs, seconds=arguments.seconds)
            (Path(folder) / "Snakefile").write_text(text, encoding="utf-8")
            cost = measured([*start, *options, *plugin], Path(folder), (0,))
        print(f"| {arguments.jobs} | {name} | {cost.processor:.1f} | {cost.clock:.1f} |", flush=True)


if __name__ == "__main__":
    main()
