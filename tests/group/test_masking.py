"""A blinded study's tables may not tell who got what; what everybody gets is no secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from group.example import write_study
from snakemrs.errors import RequestError
from snakemrs.group.collect import Collector, Joined
from snakemrs.group.masking import check_masked, check_tables
from snakemrs.group.run import read_plan
from snakemrs.study.settings.group import DesignSettings, GroupSettings

SESSIONS = [("01", "01"), ("01", "02"), ("02", "01"), ("02", "02")]


def edit(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = change(pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False))
    table.to_csv(path, sep="\t", index=False)


def with_column(study: Path, table: str, column: str, *cells: str) -> None:
    """Give a table a column, its cells in turn."""
    edit(study / table, lambda t: t.assign(**{column: [cells[i % len(cells)] for i in range(len(t))]}))


def joined(study: Path, **design: object) -> Joined:
    folder, plan = read_plan(study / "work" / "plan.json")
    return Collector(folder, plan, GroupSettings(design=DesignSettings.model_validate(design))).collect()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_study(tmp_path, participants=2)
    return tmp_path


@pytest.mark.parametrize(
    ("table", "column", "cells"),
    [
        ("sessions.tsv", "drug", ("placebo", "naltrexone")),
        ("sessions.tsv", "arm", ("active", "control")),
        ("sessions.tsv", "capsule", ("PBO", "n/a")),
        ("sessions.tsv", "naltrexone", ("1", "0")),
        ("sessions.tsv", "ntx_mg", ("50", "0")),
        ("participants.tsv", "first_session", ("NTX_50mg", "Placebo")),
        ("phenotype/madrs.tsv", "treatment", ("NAL", "PLA")),
        ("phenotype/madrs.tsv", "comment", ("slept after the naltrexone", "n/a")),
    ],
)
def test_a_column_that_names_a_treatment_is_refused(
    study: Path, table: str, column: str, cells: tuple[str, ...]
) -> None:
    with_column(study, table, column, *cells)
    with pytest.raises(RequestError, match=f"the column '{column}' names a treatment") as found:
        check_tables(study, SESSIONS)
    assert found.value.file == str(study / table)
    assert found.value.found
    assert "move it to the key" in str(found.value.remedy)
    with pytest.raises(RequestError, match="names a treatment"):
        joined(study)
    joined(study, blinded=False)
    joined(study, not_telling=[column])


@pytest.mark.parametrize(
    ("table", "column", "cells"),
    [
        ("participants.tsv", "group", ("patient", "control")),
        ("participants.tsv", "medication", ("sertraline", "n/a")),
        ("participants.tsv", "handedness", ("left", "right")),
        ("sessions.tsv", "infusion", ("ketamine", "ketamine")),
        ("sessions.tsv", "ketamine_mg", ("35", "40")),
        ("sessions.tsv", "active_shim", ("yes", "no")),
        ("sessions.tsv", "site", ("KET", "Nalbach")),
        ("phenotype/madrs.tsv", "rater", ("R1", "R2")),
    ],
)
def test_an_ordinary_column_is_no_leak(study: Path, table: str, column: str, cells: tuple[str, ...]) -> None:
    with_column(study, table, column, *cells)
    check_tables(study, SESSIONS)


@pytest.mark.parametrize("code", ["PLA", "pbo", "NTX", "NAL1", "KET", "active", "verum", "drug A", "placebo"])
def test_a_condition_that_tells_the_treatment_is_refused(code: str) -> None:
    with pytest.raises(RequestError, match="tells the treatment"):
        check_masked(["A", code])


@pytest.mark.parametrize("code", ["A", "B", "X1", "blue", "placid", "market", "alpha"])
def test_a_masked_code_is_no_treatment(code: str) -> None:
    check_masked([code])


def test_events_may_name_what_all_get_and_not_what_some_get(study: Path) -> None:
    def write(*kinds: str) -> None:
        rows = [f"sub-{p}\tses-{s}\t600\t2400\t{kind}" for (p, s), kind in zip(SESSIONS, kinds, strict=True)]
        head = "participant_id\tsession_id\tonset\tduration\ttrial_type"
        (study / "events.tsv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")

    write("ketamine", "ketamine", "ketamine", "ketamine")
    with_column(study, "phenotype/madrs.tsv", "comment", "well after ketamine", "n/a")
    check_tables(study, SESSIONS)
    write("ketamine", "saline", "saline", "ketamine")
    with pytest.raises(RequestError, match="the column 'trial_type' names a treatment"):
        check_tables(study, SESSIONS)


def test_only_columns_that_an_analysis_names_are_carried(study: Path) -> None:
    with_column(study, "sessions.tsv", "acq_time", "2024-03-01", "2024-03-15")
    with_column(study, "sessions.tsv", "bottle", "red", "blue")
    with_column(study, "participants.tsv", "weight", "70", "80")
    found = joined(study, columns=["weight", "hight"])
    assert any("names 'hight', which neither" in text for text in found.statements)
    assert set(found.design_columns) == {"sex", "age", "period", "condition", "weight", "sequence"}
    assert not {"bottle", "acq_time"} & {column for row in [*found.frames, *found.clinical] for column in row}
    assert any("no formula or setting names them: acq_time, bottle" in text for text in found.statements)
