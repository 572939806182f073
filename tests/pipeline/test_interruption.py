"""A run that is killed is finished by the next one, with the same bytes as an undisturbed run.

SNAKEMRS_KILLS sets how many random moments are tried (default 3).
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import SNAKEMRS, only, snakemrs, without_anatomy

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

KILLS = int(os.environ.get("SNAKEMRS_KILLS", "3"))


@pytest.fixture(scope="module")
def small(scanner_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One participant, two sessions, no T1w."""
    study = tmp_path_factory.mktemp("small") / "study"
    shutil.copytree(scanner_files, study)
    without_anatomy(study)
    only(study, "01")
    return study


def results(study: Path) -> dict[str, str]:
    """Hash of every result by its path."""
    return {
        str(path.relative_to(study)): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("bids", "derivatives")
        for path in sorted((study / top).rglob("*"))
        if path.is_file() and ".provenance" not in path.parts
    }


@pytest.fixture(scope="module")
def undisturbed(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    study = tmp_path_factory.mktemp("undisturbed") / "study"
    shutil.copytree(small, study)
    started = time.monotonic()
    outcome = snakemrs("run", study, "--cores", "2")
    assert outcome.code == 0, outcome.out + outcome.err
    return results(study), time.monotonic() - started


@pytest.mark.parametrize("moment", range(KILLS))
def test_a_killed_run_is_finished_by_the_next(
    small: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path, moment: int
) -> None:
    expected, seconds = undisturbed
    study = tmp_path / "study"
    shutil.copytree(small, study)
    process = subprocess.Popen(
        [*SNAKEMRS, "run", str(study), "--cores", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(seconds * random.Random(moment).uniform(0.1, 0.9))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    outcome = snakemrs("run", study, "--cores", "2")
    assert outcome.code == 0, outcome.out + outcome.err
    assert results(study) == expected


def test_an_interrupted_run_leaves_with_130_and_no_process(small: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(small, study)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and hands that down
    process = subprocess.Popen([*SNAKEMRS, "run", str(study), "--cores", "2"], start_new_session=True)
    while process.poll() is None and not list((study / "bids").rglob("*.nii.gz")):
        time.sleep(0.1)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not [p for p in (study / "work").rglob(".writing-*") if p.is_file()]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
