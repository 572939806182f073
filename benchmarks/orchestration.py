"""What the workflow costs beside the science: dry run and no-op run for many participants, next to bare Snakemake.

    python benchmarks/orchestration.py --participants 100 1000

Each study has two sessions a participant (a spectrum and a water reference each; hard links to one virtual Philips
scan). The bare workflow has as many jobs of nothing, one rule a stage. Prints seconds and peak memory of the dry run of
each (nothing made yet), and of a plan when everything is up to date, and the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SNAKEMRS = [sys.executable, "-m", "snakemrs.cli.main"]

BARE = """
N = {participants}
UNITS = [f"sub-{{p:04d}}_ses-{{s}}" for p in range(N) for s in (1, 2)]
STAGES = {stages}
rule all:
    input: [f"out/sub-{{p:04d}}.html" for p in range(N)], "out/group"
rule group:
    input: [f"out/{{u}}_{{STAGES[-1]}}" for u in UNITS]
    output: "out/group"
    shell: "true"
rule page:
    input: lambda w: [f"out/sub-{{w.p}}_ses-{{s}}_{{STAGES[-1]}}" for s in (1, 2)]
    output: "out/sub-{{p}}.html"
    shell: "true"
"""
STEP = """
rule {stage}:
    input: {source}
    output: "out/{{u}}_{stage}"
    shell: "true"
"""


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


def make_bare(folder: Path, participants: int, jobs_a_session: int) -> None:
    """A workflow with as many jobs of nothing."""
    folder.mkdir()
    stages = [f"stage{n}" for n in range(jobs_a_session)]
    text = BARE.format(participants=participants, stages=stages)
    for n, stage in enumerate(stages):
        source = '"out/{u}_' + stages[n - 1] + '"' if n else "[]"
        text += STEP.format(stage=stage, source=source)
    (folder / "Snakefile").write_text(text)


def timed(command: list[str], cwd: Path) -> tuple[float, float, str]:
    """Seconds, peak MB of the largest process, standard output."""
    code = (
        "import resource, subprocess, sys, time, json\n"
        "t = time.perf_counter(); r = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "json.dump([time.perf_counter() - t, u.ru_maxrss / 1024, r.stdout, r.returncode, r.stderr[-500:]], sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=cwd, capture_output=True, text=True, check=True)
    seconds, memory, out, status, err = json.loads(done.stdout)
    if status not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: {err}")
    return seconds, memory, out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, nargs="+", default=[100, 1000])
    arguments = parser.parse_args()
    heading = f"{'participants':>12} {'jobs':>7} {'what':<26} {'seconds':>8} {'MB':>6}"
    print(f"{heading} {'ratio of time':>14} {'of memory':>10}")
    with tempfile.TemporaryDirectory() as scratch:
        seed = Path(scratch) / "seed"
        command = [*SNAKEMRS, "simulate", str(seed), "--participants", "1", "--sessions", "1", "--seed", "1"]
        subprocess.run(command, check=True, capture_output=True)
        scan = seed / "raw" / "sub-01" / "ses-01" / "PRESS_ACC_raw_ref.SDAT"
        for participants in arguments.participants:
            study = Path(scratch) / f"study{participants}"
            make_study(study, participants, scan)
            plan = [*SNAKEMRS, "plan", str(study), "--json"]
            first, memory_first, out = timed(plan, study)  # reads every header
            again, memory_again, out = timed(plan, study)
            jobs = len(json.loads(out)["work"])
            a_session = round(jobs / participants / 2)
            bare = Path(scratch) / f"bare{participants}"
            make_bare(bare, participants, a_session)
            dry = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--cores", "1"]
            seconds, memory, _ = timed(dry, bare)
            rows = [
                ("first plan (reads headers)", first, memory_first),
                ("plan", again, memory_again),
                ("bare Snakemake", seconds, memory),
            ]
            for name, took, used in rows:
                ratio = f"{took / seconds:>14.2f} {used / memory:>10.2f}"
                print(f"{participants:>12} {jobs:>7} {name:<26} {took:>8.1f} {used:>6.0f} {ratio}", flush=True)
    started = time.perf_counter()
    for _ in range(5):
        subprocess.run([*SNAKEMRS, "fit", "--help"], check=True, capture_output=True)
    print(f"start of a step (process to its first line): {(time.perf_counter() - started) / 5:.2f} s")
    print(f"this script's own peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
