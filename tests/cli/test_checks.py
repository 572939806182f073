"""What `snakemrs plan` finds before anything runs: one fault a test, on a study that is in order but for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from snakemrs.cli.checks import check_study, estimate
from snakemrs.cli.field_of_view import field_of_view
from snakemrs.errors import RequestError
from snakemrs.spins import basis_formats
from snakemrs.spins.basis import Basis
from snakemrs.spins.systems import spin_systems
from snakemrs.study.plan import Problem
from snakemrs.study.resolve import build_plan

SPECTRUM = {
    "kind": "svs",
    "sequence": "press",
    "te": 0.03,
    "te1": 0.011,
    "frequency": 123.2,
    "bandwidth": 2000.0,
    "points": 2048,
    "transients": 64,
    "nucleus": "1H",
    "voxel_size": [20, 20, 20],
    "centre": [0.0, 10.0, 5.0],
}


class Study:
    """One participant: a spectrum, its water, a T1w; the headers may be changed before the check."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.headers: dict[str, dict[str, Any]] = {
            "act": dict(SPECTRUM),
            "ref": {**SPECTRUM, "kind": "mrsref", "transients": 8},
            "head.nii.gz": {"kind": "T1w"},
        }
        (folder / "raw").mkdir()
        (folder / "raw" / "act").write_text("spectrum")
        (folder / "raw" / "ref").write_text("water")
        self.place_head([-90, -126, -72])
        (folder / "study.yaml").write_text("name: small\n")
        (folder / "participants.tsv").write_text("participant_id\tsex\nsub-01\tF\n")
        rows = [
            "path\tparticipant\tsession\tsuffix",
            "act\t01\t01\tsvs",
            "ref\t01\t01\tmrsref",
            "head.nii.gz\t01\t01\tT1w",
        ]
        (folder / "scans.tsv").write_text("\n".join(rows) + "\n")

    def place_head(self, corner: list[float]) -> None:
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        affine[:3, 3] = corner
        nib.save(nib.Nifti1Image(np.zeros((90, 108, 90), np.int16), affine), self.folder / "raw" / "head.nii.gz")

    def problems(self) -> list[Problem]:
        self.headers["head.nii.gz"]["field_of_view"] = field_of_view([self.folder / "raw" / "head.nii.gz"])
        plan = build_plan(self.folder, lambda path: self.headers[path.name])
        return plan.problems + check_study(self.folder, plan)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def said(study: Study) -> list[tuple[str, str]]:
    return [(problem.severity, problem.message) for problem in study.problems()]


def test_a_study_in_order_has_no_problems(study: Study) -> None:
    assert said(study) == []


def test_a_missing_raw_file(study: Study) -> None:
    (study.folder / "raw" / "act").unlink()
    (problem,) = study.problems()
    assert (problem.severity, problem.file, problem.participant) == ("error", "act", "01")
    assert "does not exist" in problem.message


@pytest.mark.parametrize(
    ("file", "change", "severity", "words"),
    [
        pytest.param("act", {"te": 30.0}, "warning", "outside 1-500 ms", id="echo time in milliseconds"),
        pytest.param("act", {"te": None}, "warning", "no echo time", id="no echo time"),
        pytest.param("act", {"sequence": None}, "error", "name a basis", id="unknown sequence"),
        pytest.param("act", {"sequence": "SPECIAL"}, "error", "simulated for SPECIAL", id="a sequence not simulated"),
        pytest.param("act", {"sequence": "LASER"}, "error", "simulated for LASER", id="LASER is not sLASER"),
        pytest.param("act", {"sequence": "STEAM"}, "error", "set mixing_time", id="STEAM of unknown mixing time"),
        pytest.param("act", {"te1": 0.04}, "error", "TE1 40 ms is longer", id="TE1 longer than TE"),
        pytest.param("act", {"sequence": "MEGA-PRESS"}, "error", "extract one condition", id="edited data"),
        pytest.param("act", {"kind": "T1w"}, "error", "by its header it is T1w", id="an image called a spectrum"),
        pytest.param("ref", {"centre": [0, 50, 5]}, "error", "another voxel: centre", id="water of another place"),
        pytest.param("ref", {"voxel_size": [20, 20, 40]}, "error", "another voxel: size", id="water of another size"),
        pytest.param("ref", {"frequency": 127.7}, "error", "another field", id="water of another field"),
        pytest.param("ref", {"nucleus": "31P"}, "error", "of 31P", id="water of another nucleus"),
    ],
)
def test_headers_that_do_not_fit(study: Study, file: str, change: dict[str, Any], severity: str, words: str) -> None:
    study.headers[file] |= change
    found = said(study)
    assert [s for s, message in found if words in message] == [severity], found


@pytest.mark.parametrize("sequence", ["SPECIAL", "STEAM", None])
def test_a_basis_of_ones_own_serves_any_sequence(
    study: Study, sequence: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.headers["act"]["sequence"] = sequence
    (study.folder / "study.yaml").write_text("name: small\nbasis: mine.basis\n")
    names = tuple(spin_systems())
    own = Basis(names, np.ones((len(names), 2048)), 1 / 2000, 123.2, ("metabolite",) * len(names))
    monkeypatch.setattr(basis_formats, "read_basis", lambda path, **known: own)
    assert said(study) == []


def test_an_echo_time_that_the_study_tells_is_not_missed(study: Study) -> None:
    study.headers["act"]["te"] = None
    (study.folder / "study.yaml").write_text("name: small\ningest: {echo_time: 0.03}\n")
    assert said(study) == []


def test_a_voxel_outside_the_head(study: Study) -> None:
    study.place_head([-90, 274, -72])
    ((severity, message),) = said(study)
    assert severity == "error"
    assert "outside the field of view of the T1w" in message


def test_a_voxel_at_a_corner_of_the_image(study: Study) -> None:
    study.place_head([-1, 9, 4])
    ((severity, message),) = said(study)
    assert severity == "warning"
    assert message.startswith("83% of the voxel lie outside the field of view of the T1w")


def test_a_spectrum_without_water_and_t1w_is_told_what_it_misses(study: Study) -> None:
    (study.folder / "scans.tsv").write_text("path\tparticipant\tsession\tsuffix\nact\t01\t01\tsvs\n")
    messages = [message for _, message in said(study)]
    assert any("ratios only" in message for message in messages)
    assert any("no tissue correction" in message for message in messages)


def test_a_basis_that_is_not_there(study: Study) -> None:
    (study.folder / "study.yaml").write_text("name: small\nbasis: mine.basis\n")
    assert any(s == "error" and "basis cannot be used" in message for s, message in said(study))


def test_a_choice_of_segmentation_without_a_t1w(study: Study) -> None:
    variants = '{"hmrf": {"anatomy": {"backend": "hmrf"}}, "stiff": {"fit": {"baseline": "fixed"}}}'
    with (study.folder / "study.yaml").open("a") as stream:
        stream.write(f"group: {{sensitivity: {{variants: {variants}}}}}\n")
    assert said(study) == []
    scans = study.folder / "scans.tsv"
    scans.write_text("".join(line for line in scans.open() if "T1w" not in line))
    messages = [message for _, message in said(study)]
    assert [message.startswith("the choice 'hmrf'") for message in messages] == [False, True]


def test_the_estimate_takes_what_was_measured_and_shares_it_among_processors() -> None:
    assert estimate({"fit": 10}, {"fit": 3.0}, cores=2) == pytest.approx(15.0)
    # The longest job sets the least time.
    assert estimate({"segment": 1, "fit": 1}, {"segment": 60.0, "fit": 1.0}, cores=8) == pytest.approx(60.0)


def test_a_table_that_tells_the_treatment_of_a_blinded_study_stops_everything(study: Study) -> None:
    with (study.folder / "sessions.tsv").open("w") as table:
        table.write("participant_id\tsession_id\tperiod\tcondition\tdrug\n")
        table.write("sub-01\tses-01\t1\tA\tplacebo\nsub-01\tses-02\t2\tB\tnaltrexone\n")
    shutil.copytree(study.folder / "raw", study.folder / "raw" / "second")
    with (study.folder / "scans.tsv").open("a") as table:
        table.write("second/act\t01\t02\tsvs\n")
    with pytest.raises(RequestError, match="the column 'drug' names a treatment"):
        said(study)
    with (study.folder / "study.yaml").open("a") as stream:
        stream.write("group: {design: {blinded: false}}\n")
    said(study)
