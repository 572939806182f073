"""The BIDS dataset that ingest makes has no error under the BIDS validator."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest import raw_files as raw
from snakemrs.errors import RequestError
from snakemrs.ingest.convert import convert_all
from snakemrs.ingest.dataset import widen, write_dataset
from snakemrs.ingest.dataset_command import ingest_dataset
from snakemrs.io.tables import read_table
from snakemrs.study.settings.ingest import IngestSettings


def validator() -> str:
    beside = Path(sys.executable).parent / "bids-validator-deno"
    found = str(beside) if beside.exists() else shutil.which("bids-validator-deno")
    if found is None:
        pytest.skip("bids-validator-deno is not installed")
    return found


def test_a_study_of_long_tables_becomes_a_valid_dataset(tmp_path: Path) -> None:
    study = tmp_path / "study"
    (study / "phenotype").mkdir(parents=True)
    (study / "study.yaml").write_text("name: Trial\nauthors: [A. Author, B. Author]\n")
    (study / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t31\tF\nsub-09\t40\tM\n")
    (study / "scans.tsv").write_text(
        "path\tparticipant\tsession\tsuffix\ttask\tacq\tvoi\n"
        "x\t01\t01\tsvs\tinfusion\tpress\tacc\ny\t01\t02\tsvs\tinfusion\tpress\tacc\n"
    )
    (study / "events.tsv").write_text("onset\tduration\ttrial_type\n600\t2400\tinfusion\n")
    (study / "sessions.tsv").write_text(
        "participant_id\tsession_id\tperiod\tcondition\tage\nsub-01\tses-01\t1\tA\t31\nsub-01\tses-02\t2\tB\t31\n"
    )
    (study / "phenotype" / "madrs.tsv").write_text(
        "participant_id\tsession_id\ttime\ttotal\n"
        "sub-01\tses-01\tbefore\t30\nsub-01\tses-01\tafter\t12\nsub-01\tses-02\tbefore\t29\nsub-77\tses-01\tbefore\t1\n"
    )
    bids = study / "bids"
    pairs = []
    for session in ("01", "02"):
        place = bids / "sub-01" / f"ses-{session}"
        stem = f"sub-01_ses-{session}"
        pairs += [
            (
                raw.write_sdat(tmp_path / "a", raw.signal()),
                place / "mrs" / f"{stem}_task-infusion_acq-press_voi-acc_svs.nii.gz",
            ),
            (
                raw.write_sdat(tmp_path / "b", raw.water_signal()),
                place / "mrs" / f"{stem}_acq-press_voi-acc_mrsref.nii.gz",
            ),
            (
                raw.write_image(tmp_path / "c.nii.gz", *raw.head_image()),
                place / "anat" / f"{stem}_T1w.nii.gz",
            ),
        ]
    convert_all(pairs, IngestSettings())
    run = CliRunner().invoke(ingest_dataset, ["--study", str(study), "--output", str(bids)])
    assert run.exit_code == 0, run.output

    assert [row["participant_id"] for row in read_table(bids / "participants.tsv")] == ["sub-01"]
    assert read_table(bids / "phenotype" / "madrs.tsv") == [
        {
            "participant_id": "sub-01",
            "total_ses-01_before": "30",
            "total_ses-01_after": "12",
            "total_ses-02_before": "29",
        }
    ]
    report = subprocess.run([validator(), "--json", str(bids)], capture_output=True, text=True, check=False)
    issues = json.loads(report.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_rows_that_nothing_tells_apart_are_refused() -> None:
    with pytest.raises(RequestError, match="two rows of one participant"):
        widen("madrs", [{"participant_id": "1", "total": 3}, {"participant_id": "1", "total": 4}])


def test_a_participant_without_rows_for_a_session_is_missing_there(tmp_path: Path) -> None:
    rows = [
        {"participant_id": "sub-01", "session_id": "ses-01", "total": 3},
        {"participant_id": "sub-01", "session_id": "ses-02", "total": 4},
        {"participant_id": "sub-02", "session_id": "ses-01", "total": 5},
    ]
    write_dataset(tmp_path, "x", [{"participant_id": "01"}, {"participant_id": "02"}], (), {"madrs": rows})
    assert read_table(tmp_path / "phenotype" / "madrs.tsv")[1]["total_ses-02"] == "n/a"
    assert (tmp_path / "phenotype" / "madrs.json").exists()
