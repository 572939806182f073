"""A run's loaded process does the work of steps, so that each does not load for itself; what they do stays the same."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from snakemrs.cli.loaded import COMPUTES_WITH, loaded
from snakemrs.cli.snakemake import environment
from snakemrs.cli.start import LOADED, whereabouts

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
MISSING = f"quantify {WORDS['quantify'].format('none')}"
BLOCKED = f"{MISSING} --settings pipe.yaml"
"""Waits for its settings, where they are a pipe that nobody writes to."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of the steps of a run."""
    with loaded(environment(tmp_path_factory.mktemp("run") / "events", 0)) as known:
        yield known


def step(words: str, folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """What a step leaves with, and what it says."""
    command = [*STEP, *words.split()]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60)
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
    """A step at work, which does not end by itself."""
    os.mkfifo(tmp_path / "pipe.yaml")
    with subprocess.Popen(
        [*STEP, *BLOCKED.split()], cwd=tmp_path, env=run, stderr=subprocess.PIPE, text=True
    ) as process:
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


def test_what_a_run_begins_with_is_loaded_before_the_first_step_asks(tmp_path: Path) -> None:
    with loaded(environment(tmp_path / "events", 0), ["ingest", "segment"]) as known:
        (process,) = (other for other in serving() if other.cmdline()[-1] == "segment")
        until(lambda: any("numpy" in mapped.path for mapped in process.memory_maps()))
        process.send_signal(signal.SIGINT)  # of the keyboard, while it loads: the run's own affair
        assert step(MISSING, tmp_path, known)[0] == 2
        assert process in serving()


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


def test_a_loaded_process_that_fails_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with loaded(environment(tmp_path / "events", 0)) as known, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(known[LOADED].partition(":")[2])
        nonsense = b"[]"
        socket.send_fds(connection, [len(nonsense).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(nonsense)
        assert connection.recv(1) == b""
        assert step(MISSING, tmp_path, known)[0] == 2
    assert "The run's loaded process failed: TypeError" in capfd.readouterr().err


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


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Path]:
    """A socket that takes connections and never answers: who asks there waits for ever."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "deaf"))
        listener.listen()
        yield tmp_path / "deaf"


@pytest.mark.parametrize(
    ("other", "threads"),
    [
        pytest.param(lambda here: f"1{here}", "1", id="job of a cluster"),
        pytest.param(lambda here: f"{here}0", "1", id="in a container"),
        pytest.param(lambda here: here, "2", id="several threads"),
    ],
)
def test_a_step_that_is_not_the_run_s_like_works_by_itself(
    other: Callable[[str], str], threads: str, deaf: Path, tmp_path: Path
) -> None:
    known = {LOADED: f"{other(whereabouts())}:{deaf}", "OPENBLAS_NUM_THREADS": threads}
    code, _, err = step(MISSING, tmp_path, {**environment(tmp_path / "events", 0), **known})
    assert (code, err) == (2, "snakemrs: none.tsv: the table of amplitudes does not exist\n")


def test_a_step_whose_process_is_lost_works_by_itself(tmp_path: Path) -> None:
    env = {**environment(tmp_path / "events", 0), LOADED: f"{whereabouts()}:{tmp_path / 'none'}"}
    assert step(MISSING, tmp_path, env)[0] == 2


def test_a_step_that_cannot_be_taken_works_by_itself(tmp_path: Path) -> None:
    before = serving()
    with loaded(environment(tmp_path / "events", 0)) as run:
        assert step(MISSING, tmp_path, run)[0] == 2
        (process,) = (p for p in serving() if p not in before)
        few = process.num_fds() + 2
        process.rlimit(psutil.RLIMIT_NOFILE, (few, few))
        assert step(MISSING, tmp_path, run)[0] == 2
        assert process in serving()


def test_steps_that_leave_before_they_are_taken_end_no_other(
    blocked: subprocess.Popen[str], run: dict[str, str], tmp_path: Path
) -> None:
    place = run[LOADED].partition(":")[2]
    asked = json.dumps({"words": MISSING.split(), "folder": str(tmp_path), "environment": run}).encode()
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(place)
            socket.send_fds(connection, [len(asked).to_bytes(8, "big")], [0, 1, 2])
            connection.sendall(asked)
    assert step(MISSING, tmp_path, run)[0] == 2
    assert blocked.poll() is None


def test_a_step_after_the_run_was_killed_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    program = f"""
import subprocess, sys
from pathlib import Path
from snakemrs.cli.loaded import loaded
from snakemrs.cli.snakemake import environment
with loaded(environment(Path("events"), 0)) as known:
    step = subprocess.Popen({[*STEP, *BLOCKED.split()]!r}, env=known)
    print(known["{LOADED}"], flush=True)
    step.wait()
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        known = process.stdout.readline().strip()
        children = psutil.Process(process.pid).children
        until(lambda: [work for child in children() for work in child.children()])
        at_work = children(recursive=True)
        process.kill()
    env = {**environment(tmp_path / "events", 0), LOADED: known}
    until(lambda: step(MISSING, tmp_path, env)[0] == 2)
    for left in at_work:
        if left.is_running():
            left.kill()


def test_modules_in_the_folder_of_the_run_are_not_those_of_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit(77)\n")
    monkeypatch.chdir(tmp_path)
    with loaded(environment(tmp_path / "events", 0)) as run:
        assert step(MISSING, tmp_path, run)[0] == 2


def test_a_run_whose_socket_cannot_be_had_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    around = environment(tmp_path / "events", 0)
    with loaded(around) as known:
        assert known == around
    assert not list(long.iterdir())


def test_a_second_request_to_end_does_not_disturb_the_clearing_up(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from snakemrs.cli.main import interrupt
signal.signal(signal.SIGTERM, interrupt)
Path("half").touch()
try:
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()
finally:
    os.kill(os.getpid(), signal.SIGTERM)
    Path("half").unlink()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "half").exists()
