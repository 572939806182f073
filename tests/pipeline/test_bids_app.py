"""A BIDS dataset with MRS, run as BIDS Apps are: the levels participant, then group."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import jobs, snakemrs

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_participants_then_the_group_with_nothing_written_into_the_dataset(finished: Path, tmp_path: Path) -> None:
    dataset, out = tmp_path / "bids", tmp_path / "out"
    shutil.copytree(finished / "bids", dataset)
    for path in [dataset, *dataset.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = state(dataset)
    pages = out / "derivatives" / "snakemrs"

    first = snakemrs(dataset, out, "participant", "--participant-label", "01", "02", "--n_cpus", "2")
    assert first.code == 0, first.out + first.err
    assert sorted(path.name for path in pages.glob("*.html")) == ["sub-01.html", "sub-02.html"]

    group = snakemrs(dataset, out, "group", "--cores", "2")
    assert group.code == 0, group.out + group.err
    assert (pages / "index.html").exists()
    assert (pages / "sub-03.html").exists(), "the group level makes whom no participant level made"
    assert jobs(out) == []
    assert state(dataset) == before
    for folder in [dataset, *dataset.rglob("*")]:
        folder.chmod(0o755)
