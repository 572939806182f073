"""Files are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from snakemrs.errors import of_the_machine
from snakemrs.io.atomic import replacing


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
