"""Where the time of a run went: stage by stage, and what of it was not science.

    snakemrs simulate STUDY --participants 26 --sessions 2 --seed 1
    snakemrs run STUDY --cores 2
    python benchmarks/run_stages.py STUDY --cores 2

Reads what the largest run announced (work/events). A job's time goes from its announcement to its end, and so holds the
start of its process. That start (step_starts.py, in a run), and the time in which processors had no job, are not
science. Tell the machine's other load with the figures: all is by the clock.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from snakemrs.cli.snakemake import STAGE_OF_RULE, Job, Record
from snakemrs.cli.view import ORDER
from step_starts import starts


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


STEP_OF_RULE = {
    "dataset": "ingest",
    "voxel_unnamed": "voxel",
    "basis": "fit",
    "dynamic": "fit",
    "report_participant": "report",
    "report_group": "report",
    "report_methods": "report",
}


def starting(rules: list[str]) -> float:
    """Seconds that the starts of so many jobs of these rules took; the first of a step loads for the others."""
    measured = starts()
    steps = Counter(STEP_OF_RULE.get(rule, rule) for rule in rules)
    loading = sum(measured[step].first or 0.0 for step in steps)
    return loading + sum(measured[step].in_run * count for step, count in steps.items())


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
    lost = starting([job.rule for job in jobs])
    room = wall * arguments.cores
    print(f"{len(jobs)} jobs, {wall / 60:.1f} min by the clock on {arguments.cores} processors")
    print(f"starts of processes: {lost:.0f} s, {100 * lost / room:.1f} %")
    print(f"processors without a job: {room - busy:.0f} s, {100 * (1 - busy / room):.1f} %")
    print(f"not science: {100 * (1 - (busy - lost) / room):.1f} %")


if __name__ == "__main__":
    main()
