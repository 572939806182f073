"""Events of a study: whom each row concerns, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from snakemrs.errors import RequestError
from snakemrs.io.events import Event, read_events

NAME = "sub-01_ses-02_task-infusion_svs.nii.gz"


def table(folder: Path, *lines: str, columns: str = "onset duration trial_type participant_id session_id") -> Path:
    path = folder / "events.tsv"
    path.write_text("\n".join("\t".join(line.split()) for line in (columns, *lines)) + "\n", encoding="utf-8")
    return path


def test_rows_without_an_owner_concern_every_session(tmp_path: Path) -> None:
    path = table(tmp_path, "60 120 infusion", columns="onset duration trial_type")
    assert read_events(path, NAME) == read_events(path) == [Event(60.0, 120.0, "infusion")]


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("sub-01 ses-02", True),
        ("01 02", True),
        ("sub-01 n/a", True),
        ("n/a ses-02", True),
        ("n/a n/a", True),
        ("sub-01 ses-01", False),
        ("sub-0 ses-02", False),
        ("sub-011 n/a", False),
    ],
)
def test_a_row_concerns_the_session_that_it_names(tmp_path: Path, owner: str, expected: bool) -> None:
    assert bool(read_events(table(tmp_path, f"60 120 infusion {owner}"), NAME)) is expected


def test_a_row_of_a_participant_does_not_concern_a_file_without_one(tmp_path: Path) -> None:
    assert read_events(table(tmp_path, "60 120 infusion sub-01 n/a"), "svs.nii.gz") == []


@pytest.mark.parametrize(
    ("line", "message"), [("x 1 a n/a n/a", "no number"), ("n/a 1 a n/a n/a", "onset"), ("0 -1 a n/a n/a", "negative")]
)
def test_a_time_that_is_none_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read_events(table(tmp_path, "0 1 a n/a n/a", line), NAME)
    assert caught.value.line == 3
