"""The study's tables: what is wrong in them is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from snakemrs.errors import RequestError
from snakemrs.study import tables

HEADER = "path\tparticipant\tsession\tsuffix\ttask\tacq\tvoi\trun"
SVS = "a.SDAT\t01\t01\tsvs\tn/a\tpress\tacc\tn/a"
WATER = "b.SDAT\t01\t01\tmrsref\tn/a\tpress\tacc\tn/a"


def write(tmp_path: Path, *lines: str, name: str = "scans.tsv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_scans_are_read_with_their_bids_names(tmp_path: Path) -> None:
    scans = tables.read_scans(write(tmp_path, HEADER, SVS, WATER))
    assert [scan.stem for scan in scans] == ["sub-01_ses-01_acq-press_voi-acc"] * 2
    assert tables.water_of(scans[0], scans) is scans[1]


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        pytest.param([HEADER + "\tvol", SVS + "\tx"], 1, "unknown column 'vol'", id="unknown column"),
        pytest.param([HEADER, SVS, SVS], 3, "listed twice", id="a file twice"),
        pytest.param([HEADER, SVS, SVS.replace("a.SDAT", "c.SDAT")], 3, "two scans of one name", id="a name twice"),
        pytest.param([HEADER, SVS, WATER, WATER.replace("b.", "c.")], 4, "two water references", id="two waters"),
        pytest.param([HEADER, SVS.replace("svs", "svz")], 2, "wrong value in column 'suffix'", id="unknown suffix"),
        pytest.param([HEADER, SVS.replace("acc", "a-c")], 2, "wrong value in column 'voi'", id="label"),
        pytest.param([HEADER, SVS.replace("a.SDAT", "../a.SDAT")], 2, "wrong value in column 'path'", id="outside"),
        pytest.param([HEADER, SVS + "\tmore"], 2, "does not fit the header", id="cells"),
        pytest.param([HEADER], None, "no scan", id="empty"),
    ],
)
def test_wrong_scans_are_refused(tmp_path: Path, lines: list[str], line: int | None, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        tables.read_scans(write(tmp_path, *lines))
    assert caught.value.line == line


def test_two_water_references_that_fit_equally_are_refused(tmp_path: Path) -> None:
    svs = SVS.replace("svs\tn/a", "svs\tketamine").replace("acc\tn/a", "acc\t1")
    with_task = WATER.replace("mrsref\tn/a", "mrsref\tketamine")
    with_run = WATER.replace("b.", "c.").replace("acc\tn/a", "acc\t1")
    with pytest.raises(RequestError, match="two water references"):
        tables.read_scans(write(tmp_path, HEADER, svs, with_task, with_run))


def test_the_water_of_another_voxel_is_not_taken(tmp_path: Path) -> None:
    scans = tables.read_scans(write(tmp_path, HEADER, SVS, WATER.replace("acc", "pcc")))
    assert tables.water_of(scans[0], scans) is None


def test_a_session_without_a_scan_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "participant_id\tsession_id\tperiod", "sub-01\tses-02\t2", name="sessions.tsv")
    with pytest.raises(RequestError, match="a session without a scan") as caught:
        tables.read_sessions(path, {("01", "01")}, ())
    assert caught.value.line == 2


def test_a_column_of_both_participants_and_sessions_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "participant_id\tsession_id\tage", "sub-01\tses-01\t2", name="sessions.tsv")
    with pytest.raises(RequestError, match="'age'"):
        tables.read_sessions(path, {("01", "01")}, ("participant_id", "age"))


def test_phenotype_names_unknown_participants_and_empty_cells(tmp_path: Path) -> None:
    path = write(tmp_path, "participant_id\tmadrs", "sub-01\t", "sub-99\t12", name="madrs.tsv")
    problems = tables.check_phenotype(path, {"01", "02"})
    assert [(p.line, p.participant) for p in problems] == [(2, "01"), (3, "99")]
    assert "empty cell in column 'madrs'" in problems[0].message
    assert "unknown participant" in problems[1].message


@pytest.mark.parametrize(
    ("row", "column", "remedy"),
    [
        pytest.param("sub-0-1\tF\t20", "participant_id", None, id="label"),
        pytest.param("sub-01\tfemle\t20", "sex", "did you mean 'female'?", id="sex"),
        pytest.param("sub-01\tF\told", "age", None, id="age in words"),
        pytest.param("sub-01\tF\t200", "age", None, id="age out of range"),
    ],
)
def test_wrong_participants_are_refused_with_column_and_line(
    tmp_path: Path, row: str, column: str, remedy: str | None
) -> None:
    path = write(tmp_path, "participant_id\tsex\tage", row, name="participants.tsv")
    with pytest.raises(RequestError, match=f"column '{column}'") as caught:
        tables.read_participants(path, {"01"})
    assert caught.value.line == 2
    assert caught.value.remedy == remedy


@pytest.mark.parametrize(("word", "near"), [("sex", None), ("phases", "phase"), ("1", "01")])
def test_a_word_is_proposed_only_where_it_is_like_the_wrong_one(word: str, near: str | None) -> None:
    assert tables.nearest(word, ["phase", "condition", "01"]) == (near and f"did you mean '{near}'?")
