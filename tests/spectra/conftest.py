"""Synthetic acquisitions (those of the benchmarks) for the tests of the stage spectra."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from spectra_scan import Scan


@pytest.fixture(scope="session")
def scan() -> Scan:
    return Scan()


@pytest.fixture(scope="session")
def coil_scan() -> Scan:
    return Scan(coils=3)


@pytest.fixture(scope="session")
def spoilt_scan() -> Scan:
    return Scan(spoilt=(5, 20, 21))
