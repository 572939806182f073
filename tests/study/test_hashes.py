"""Raw files are read once, and again when they change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from snakemrs.errors import DataError
from snakemrs.io import parallel
from snakemrs.study.hashes import HashCache


@pytest.fixture
def raw(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{n}.SDAT" for n in range(6)]
    for n, path in enumerate(files):
        path.write_text(f"samples {n}")
        path.with_suffix(".SPAR").write_text(f"header {n}")
    return files


def header_of(path: Path) -> dict[str, Any]:
    if path.stem == "3":
        raise DataError("damaged", file=path)
    return {"said": path.with_suffix(".SPAR").read_text()}


def never(path: Path) -> dict[str, Any]:
    raise AssertionError(f"{path} is read again")


@pytest.mark.parametrize("alone", [60.0, 0.0], ids=["here", "on all processors"])
def test_what_was_read_ahead_is_not_read_again(
    raw: list[Path], tmp_path: Path, alone: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "ALONE", alone)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    cache, told = HashCache(tmp_path / "hashes.json"), []
    cache.read_ahead([*raw, tmp_path / "missing.SDAT"], header_of, lambda done, total: told.append((done, total)))
    assert told == [(n, 6) for n in range(1, 7)]
    cache.save()
    again = HashCache(tmp_path / "hashes.json")
    good = [path for path in raw if path.stem != "3"]
    assert [again.look(path, never)[1] for path in good] == [{"said": f"header {path.stem}"} for path in good]
    with pytest.raises(DataError, match="damaged"):
        again.look(raw[3], header_of)
    again.read_ahead(good, never, lambda done, total: pytest.fail("nothing is new"))


def test_the_header_is_kept_where_only_the_time_changed(raw: list[Path], tmp_path: Path) -> None:
    cache = HashCache(tmp_path / "hashes.json")
    before = cache.look(raw[0], header_of)
    os.utime(raw[0], (1, 1))
    assert cache.look(raw[0], never) == before


def test_a_changed_companion_is_read(raw: list[Path], tmp_path: Path) -> None:
    cache = HashCache(tmp_path / "hashes.json")
    digest, _ = cache.look(raw[0], header_of)
    raw[0].with_suffix(".SPAR").write_text("another header")
    other, header = cache.look(raw[0], header_of)
    assert other != digest
    assert header == {"said": "another header"}
