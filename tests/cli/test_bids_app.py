"""`snakemrs BIDS_DIR OUT participant|group`: what the form takes, makes and refuses before anything runs."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest import raw_files as raw
from snakemrs.cli import bids_app as module
from snakemrs.cli.main import cli
from snakemrs.errors import RequestError
from snakemrs.ingest.convert import convert_all
from snakemrs.ingest.dataset import write_dataset
from snakemrs.io.tables import read_table
from snakemrs.study.settings.ingest import IngestSettings


def add_session(dataset: Path, participant: str, events: str = "") -> None:
    folder, stem = dataset / f"sub-{participant}" / "ses-1" / "mrs", f"sub-{participant}_ses-1_task-rest_voi-acc"
    source = raw.write_sdat(dataset.parent / "scanner" / participant, raw.water_signal())
    convert_all([(source, folder / f"{stem}_{suffix}.nii.gz") for suffix in ("svs", "mrsref")], IngestSettings())
    if events:
        (folder / f"{stem}_events.tsv").write_text(events)


def describe(dataset: Path, *people: str) -> None:
    write_dataset(dataset, "x", [{"participant_id": label, "sex": "F"} for label in people], [])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two participants; not to be changed."""
    folder = tmp_path_factory.mktemp("made") / "bids"
    for label in ("01", "02"):
        add_session(folder, label, "onset\tduration\ttrial_type\n0\t60\tinfusion\n")
    describe(folder, "01", "02")
    (folder / "phenotype").mkdir()
    (folder / "phenotype" / "madrs.tsv").write_text("participant_id\tmadrs\nsub-01\t30\nsub-02\t28\n")
    return folder


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bids"))


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in files}


def test_the_dataset_becomes_a_study_and_stays_untouched(dataset: Path, tmp_path: Path) -> None:
    before = fingerprint(dataset)
    module.refresh(dataset, tmp_path / "out")
    out = tmp_path / "out"
    assert [row["participant"] for row in read_table(out / "scans.tsv")] == ["01", "01", "02", "02"]
    assert read_table(out / "participants.tsv")[0] == {"participant_id": "sub-01", "sex": "F"}
    assert read_table(out / "phenotype" / "madrs.tsv")[1]["madrs"] == "28"
    assert read_table(out / "events.tsv")[0]["trial_type"] == "infusion"
    assert fingerprint(dataset) == before


def test_called_again_it_adds_who_is_new_and_takes_corrected_scores_but_keeps_settings(
    dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    module.refresh(dataset, out)
    settings = (out / "study.yaml").read_text() + "fit:\n  max_iterations: 50\n"
    (out / "study.yaml").write_text(settings)
    scans = (out / "scans.tsv").read_text().replace("\tacc\t", "\tcingulate\t")
    (out / "scans.tsv").write_text(scans)
    add_session(dataset, "03")
    describe(dataset, "01", "02", "03")
    table = dataset / "phenotype" / "madrs.tsv"
    table.write_text(table.read_text().replace("28", "27"))
    module.refresh(dataset, out)
    rows = read_table(out / "scans.tsv")
    assert [row["participant"] for row in rows] == ["01", "01", "02", "02", "03", "03"]
    assert [row["voi"] for row in rows] == ["cingulate"] * 4 + ["acc"] * 2
    assert read_table(out / "phenotype" / "madrs.tsv")[1]["madrs"] == "27"
    assert (out / "study.yaml").read_text() == settings


def test_events_that_differ_by_session_are_kept_with_whom_they_concern(dataset: Path, tmp_path: Path) -> None:
    add_session(dataset, "03", "onset\tduration\ttrial_type\n30\t60\tinfusion\n")
    module.refresh(dataset, tmp_path / "out")
    rows = read_table(tmp_path / "out" / "events.tsv")
    assert [(row["participant_id"], row["session_id"], row["onset"]) for row in rows] == [
        ("sub-01", "ses-1", "0"),
        ("sub-02", "ses-1", "0"),
        ("sub-03", "ses-1", "30"),
    ]


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["--participant-label", "01", "02"], ("01", "02")),
        (["--participant_label", "sub-01", "--n_cpus", "2"], ("sub-01",)),
        (["--cores", "2", "--participant-label", "01", "--participant-label", "02"], ("01", "02")),
        ([], ("01", "02")),
    ],
)
def test_labels_are_given_as_bids_apps_take_them(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], labels: tuple[str, ...]
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(module, "run_study", lambda study, cores, profile, labels=(), **rest: asked.append(labels) or 0)
    result = CliRunner().invoke(cli, [str(dataset), str(tmp_path / "out"), "participant", *words])
    assert result.exit_code == 0, result.output
    assert asked == [labels]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{raw}", "{out}", "participant"], "no BIDS dataset"),
        (["{bids}", "{bids}", "participant"], "would write into BIDS_DIR"),
        (["{bids}", "{foreign}", "group"], "not empty"),
        (["{bids}", "{out}", "group", "--participant-label", "01"], "takes every participant"),
        (["{bids}", "{other}", "participant"], "another dataset"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    dataset: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    folders = {name: tmp_path / name for name in ("raw", "out", "foreign", "other")} | {"bids": dataset}
    for name in ("raw", "foreign", "other"):
        folders[name].mkdir()
    (folders["foreign"] / "results.csv").write_text("not ours\n")
    (folders["other"] / "study.yaml").write_text(f"name: x\nraw: {tmp_path / 'raw'}\n")
    with pytest.raises(RequestError, match=message):
        CliRunner().invoke(cli, [word.format(**folders) for word in words], catch_exceptions=False)
    assert not folders["out"].exists()


def test_a_folder_in_place_of_a_command_is_told_the_form(dataset: Path) -> None:
    result = CliRunner().invoke(cli, [str(dataset), "out"])
    assert result.exit_code == 2
    assert "snakemrs BIDS_DIR OUT participant" in result.output
