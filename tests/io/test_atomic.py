"""Files are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from snakemrs.errors import of_the_machine
from snakemrs.io.atomic import MARK, replacing, sweep, write_text


def test_a_file_that_cannot_be_finished_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("earlier")

    def half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise ValueError

    with pytest.raises(ValueError):
        half()
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["table.tsv"]


def test_a_full_disk_is_told_with_the_file_that_found_no_room(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    with pytest.raises(OSError) as told, replacing(path):  # writing, unlike opening, gives no name
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(path) in str(of_the_machine(told.value))
    assert "the disk is full" in str(of_the_machine(told.value))


def test_what_a_killed_writer_left_is_swept_up(tmp_path: Path) -> None:
    whole = tmp_path / "sub-01" / "mrs" / "svs.nii.gz"
    write_text(whole, "whole")
    (whole.parent / f"{MARK}a1.nii.gz").write_text("half")
    (tmp_path / f"{MARK}b2").mkdir()
    (tmp_path / f"{MARK}b2" / "inner.json").write_text("{")
    sweep(tmp_path, tmp_path / "absent")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [whole]
    assert not (tmp_path / f"{MARK}b2").exists()
