"""Every shell command of README and docs is run, or the page says beside it that it is not.

The commands of a page run one after another in one folder that holds what the page speaks of (RAW, STUDY, BIDS_DIR, …).
Virtual studies are made smaller than the page says, and without T1w images. Benchmarks take minutes to hours: of these
the script and its options are checked.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from docs.commands import ROOT, Command, commands_of, pages
from ingest import raw_files as raw
from snakemrs.io.tables import write_table

PAGES = {path.relative_to(ROOT).as_posix(): commands_of(path) for path in pages()}
RUN = [page for page, commands in PAGES.items() if any(command.kind == "run" for command in commands)]
SMALLER = {r"--participants \d+": "--participants 2", r"--sessions \d+": "--sessions 1", r" --transients \d+": ""}


def shell(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a page in bash."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        ["bash", "-c", text], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


def made_small(text: str) -> str:
    """A command that makes a virtual study, for one of seconds."""
    if not re.match(r"snakemrs (simulate|demo)", text):
        return text
    for pattern, replacement in SMALLER.items():
        text = re.sub(pattern, replacement, text)
    if text.startswith("snakemrs simulate"):
        text += " --transients 64" + (" --sessions 1" if "--sessions" not in text else "")
    return text


def without_t1w(study: Path) -> None:
    """Leave the T1w images out of a virtual study: segmenting them takes a minute each."""
    table = study / "scans.tsv"
    lines = [line for line in table.read_text(encoding="utf-8").splitlines() if "\tT1w\t" not in line]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for image in (study / "raw").rglob("T1w*"):
        image.unlink()


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the pages speak of; not to be changed."""
    kit = tmp_path_factory.mktemp("kit")
    assert shell("snakemrs simulate STUDY --participants 2 --sessions 1 --transients 64", kit).returncode == 0
    without_t1w(kit / "STUDY")
    shutil.copytree(kit / "STUDY" / "raw", kit / "RAW")
    done = shell("snakemrs run STUDY --cores 2", kit)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copytree(kit / "STUDY" / "bids", kit / "BIDS_DIR")
    spectra = kit / "STUDY" / "derivatives" / "snakemrs" / "sub-01" / "ses-01" / "mrs"
    for end in ("svs", "mrsref"):
        (one,) = spectra.glob(f"*_desc-preproc_{end}.nii.gz")
        shutil.copy(one, kit / f"sub-01_desc-preproc_{end}.nii.gz")
        (one,) = (kit / "BIDS_DIR" / "sub-01" / "ses-01" / "mrs").glob(f"*_{end}.nii.gz")
        shutil.copy(one, kit / f"RAW_{end}.nii.gz")
    shutil.copy(kit / "STUDY" / "events.tsv", kit / "events.tsv")
    raw.write_sdat(kit, raw.signal(), "act")
    raw.write_sdat(kit, raw.water_signal(), "ref")
    simulated = "--sequence press --te 0.030 --frequency 127.8 --bandwidth 2000 --points 1024 --output made"
    assert shell(f"snakemrs basis simulate {simulated}; snakemrs basis convert made press30.BASIS", kit).returncode == 0
    write_maps(kit)
    write_frames(kit / "frames.tsv")
    for name in ("config", "Snakefile", "rules", "benchmarks", "examples", "containers", "workflow"):
        (kit / name).symlink_to(ROOT / name)
    return kit


def write_maps(kit: Path) -> None:
    """A T1w image of a ball of a brain (1.4 l), and its tissue maps as CAT12 names them."""
    size, side = 100, 1.9
    affine = np.diag([side, side, side, 1.0])
    affine[:3, 3] = -side * size / 2
    axes = np.meshgrid(*[side * (np.arange(size) - size / 2)] * 3, indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    tissues = {"p3": (60, 69, 200.0), "p1": (45, 60, 480.0), "p2": (0, 45, 700.0)}
    head = np.random.default_rng(5).normal(0, 5, radius.shape)
    for name, (inner, outer, level) in tissues.items():
        inside = (radius >= inner) & (radius < outer)
        head += level * inside
        raw.write_image(kit / "maps" / f"{name}head.nii.gz", inside.astype(np.float32), affine)
    raw.write_image(kit / "T1w.nii.gz", np.clip(head, 0, None).astype(np.float32), affine)


def write_frames(path: Path) -> None:
    """The frames of a cohort, as the stage group writes them."""
    rng = np.random.default_rng(3)
    rows = []
    for person in range(10):
        for session in (1, 2):
            level = 1.25 * np.exp(rng.normal(0, 0.08))
            for frame in range(6):
                phase = "baseline" if frame < 2 else "infusion"
                value = level * np.exp(rng.normal(0, 0.04) + 0.03 * (frame >= 2))
                rows.append(
                    {"participant": f"{person:02d}", "session": f"{session:02d}", "phase": phase,
                     "line_width_naa": 5 + rng.normal(0, 0.3), "glx_tnaa": value}
                )  # fmt: skip
    write_table(path, rows, list(rows[0]))


@pytest.fixture
def folder(kit: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kit, tmp_path / "kit", symlinks=True))


@pytest.mark.slow
@pytest.mark.pipeline
@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_work_in_their_order(page: str, folder: Path) -> None:
    commands = [command for command in PAGES[page] if command.kind == "run"]
    if any(re.match(r"snakemrs (init|simulate) .*\bSTUDY\b", command.text) for command in commands):
        shutil.rmtree(folder / "STUDY")
    for command in commands:
        done = shell(made_small(command.text), folder)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        if made := re.match(r"snakemrs simulate (\S+)", command.text):
            without_t1w(folder / made.group(1))


@functools.cache
def help_of(script: str) -> str:
    return shell(f"python {script} --help", ROOT).stdout


BENCHMARKS = [command for commands in PAGES.values() for command in commands if command.kind == "benchmark"]


@pytest.mark.parametrize("command", BENCHMARKS, ids=str)
def test_a_benchmark_exists_with_the_options_of_the_page(command: Command) -> None:
    script = next(word for word in command.words if word.startswith("benchmarks/"))
    assert (ROOT / script).exists()
    options = {word.split("=")[0] for word in command.words if word.startswith("--")}
    if options:
        assert options <= set(re.findall(r"--[a-z0-9][a-z0-9-]*", help_of(script)))


def test_what_continuous_integration_runs_is_there() -> None:
    targets = re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
    for command in (command for commands in PAGES.values() for command in commands if command.kind == "whole"):
        first, *rest = command.words
        if first == "make":
            assert rest[0] in targets, command
        elif first == ".ci/run":
            assert os.access(ROOT / first, os.X_OK)
        else:
            assert (ROOT / rest[0].split("::")[0]).exists(), command


def test_a_command_is_left_out_only_with_a_reason_and_the_front_page_says_how_many() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    kinds = Counter(command.kind for commands in PAGES.values() for command in commands)
    for command in (command for commands in PAGES.values() for command in commands if command.not_run):
        line = (ROOT / command.page).read_text(encoding="utf-8").splitlines()[command.line - 1 :]
        assert re.search(r"not run here: \w+", " ".join(line[:3])), f"{command}: say why"
    said = re.search(r"(\d+) are marked", text)
    assert said
    assert int(said.group(1)) == kinds["not run"]
