"""A basis of the study's own is held against its spectra before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snakemrs.cli.own_basis import check_basis, differences, read_own_basis
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats import write_json_folder
from snakemrs.spins.simulation import simulate_basis
from snakemrs.study.resolve import build_plan

HEADER = {"sequence": "PRESS", "te": 0.03, "frequency": 123.2, "bandwidth": 2000.0, "points": 2048, "nucleus": "1H"}
FITTING = Basis(
    ("NAA",), np.ones((1, 2048), complex), 1 / 2000, 123.2, ("metabolite",), echo_time=0.03, sequence="press"
)


def test_a_basis_made_for_the_data_is_right() -> None:
    assert list(differences(FITTING, HEADER)) == []


def test_what_a_basis_does_not_tell_is_not_held_against_it() -> None:
    assert list(differences(replace(FITTING, echo_time=None, sequence=None), HEADER)) == []


@pytest.mark.parametrize(
    ("change", "severity", "words"),
    [
        ({"spectrometer_frequency": 297.2}, "error", "the basis is of 297.2 MHz, the spectrum of 123.2 MHz"),
        ({"spectrometer_frequency": 127.7}, "warning", "its shifts are rescaled"),
        ({"nucleus": "31P"}, "error", "the basis is of 31P, the spectrum of 1H"),
        ({"echo_time": 0.144}, "error", "for an echo time of 144 ms, the spectrum has 30 ms"),
        ({"echo_time": 0.028}, "warning", "for an echo time of 28 ms"),
        ({"sequence": "steam"}, "warning", "for the sequence steam, the spectrum is of PRESS"),
        ({"dwell_time": 1 / 4000, "fids": np.ones((1, 4096))}, "warning", "a bandwidth of 4000 Hz"),
        ({"fids": np.ones((1, 1024))}, "warning", "lasts 0.512 s, the spectrum 1.024 s: only the first 1024 of 2048"),
        ({"fids": np.ones((1, 128))}, "error", "too short for a fit"),
    ],
)
def test_a_basis_of_another_measurement(change: dict[str, Any], severity: str, words: str) -> None:
    ((found, text),) = differences(replace(FITTING, **change), HEADER)
    assert found == severity
    assert words in text


def study_of(folder: Path, headers: dict[str, dict[str, Any]]) -> Path:
    (folder / "raw").mkdir()
    rows = ["path\tparticipant\tsession\tsuffix"]
    for name in headers:
        (folder / "raw" / name).write_text(name)
        rows.append(f"{name}\t{name}\t01\tsvs")
    (folder / "scans.tsv").write_text("\n".join(rows) + "\n")
    (folder / "study.yaml").write_text("name: test\nbasis: mine\n")
    return folder


def test_errors_are_their_participants_and_warnings_are_said_once(tmp_path: Path) -> None:
    """A study of three with a basis on disk that is shorter than the data; one was measured at another echo time."""
    headers = {"01": HEADER, "02": HEADER, "03": {**HEADER, "te": 0.08}}
    plan = build_plan(study_of(tmp_path, headers), lambda path: headers[path.name])
    made = simulate_basis("press", 0.03, spectrometer_frequency=123.2, bandwidth=2000, points=1024, names=["NAA", "Cr"])
    write_json_folder(made, tmp_path / "mine")
    basis, problems = read_own_basis(tmp_path, plan)
    assert basis is not None
    assert problems == []
    error, warning = check_basis(plan, basis)
    assert (error.severity, error.participant) == ("error", "03")
    assert "echo time" in error.message
    assert warning.message.endswith("of 2048 points are fitted (3 spectra, first sub-01 ses-01)")
