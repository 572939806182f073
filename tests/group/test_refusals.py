"""Models that would give a wrong answer are refused with the reason, and overridden by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from snakemrs.errors import RequestError
from snakemrs.group.command import stats
from snakemrs.group.mixed import fit_mixed
from snakemrs.io.tables import read_table

DATA = Path(__file__).parent / "reference" / "data_balanced.tsv"
RIGHT = "log(glx_tnaa) ~ condition*phase + period + sex + (1|participant) + (1|participant:session)"
NAIVE = "log(glx_tnaa) ~ condition*phase + period + sex + (1|participant)"


@pytest.fixture
def data() -> pd.DataFrame:
    return pd.DataFrame(read_table(DATA))


@pytest.mark.parametrize("formula", [NAIVE, NAIVE + " + (1|session)", NAIVE + " + (1|participant:phase)"])
def test_frames_without_a_session_term_are_refused(data: pd.DataFrame, formula: str) -> None:
    with pytest.raises(RequestError, match="no-session-term") as caught:
        fit_mixed(data, formula)
    assert "loses power" in str(caught.value)
    assert "(1|participant:session)" in str(caught.value)


def test_the_reason_is_that_of_the_case(data: pd.DataFrame) -> None:
    infusion = data[data["phase"] == "infusion"]
    with pytest.raises(RequestError, match="in 27 % of studies without any"):
        fit_mixed(infusion, NAIVE.replace("condition*phase", "condition"))
    with pytest.raises(RequestError, match="3 % instead of 5 %") as caught:
        fit_mixed(data, NAIVE)
    assert "27 %" not in str(caught.value)


def test_a_crossover_identifies_the_session_by_its_period_too(data: pd.DataFrame) -> None:
    fit_mixed(data, NAIVE + " + (1|participant:period)")


@pytest.mark.parametrize("names", [("participant_id", "session_id"), ("subject", "session_id"), ("who", "when")])
def test_participant_and_session_are_known_by_their_other_names(data: pd.DataFrame, names: tuple[str, str]) -> None:
    person, session = names
    table = data.rename(columns={"participant": person, "session": session}).drop(columns=["period", "condition"])
    table[person], table[session] = "sub-" + table[person], "ses-" + table[session]
    formula = f"log(glx_tnaa) ~ phase + sex + (1|{person})"
    with pytest.raises(RequestError, match="no-session-term") as caught:
        fit_mixed(table, formula)
    assert f"add (1|{person}:{session})" in str(caught.value)
    model = fit_mixed(table, f"{formula} + (1|{person}:{session})")
    assert model.people == 16
    with pytest.raises(RequestError, match="overlapping-windows"):
        fit_mixed(table.assign(sliding="true"), f"{formula} + (1|{person}:{session})")
    table["glx_baseline"] = table.groupby([person, session])["glx_tnaa"].transform("first").astype(float)
    with pytest.raises(RequestError, match="baseline-covariate"):
        fit_mixed(table, f"{formula} + glx_baseline + (1|{person}:{session})")


def test_one_row_a_session_needs_no_session_term(data: pd.DataFrame) -> None:
    one = data.drop_duplicates(["participant", "session"])
    assert fit_mixed(one, "log(glx_tnaa) ~ condition + period + (1|participant)").warnings == ()


def test_an_override_is_printed_with_the_result(data: pd.DataFrame) -> None:
    model = fit_mixed(data, NAIVE, allow=["no-session-term"])
    assert model.warnings[0].startswith("OVERRIDDEN no-session-term")


def test_overlapping_windows_are_refused(data: pd.DataFrame) -> None:
    with pytest.raises(RequestError, match="overlapping-windows"):
        fit_mixed(data.assign(sliding="true"), RIGHT)


def test_overlap_is_seen_from_onset_and_duration(data: pd.DataFrame) -> None:
    onset = data["frame"].astype(float) * 120
    assert not fit_mixed(data.assign(onset=onset, duration=120.0), RIGHT).warnings
    with pytest.raises(RequestError, match="begin before the one before them ends"):
        fit_mixed(data.assign(onset=onset, duration=240.0), RIGHT)


@pytest.mark.parametrize("missing", ["n/a", None, np.nan])
def test_overlap_is_seen_where_acq_and_run_are_missing(data: pd.DataFrame, missing: object) -> None:
    times = data.assign(onset=data["frame"].astype(float) * 120, duration=240.0, acq=missing, run=missing)
    with pytest.raises(RequestError, match="overlapping-windows"):
        fit_mixed(times, RIGHT)
    with pytest.raises(RequestError, match="overlapping-windows"):
        fit_mixed(data.assign(sliding="true", acq=missing, run=missing), RIGHT)


def test_the_baseline_of_each_period_is_no_covariate(data: pd.DataFrame) -> None:
    base = data[data["phase"] == "baseline"].assign(y=lambda d: d["glx_tnaa"].astype(float))
    means = base.groupby(["participant", "session"])["y"].mean()
    data["start"] = [means[p, s] for p, s in zip(data["participant"], data["session"], strict=True)]
    data["glx_baseline"] = np.log(data["start"])
    infusion = data[data["phase"] == "infusion"]
    formula = "log(glx_tnaa) ~ condition + {} + (1|participant) + (1|participant:session)"
    with pytest.raises(RequestError, match="Kenward & Roger 2010"):
        fit_mixed(infusion, formula.format("glx_baseline"))
    with pytest.raises(RequestError, match="is the baseline of glx_tnaa"):
        fit_mixed(data, formula.format("start"))


def test_a_baseline_of_the_participant_is_a_covariate(data: pd.DataFrame) -> None:
    age = {p: 20.0 + i for i, p in enumerate(sorted(set(data["participant"])))}
    fit_mixed(data.assign(madrs_baseline=data["participant"].map(age)), RIGHT + " + madrs_baseline")


def test_dates_are_refused_and_counted_in_days_when_allowed(data: pd.DataFrame) -> None:
    dated = data.assign(acq_date=np.where(data["session"] == "1", "2024-03-01", "2024-03-15"))
    formula = RIGHT.replace("period", "acq_date")
    with pytest.raises(RequestError, match="date-predictor"):
        fit_mixed(dated, formula)
    model = fit_mixed(dated, formula, allow=["date-predictor"])
    ours, theirs = model.estimate("acq_date"), fit_mixed(data, RIGHT).estimate("period[T.2]")
    assert ours.estimate * 14 == pytest.approx(theirs.estimate)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2024/03/01", "2024/03/15"),
        ("20240301", "20240315"),
        (20240301, 20240315),
        (20240301.0, 20240315.0),
        ("01-Mar-2024", "15-Mar-2024"),
        ("1 March 2024", "15 March 2024"),
        ("March 1, 2024", "March 15, 2024"),
        ("01.03.2024", "15.03.2024"),
        ("03/01/2024", "03/15/2024"),
        ("2024-03-01T10:30:00", "2024-03-15T09:00:00.5Z"),
        ("2024-03-01 10:30", "2024-03-15 9:00"),
        ("20240301T103000", "20240315T090000"),
        (pd.Timestamp("2024-03-01 10:30"), pd.Timestamp("2024-03-15 11:30")),
    ],
)
def test_a_date_is_one_however_it_is_written(data: pd.DataFrame, first: object, second: object) -> None:
    dated = data.assign(day=[first if s == "1" else second for s in data["session"]])
    formula = RIGHT.replace("period", "day")
    with pytest.raises(RequestError, match="date-predictor"):
        fit_mixed(dated, formula)
    model = fit_mixed(dated, formula, allow=["date-predictor"])
    theirs = fit_mixed(data, RIGHT).estimate("period[T.2]")
    assert model.estimate("day").estimate * 14 == pytest.approx(theirs.estimate)


def test_numbers_of_eight_digits_that_are_no_dates_are_numbers(data: pd.DataFrame) -> None:
    volume = 20240115 + 40 * np.arange(len(data))
    assert "volume" in fit_mixed(data.assign(volume=volume), RIGHT + " + volume").design.names


def test_a_date_whose_month_is_not_clear_is_not_counted(data: pd.DataFrame) -> None:
    dated = data.assign(day=np.where(data["session"] == "1", "01/02/2024", "03/02/2024"))
    with pytest.raises(RequestError, match="the dates are not clear"):
        fit_mixed(dated, RIGHT.replace("period", "day"), allow=["date-predictor"])


def test_an_unknown_override_is_named(data: pd.DataFrame) -> None:
    with pytest.raises(RequestError, match="no such override"):
        fit_mixed(data, RIGHT, allow=["everything"])


def test_the_command_writes_estimates_and_tests(tmp_path: Path) -> None:
    output = tmp_path / "out.tsv"
    result = CliRunner().invoke(stats, [str(DATA), "--formula", RIGHT, "--output", str(output), "--anova"])
    assert result.exit_code == 0, result.output
    assert list(read_table(output)[0]) == ["term", "estimate", "se", "df", "t", "p", "ci_low", "ci_high"]
    assert [row["term"] for row in read_table(tmp_path / "out_anova.tsv")][-1] == "condition:phase"
    assert "VarianceComponents" in (tmp_path / "out.json").read_text()


def test_the_command_names_the_file_and_the_row_of_a_selection(tmp_path: Path) -> None:
    rows = read_table(DATA)
    rows[30]["glx_tnaa"] = "0"
    table = tmp_path / "frames.tsv"
    pd.DataFrame(rows).to_csv(table, sep="\t", index=False)
    arguments = [str(table), "--formula", RIGHT, "--output", str(tmp_path / "out.tsv"), "--where", "frame > 1"]
    result = CliRunner().invoke(stats, arguments)
    assert str(result.exception).startswith(f"{table}: the outcome is not finite")
    assert "glx_tnaa = 0 in row 32" in str(result.exception)


def test_the_command_selects_rows(tmp_path: Path) -> None:
    output = tmp_path / "out.tsv"
    arguments = [str(DATA), "--formula", RIGHT, "--output", str(output), "--where", "sex == 'F' and frame > 1"]
    result = CliRunner().invoke(stats, [*arguments[:2], RIGHT.replace(" + sex", ""), *arguments[3:]])
    assert result.exit_code == 0, result.output
    assert "96 rows" in result.output
