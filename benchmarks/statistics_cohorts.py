"""Whole cohorts from raw files: whether the trial's answer holds what was planted, and a null cohort stays silent.

    python benchmarks/statistics_cohorts.py FOLDER --preset realistic --run
    python benchmarks/statistics_cohorts.py FOLDER --preset null --cohorts 10 --transients 160
    python benchmarks/statistics_cohorts.py FOLDER --preset realistic --seed 1 --study STUDY
    python benchmarks/statistics_cohorts.py FOLDER --summary

The virtual scanner writes Philips SDAT files (no T1w is used: the outcome is a ratio). With `--run`, `snakemrs run`
makes the rest; with `--study`, it has: STUDY was made by `snakemrs simulate` with this seed, and finished. Without, the
same public commands (ingest, preprocess, fit of the frames, quantify, group) are called in this one process: starting a
process for each costs more processor time than most of them take. A cohort that is done is a file
FOLDER/PRESET-SEED.tsv, its raw files are removed; a call that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from snakemrs.cli.common import make_plan
from snakemrs.cli.main import cli
from snakemrs.group.mixed import fit_mixed
from snakemrs.group.output import read_frame
from snakemrs.io.tables import read_table, write_table
from snakemrs.scanner.cohort import simulate_table
from snakemrs.scanner.study import write_study
from snakemrs.study.plan import DERIVATIVES, PLAN_PATH, load_plan
from snakemrs.study.targets import Targets
from statistics_type1 import truth, wilson

COLUMNS = ("preset", "seed", "transients", "commit", "effect", "truth", "estimate", "ci_low", "ci_high", "p", "seconds")
MODEL = "log(glx_tnaa) ~ condition*phase + period + sex + (1|participant) + (1|participant:session)"
RISE = "phase[T.infusion]"


def simulate(study: Path, preset: str, participants: int, seed: int, transients: int) -> None:
    """Write a cohort's raw files, unless they are there; T1w images are made coarse and left out."""
    if (study / "study.yaml").exists():
        return
    shutil.rmtree(study, ignore_errors=True)
    write_study(study, "philips", preset, participants, 2, seed, transients=transients, t1w_spacing=6.0)
    scans = study / "scans.tsv"
    lines = [line for line in scans.read_text(encoding="utf-8").splitlines() if "\tT1w\t" not in line]
    scans.write_text("\n".join(lines) + "\n", encoding="utf-8")


def command(*words: Any) -> None:
    """Call a public command in this process; its words are not printed."""
    with contextlib.redirect_stdout(io.StringIO()):
        cli([str(word) for word in words], standalone_mode=False)


def call_stages(study: Path) -> None:
    """What the rules do for the frames of each spectrum, without Snakemake."""
    make_plan(study).save(study)
    os.chdir(study)
    targets = Targets("work/plan.json")
    for spectrum in targets.plan.spectra:
        place = f"sub-{spectrum.participant}/ses-{spectrum.session}"
        stem = f"{spectrum.folder}/{spectrum.stem}"
        of = SimpleNamespace(name=spectrum.stem, place=place, label="frames")
        if Path(f"{stem}_desc-frames_concentrations.tsv").exists():
            continue
        for image in (spectrum.svs, spectrum.water):
            raw = targets.raw(SimpleNamespace(place=f"{place}/mrs", name=Path(str(image)).name.removesuffix(".nii.gz")))
            options = ("--no-reference", "--participant", spectrum.participant)
            command("ingest", "--convert", raw, image, *options, "--settings", targets.settings("ingest"))
        water, events = targets.water_option(of).split(), targets.events_option().split()
        settings = targets.settings("spectra")
        command("preprocess", spectrum.svs, *water, *events, "--output", stem, "--settings", settings)
        basis = f"{spectrum.basis}/basis.json"
        if not Path(basis).exists():
            key = SimpleNamespace(key=Path(str(spectrum.basis)).name)
            command("basis", "simulate", *targets.basis_parameters(key).split())
        frames, options = f"{stem}_desc-frames_svs.nii.gz", targets.basis_option(of).split()
        water = targets.processed_water_option(of).split()
        label = ("--label", "frames", "--output", stem, "--settings", targets.settings("fit"))
        command("fit", frames, *options, *water, *label)
        amplitudes, svs = f"{stem}_desc-frames_amplitudes.tsv", f"{stem}_desc-preproc_svs.nii.gz"
        settings = targets.settings("quantify")
        command("quantify", amplitudes, "--svs", svs, *water, "--output", stem, "--settings", settings)
    settings = targets.settings("group")
    command("group", "--plan", "work/plan.json", "--output", f"{DERIVATIVES}/group", "--settings", settings)


def run(study: Path, cores: int) -> None:
    """`snakemrs run`, as a user; it goes on where it was."""
    words = [sys.executable, "-m", "snakemrs.cli.main", "run", str(study), "--cores", str(cores)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def check_study(study: Path, preset: str, participants: int, seed: int) -> int:
    """Refuse a study that was not simulated with these: its truth would be another. Give its transients a session."""
    frames = simulate_table(preset, participants, seed)
    columns = ["participant", "session", "treatment"]
    wanted = {tuple(row) for row in frames[columns].astype(str).to_numpy()}
    found = {tuple(row[column] for column in columns) for row in read_table(study / "truth" / "sessions.tsv")}
    plan = load_plan(study / PLAN_PATH)
    if found != wanted or f"({preset}," not in plan.name:
        raise SystemExit(f"{study}: not a study of {participants} participants, preset {preset}, seed {seed}")
    (transients,) = {scan.header["transients"] for scan in plan.scans if scan.suffix == "svs"}
    return int(transients)


def effects(study: Path, preset: str, participants: int, seed: int) -> list[dict[str, Any]]:
    """Estimates of the trial beside what was planted in this cohort's people."""
    group = study / DERIVATIVES / "group"
    results = read_table(group / "statistics" / "results.tsv")
    true = truth(simulate_table(preset, participants, seed), preset)
    frames = read_frame(group / "frames.tsv")
    rows = []

    def add(name: str, value: float | None, row: Any) -> None:
        cells = {key: row[key] for key in ("estimate", "ci_low", "ci_high", "p")}
        rows.append({"effect": name, "truth": value, **cells})

    for code in "AB":
        model = fit_mixed(frames, MODEL, "kenward-roger", reference={"condition": code})
        found = next(e for e in model.estimates() if e.term == RISE)
        add(f"rise of Glx/tNAA under {code}", true[f"rise {code}"], vars(found))
    for row in results:
        value = None
        if row["analysis"] == "mixed model" and row["outcome"] == "log(glx_tnaa)":
            value = true["glx"]
        elif row["analysis"] == "mixed model" and row["outcome"] == "log(tnaa_amplitude)":
            value = 0.0
        elif (
            row["analysis"] == "2x2 test" and row["outcome"] == "log(glx_tnaa)" and row["family"].startswith("primary")
        ):
            value = true["glx"] if row["term"] == "B - A" else None
        elif row["analysis"] == "clinical":
            value = true["madrs"]
        if row["p"] != "n/a" and row["family"] != "assumptions":
            name = f"{row['analysis']}: {row['outcome']}: {row['term']}"
            add(
                name,
                value,
                {k: None if row[k] == "n/a" else float(row[k]) for k in ("estimate", "ci_low", "ci_high", "p")},
            )
    return rows


def processor_time() -> float:
    """Seconds of processor that this process and those it called took."""
    return sum(os.times()[:4])


def commit_here() -> str:
    """Commit of the code that runs."""
    here = Path(__file__).resolve().parent
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, cwd=here, capture_output=True, text=True, check=True).stdout.strip()


def summary(folder: Path) -> None:
    """Print what all cohorts so far found: planted effects with their intervals, and the share of p < 0.05."""
    tables = [read_table(path) for path in sorted(folder.glob("*-*.tsv"))]
    for preset in dict.fromkeys(rows[0]["preset"] for rows in tables):
        cohorts = [rows for rows in tables if rows[0]["preset"] == preset]
        first = cohorts[0][0]
        print(
            f"\n{preset}: {len(cohorts)} cohorts, {first['transients']} transients a session, commit {first['commit']}"
        )
        print("| effect | planted | estimate | 95 % interval | holds it | p < 0.05 |\n|---|---|---|---|---|---|")
        for name in [row["effect"] for row in cohorts[0]]:
            same = [row for rows in cohorts for row in rows if row["effect"] == name]
            planted = [row for row in same if row["truth"] != "n/a" and row["ci_low"] != "n/a"]
            inside = sum(float(r["ci_low"]) <= float(r["truth"]) <= float(r["ci_high"]) for r in planted)
            low = sum(float(r["p"]) < 0.05 for r in same)
            held = f"{inside} of {len(planted)}" if planted else ""
            shown = ("", "", "")
            if planted and len(cohorts) == 1:
                r = {key: float(planted[0][key]) for key in ("truth", "estimate", "ci_low", "ci_high")}
                shown = (f"{r['truth']:.4f}", f"{r['estimate']:.4f}", f"{r['ci_low']:.4f} to {r['ci_high']:.4f}")
            if planted or preset == "null":
                print(f"| {name} | {' | '.join(shown)} | {held} | {low} of {len(same)} |")
        if preset == "null":
            every = [float(row["p"]) for rows in cohorts for row in rows]
            print(f"all tests: {wilson(sum(p < 0.05 for p in every), len(every))} % with p < 0.05")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="realistic")
    parser.add_argument("--cohorts", type=int, default=1)
    parser.add_argument("--participants", type=int, default=26)
    parser.add_argument("--transients", type=int, default=800, help="of a session, in eight frames")
    parser.add_argument("--seed", type=int, default=700)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--run", action="store_true", help="by `snakemrs run`, not by the commands in this process")
    parser.add_argument("--study", type=Path, help="a cohort of this seed that `snakemrs run` has finished")
    parser.add_argument("--commit", help="of the code, where it is no repository")
    parser.add_argument("--summary", action="store_true", help="only print what is done")
    arguments = parser.parse_args()
    if arguments.study and arguments.cohorts != 1:
        parser.error("--study is one cohort")
    folder = arguments.folder.resolve()
    commit = arguments.commit or commit_here()
    for seed in range(arguments.seed, arguments.seed + (0 if arguments.summary else arguments.cohorts)):
        table, study = folder / f"{arguments.preset}-{seed}.tsv", folder / f"study-{arguments.preset}-{seed}"
        if table.exists():
            continue
        begun = processor_time()
        if arguments.study:
            study = arguments.study.resolve()
            arguments.transients = check_study(study, arguments.preset, arguments.participants, seed)
        else:
            simulate(study, arguments.preset, arguments.participants, seed, arguments.transients)
            if arguments.run:
                run(study, arguments.cores)
            else:
                call_stages(study)
        spent = processor_time() - begun
        about = {
            "preset": arguments.preset,
            "seed": seed,
            "transients": arguments.transients,
            "commit": commit,
            "seconds": None if arguments.run or arguments.study else spent,
        }
        rows = effects(study, arguments.preset, arguments.participants, seed)
        write_table(table, [{**about, **row} for row in rows], COLUMNS)
        os.chdir(folder)
        if not arguments.run and not arguments.study:
            shutil.rmtree(study)
    summary(folder)


if __name__ == "__main__":
    main()
