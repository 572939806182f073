"""A whole virtual study on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from snakemrs.errors import RequestError
from snakemrs.io.tables import read_table
from snakemrs.scanner.command import PRESETS, VENDORS, simulate
from snakemrs.scanner.presets import preset_names, vendor_names
from snakemrs.scanner.study import write_study
from snakemrs.study.config import load_config
from snakemrs.study.tables import read_scans


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("virtual") / "study"
    write_study(folder, "philips", "realistic", 2, 2, seed=7, transients=16, t1w_spacing=4.0)
    return folder


def test_the_study_is_one_that_the_pipeline_accepts(study: Path) -> None:
    config = load_config(study / "study.yaml")
    scans = read_scans(study / "scans.tsv")
    assert len(scans) == 2 * 2 * 3
    assert {scan.suffix for scan in scans} == {"svs", "mrsref", "T1w"}
    assert all((study / config.raw / scan.path).is_file() for scan in scans)


@pytest.mark.parametrize("vendor", ["philips-list", "siemens", "ge"])
def test_the_studies_of_all_vendors_are_accepted(vendor: str, tmp_path: Path) -> None:
    write_study(tmp_path / "s", vendor, "null", 1, 1, seed=2, transients=16, t1w="dicom", t1w_spacing=6.0)
    scans = read_scans(tmp_path / "s" / "scans.tsv")
    assert sorted(scan.suffix for scan in scans) == ["T1w", "mrsref", "svs"]
    assert all((tmp_path / "s" / "raw" / scan.path).exists() for scan in scans)


def test_conditions_are_masked_outside_the_truth(study: Path) -> None:
    told = [path for path in study.rglob("*") if path.is_file() and "truth" not in path.parts]
    assert not [path for path in told if b"naltrexone" in path.read_bytes() or b"placebo" in path.read_bytes()]
    assert {row["treatment"] for row in read_table(study / "truth" / "key.tsv")} == {"naltrexone", "placebo"}
    assert {row["condition"] for row in read_table(study / "sessions.tsv")} == {"A", "B"}


def test_scores_stand_in_a_row_a_participant(study: Path) -> None:
    rows = read_table(study / "phenotype" / "madrs.tsv")
    assert [row["participant_id"] for row in rows] == ["sub-01", "sub-02"]
    visits = [f"ses-0{session}_{visit}" for session in (1, 2) for visit in ("baseline", "day1")]
    items = [f"item_{number}" for number in range(1, 11)]
    assert list(rows[0])[1:] == [f"{visit}_{score}" for visit in visits for score in ("total", *items)]
    for row in rows:
        for visit in visits:
            assert sum(int(row[f"{visit}_{item}"]) for item in items) == int(row[f"{visit}_total"])


def test_truth_holds_every_transient_and_frame(study: Path) -> None:
    transients = read_table(study / "truth" / "sub-01_ses-01_transients.tsv")
    assert [float(row["onset"]) for row in transients] == pytest.approx(np.arange(16) * 4.0)
    rows = [
        r
        for r in read_table(study / "truth" / "concentrations.tsv")
        if (r["participant"], r["session"]) == ("01", "01")
    ]
    own = [float(r["molal"]) for r in rows if r["metabolite"] == "Glu"]
    assert len(own) == 9  # the whole session and eight frames
    assert own[0] == pytest.approx(np.mean(own[1:]), rel=1e-6)
    tissue = read_table(study / "truth" / "sessions.tsv")[0]
    assert sum(float(tissue[name]) for name in ("gm", "wm", "csf", "outside")) == pytest.approx(1)


def test_names_are_planted_in_raw_headers_only(study: Path) -> None:
    strings = json.loads((study / "truth" / "personal.json").read_text())
    names = [string for string in strings if string.isalpha()]
    assert len(names) >= 2
    with_names = {
        path.suffix
        for path in study.rglob("*")
        if path.is_file() and "truth" not in path.parts and any(n.encode() in path.read_bytes() for n in names)
    }
    assert with_names == {".SPAR"}


def test_the_same_seed_gives_the_same_bytes(study: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_study(again, "philips", "realistic", 1, 1, seed=7, transients=16, t1w_spacing=4.0)
    for path in (again / "raw").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (study / path.relative_to(again)).read_bytes(), path.name


def test_a_folder_with_something_in_it_is_refused(study: Path) -> None:
    with pytest.raises(RequestError, match="not empty"):
        write_study(study, "philips", "null", 1, 1, seed=1)


def test_the_command_offers_what_the_constants_hold() -> None:
    assert set(PRESETS) == set(preset_names())
    assert set(VENDORS) == set(vendor_names())


def test_the_command_says_what_it_made(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "s"), "--participants", "1", "--sessions", "1", "--transients", "15"]
    result = CliRunner().invoke(simulate, arguments)
    assert isinstance(result.exception, RequestError)
    assert "whole frames" in str(result.exception)
    assert not (tmp_path / "s").exists()
