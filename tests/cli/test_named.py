"""What study.yaml calls by a name must be there: one wrong name a test, and the nearest right one in the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from snakemrs.cli.named import check_names, outcome_columns, simulated_entries
from snakemrs.study.plan import Problem
from snakemrs.study.resolve import build_plan

HEADER = {"sequence": "PRESS", "te": 0.03, "frequency": 123.2, "bandwidth": 2000, "points": 2048, "transients": 64}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two sessions with events, scores and a table of sex."""
    (tmp_path / "raw").mkdir()
    rows = ["path\tparticipant\tsession\tsuffix\ttask\tacq\tvoi\trun"]
    for session in ("01", "02"):
        (tmp_path / "raw" / session).write_text(session)
        rows.append(f"{session}\t01\t{session}\tsvs\tn/a\tpress\tacc\tn/a")
    (tmp_path / "scans.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "participants.tsv").write_text("participant_id\tsex\nsub-01\tF\n")
    (tmp_path / "events.tsv").write_text("onset\tduration\ttrial_type\n300\t2400\tinfusion\n")
    (tmp_path / "phenotype").mkdir()
    (tmp_path / "phenotype" / "madrs.tsv").write_text(
        "participant_id\tsession_id\tvisit\ttotal\nsub-01\tses-01\tbaseline\t30\nsub-01\tses-01\tday1\t20\n"
    )
    return tmp_path


def said(study: Path, settings: dict[str, Any], basis: list[str] | None = None) -> list[Problem]:
    (study / "study.yaml").write_text(yaml.safe_dump({"name": "test", **settings}))
    return check_names(study, build_plan(study, lambda path: HEADER), basis)


def test_a_study_in_order_has_no_problems(study: Path) -> None:
    assert said(study, {}) == []


OUTCOMES, CLINICAL = "group.outcomes", "group.clinical"


@pytest.mark.parametrize(
    ("setting", "value", "severity", "words", "hint"),
    [
        ("group.formula", "condition + sexe", "warning", "group.formula names 'sexe'", "sex"),
        (f"{OUTCOMES}.primary", "log(glxx_tnaa)", "warning", "primary names 'glxx_tnaa'", "glx_tnaa"),
        (f"{OUTCOMES}.secondary", ["glu_tna"], "warning", "secondary names 'glu_tna'", "glu_tnaa"),
        (f"{OUTCOMES}.exploratory", ["glu_tnaa + gln_tnaa"], "error", "is not a column, nor log(…)", ""),
        (f"{CLINICAL}.instruments", "mine.yaml", "error", "file of instruments does not exist", ""),
        (f"{CLINICAL}.primary", "madr", "warning", "names 'madr', and no instrument is called so", "madrs"),
        (f"{CLINICAL}.primary", "hamd17", "warning", "of which phenotype/ has no scores (it has of madrs)", ""),
        (f"{CLINICAL}.baseline", "base", "warning", "baseline names the visit 'base'", "baseline"),
        (f"{CLINICAL}.followup", "day2", "warning", "followup names the visit 'day2'", "day1"),
        (f"{CLINICAL}.windows", {"day11": [0, 2]}, "warning", "windows names the visit 'day11'", "day1"),
        ("group.design.event", "infusions", "warning", "group.design.event names the event", "infusion"),
        ("group.design.select", {"voi": "ac"}, "error", "no spectrum has voi 'ac'", "acc"),
        ("group.sensitivity.tables", {"lc": "lc.tsv"}, "warning", "names a file that does not exist", ""),
        ("group.sensitivity.tables", {"p": "participants.tsv"}, "warning", "no column 'glx_tnaa', the primary", ""),
        ("functional.event", "infus", "error", "functional.event names the event 'infus'", "infusion"),
        ("functional.table", "events.csv", "error", "functional.table names a file that does not exist", "events.tsv"),
        ("quantify.constants", "own.yaml", "error", "quantify.constants names a file that does not exist", ""),
        ("quantify.water_set", "wansapur", "error", "there is no set 'wansapur' of water", ""),
        ("spectra.event_types", ["infuse"], "warning", "spectra.event_types names the event", "infusion"),
        ("fit.exclude", ["Lacc"], "error", "fit.exclude names 'Lacc', which the basis does not have", "Lac"),
        ("group.sensitivity.variants", {"a": {"fit": {"include": ["NA"]}}}, "error", "the choice a: fit", "NAA"),
    ],
)
def test_a_name_that_nothing_has(study: Path, setting: str, value: Any, severity: str, words: str, hint: str) -> None:
    settings: Any = value
    for key in reversed(setting.split(".")):
        settings = {key: settings}
    (problem,) = said(study, settings)
    assert problem.severity == severity
    assert words in problem.message
    assert not hint or f"(did you mean '{hint}'?)" in problem.message


def test_a_constants_file_that_cannot_be_used(study: Path) -> None:
    (study / "own.yaml").write_text("waters: {}\n")
    (problem,) = said(study, {"quantify": {"constants": "own.yaml"}})
    assert (problem.severity, problem.file) == ("error", "own.yaml")


def test_regressors_of_each_session_are_looked_for(study: Path) -> None:
    """The first session's table is there but lacks the column; the second's is absent."""
    regressor = {"name": "plasma", "shape": "column"}
    settings = {"table": "curves/ses-{session}.tsv", "regressors": [regressor]}
    (study / "curves").mkdir()
    (study / "curves" / "ses-01.tsv").write_text("onset\tplasm\n0\t1\n")
    lacking, absent = said(study, {"functional": settings})
    assert lacking.message == "the table of regressors has no column 'plasma' (did you mean 'plasm'?)"
    assert (lacking.file, absent.file) == ("curves/ses-01.tsv", "curves/ses-02.tsv")


def test_outcomes_need_the_entries_of_the_basis() -> None:
    simulated = outcome_columns(simulated_entries())
    assert {"glx_tnaa", "tcr_amplitude", "mm09_molal", "glctau_tcr"} <= simulated
    without_naag = outcome_columns(name for name in simulated_entries() if name != "NAAG")
    assert "glx_tcr" in without_naag
    assert "glx_tnaa" not in without_naag


def test_a_basis_of_ones_own_decides_which_outcomes_there_are(study: Path) -> None:
    messages = [problem.message for problem in said(study, {}, ["NAA", "Cr", "PCr", "Glu", "Gln"])]
    assert any("primary names 'glx_tnaa', which no fit with this basis gives" in message for message in messages)
