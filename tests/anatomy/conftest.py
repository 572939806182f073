"""Virtual heads for the tests of the stage anatomy."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def heads() -> ModuleType:
    """The virtual heads of the benchmark."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "segmentation_heads.py"
    spec = importlib.util.spec_from_file_location("segmentation_heads", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["segmentation_heads"] = module
    spec.loader.exec_module(module)
    return module
