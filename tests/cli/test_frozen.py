"""The copy of the code that a run works from: whole or not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from snakemrs.cli import frozen
from snakemrs.errors import of_the_machine


def test_a_copy_that_the_disk_has_no_room_for_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fresh: Path) -> None:
        (fresh / "half").write_text("")
        why = "[Errno 28] No space left on device: 'fit.py'"
        raise shutil.Error([("fit.py", "fit.py", why), ("plan.py", "plan.py", why)])

    monkeypatch.setattr(frozen, "_copy", full)
    with pytest.raises(OSError) as told:
        frozen.freeze(tmp_path)
    said = str(of_the_machine(told.value))
    assert "the disk is full" in said
    assert str(tmp_path / "work" / "code") in said
    assert list((tmp_path / "work" / "code").iterdir()) == []


def test_a_second_run_of_the_same_code_copies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = frozen.freeze(tmp_path)
    assert (copy / "snakemrs" / "_workflow" / "Snakefile").exists()
    assert list((copy / "snakemrs" / "__pycache__").glob("errors.*.pyc"))
    monkeypatch.setattr(frozen, "_copy", lambda fresh: pytest.fail("copied again"))
    assert frozen.freeze(tmp_path) == copy
