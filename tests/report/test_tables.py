"""Tables to download carry no formulas; numbers read as a person would write them."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemrs.report import tables, words
from snakemrs.report.inputs import Table, flatten_notes
from snakemrs.report.tables import badge, download, guard


def content(address: str) -> list[list[str]]:
    text = base64.b64decode(address.split(",", 1)[1]).decode()
    return [line.split("\t") for line in text.removesuffix("\n").split("\n")]


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\tx", "%0a", "|x"])
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    assert guard(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["-0.5", "+3", "-1.2e-05", "−4", "0.1", "n/a", "sub-01", ""])
def test_numbers_and_plain_text_stay_as_they_are(cell: str) -> None:
    assert guard(cell) == cell


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_download_keeps_its_shape_whatever_stands_in_it(cells: list[str]) -> None:
    row = {f"c{n}": cell for n, cell in enumerate(cells)}
    made = download(Path("x.tsv"), [row, row])
    assert made is not None
    lines = content(made.address)
    assert [len(line) for line in lines] == [len(cells)] * len(lines)
    assert len(lines) == 3


def test_the_name_of_a_download_cannot_leave_its_folder() -> None:
    made = download(Path("x"), [{"a": "1"}], name="../../etc/passwd")
    assert made is not None
    assert "/" not in made.name
    assert not made.name.startswith(".")


def test_a_large_table_is_packed_and_a_very_large_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    rows = [{"a": f"{v:.9g}", "b": f"{w:.9g}"} for v, w in rng.normal(size=(10_000, 2))]
    packed = download(tmp_path / "group" / "x.tsv", rows)
    assert packed is not None
    assert packed.name == "x.tsv.gz"
    text = gzip.decompress(base64.b64decode(packed.address.split(",", 1)[1])).decode()
    assert text.count("\n") == 10_001
    monkeypatch.setattr(tables, "MOST_BYTES", 1000)
    beside = download(tmp_path / "group" / "x #1.tsv", rows)
    assert beside is not None
    assert beside.address == "group/x%20%231.tsv"


def test_nothing_to_download_gives_no_link() -> None:
    assert download(Path("x.tsv"), []) is None


@pytest.mark.parametrize(
    ("value", "sd", "text"),
    [
        (1.2345, 0.0567, "1.23 ± 0.06"),
        (0.016, 0.0261, "0.016 ± 0.026"),
        (12.345, 0.5, "12.3 ± 0.5"),
        (-0.5, 0.1, "−0.50 ± 0.10"),
        (float("nan"), 1, "n/a"),
        (2.0, float("nan"), "2.00"),
    ],
)
def test_a_value_and_its_deviation_have_the_same_decimals(value: float, sd: float, text: str) -> None:
    assert words.plus_minus(value, sd) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (2.6, 0.053, 5.15, "2.6 % (0.1 to 5.2)"),
        (-67.2, -291.0, 156.0, "−67 % (−291 to 156)"),
        (0.0112, 0.0101, 0.0123, "0.0112 % (0.0101 to 0.0123)"),
        (1.5, float("nan"), 2.0, "1.50 % (n/a to 2.00)"),
    ],
)
def test_an_interval_has_the_decimals_that_it_deserves(value: float, low: float, high: float, text: str) -> None:
    assert words.with_interval(value, low, high, " %") == text


@pytest.mark.parametrize(
    ("value", "text"), [(48.0, "48"), (131.4, "131"), (-0.00101, "−0.001"), (0.2196, "0.220"), (None, "n/a")]
)
def test_counts_have_no_decimals_and_small_numbers_no_more_than_three(value: float | None, text: str) -> None:
    assert words.count_or_number(value) == text


def test_terms_of_a_model_are_written_in_words() -> None:
    assert words.term("condition[T.B]:phase[T.infusion]") == "condition B × phase infusion"
    assert words.term("line_width_naa") == "line_width_naa"


def test_the_worst_verdict_counts() -> None:
    assert words.worst(["pass", "warn", "pass"]) == "warn"
    assert words.worst(["n/a", "pass"]) == "pass"
    assert words.worst([]) == "n/a"


def test_a_verdict_is_told_by_sign_and_word_not_by_colour_alone() -> None:
    texts = {str(badge(verdict)).split(">", 1)[1] for verdict in ("pass", "warn", "fail", "n/a")}
    assert len(texts) == 4


def test_an_unknown_verdict_is_text() -> None:
    assert "<b onclick" not in str(badge("<b onclick=x>"))


def test_notes_of_any_shape_become_sentences() -> None:
    assert flatten_notes({"molar": "no water", "molal": ["no water", "no T1w"]}) == [
        "molar: no water",
        "molal: no water",
        "molal: no T1w",
    ]
    assert flatten_notes("one") == ["one"]
    assert flatten_notes(None) == []


def test_a_cell_that_is_no_number_is_missing() -> None:
    table = Table(Path("x.tsv"), [{"a": "1.5"}, {"a": "n/a"}, {"a": "=cmd"}])
    numbers = table.numbers("a")
    assert numbers[0] == 1.5
    assert all(value != value for value in numbers[1:])
    assert all(value != value for value in table.numbers("absent"))
