"""What `snakemrs plan` says of the machine: without room, programs or an executor nothing can run."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from snakemrs.cli import cluster, machine
from snakemrs.cli import plan as plan_module
from snakemrs.cli.cluster import executor_problem
from snakemrs.cli.machine import check_disk, check_programs, disk_needed
from snakemrs.cli.main import cli
from snakemrs.cli.snakemake import Record, profile_folder
from snakemrs.study.goals import Goals
from snakemrs.study.plan import Plan
from snakemrs.study.resolve import build_plan
from snakemrs.study.targets import ANATOMY_FILES

HEADER = {"sequence": "PRESS", "te": 0.03, "te1": 0.011, "frequency": 123.2, "bandwidth": 2000, "points": 2048}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A participant with a spectrum and a T1w; a choice of the sensitivity analysis."""
    (tmp_path / "raw").mkdir()
    for name in ("act", "head"):
        (tmp_path / "raw" / name).write_text(name)
    variants = "{group: {sensitivity: {variants: {stiff: {fit: {baseline: fixed}}}}}}"
    (tmp_path / "study.yaml").write_text(f"name: small\n{variants[1:-1]}\n")
    (tmp_path / "scans.tsv").write_text("path\tparticipant\tsession\tsuffix\nact\t01\t01\tsvs\nhead\t01\t01\tT1w\n")
    return tmp_path


def planned(study: Path) -> Plan:
    return build_plan(study, lambda path: HEADER)


def make(study: Path, *paths: str) -> None:
    for path in paths:
        (study / path).parent.mkdir(parents=True, exist_ok=True)
        (study / path).write_text("")


def with_free(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> list[Path]:
    """Make the disk so full; give the places that are asked for."""
    usage = namedtuple("usage", "total used free")
    asked: list[Path] = []

    def answer(path: Path) -> Any:
        asked.append(Path(path))
        return usage(1e9, 0, megabytes * 1e6)

    monkeypatch.setattr(machine.shutil, "disk_usage", answer)
    return asked


def test_a_disk_without_room(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_free(monkeypatch, 5)
    (problem,) = check_disk(study, planned(study))
    assert (problem.severity, problem.machine) == ("error", True)
    assert problem.message.endswith("5 MB are free")


def test_what_is_made_needs_no_room_again(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(study)
    goals = Goals(plan)
    whole = disk_needed(study, plan)
    make(study, f"{plan.anatomies[0].prefix}_{ANATOMY_FILES[-1]}")
    without_t1w = disk_needed(study, plan)
    make(study, *goals.of_spectrum(plan.spectra[0]))
    choice_alone = disk_needed(study, plan)
    assert whole > without_t1w > choice_alone > 0
    make(study, *goals.of_variants())
    assert disk_needed(study, plan) == 0
    with_free(monkeypatch, 1)
    assert check_disk(study, plan) == []


def test_room_is_sought_where_the_derivatives_are(study: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other disk")
    (study / "derivatives").symlink_to(other)
    with pytest.MonkeyPatch.context() as patch:
        asked = with_free(patch, 5)
        check_disk(study, planned(study))
    assert asked == [other]


@pytest.mark.parametrize(
    ("settings", "program"),
    [
        ("anatomy: {backend: fast}", "fast (FSL)"),
        ("anatomy: {second_backend: synthseg}", "mri_synthseg"),
        ("group: {sensitivity: {variants: {fsl: {anatomy: {backend: fast}}}}}", "fast (FSL)"),
    ],
)
def test_the_program_of_a_backend_that_is_not_here(
    study: Path, settings: str, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    (study / "study.yaml").write_text(f"name: small\n{settings}\n")
    (problem,) = check_programs(planned(study))
    assert problem.machine
    assert program in problem.message
    (guess,) = check_programs(planned(study), here=False)
    assert (guess.severity, guess.machine) == ("warning", False)
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert check_programs(planned(study)) == []


def run_plan(study: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and content of ``plan --json``, without Snakemake's part."""
    monkeypatch.setattr(plan_module, "dry_run", lambda *given: Record())
    monkeypatch.setattr("snakemrs.cli.common.read_header", lambda path: HEADER)
    result = CliRunner().invoke(cli, ["plan", str(study), "--json", *options])
    return result.exit_code, json.loads(result.stdout)


def test_a_study_in_order_can_run(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, content = run_plan(study, monkeypatch)
    assert (code, content["runnable"]) == (0, True)


def test_a_participants_problem_holds_up_nobody_else(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (study / "raw" / "act").unlink()
    code, content = run_plan(study, monkeypatch)
    assert (code, content["runnable"]) == (1, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--profile", "slurm"], "is not on PATH: is this a login node?"),
        (["--containers", "apptainer"], "containers need Apptainer, which is not installed here"),
    ],
)
def test_without_executor_or_containers_nothing_can_run(
    study: Path, options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    code, content = run_plan(study, monkeypatch, *options)
    assert (code, content["runnable"]) == (2, False)
    assert [p["machine"] for p in content["problems"] if words in p["message"]] == [True]


def test_a_full_disk_lets_nothing_run(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_free(monkeypatch, 1)
    code, content = run_plan(study, monkeypatch)
    assert (code, content["runnable"]) == (2, False)


def test_a_wrong_request_is_an_error_for_programs_too(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (study / "study.yaml").open("a") as stream:
        stream.write("basiss: mine\n")
    monkeypatch.setattr("sys.argv", ["snakemrs"])
    result = CliRunner().invoke(cli, ["plan", str(study), "--json"])
    content = json.loads(result.stdout)
    assert content["runnable"] is False
    assert content["error"]["message"] == "unknown key 'basiss'"
    assert content["error"]["line"] == 3
    assert content["error"]["remedy"] == "did you mean 'basis'?"


def test_a_slurm_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.shutil, "which", lambda name: None)
    assert "sbatch, squeue, scancel is not on PATH" in (executor_problem(profile_folder("slurm")) or "")


def test_an_executor_that_is_not_installed() -> None:
    assert "snakemake-executor-plugin-cluster-generic is not installed" in (
        executor_problem(profile_folder("lsf")) or ""
    )


def test_this_machine_is_always_reached() -> None:
    assert executor_problem(profile_folder("local")) is None
