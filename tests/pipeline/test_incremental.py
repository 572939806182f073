"""What must run again after a change, and what must not (DESIGN: what makes it incremental).

A study really ran; each test changes a copy of it and compares the list of jobs exactly.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from snakemrs.cli.frozen import freeze

from .conftest import jobs, snakemrs

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

GROUP = [("group", "study"), ("report_group", "study"), ("report_methods", "study")]


def stem(participant: str, session: str) -> str:
    return f"sub-{participant}_ses-{session}_task-infusion_acq-press_voi-acc"


def fits(*sessions: tuple[str, str]) -> list[tuple[str, str]]:
    """Jobs from the fit on: static, frames and dynamic of each session."""
    each = ("fit", "fit", "dynamic", "quantify", "quantify", "quantify")
    return [(rule, stem(*s)) for s in sessions for rule in each]


def pages(*participants: str) -> list[tuple[str, str]]:
    return [("report_participant", f"sub-{participant}") for participant in participants]


ALL = [(p, s) for p in ("01", "02", "03") for s in ("01", "02")]


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed, under another path."""
    study = tmp_path / "renamed"
    shutil.copytree(finished, study, symlinks=True)
    return study


@pytest.fixture
def ran(copied: Path) -> Path:
    """The same without the note that nothing is left to do: Snakemake itself must find that."""
    (copied / "work" / "state.json").unlink()
    return copied


def set_setting(study: Path, line: str) -> None:
    with (study / "study.yaml").open("a", encoding="utf-8") as stream:
        stream.write(line)


def test_nothing_runs_when_nothing_changed_and_the_folder_was_renamed(ran: Path) -> None:
    assert jobs(ran) == []


def test_a_study_as_the_last_run_left_it_needs_no_snakemake(copied: Path) -> None:
    (copied / "work" / "events" / "plan.jsonl").unlink(missing_ok=True)
    assert jobs(copied) == []
    assert not (copied / "work" / "events" / "plan.jsonl").exists()
    assert "up to date" in snakemrs("run", copied).out


def test_a_lost_page_is_made_again_and_shown_its_place_among_the_study_s(copied: Path) -> None:
    (copied / "derivatives" / "snakemrs" / "sub-02.html").unlink()
    assert jobs(copied) == sorted([*pages("02"), ("report_group", "study")])


def test_nothing_runs_after_a_raw_file_was_touched_or_copied(ran: Path) -> None:
    for raw in (ran / "raw").rglob("*.S*"):
        copy = raw.with_suffix(".copy")
        shutil.copyfile(raw, copy)
        os.replace(copy, raw)
    assert jobs(ran) == []


def test_a_replaced_raw_file_runs_that_session_and_the_group(ran: Path) -> None:
    one, other = (ran / "raw" / f"sub-02/ses-0{n}" / "PRESS_ACC_raw_act.SDAT" for n in (1, 2))
    shutil.copyfile(other, one)
    name = stem("02", "01")
    expected = [("ingest", f"{name}_svs"), ("preprocess", name), *fits(("02", "01")), *pages("02"), *GROUP]
    assert jobs(ran) == sorted(expected)


def test_a_new_participant_runs_its_jobs_and_the_group(ran: Path, scanner_files: Path) -> None:
    for part in ("raw/sub-04", "raw/sub-04/ses-01"):
        (ran / part).mkdir()
    rows = []
    for kind, suffix in (("act", "svs"), ("ref", "mrsref")):
        for ending in ("SDAT", "SPAR"):
            shutil.copy(
                scanner_files / "raw" / "sub-01" / "ses-01" / f"PRESS_ACC_raw_{kind}.{ending}",
                ran / "raw" / "sub-04" / "ses-01",
            )
        task = "infusion" if suffix == "svs" else "n/a"
        rows.append(f"sub-04/ses-01/PRESS_ACC_raw_{kind}.SDAT\t04\t01\t{suffix}\t{task}\tpress\tacc\tn/a\n")
    with (ran / "scans.tsv").open("a", encoding="utf-8") as stream:
        stream.writelines(rows)
    name = stem("04", "01")
    water = "sub-04_ses-01_acq-press_voi-acc_mrsref"
    expected = [
        ("ingest", f"{name}_svs"),
        ("ingest", water),
        ("preprocess", name),
        *fits(("04", "01")),
        *pages("04"),
        *GROUP,
    ]
    assert jobs(ran) == sorted(expected)


def test_a_corrected_clinical_score_runs_the_group_only(ran: Path) -> None:
    path = ran / "phenotype" / "madrs.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[1].split("\t")
    cells[1] = str(int(cells[1]) - 1)
    lines[1] = "\t".join(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert jobs(ran) == sorted([("dataset", "study"), *GROUP])


def test_a_fitting_option_runs_the_fit_and_what_follows(ran: Path) -> None:
    set_setting(ran, "fit:\n  max_iterations: 99\n")
    expected = [*fits(*ALL), *pages("01", "02", "03"), *GROUP]
    assert jobs(ran) == sorted(expected)


def test_an_option_of_the_course_over_time_runs_the_dynamic_fits_and_what_follows(ran: Path) -> None:
    set_setting(ran, "functional:\n  drift: 1\n")
    dynamic = [(rule, stem(*s)) for s in ALL for rule in ("dynamic", "quantify")]
    assert jobs(ran) == sorted([*dynamic, *pages("01", "02", "03"), *GROUP])


def test_a_group_option_runs_the_group_only(ran: Path) -> None:
    set_setting(ran, "group:\n  alpha: 0.01\n")
    assert jobs(ran) == sorted(GROUP)


def test_another_formula_runs_the_group_only(ran: Path) -> None:
    set_setting(ran, "group:\n  formula: condition + time_bin\n")
    assert jobs(ran) == sorted(GROUP)


def test_instruments_of_one_s_own_that_change_run_the_group_only(ran: Path) -> None:
    (ran / "instruments.yaml").write_text("{}\n", encoding="utf-8")
    set_setting(ran, "group:\n  clinical:\n    instruments: instruments.yaml\n")
    snakemrs("run", ran, "--cores", "2")
    (ran / "instruments.yaml").write_text("{}  # changed\n", encoding="utf-8")
    assert jobs(ran) == sorted([("dataset", "study"), *GROUP])


def other_checkout(study: Path) -> Path:
    """The same package and workflow in another folder, as after a new clone or install."""
    return freeze(study).rename(study.parent / "checkout")


def jobs_with(study: Path, checkout: Path) -> list[tuple[str, str]]:
    outcome = snakemrs("plan", study, "--json", PYTHONPATH=str(checkout), PYTHONDONTWRITEBYTECODE="1")
    assert outcome.code == 0, outcome.err
    return sorted((job["rule"], job["name"]) for job in outcome.json["work"])


def test_nothing_runs_after_a_new_checkout_or_install(ran: Path) -> None:
    assert jobs_with(ran, other_checkout(ran)) == []


def test_a_lost_snakemake_folder_is_made_up_for(ran: Path) -> None:
    shutil.rmtree(ran / ".snakemake")
    outcome = snakemrs("run", ran, "--cores", "2", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["jobs"] == 0
    assert "were lost" in outcome.err


def test_a_lost_snakemake_folder_hides_no_change(ran: Path) -> None:
    shutil.rmtree(ran / ".snakemake")
    set_setting(ran, "fit:\n  max_iterations: 99\n")
    outcome = snakemrs("run", ran, "--cores", "2", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["jobs"] == len([*fits(*ALL), *pages("01", "02", "03"), *GROUP])


def test_a_second_run_on_the_same_study_is_told_and_leaves(ran: Path) -> None:
    import fcntl

    with (ran / "work" / "run.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = snakemrs("run", ran)
    assert outcome.code == 2
    assert "another run or plan works on this study" in outcome.err
