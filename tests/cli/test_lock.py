"""While a run works on a study, no other run and no plan changes what it reads."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from snakemrs.cli.lock import exclusive
from snakemrs.cli.plan import plan
from snakemrs.errors import RequestError


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A study that a run holds, with the plan that it reads."""
    (tmp_path / "study.yaml").write_text("name: skeleton\nraw: raw\n")
    (tmp_path / "scans.tsv").write_text("path\tparticipant\tsession\tsuffix\na\t01\t01\tsvs\n")
    (tmp_path / "work" / "images").mkdir(parents=True)
    (tmp_path / "work" / "plan.json").write_text("{}")
    with (tmp_path / "work" / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        yield tmp_path


@pytest.mark.parametrize("options", [(), ("--containers", "apptainer"), ("--json",)])
def test_a_plan_during_a_run_is_told_and_changes_nothing(locked: Path, options: tuple[str, ...]) -> None:
    before = {path: path.stat().st_mtime_ns for path in locked.rglob("*")}
    with pytest.raises(RequestError, match="another run or plan works on this study") as told:
        CliRunner().invoke(plan, [str(locked), *options], catch_exceptions=False)
    assert told.value.exit_code == 2
    assert f"process {os.getpid()}" in str(told.value)
    assert "snakemrs status" in str(told.value)
    assert {path: path.stat().st_mtime_ns for path in locked.rglob("*")} == before


def test_a_plan_that_ended_leaves_the_study_free(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("nmae: skeleton\n")
    with pytest.raises(RequestError, match="is missing"):
        CliRunner().invoke(plan, [str(tmp_path)], catch_exceptions=False)
    with exclusive(tmp_path):
        pass
