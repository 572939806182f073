"""What the machine does to a run: a full disk, a folder that may not be written, a step killed for its memory.

One study, one run; each fault meets one participant. The disks are small mounts, so the test needs root.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Outcome, snakemrs, without_anatomy

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]
FULL, FORBIDDEN, KILLED = "02", "03", "04"


def mount(place: Path, options: str) -> bool:
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def kill_step_of(study: Path, participant: str, ended: threading.Event) -> None:
    """Kill the participant's preprocessing as soon as it runs, as a machine without memory would."""
    while not ended.wait(0.02):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                here = (process / "cwd").resolve() == study
            except OSError:
                continue
            if here and "preprocess" in words and any(f"sub-{participant}" in word for word in words):
                os.kill(int(process.name), signal.SIGKILL)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Outcome]]:
    study = tmp_path_factory.mktemp("faults") / "study"
    made = snakemrs("simulate", study, "--participants", "4", "--sessions", "1", "--transients", "64", "--seed", "3")
    assert made.code == 0, made.err
    without_anatomy(study)
    place = study / "derivatives" / "snakemrs"
    mounts = [place / f"sub-{FULL}", place / f"sub-{FORBIDDEN}"]
    if not (mount(mounts[0], "size=64k") and mount(mounts[1], "size=64k,ro")):
        for path in mounts:
            subprocess.run(["umount", path], capture_output=True, check=False)
        pytest.skip("small disks cannot be mounted here (not root)")
    ended = threading.Event()
    killer = threading.Thread(target=kill_step_of, args=(study, KILLED, ended))
    killer.start()
    try:
        yield study, snakemrs("run", study, "--cores", "2", "--json")
    finally:
        ended.set()
        killer.join()
        for path in mounts:
            subprocess.run(["umount", path], capture_output=True, check=True)


def test_the_others_are_finished_and_the_exit_code_says_that_some_failed(faulty: tuple[Path, Outcome]) -> None:
    study, outcome = faulty
    assert outcome.code == 1, outcome.out + outcome.err
    assert {failure["participant"] for failure in outcome.json["failures"]} == {FULL, FORBIDDEN, KILLED}
    derivatives = study / "derivatives" / "snakemrs"
    assert list((derivatives / "sub-01").rglob("*_desc-frames_concentrations.tsv"))
    assert (derivatives / "sub-01.html").exists()
    assert (derivatives / "index.html").exists()


@pytest.mark.parametrize(
    ("participant", "words"),
    [
        pytest.param(FULL, "disk is full", id="full disk"),
        pytest.param(FORBIDDEN, "may not be written", id="lost permission"),
        pytest.param(KILLED, "out of memory, or killed", id="out of memory"),
    ],
)
def test_each_is_told_with_its_reason(faulty: tuple[Path, Outcome], participant: str, words: str) -> None:
    reasons = [f["reason"] for f in faulty[1].json["failures"] if f["participant"] == participant]
    assert any(words in reason for reason in reasons), reasons


def test_nothing_half_written_is_left(faulty: tuple[Path, Outcome]) -> None:
    written = [p for top in ("bids", "derivatives") for p in (faulty[0] / top).rglob(".writing-*")]
    assert written == []
