"""What the workflow costs beside the science: dry run and no-op run for many participants, next to bare Snakemake.

    python benchmarks/orchestration.py --participants 100 1000

Each study has two sessions a participant (a spectrum and a water reference each; hard links to one virtual Philips
scan). Two bare workflows stand beside it, both with as many jobs of nothing: one whose jobs have one input and one
output each, and one whose jobs have as many outputs as ours. `dry run` is the plan of a study of which nothing is made
yet (its headers are read: `first plan` reads them). `no-op` is a run of a study of which everything is made: files of
nothing, entered into Snakemake's records by --touch; above --no-op-up-to they are not, so that only a study as the last
run left it, which needs no records, is measured, beside a bare workflow without them.

Prints processor seconds of all processes (which a busy machine hardly changes), seconds by the clock, and the peak
memory of the largest process. The ratios are to the bare workflow that the line is next to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemrs.cli.common import make_plan
from snakemrs.cli.snakemake import command_line, environment
from snakemrs.cli.unchanged import remember
from snakemrs.study.plan import PLAN_PATH
from step_starts import as_installed, print_starts

SNAKEMRS = [sys.executable, "-m", "snakemrs.cli.main"]
# As quiet as ours is.
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "rules", "reason", "host"]
# Snakemake's own touch waits 0.1 s before each job.
TOUCH = [
    sys.executable,
    "-c",
    "import sys; from snakemake.cli import main; from snakemake.executors.touch import Executor;"
    "Executor.SLEEPING_TIME = 0; main(sys.argv[1:])",
]
OF_THE_STUDY = {"basis", "dataset", "group", "report_group", "report_methods"}

BARE = """
UNITS = [f"sub-{{p:04d}}_ses-{{s}}" for p in range({participants}) for s in (1, 2)]
rule all:
    input: [f"out/sub-{{p:04d}}.html" for p in range({participants})], "out/group"
rule group:
    input: [f"out/{{u}}_{last}_0" for u in UNITS]
    output: "out/group"
    shell: "touch {{output}}"
rule page:
    input: lambda w: [f"out/sub-{{w.p}}_ses-{{s}}_{last}_0" for s in (1, 2)]
    output: "out/sub-{{p}}.html"
    shell: "touch {{output}}"
"""
STEP = """
rule {name}:
    input: {source}
    output: {outputs}
    shell: "touch {{output}}"
"""


@dataclass
class Cost:
    """What a command took."""

    processor: float
    clock: float
    megabytes: float
    output: str


def make_study(folder: Path, participants: int, scan: Path) -> None:
    """A study of hard links."""
    rows = ["path\tparticipant\tsession\tsuffix\ttask\tacq\tvoi\trun"]
    for p in range(participants):
        for s in (1, 2):
            place = folder / "raw" / f"sub-{p:04d}" / f"ses-{s}"
            place.mkdir(parents=True)
            for kind, suffix in (("act", "svs"), ("ref", "mrsref")):
                for ending in ("SDAT", "SPAR"):
                    os.link(scan.with_suffix(f".{ending}"), place / f"{kind}.{ending}")
                rows.append(f"sub-{p:04d}/ses-{s}/{kind}.SDAT\t{p:04d}\t{s}\t{suffix}\tn/a\tpress\tacc\tn/a")
    (folder / "study.yaml").write_text("name: many\n")
    (folder / "scans.tsv").write_text("\n".join(rows) + "\n")


def make_bare(folder: Path, participants: int, outputs: list[int]) -> None:
    """A workflow of jobs of nothing: a chain of steps a session, each with so many outputs; a page; a group."""
    folder.mkdir()
    text = BARE.format(participants=participants, last=f"step{len(outputs) - 1}")
    for n, count in enumerate(outputs):
        source = f'"out/{{u}}_step{n - 1}_0"' if n else "[]"
        names = ", ".join(f'"out/{{u}}_step{n}_{m}"' for m in range(count))
        text += STEP.format(name=f"step{n}", source=source, outputs=names)
    (folder / "Snakefile").write_text(text)


def measured(command: list[str], cwd: Path, accepted: tuple[int, ...] = (0, 1)) -> Cost:
    """Run a command; it must leave with an exit code that is accepted (1: some participants have problems)."""
    code = (
        "import resource, subprocess, sys, time, json\n"
        "t = time.perf_counter(); r = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "json.dump([u.ru_utime + u.ru_stime, time.perf_counter() - t, u.ru_maxrss / 1024, r.stdout, r.returncode,"
        " r.stderr[-500:]], sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=cwd, capture_output=True, text=True, check=True)
    processor, clock, megabytes, output, status, error = json.loads(done.stdout)
    if status not in accepted:
        raise SystemExit(f"{' '.join(command)}: {error}")
    return Cost(processor, clock, megabytes, output)


def planned_jobs(study: Path) -> list[dict[str, Any]]:
    """The jobs that the last plan announced."""
    lines = (study / "work" / "events" / "plan.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return [e for e in events if e["event"] == "job_info" and e["rule_name"] not in ("all", "participants")]


def outputs_a_session(jobs: list[dict[str, Any]], sessions: int) -> list[int]:
    """Number of outputs of each of a session's jobs."""
    counts = Counter(job["rule_name"] for job in jobs)
    size = {job["rule_name"]: len(job["output"]) for job in jobs}
    own = [rule for rule in counts if rule not in OF_THE_STUDY and rule != "report_participant"]
    return [size[rule] for rule in own for _ in range(round(counts[rule] / sessions))]


def make_files(study: Path, jobs: list[dict[str, Any]]) -> None:
    """Make every output, empty."""
    for name in (name for job in jobs for name in job["output"]):
        path = study / name
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("verdict\trule\n" if path.suffix == ".tsv" else "")
        else:
            path.mkdir(parents=True, exist_ok=True)


def let_snakemake_take_them(study: Path) -> None:
    """Enter every output into Snakemake's records."""
    created = json.loads((study / PLAN_PATH).read_text(encoding="utf-8"))["created"]
    command = command_line(study, "local", ["--cores", "1", "--touch", "--quiet", "all"])
    command = [*TOUCH, *command[command.index("snakemake") + 1 :]]
    subprocess.run(command, env=environment(Path(os.devnull), created), check=True, capture_output=True)


def report(participants: int, jobs: int, rows: list[tuple[str, Cost, Cost | None]]) -> None:
    """Print lines of the table."""
    for name, cost, bare in rows:
        ratio = f"{cost.processor / bare.processor:.2f} | {cost.megabytes / bare.megabytes:.2f}" if bare else " | "
        costs = f"{cost.processor:.1f} | {cost.clock:.1f} | {cost.megabytes:.0f}"
        print(f"| {participants} | {jobs} | {name} | {costs} | {ratio} |", flush=True)


def measure(scratch: Path, participants: int, scan: Path, with_noop: bool) -> None:
    """Measure one size of study."""
    study = scratch / f"study{participants}"
    make_study(study, participants, scan)
    plan = [*SNAKEMRS, "plan", str(study), "--json"]
    # 2: this machine has not the room for so many; the plan is made all the same.
    first, again = (measured(plan, study, (0, 1, 2)) for _ in range(2))
    jobs = planned_jobs(study)
    own = outputs_a_session(jobs, 2 * participants)
    bare, same = scratch / f"bare{participants}", scratch / f"same{participants}"
    make_bare(bare, participants, [1] * len(own))
    make_bare(same, participants, own)
    dry = measured([*SNAKEMAKE, "--dry-run"], bare)
    dry_same = measured([*SNAKEMAKE, "--dry-run"], same)
    rows: list[tuple[str, Cost, Cost | None]] = [
        ("bare Snakemake, dry run", dry, None),
        ("bare, as many outputs, dry run", dry_same, dry),
        ("first plan (reads every header)", first, dry),
        ("plan", again, dry),
        ("plan, next to bare with as many outputs", again, dry_same),
    ]
    make_files(study, jobs)
    run = [*SNAKEMRS, "run", str(study), "--json", "--cores", "1"]
    if not with_noop:
        (study / ".snakemake" / "metadata").mkdir(parents=True, exist_ok=True)
        remember(study, make_plan(study))
        known = measured(run, study)
        if json.loads(known.output)["jobs"]:
            raise SystemExit("the no-op run was none")
        noop = bare_noop(bare, participants, [1] * len(own), with_records=False)
        rows += [
            ("bare Snakemake, no-op, without records", noop, None),
            ("no-op, study as the last run left it", known, noop),
        ]
    else:
        let_snakemake_take_them(study)
        asked, known = measured(run, study), measured(run, study)
        if json.loads(asked.output)["jobs"] or json.loads(known.output)["jobs"]:
            raise SystemExit("the no-op run was none")
        noop = bare_noop(bare, participants, [1] * len(own))
        noop_same = bare_noop(same, participants, own)
        rows += [
            ("bare Snakemake, no-op", noop, None),
            ("bare, as many outputs, no-op", noop_same, noop),
            ("no-op, Snakemake asked", asked, noop),
            ("no-op, Snakemake asked, next to bare with as many outputs", asked, noop_same),
            ("no-op, study as the last run left it", known, noop),
        ]
    report(participants, len(jobs), rows)
    for folder in (study, bare, same):
        shutil.rmtree(folder)


def bare_noop(bare: Path, participants: int, outputs: list[int], with_records: bool = True) -> Cost:
    """Cost of a run of a bare workflow all of whose files are there.

    Without records Snakemake has less to read, and goes by the times of the files alone.
    """
    (bare / "out").mkdir()
    for p in range(participants):
        for s in (1, 2):
            for n, count in enumerate(outputs):
                for m in range(count):
                    (bare / "out" / f"sub-{p:04d}_ses-{s}_step{n}_{m}").touch()
        (bare / "out" / f"sub-{p:04d}.html").touch()
    (bare / "out" / "group").touch()
    if not with_records:
        last = (bare / "out" / "group").stat().st_mtime_ns
        cost = measured(SNAKEMAKE, bare)
        if (bare / "out" / "group").stat().st_mtime_ns != last:
            raise SystemExit("the bare no-op run was none")
        return cost
    options = SNAKEMAKE[SNAKEMAKE.index("snakemake") + 1 :]
    measured([*TOUCH, *options, "--touch", "--scheduler", "greedy", "--scheduler-subsample", "50"], bare)
    return measured(SNAKEMAKE, bare)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, nargs="+", default=[100, 1000])
    parser.add_argument(
        "--no-op-up-to",
        type=int,
        default=1000,
        help="enter files into Snakemake's records up to so many participants (an hour for 5,000)",
    )
    arguments = parser.parse_args()
    as_installed()
    print("| participants | jobs | what | processor s | clock s | MB | ratio of time | of memory |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        command = [*SNAKEMRS, "simulate", str(scratch / "seed"), "--participants", "1", "--sessions", "1"]
        subprocess.run([*command, "--seed", "1"], check=True, capture_output=True)
        scan = scratch / "seed" / "raw" / "sub-01" / "ses-01" / "PRESS_ACC_raw_ref.SDAT"
        for participants in arguments.participants:
            measure(scratch, participants, scan, participants <= arguments.no_op_up_to)
    print()
    print_starts()


if __name__ == "__main__":
    main()
