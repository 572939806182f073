"""Spectra of one kind that were acquired differently are named, with what most of them have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snakemrs.cli.sessions import check_sessions
from snakemrs.study.plan import Plan
from snakemrs.study.resolve import build_plan

HEADER = {
    "sequence": "PRESS",
    "te": 0.03,
    "tr": 2.0,
    "frequency": 123.2,
    "bandwidth": 2000.0,
    "points": 2048,
    "transients": 64,
    "nucleus": "1H",
    "voxel_size": [20.0, 25.0, 30.0],
}


def planned(study: Path, participants: int, changes: dict[str, dict[str, Any]], voi: str = "acc") -> Plan:
    """Two sessions a participant; headers by ``01-02`` (participant and session) differ by `changes`."""
    (study / "raw").mkdir()
    rows = ["path\tparticipant\tsession\tsuffix\ttask\tacq\tvoi\trun"]
    for participant in range(1, participants + 1):
        for session in ("01", "02"):
            name = f"{participant:02d}-{session}"
            (study / "raw" / name).write_text(name)
            place = voi if name in changes else "acc"
            rows.append(f"{name}\t{participant:02d}\t{session}\tsvs\tn/a\tpress\t{place}\tn/a")
    (study / "scans.tsv").write_text("\n".join(rows) + "\n")
    (study / "study.yaml").write_text("name: test\n")
    return build_plan(study, lambda path: {**HEADER, **changes.get(path.name, {})})


def said(plan: Plan) -> list[tuple[str, str, str | None]]:
    return [(p.severity, p.message, p.participant) for p in check_sessions(plan)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"te": 0.035}, "echo time differs: 35 ms in sub-02 ses-01, 30 ms in most (5 of 6)"),
        ({"tr": 1.5}, "repetition time differs: 1500 ms in sub-02 ses-01, 2000 ms in most (5 of 6)"),
        ({"sequence": "STEAM"}, "sequence differs: STEAM in sub-02 ses-01, PRESS in most (5 of 6)"),
        ({"transients": 32}, "number of transients differs: 32 in sub-02 ses-01, 64 in most (5 of 6)"),
        ({"points": 1024}, "number of points differs: 1024 in sub-02 ses-01, 2048 in most (5 of 6)"),
        ({"bandwidth": 1200.0}, "bandwidth differs: 1200 Hz in sub-02 ses-01, 2000 Hz in most (5 of 6)"),
        (
            {"frequency": 127.7},
            "spectrometer frequency differs: 127.7 MHz in sub-02 ses-01, 123.2 MHz in most (5 of 6)",
        ),
        (
            {"voxel_size": [20.0, 20.0, 30.0]},
            "voxel size differs: 20 × 20 × 30 mm in sub-02 ses-01, 20 × 25 × 30 mm in most (5 of 6)",
        ),
    ],
)
def test_a_session_that_differs_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    assert said(planned(tmp_path, 3, {"02-01": change})) == [("warning", message, "02")]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"te": 0.03005},
        {"frequency": 123.25},
        {"sequence": "press"},
        {"voxel_size": [30.0, 20.0, 25.0]},
        {"tr": None},
    ],
)
def test_what_is_the_same_but_for_its_writing_is_not_told(tmp_path: Path, change: dict[str, Any]) -> None:
    assert said(planned(tmp_path, 3, {"02-01": change})) == []


def test_spectra_of_another_kind_may_differ(tmp_path: Path) -> None:
    assert said(planned(tmp_path, 3, {"02-01": {"te": 0.08}}, voi="occ")) == []


def test_another_field_or_nucleus_is_an_error_of_its_session(tmp_path: Path) -> None:
    changes = {"01-02": {"frequency": 297.2}, "02-01": {"nucleus": "31P", "frequency": 49.9}}
    assert sorted(said(planned(tmp_path, 3, changes))) == [
        ("error", "the field is another: 297.2 MHz, 123.2 MHz in most (4 of 5)", "01"),
        ("error", "the nucleus is 31P, most spectra of its kind are of 1H", "02"),
    ]


def test_many_sessions_that_differ_alike_are_one_line(tmp_path: Path) -> None:
    changes = {f"{participant:02d}-01": {"te": 0.035} for participant in range(1, 10)}
    ((severity, message, participant),) = said(planned(tmp_path, 10, changes))
    assert (severity, participant) == ("warning", None)
    assert message.startswith("echo time differs: 35 ms in sub-01 ses-01, ")
    assert message.endswith(" and 5 more sessions, 30 ms in most (11 of 20)")
