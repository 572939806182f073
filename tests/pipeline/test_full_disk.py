"""The disk of the whole study fills up: the run says so, leaves nothing half-written, and the next one finishes.

The disk is a small mount, so the test needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from snakemrs.cli.frozen import freeze

from .conftest import jobs, only, snakemrs

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

MEGABYTE = 1_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk cannot be mounted here (not root)")
    yield place
    subprocess.run(["umount", place], capture_output=True, check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill a disk but for so many bytes; give the file that does."""
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    with ballast.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, free - left)
    return ballast


def full(study: Path) -> None:
    """A run that meets the full disk says so, and leaves no file that is not whole."""
    outcome = snakemrs("run", study, "--cores", "2")
    assert outcome.code in (1, 2), outcome.out + outcome.err
    assert "the disk is full" in outcome.out + outcome.err
    assert "Traceback" not in outcome.out + outcome.err
    assert not list(study.rglob(".writing-*"))


def test_a_full_disk_is_named_and_the_next_run_finishes(disk: Path, study: Path) -> None:
    small = disk / "study"
    shutil.copytree(study, small)
    only(small, "01")
    freeze(small)
    for left in (0, 4 * MEGABYTE):  # before the run, among the sessions
        ballast = fill(disk, left)
        full(small)
        ballast.unlink()
    outcome = snakemrs("run", small, "--cores", "2")
    assert outcome.code == 0, outcome.out + outcome.err
    assert jobs(small) == []
