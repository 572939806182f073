"""Steps of a study that really ran found in memory what they compute with: none had to load it for itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .conftest import told_by

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every step loads for itself"),
]

HEAVY = {"numpy", "scipy", "nibabel", "nipype", "pandas", "pydantic", "requests", "yaml"}


@pytest.mark.parametrize("command", ["ingest", "preprocess", "fit", "quantify", "report"])
def test_a_step_of_a_run_loads_no_library_itself(command: str, finished: Path) -> None:
    steps = [json.loads(line) for line in told_by(finished).read_text(encoding="utf-8").splitlines()]
    late = [{name.split(".")[0] for name in step["loaded"]} & HEAVY for step in steps if step["words"][0] == command]
    assert late
    assert late == [set()] * len(late)
