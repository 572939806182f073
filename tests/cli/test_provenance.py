"""Records of how outputs were made: kept beside the derivatives, put back when they are lost."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from snakemrs.cli import provenance
from snakemrs.cli.provenance import keep, restore

SHORT, LONG = "YS50c3Y=", "@" + "b" * 254 + "/YnI="


def write(study: Path, name: str, text: str) -> Path:
    record = study / ".snakemake" / "metadata" / name
    record.parent.mkdir(parents=True, exist_ok=True)
    fresh = record.with_name("new")
    fresh.write_text(text)
    os.replace(fresh, record)
    return record


def kept(study: Path, name: str) -> Path:
    return study / "derivatives" / "snakemrs" / ".provenance" / name


@pytest.fixture(params=["links", "no links"])
def study(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with two records, on a file system with or without hard links."""
    if request.param == "no links":

        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    write(tmp_path, SHORT, "{}")
    write(tmp_path, LONG, '{"rule": "fit"}')
    return tmp_path


def test_records_come_back_where_the_folder_is_lost(study: Path) -> None:
    keep(study)
    shutil.rmtree(study / ".snakemake")
    assert restore(study) == 2
    assert (study / ".snakemake" / "metadata" / LONG).read_text() == '{"rule": "fit"}'
    assert restore(study) == 0  # they are there


def test_a_record_that_was_written_anew_is_kept_anew(study: Path) -> None:
    keep(study)
    write(study, LONG, '{"rule": "ingest"}')
    keep(study)
    assert kept(study, LONG).read_text() == '{"rule": "ingest"}'
    assert kept(study, SHORT).read_text() == "{}"
    assert not list(study.rglob("*.new"))


def test_a_record_that_is_kept_already_is_not_written_again(study: Path) -> None:
    keep(study)
    before = {name: kept(study, name).stat().st_ino for name in (SHORT, LONG)}
    keep(study)
    assert {name: kept(study, name).stat().st_ino for name in (SHORT, LONG)} == before


def test_a_number_that_two_disks_share_is_not_taken_for_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The derivatives may lie on another disk, whose inodes are numbered alike."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        (tmp_path / "derivatives").symlink_to(other)
        alike = provenance._inodes
        monkeypatch.setattr(provenance, "_inodes", lambda folder: dict.fromkeys(alike(folder), 7))
        write(tmp_path, SHORT, "{}")
        keep(tmp_path)
        write(tmp_path, SHORT, '{"rule": "fit"}')
        keep(tmp_path)
        assert kept(tmp_path, SHORT).read_text() == '{"rule": "fit"}'


def test_a_study_without_records_keeps_nothing(tmp_path: Path) -> None:
    keep(tmp_path)
    assert restore(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []
