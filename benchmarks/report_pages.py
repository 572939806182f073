"""Size of the pages and time to make them, for a virtual crossover of N participants × 2 sessions.

Example: ``python benchmarks/report_pages.py --participants 26 --transients 320``. With ``--study FOLDER`` the pages
of a
study that has run are timed instead.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def command(*words: object) -> str:
    """Run a command; give seconds on the clock and of the processor."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "snakemrs.cli.main", "report", *map(str, words)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{time.perf_counter() - start:>9.2f}{used:>9.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=26)
    parser.add_argument("--transients", type=int, default=64)
    parser.add_argument("--pages", type=int, default=3, help="pages of participants to make")
    parser.add_argument("--study", type=Path, help="a study that has run, instead of a virtual one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if given.study:
            plan = given.study / "work" / "plan.json"
        else:
            sys.path.insert(0, str(ROOT / "tests"))
            from report.virtual_study import make_study

            plan = make_study(Path(scratch), given.participants, given.transients)
        from snakemrs.study.plan import load_plan

        labels = load_plan(plan).participants[: given.pages]
        print(f"{'page':<12}{'seconds':>9}{'CPU s':>9}{'MB':>8}   with program start")
        for label in labels:
            page = Path(scratch) / f"sub-{label}.html"
            seconds = command("participant", "--plan", plan, "--participant", label, "--output", page)
            print(f"sub-{label:<8}{seconds}{page.stat().st_size / 1e6:>8.2f}")
        page = Path(scratch) / "index.html"
        seconds = command("group", "--plan", plan, "--output", page)
        print(f"{'group':<12}{seconds}{page.stat().st_size / 1e6:>8.2f}")
        seconds = command("methods", "--plan", plan, "--output", Path(scratch) / "methods")
        print(f"{'methods':<12}{seconds}")


if __name__ == "__main__":
    main()
