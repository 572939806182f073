"""A study counts as unchanged only as long as nothing that decides what would run has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snakemrs.cli import unchanged
from snakemrs.cli.unchanged import forget, is_unchanged, remember
from snakemrs.study.plan import Plan, PlannedScan

SCAN = PlannedScan("one.SDAT", "a" * 64, "bids/sub-07/ses-01/mrs/sub-07_ses-01_svs.nii.gz", "07", "01", "svs")


def plan_with(**settings: object) -> Plan:
    return Plan("test", "raw", 0, {"raw": "raw", **settings}, [SCAN], [], [], {}, {})


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name in ("bids/a.tsv", "derivatives/snakemrs/b.tsv", "mine.basis", "course-07.tsv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_a_study_is_unchanged_until_the_note_is_forgotten(study: Path) -> None:
    plan = plan_with()
    assert not is_unchanged(study, plan)
    remember(study, plan)
    assert is_unchanged(study, plan)
    forget(study)
    assert not is_unchanged(study, plan)


@pytest.mark.parametrize("name", ["bids/a.tsv", "derivatives/snakemrs/b.tsv", "mine.basis", "course-07.tsv"])
def test_a_file_that_was_rewritten_counts(study: Path, name: str) -> None:
    plan = plan_with(basis="mine.basis", functional={"table": "course-{participant}.tsv"})
    remember(study, plan)
    path = study / name
    time = path.stat().st_mtime_ns
    path.write_text("other than before")
    os.utime(path, ns=(time, time + 1))
    assert not is_unchanged(study, plan)


def test_a_file_that_is_gone_counts(study: Path) -> None:
    remember(study, plan_with())
    (study / "bids" / "a.tsv").unlink()
    assert not is_unchanged(study, plan_with())


def test_another_setting_counts(study: Path) -> None:
    remember(study, plan_with(fit={"baseline": "auto"}))
    assert not is_unchanged(study, plan_with(fit={"baseline": "fixed"}))


def test_other_code_counts(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(study, plan_with())
    monkeypatch.setattr(unchanged, "code_version", lambda: "another")
    assert not is_unchanged(study, plan_with())
