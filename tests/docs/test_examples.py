"""The example studies are ones that can run: `snakemrs plan` takes each with made-up raw files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.commands import ROOT
from ingest import raw_files as raw
from snakemrs.io.tables import read_table

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/study.yaml"))


@pytest.fixture
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an example, with the raw files that its scans.tsv lists."""
    folder = Path(shutil.copytree(request.param, tmp_path / "study"))
    signal, water, (head, affine) = raw.signal(48), raw.water_signal(), raw.head_image()
    for row in read_table(folder / "scans.tsv"):
        path = folder / "raw" / row["path"]
        if row["suffix"] == "T1w":
            raw.write_image(path, head, affine)
        else:
            raw.write_sdat(path.parent, signal if row["suffix"] == "svs" else water, path.stem)
    return folder


@pytest.mark.parametrize("study", EXAMPLES, indirect=True, ids=[path.name for path in EXAMPLES])
def test_an_example_can_run_as_it_stands(study: Path) -> None:
    plan = subprocess.run(
        [sys.executable, "-m", "snakemrs.cli.main", "plan", study], capture_output=True, text=True, check=False
    )
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "4 participants" in plan.stdout
    assert "error" not in plan.stdout


def test_each_example_is_named_in_the_list() -> None:
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert len(EXAMPLES) == 3
    assert all(f"({path.name})" in text for path in EXAMPLES)
