"""Images built for real, for the tests that ask for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from snakemrs.study.images import BuiltImage, built_images, images_folder
from snakemrs.study.resources import workflow_root

SETUP = Path(__file__).with_name("setup.sh")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "containers: builds the images with Apptainer; installs it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """These tests change the machine: they run only where asked for by name."""
    if "containers" not in str(config.getoption("markexpr")):
        for item in items:
            if item.get_closest_marker("containers"):
                item.add_marker(
                    pytest.mark.skip(reason="installs Apptainer and builds images: ask for it by -m containers")
                )


@pytest.fixture(scope="session")
def images() -> dict[str, BuiltImage]:
    """The images, built where they are not up to date; skipped where Apptainer cannot be installed.

    They go where `make images` puts them (SNAKEMRS_IMAGES, or build/images), so that a second run builds nothing.
    """
    installed = subprocess.run(["bash", SETUP], capture_output=True, text=True, check=False)
    if shutil.which("apptainer") is None:
        pytest.skip(f"Apptainer cannot be installed here: {installed.stderr.strip()[-300:]}")
    if not (images_folder() / "base.sif").exists() and (os.geteuid() != 0 or shutil.which("debootstrap") is None):
        pytest.skip("the base of the images is made by debootstrap, as root; `build.py --base` takes another")
    root = workflow_root()
    build = subprocess.run([sys.executable, root / "containers" / "build.py"], check=False)
    assert build.returncode == 0
    return built_images()
