"""Real measurements from raw files to pages, with nothing edited by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from report.browsing import check_pages
from report.webdriver import available
from snakemrs.io.tables import read_table

from .conftest import Outcome, snakemrs

pytestmark = [pytest.mark.realdata, pytest.mark.pipeline, pytest.mark.slow]


@pytest.fixture(scope="module")
def philips(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Two people at 3 T (Philips PRESS TE 30 ms, macromolecule scans, stripped T1w): init, plan, run."""
    study = tmp_path_factory.mktemp("philips") / "study"
    init = snakemrs("init", realdata / "philips_press_mm", study)
    assert init.code == 0, init.out + init.err
    plan = snakemrs("plan", study)
    assert plan.code == 0, plan.out + plan.err
    return study, snakemrs("run", study, "--cores", "2")


def concentrations(study: Path, participant: str) -> dict[str, dict[str, str]]:
    folder = study / "derivatives" / "snakemrs" / f"sub-{participant}" / "ses-01" / "mrs"
    (table,) = folder.glob("*_desc-static_concentrations.tsv")
    return {row["metabolite"]: row for row in read_table(table)}


def test_the_run_finishes_with_its_pages(philips: tuple[Path, Outcome]) -> None:
    study, outcome = philips
    assert outcome.code == 0, outcome.out + outcome.err
    for page in ("index.html", "sub-01.html", "sub-02.html", "methods.md", "references.bib", "mrsinmrs.tsv"):
        assert (study / "derivatives" / "snakemrs" / page).stat().st_size > 500


@pytest.mark.skipif(not available(), reason="chromium and chromedriver are not installed (Debian: chromium-driver)")
@pytest.mark.parametrize(("width", "height"), [(1366, 900), (390, 844)], ids=["laptop", "phone"])
def test_the_pages_open_in_a_browser(philips: tuple[Path, Outcome], tmp_path: Path, width: int, height: int) -> None:
    check_pages(philips[0] / "derivatives" / "snakemrs", tmp_path / "profile", width, height)


def test_the_bids_dataset_has_no_errors(philips: tuple[Path, Outcome]) -> None:
    study, _ = philips
    validator = Path(sys.executable).with_name("bids-validator-deno")
    result = subprocess.run([validator, study / "bids"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "[ERROR]" not in result.stdout


@pytest.mark.parametrize("participant", ["01", "02"])
@pytest.mark.parametrize(
    ("metabolite", "low", "high"), [("Glu", 0.8, 1.6), ("tNAA", 1.0, 1.8), ("tCho", 0.15, 0.45), ("Ins", 0.4, 1.3)]
)
def test_ratios_are_those_of_living_brain(
    philips: tuple[Path, Outcome], participant: str, metabolite: str, low: float, high: float
) -> None:
    assert low < float(concentrations(philips[0], participant)[metabolite]["ratio_tcr"]) < high


@pytest.mark.parametrize("participant", ["01", "02"])
def test_glutamate_is_known_to_ten_percent(philips: tuple[Path, Outcome], participant: str) -> None:
    assert float(concentrations(philips[0], participant)["Glu"]["crlb_percent"]) < 10


@pytest.mark.parametrize("participant", ["01", "02"])
def test_the_voxel_is_full_of_tissue(philips: tuple[Path, Outcome], participant: str) -> None:
    folder = philips[0] / "derivatives" / "snakemrs" / f"sub-{participant}" / "ses-01" / "mrs"
    (table,) = folder.glob("*_tissue.tsv")
    (row,) = read_table(table)
    gm, wm, csf, outside = (float(row[name]) for name in ("gm", "wm", "csf", "outside"))
    assert gm + wm + csf + outside == pytest.approx(1, abs=1e-6)
    # Posterior cingulate voxel of an adult: mostly grey matter, little fluid.
    assert gm > 0.4
    assert 0.01 < csf < 0.3
    assert outside < 0.05


def test_a_second_run_starts_nothing(philips: tuple[Path, Outcome]) -> None:
    outcome = snakemrs("run", philips[0], "--cores", "2", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["jobs"] == 0
