"""Where the time of a run went: stage by stage, and what of it was not science.

    snakemrs simulate STUDY --participants 26 --sessions 2 --seed 1
    snakemrs run STUDY --cores 2
    python benchmarks/run_stages.py STUDY --cores 2

Reads what the last whole run announced (work/events). A job's time goes from its announcement to its end, and so holds
the start of its process; that start (measured by `snakemrs fit --help`, by the clock) and the time in which processors
had no job are not science. Tell the machine's other load with the figures: both counts are by the clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from snakemrs.cli.snakemake import STAGE_OF_RULE, Job, Record
from snakemrs.cli.view import ORDER


def longest_run(study: Path) -> tuple[Record, float]:
    """The run with most jobs, and its seconds from first to last event."""
    runs: list[tuple[Record, float]] = []
    for path in (study / "work" / "events").glob("*-*.jsonl"):
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        record = Record()
        for event in events:
            record.take(event)
        if events:
            runs.append((record, events[-1]["time"] - events[0]["time"]))
    if not runs:
        raise SystemExit(f"{study}: no run has left its events here")
    return max(runs, key=lambda run: len(run[0].jobs))


def start_of_a_process() -> float:
    """Seconds by the clock, the least of five."""
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "snakemrs.cli.main", "fit", "--help"], check=True, capture_output=True)
        taken.append(time.perf_counter() - begun)
    return min(taken)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--cores", type=int, required=True, help="of that run")
    arguments = parser.parse_args()
    record, wall = longest_run(arguments.study)
    jobs: list[Job] = [job for job in record.jobs.values() if job.rule in STAGE_OF_RULE and job.state == "done"]
    print("| stage | jobs | seconds in jobs | mean |\n|---|---|---|---|")
    for stage in ORDER:
        seconds = [job.finished - job.started for job in jobs if job.stage == stage]
        if seconds:
            print(f"| {stage} | {len(seconds)} | {sum(seconds):.0f} | {sum(seconds) / len(seconds):.1f} |")
    busy = sum(job.finished - job.started for job in jobs)
    start = start_of_a_process()
    science = busy - start * len(jobs)
    print(f"{len(jobs)} jobs, {wall / 60:.1f} min by the clock on {arguments.cores} processors")
    print(f"start of a process: {start:.2f} s")
    print(f"not science: {100 * (1 - science / (wall * arguments.cores)):.1f} %")


if __name__ == "__main__":
    main()
