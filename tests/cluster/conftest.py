"""A real Slurm of one node, for the tests that ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SETUP = Path(__file__).with_name("setup.sh")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: needs a Slurm of its own (root); installs and starts it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """These tests change the machine: they run only where asked for by name."""
    if "cluster" not in str(config.getoption("markexpr")):
        for item in items:
            if item.get_closest_marker("cluster"):
                item.add_marker(pytest.mark.skip(reason="installs and starts Slurm: ask for it by -m cluster"))


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of a running Slurm; skipped where it cannot be set up."""
    if os.geteuid() != 0:
        pytest.skip("a Slurm of one's own needs root (slurmd)")
    if shutil.which("apt-get") is None and shutil.which("slurmctld") is None:
        pytest.skip("no slurmctld, and no apt-get to install it")
    folder = tmp_path_factory.mktemp("slurm")
    # Munge refuses a socket below folders that others cannot enter.
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o055 != 0o055:
            parent.chmod(parent.stat().st_mode | 0o055)
    started = subprocess.run(["bash", SETUP, "up", folder], capture_output=True, text=True, check=False)
    if started.returncode == 4:
        pytest.skip(started.stderr.strip())
    assert started.returncode == 0, started.stderr
    yield folder
    subprocess.run(["bash", SETUP, "down", folder], check=True)
