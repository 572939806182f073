"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def find_realdata() -> Path | None:
    """Folder of real measurements, if this machine has it."""
    given = os.environ.get("SNAKEMRS_REALDATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "realdata"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The real measurements; tests that need them are skipped where they are absent."""
    folder = find_realdata()
    if folder is None:
        pytest.skip("real measurements absent (set SNAKEMRS_REALDATA or place them in ../shared/realdata)")
    return folder
