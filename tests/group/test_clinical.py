"""Clinical tables: wide and long, scored by the instrument, refused with row and column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemrs.errors import RequestError
from snakemrs.group.clinical import ClinicalProblem, Score, check_visits, clinical_rows, read_phenotype
from snakemrs.group.instruments import CutOff, Instrument, load_instruments
from snakemrs.study.settings.group import ClinicalSettings

INSTRUMENTS = load_instruments()
ORDER = ("baseline", "day1")


def scored(
    folder: Path, text: str, name: str = "madrs", **options: object
) -> tuple[list[Score], list[ClinicalProblem]]:
    (folder / f"{name}.tsv").write_text(text, encoding="utf-8")
    visits, first = read_phenotype(folder, INSTRUMENTS, ORDER, {("01", "1"): "01", ("01", "2"): "02"})
    scores, second = check_visits(visits, INSTRUMENTS, ["01", "02"], order=ORDER, **options)  # type: ignore[arg-type]
    return scores, first + second


def long(*rows: str, columns: str = "") -> str:
    items = "\t".join(f"item_{i}" for i in range(1, 11))
    head = f"participant_id\tsession_id\tvisit\t{items}\ttotal{columns}"
    return "\n".join([head, *rows]) + "\n"


def row(items: str = "3333333333", total: str = "30", who: str = "sub-01\tses-01\tbaseline", more: str = "") -> str:
    cells = "\t".join("n/a" if c == "." else c for c in items)
    return f"{who}\t{cells}\t{total}{more}"


def test_a_long_table_is_read(tmp_path: Path) -> None:
    scores, problems = scored(tmp_path, long(row(), row("1111111111", "10", "sub-01\tses-01\tday1")))
    assert [(s.visit, s.total, s.how) for s in scores] == [("baseline", 30, "complete"), ("day1", 10, "complete")]
    assert not problems


@pytest.mark.parametrize(
    "columns",
    [
        ("ses-01_baseline_total", "ses-01_day1_total", "ses-02_baseline_total", "ses-02_day1_total"),
        ("madrs_ses01_baseline", "madrs_ses01_day1", "madrs_ses02_baseline", "madrs_ses02_day1"),
        ("madrs_period1_baseline", "madrs_period1_day1", "madrs_period2_baseline", "madrs_period2_day1"),
    ],
)
def test_a_wide_table_is_read(tmp_path: Path, columns: tuple[str, ...]) -> None:
    text = "participant_id\t" + "\t".join(columns) + "\nsub-01\t30\t12\t27\t20\nsub-02\t31\tn/a\tn/a\tn/a\n"
    scores, problems = scored(tmp_path, text)
    assert [(s.session, s.visit, s.total) for s in scores if s.participant == "01"] == [
        ("01", "baseline", 30),
        ("01", "day1", 12),
        ("02", "baseline", 27),
        ("02", "day1", 20),
    ]
    assert len(scores) == 5
    assert not problems


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        (row("7333333333", "34"), "item_1", "out of range: 0 to 6"),
        (row("3.33333333".replace(".", "x"), "30"), "item_2", "'x' is no number"),
        (row(total="31"), "total", "not the sum of the items, 30"),
        (row(total="61"), "total", "out of range: 0 to 60"),
        (row(who="sub-09\tses-01\tbaseline"), "participant_id", "unknown participant '09'"),
    ],
)
def test_what_cannot_be_right_is_refused_with_row_and_column(
    tmp_path: Path, line: str, column: str, message: str
) -> None:
    scores, problems = scored(tmp_path, long(row(who="sub-02\tses-01\tbaseline"), line))
    assert [s.participant for s in scores] == ["02"]
    assert [(p.severity, p.row, p.column) for p in problems] == [("refused", 3, column)]
    assert message in problems[0].message


def test_a_visit_twice_is_refused_both_times(tmp_path: Path) -> None:
    scores, problems = scored(tmp_path, long(row(), row(total="30")))
    assert scores == []
    assert [p.row for p in problems] == [2, 3]


@pytest.mark.parametrize(("date", "message"), [("2024-02-30", "is no date"), ("2024-01-01", "lies before the visit")])
def test_an_impossible_date_is_refused(tmp_path: Path, date: str, message: str) -> None:
    follow = row("1111111111", "10", "sub-01\tses-01\tday1", f"\t{date}")
    scores, problems = scored(tmp_path, long(row(more="\t2024-03-01"), follow, columns="\tdate"))
    assert [s.visit for s in scores] == ["baseline"]
    assert [(p.row, p.column) for p in problems] == [(3, "date")]
    assert message in problems[0].message


def test_another_rater_and_a_late_visit_are_flagged_and_kept(tmp_path: Path) -> None:
    follow = row("1111111111", "10", "sub-01\tses-01\tday1", "\tR2\t4")
    scores, problems = scored(
        tmp_path, long(row(more="\tR1\t0"), follow, columns="\trater\tday"), windows={"day1": (1.0, 2.0)}
    )
    assert len(scores) == 2
    assert [(p.severity, p.column) for p in problems] == [("flagged", "day"), ("flagged", "rater")]


def test_one_missing_item_is_prorated_two_make_the_total_missing(tmp_path: Path) -> None:
    scores, _ = scored(tmp_path, long(row("33333.3333", "n/a"), row("3333..3333", "n/a", "sub-02\tses-01\tbaseline")))
    assert scores[0].total == pytest.approx(27 * 10 / 9)
    assert scores[1].total is None
    assert "2 of 10 items missing" in scores[1].how


def test_a_total_without_items_counts_as_given(tmp_path: Path) -> None:
    scores, problems = scored(tmp_path, long(row("..........", "25")))
    assert [(s.total, s.how) for s in scores] == [(25, "total as given")]
    assert not problems


def test_a_total_that_its_items_cannot_check_is_not_used_and_said(tmp_path: Path) -> None:
    scores, problems = scored(tmp_path, long(row(".........5", "25")))
    assert scores[0].total is None
    assert [(p.severity, p.row, p.column) for p in problems] == [("flagged", 2, "total")]
    assert "the total 25 is not used" in problems[0].message
    assert "9 of 10 items missing" in problems[0].message


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("participant_id\tsession_id\tvisit\ttotal\nsub-01\tses-07\tday1\t20\n", "session_id"),
        ("participant_id\tperiod\tvisit\ttotal\nsub-01\t7\tday1\t20\n", "period"),
        ("participant_id\tses-07_day1_total\nsub-01\t20\n", "ses-07_day1_total"),
    ],
)
def test_a_score_of_a_session_that_does_not_exist_is_refused(tmp_path: Path, text: str, column: str) -> None:
    scores, problems = scored(tmp_path, text, sessions={("01", "01"), ("01", "02")})
    assert scores == []
    assert [(p.severity, p.row, p.column, p.participant) for p in problems] == [("refused", 2, column, "01")]
    assert "sub-01 has no session" in problems[0].message


def test_a_row_of_another_instrument_is_refused(tmp_path: Path) -> None:
    head = "participant_id\tsession_id\tvisit\tinstrument\ttotal\n"
    lines = ("MADRS\t20", "HAM-D17\t12", "vas\t50", "n/a\t25")
    text = head + "".join(f"sub-01\tses-01\tday{i}\t{line}\n" for i, line in enumerate(lines, start=1))
    scores, problems = scored(tmp_path, text)
    assert [(s.instrument, s.visit, s.total) for s in scores] == [("madrs", "day1", 20), ("madrs", "day4", 25)]
    assert [(p.severity, p.row, p.column) for p in problems] == [
        ("refused", 3, "instrument"),
        ("refused", 4, "instrument"),
    ]
    assert "'HAM-D17' in a table that is called madrs" in problems[0].message
    assert "no instrument is called 'vas'" in problems[1].message


def test_a_table_of_several_instruments_goes_by_its_column(tmp_path: Path) -> None:
    text = "participant_id\tsession_id\tvisit\tinstrument\ttotal\nsub-01\tses-01\tday1\tQIDS-SR\t7\n"
    scores, problems = scored(tmp_path, text, name="scores")
    assert [(s.instrument, s.total) for s in scores] == [("qids_sr", 7)]
    assert not problems


def test_visits_are_named_without_regard_to_case(tmp_path: Path) -> None:
    clinical = ClinicalSettings.model_validate({"followup": "Day1", "windows": {"Day1": [1, 2]}})
    text = "participant_id\tsession_id\tvisit\ttotal\tday\nsub-01\tses-01\tDAY1\t20\t4\n"
    scores, problems = scored(tmp_path, text, windows=clinical.windows)
    assert scores[0].visit == clinical.followup
    assert "outside the window 1 to 2" in problems[0].message


def test_response_and_remission_count_from_the_same_periods_baseline() -> None:
    totals = {("01", "baseline"): 30, ("01", "day1"): 15, ("02", "baseline"): 20, ("02", "day1"): 11}
    scores = [Score("01", s, v, "madrs", float(t), "complete") for (s, v), t in totals.items()]
    rows = {(r["session"], r["visit"]): r for r in clinical_rows(scores, INSTRUMENTS, "baseline")}
    assert rows["01", "day1"]["response"] == 1  # exactly half
    assert rows["02", "day1"]["response"] == 0  # half of period 1's baseline, not of its own
    assert rows["02", "day1"]["remission"] == 0
    assert rows["01", "baseline"]["response"] is None
    relaxed = clinical_rows(scores, INSTRUMENTS, "baseline", {"madrs": 12})
    assert [r["remission"] for r in relaxed if r["visit"] == "day1"] == [0, 1]


def test_an_instrument_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("vas: {items: {count: 1, range: [0, 100]}, total: [0, 100]}\n", encoding="utf-8")
    assert load_instruments(own)["vas"].total == (0, 100)
    own.write_text("vas: {items: {count: 1}}\n", encoding="utf-8")
    with pytest.raises(RequestError, match="not described completely"):
        load_instruments(own)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("items: {count: 2, range: [0, 9]}, total: [0, 18], wrose: lower", "unknown key 'wrose'.*did you mean 'worse'"),
        ("items: {cuont: 2, range: [0, 9]}, total: [0, 18]", "unknown key 'items.cuont'.*did you mean 'count'"),
        ("items: {count: two, range: [0, 9]}, total: [0, 18]", "wrong in 'items.count'"),
        ("items: {count: 2, range: [0, 9], ranges: {3: [0, 1]}}, total: [0, 18]", "no item 3"),
        ("items: {count: 2, range: [0, 9]}, total: [0, 18], highest_of: [[2, 5]]", "no item 5"),
        ("items: {count: 2, range: [9, 0]}, total: [0, 18]", "from low to high"),
        ("items: {count: 2, range: [0, 9]}, total: [0, 18], worse: down", "wrong in 'worse'"),
        ("items: {count: 2, range: [0, 9]}, total: [0, 18], remission: 40", "remission at 40 is no total"),
    ],
)
def test_a_wrong_description_of_an_instrument_is_refused(tmp_path: Path, text: str, message: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"vas: {{{text}}}\n", encoding="utf-8")
    with pytest.raises(RequestError, match="the instrument 'vas'") as found:
        load_instruments(own)
    assert re.search(message, str(found.value), re.DOTALL)


def test_a_rise_is_the_improvement_where_lower_scores_are_worse(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    definition = "items: {count: 1, range: [0, 100]}, total: [0, 100], response: 0.5, remission: 80, worse: lower"
    own.write_text(f"gaf: {{{definition}}}\n", encoding="utf-8")
    totals = {("01", "baseline"): 40, ("01", "day1"): 90, ("02", "baseline"): 80, ("02", "day1"): 30}
    scores = [Score("01", s, v, "gaf", float(t), "complete") for (s, v), t in totals.items()]
    rows = {(r["session"], r["visit"]): r for r in clinical_rows(scores, load_instruments(own), "baseline")}
    assert (rows["01", "day1"]["response"], rows["01", "day1"]["remission"]) == (1, 1)
    assert (rows["02", "day1"]["response"], rows["02", "day1"]["remission"]) == (0, 0)
    assert str(CutOff(70, "lower")) == "70 or above"
    assert CutOff(70, "lower").met(90)


def test_the_quick_inventory_counts_the_highest_of_each_domain() -> None:
    items: list[float | None] = [0] * 16
    items[0], items[3], items[5], items[4] = 3, 2, 1, 2
    assert INSTRUMENTS["qids_sr"].score(items)[0] == 3 + 1 + 2


@pytest.mark.parametrize("key", sorted(INSTRUMENTS))
@given(data=st.data())
@settings(deadline=None)
def test_every_total_of_valid_items_lies_in_the_range_of_the_instrument(key: str, data: st.DataObject) -> None:
    instrument: Instrument = INSTRUMENTS[key]
    items: list[float | None] = [float(data.draw(st.integers(int(low), int(high)))) for low, high in instrument.ranges]
    for absent in data.draw(st.sets(st.integers(0, len(items) - 1), max_size=instrument.prorate)):
        items[absent] = None
    total, _ = instrument.score(items)
    assert total is not None
    assert instrument.total[0] <= total <= instrument.total[1]
