"""The basis that is simulated for a spectrum, by its header and the study's settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from snakemrs.fit.basis_command import basis
from snakemrs.spins.basis_formats import read_basis
from snakemrs.spins.simulation import SEQUENCES
from snakemrs.study.bases import SIMULATED, localisation_of, simulation_of
from snakemrs.study.config import StudyConfig
from snakemrs.study.resolve import build_plan
from snakemrs.study.targets import Targets

HEADER = {"sequence": "PRESS", "te": 0.03, "frequency": 127.755, "bandwidth": 2000, "points": 512}


def given(header: dict[str, Any], **settings: Any) -> dict[str, Any]:
    simulation = simulation_of({**HEADER, **header}, StudyConfig(name="test", **settings))
    assert simulation.given is not None, simulation.obstacle
    return simulation.given


def test_the_plan_knows_the_sequences_that_can_be_simulated() -> None:
    assert SIMULATED == SEQUENCES


@pytest.mark.parametrize(
    ("name", "localisation"),
    [("PRESS", "press"), ("MEGA-PRESS", "press"), ("metabolite-cycled-STEAM", "steam"), ("spin-echo", "spin-echo")],
)
def test_editing_does_not_change_the_localisation(name: str, localisation: str) -> None:
    assert localisation_of(name) == localisation


def test_the_mixing_time_of_steam_is_the_headers_else_the_studys() -> None:
    assert given({"sequence": "STEAM", "tm": 0.01}, mixing_time=0.02)["tm"] == 0.01
    assert given({"sequence": "STEAM"}, mixing_time=0.02)["tm"] == 0.02
    assert "tm" not in given({"sequence": "PRESS"}, mixing_time=0.02)


def test_the_first_echo_time_belongs_to_press_alone() -> None:
    assert given({}, first_echo_time=0.011)["te1"] == 0.011
    assert given({"sequence": "sLASER"}, first_echo_time=0.011)["te1"] is None


def test_an_echo_time_that_the_study_tells_is_that_of_the_basis() -> None:
    assert given({"te": None}, ingest={"echo_time": 0.035})["te"] == 0.035
    assert given({"te": 30.0}, ingest={"echo_time": 0.035})["te"] == 0.035
    assert given({}, ingest={"echo_time": 0.035, "trust_settings": True})["te"] == 0.035


def test_a_header_without_echo_time_is_left_to_the_fit() -> None:
    simulation = simulation_of({**HEADER, "te": None}, StudyConfig(name="test"))
    assert (simulation.key, simulation.obstacle) == (None, None)


@pytest.mark.parametrize("sequence", ["PRESS", "STEAM", "sLASER", "MEGA-PRESS"])
def test_what_the_plan_asks_for_is_what_the_command_simulates(tmp_path: Path, sequence: str) -> None:
    """A study that sets both times, whatever its sequence, as the rule calls the command."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a").write_text("a")
    (tmp_path / "study.yaml").write_text("name: test\nfirst_echo_time: 0.011\nmixing_time: 0.01\n")
    (tmp_path / "scans.tsv").write_text("path\tparticipant\tsession\tsuffix\na\t01\t01\tsvs\n")
    plan = build_plan(tmp_path, lambda path: {**HEADER, "sequence": sequence})
    targets = Targets(plan.save(tmp_path))
    (key,) = plan.bases
    words = shlex.split(targets.basis_parameters(SimpleNamespace(key=key)))
    words[words.index("--output") + 1] = str(tmp_path / "basis")
    result = CliRunner().invoke(basis, ["simulate", *words, "--metabolites", "NAA,Cr"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert read_basis(tmp_path / "basis").sequence == localisation_of(sequence)
