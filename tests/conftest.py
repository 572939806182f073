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


SLOWEST = (
    "pipeline/test_privacy.py",
    "docs/test_commands.py",
    "pipeline/test_variants.py",
    "pipeline/test_interruption.py",
    "pipeline/test_real_data.py",
    "pipeline/test_bad_input.py",
    "pipeline/test_incremental_t1w.py",
    "pipeline/test_incremental.py",
    "pipeline/test_full_disk.py",
    "pipeline/test_faults.py",
    "pipeline/test_upgrade.py",
    "pipeline/test_bids_app.py",
    "ingest/test_convert.py",
    "anatomy/test_segment.py",
)
"""Files that take a minute of processor and more, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files come first, so that no worker is left with one at the end (`--no-loadscope-reorder`)."""
    tests = Path(__file__).parent
    rank = {tests / name: number for number, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
