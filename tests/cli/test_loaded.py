"""A run's loaded process does the work of steps, so that each does not load for itself; what they do stays the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from snakemrs.cli.loaded import COMPUTES_WITH, loaded
from snakemrs.cli.snakemake import environment
from snakemrs.cli.start import LOADED

STEP = [sys.executable, "-m", "snakemrs.cli.start"]
HEAVY = ("numpy", "scipy", "nibabel", "pandas", "pydantic", "requests", "snakemrs")
WORDS = {
    "ingest": "--convert {0}.SDAT {0}_svs.nii.gz",
    "segment": "{0}.nii.gz --output {0}",
    "preprocess": "{0}.nii.gz --output {0}",
    "voxel": "{0}.nii.gz --t1w {0} --brain-mask {0} --gm {0} --wm {0} --csf {0} --output {0}",
    "fit": "{0}.nii.gz --basis {0}.BASIS --output {0}",
    "quantify": "{0}.tsv --svs {0}.nii.gz --output {0}",
    "report": "participant --plan {0}.json --participant 01 --output {0}.html",
}
"""Each command asked for files that do not exist, as seen from its folder."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of the steps of a run."""
    with loaded(environment(tmp_path_factory.mktemp("run") / "events", 0)) as known:
        yield known


def step(words: str, folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """What a step leaves with, and what it says."""
    done = subprocess.run([*STEP, *words.split()], cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def serving() -> list[psutil.Process]:
    """The loaded processes of the runs of this test."""
    living = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    return [p for p in living if "snakemrs.cli.loaded" in p.cmdline()]


def forked() -> list[psutil.Process]:
    """Processes that do the work of steps now."""
    return [work for process in serving() for work in process.children()]


@pytest.fixture
def blocked(run: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A step that waits for its input, a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe.tsv")
    words = "quantify pipe.tsv --svs none.nii.gz --output here"
    with subprocess.Popen([*STEP, *words.split()], cwd=tmp_path, env=run, stderr=subprocess.PIPE, text=True) as process:
        until(forked)
        yield process
        process.kill()


@pytest.mark.parametrize("command", COMPUTES_WITH)
def test_a_step_of_a_run_says_and_does_what_it_does_by_itself(
    command: str, run: dict[str, str], tmp_path: Path
) -> None:
    words = f"{command} {WORDS[command].format('none')}"
    alone = {name: value for name, value in run.items() if name != LOADED}
    assert step(words, tmp_path, run) == step(words, tmp_path, alone)


def test_a_wrong_request_is_told_as_by_itself(run: dict[str, str], tmp_path: Path) -> None:
    code, out, err = step("fit --nonsense", tmp_path, run)
    assert (code, out) == (2, "")
    assert "Usage: snakemrs fit" in err
    assert "--nonsense" in err


def test_steps_find_loaded_what_they_compute_with(tmp_path: Path) -> None:
    program = f"""
import sys
from snakemrs.cli import main
from snakemrs.cli.loaded import load
for command, words in {WORDS!r}.items():
    load([command])
    before = set(sys.modules)
    sys.argv = ["snakemrs", command, *words.format("none").split()]
    try:
        main.main()
    except SystemExit:
        pass
    print(command, *(name for name in sys.modules if name not in before and name.split(".")[0] in {HEAVY!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == list(COMPUTES_WITH)


def test_work_that_is_killed_is_told_as_a_shell_would(blocked: subprocess.Popen[str]) -> None:
    (work,) = forked()
    work.kill()
    assert blocked.wait(timeout=20) == 128 + signal.SIGKILL


def test_a_step_that_is_killed_takes_its_work_with_it(blocked: subprocess.Popen[str]) -> None:
    blocked.kill()
    until(lambda: not forked())


def test_steps_at_work_are_ended_with_the_process(blocked: subprocess.Popen[str]) -> None:
    (work,) = forked()
    work.parent().terminate()
    assert blocked.wait(timeout=20) == 130
    assert blocked.stderr is not None
    assert blocked.stderr.read().strip() == "snakemrs: interrupted"


def test_nothing_stays_when_the_run_ends(tmp_path: Path) -> None:
    before = serving()
    with loaded(environment(tmp_path / "events", 0)) as known:
        place = Path(known[LOADED].partition(":")[2])
        assert place.is_socket()
        (process,) = (p for p in serving() if p not in before)
    assert not process.is_running()
    assert not place.parent.exists()


def test_nothing_stays_when_the_run_is_killed(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from snakemrs.cli.loaded import loaded
from snakemrs.cli.snakemake import environment
with loaded(environment(Path({str(tmp_path)!r}), 0)) as known:
    print(known["{LOADED}"], flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        place = Path(process.stdout.readline().strip().partition(":")[2])
        assert place.is_socket()
        process.kill()
    until(lambda: not place.parent.exists())


@pytest.mark.parametrize("group", [pytest.param("1", id="job of another machine"), pytest.param("", id="lost process")])
def test_a_step_that_nobody_serves_works_by_itself(group: str, tmp_path: Path) -> None:
    place = tmp_path / "steps"
    env = {**environment(tmp_path / "events", 0), LOADED: f"{group or os.getpgrp()}:{place}"}
    code, _, err = step("quantify none.tsv --svs none.nii.gz --output here", tmp_path, env)
    assert (code, err) == (2, "snakemrs: none.tsv: the table of amplitudes does not exist\n")


def test_a_run_whose_socket_cannot_be_had_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    around = environment(tmp_path / "events", 0)
    with loaded(around) as known:
        assert known == around
