"""`snakemrs init` proposes a study from raw files that needs no editing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ingest import raw_files as raw
from snakemrs.cli.init import init
from snakemrs.errors import RequestError
from snakemrs.ingest.convert import convert_all
from snakemrs.ingest.dataset import write_dataset
from snakemrs.io.tables import read_table
from snakemrs.study.config import load_config
from snakemrs.study.settings.ingest import IngestSettings
from snakemrs.study.tables import read_scans

COILS = np.array([1, 0.5j])[:, None]


def run(source: Path, study: Path, *options: str) -> Result:
    result = CliRunner().invoke(init, [str(source), str(study), *options])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def labels(study: Path) -> set[tuple[str, ...]]:
    return {
        tuple(row[key] for key in ("participant", "session", "suffix", "acq", "voi", "run"))
        for row in read_table(study / "scans.tsv")
    }


def session(folder: Path, **changes: object) -> None:
    raw.write_sdat(folder, raw.signal(), "act", **changes)
    raw.write_sdat(folder, raw.water_signal(), "ref", **changes)


def test_sessions_named_as_in_bids_are_taken_from_the_names(tmp_path: Path) -> None:
    for who in ("01", "02"):
        session(tmp_path / "raw" / f"sub-{who}" / "ses-pre")
        raw.write_image(tmp_path / "raw" / f"sub-{who}" / "ses-pre" / "t1.nii.gz", *raw.head_image())
    run(tmp_path / "raw", tmp_path / "study")
    assert labels(tmp_path / "study") == {
        (who, "pre", suffix, acq, "n/a", "n/a")
        for who in ("01", "02")
        for suffix, acq in (("svs", "press"), ("mrsref", "press"), ("T1w", "n/a"))
    }
    assert load_config(tmp_path / "study" / "study.yaml").raw == str(tmp_path / "raw")
    assert len(read_scans(tmp_path / "study" / "scans.tsv")) == 6


def test_folders_are_participants_where_names_say_nothing_and_headers_are_never_asked(tmp_path: Path) -> None:
    for who in ("P_01", "P_02"):
        session(tmp_path / "raw" / "data" / who)
    result = run(tmp_path / "raw", tmp_path / "study")
    assert {row[0] for row in labels(tmp_path / "study")} == {"P01", "P02"}
    written = "".join(p.read_text() for p in (tmp_path / "study").iterdir() if p.is_file())
    assert not any(word in result.output + written for word in raw.PERSONAL)


def test_folders_of_like_names_are_two_people_and_an_image_alone_is_none(tmp_path: Path) -> None:
    for who in ("P-1", "P1"):
        session(tmp_path / "raw" / who)
    raw.write_image(tmp_path / "raw" / "phantom" / "t1.nii.gz", *raw.head_image())
    result = run(tmp_path / "raw", tmp_path / "study")
    assert {row[0] for row in labels(tmp_path / "study")} == {"P1", "P1x"}
    assert "there is no spectrum" in result.output


def test_inversion_nulled_scans_are_kept_apart_with_their_water(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "sub-01"
    session(folder / "main")
    session(folder / "mm", scan_id="PRESS_TI_600")
    run(tmp_path / "raw", tmp_path / "study")
    assert {row[2:4] for row in labels(tmp_path / "study")} == {
        ("svs", "press"), ("mrsref", "press"), ("svs", "mm"), ("mrsref", "mm"),
    }  # fmt: skip
    by_path = {row["path"]: row["acq"] for row in read_table(tmp_path / "study" / "scans.tsv")}
    assert by_path["sub-01/mm/ref.SDAT"] == "mm"
    assert load_config(tmp_path / "study" / "study.yaml").macromolecule_acq == "mm"


def test_water_of_another_voxel_is_not_paired(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "sub-01"
    raw.write_sdat(folder, raw.signal(), "act")
    raw.write_sdat(folder, raw.water_signal(), "ref", lr_off_center=30)
    result = run(tmp_path / "raw", tmp_path / "study")
    assert {row[2] for row in labels(tmp_path / "study")} == {"svs"}
    assert "another voxel" in result.output


def test_two_voxels_two_runs_and_two_echo_times_are_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "sub-01"
    session(folder / "a")
    session(folder / "b", lr_off_center=30)
    run(tmp_path / "raw", tmp_path / "voxels")
    assert {row[4] for row in labels(tmp_path / "voxels")} == {"voxel1", "voxel2"}

    raw.write_sdat(folder / "a", raw.signal(), "act2")
    run(tmp_path / "raw", tmp_path / "runs")
    assert {row[5] for row in labels(tmp_path / "runs") if row[2] == "svs"} == {"01", "02", "n/a"}
    read_scans(tmp_path / "runs" / "scans.tsv")

    session(tmp_path / "echo" / "sub-01" / "short")
    session(tmp_path / "echo" / "sub-01" / "long", echo_time=144)
    run(tmp_path / "echo", tmp_path / "echoes")
    assert {row[3] for row in labels(tmp_path / "echoes")} == {"presste30", "presste144"}


def test_any_mix_of_vendors_is_proposed_and_water_inside_a_file_has_its_own_row(tmp_path: Path) -> None:
    many, water = raw.signal(8)[:, None] * COILS, raw.water_signal(8)[:, None] * COILS
    raw.write_ge(tmp_path / "raw" / "sub-01", many, water)
    raw.write_twix(tmp_path / "raw" / "sub-02", many, "met")
    raw.write_twix(tmp_path / "raw" / "sub-02", water[:2], "wat")
    raw.write_data_list(tmp_path / "raw" / "sub-03", many, water)
    raw.write_dicom_series(tmp_path / "raw" / "sub-01" / "t1", raw.head_image()[0])
    run(tmp_path / "raw", tmp_path / "study")
    scans = {(s.participant, s.suffix): s.path for s in read_scans(tmp_path / "study" / "scans.tsv")}
    assert scans["01", "svs"] == scans["01", "mrsref"] == "sub-01/P01024.7"
    assert scans["01", "T1w"] == "sub-01/t1"
    assert (scans["02", "svs"], scans["02", "mrsref"]) == ("sub-02/met.dat", "sub-02/wat.dat")
    assert scans["03", "svs"] == scans["03", "mrsref"] == "sub-03/scan.data"


def test_of_one_scan_in_two_forms_the_rawer_is_taken(tmp_path: Path) -> None:
    many, water = raw.signal(8)[:, None] * COILS, raw.water_signal(8)[:, None] * COILS
    raw.write_data_list(tmp_path / "raw" / "sub-01", many, water)
    raw.write_sdat(tmp_path / "raw" / "sub-01", raw.signal(), "scan_act", averages=8)
    result = run(tmp_path / "raw", tmp_path / "study")
    assert {row["path"] for row in read_table(tmp_path / "study" / "scans.tsv")} == {"sub-01/scan.data"}
    assert "the same scan as scan.data" in result.output


def test_a_bids_dataset_is_taken_as_it_names_itself(tmp_path: Path) -> None:
    bids, stem = tmp_path / "raw", "sub-7_ses-a_task-rest_acq-short_voi-acc"
    source = raw.write_sdat(tmp_path / "x", raw.water_signal())
    convert_all(
        [(source, bids / f"sub-7/ses-a/mrs/{stem}_{suffix}.nii.gz") for suffix in ("svs", "mrsref")], IngestSettings()
    )
    raw.write_image(bids / "sub-7/ses-a/anat/sub-7_ses-a_T2w.nii.gz", *raw.head_image())
    write_dataset(
        bids, "x", [{"participant_id": "7", "age": 30}], [{"participant_id": "7", "session_id": "a", "day": 1}]
    )
    result = run(bids, tmp_path / "study")
    assert labels(tmp_path / "study") == {("7", "a", s, "short", "acc", "n/a") for s in ("svs", "mrsref")}
    assert read_table(tmp_path / "study" / "participants.tsv") == [{"participant_id": "sub-7", "age": "30"}]
    assert read_table(tmp_path / "study" / "sessions.tsv")[0]["day"] == "1"
    assert "BIDS name says T2w" in result.output


def test_what_could_not_be_placed_is_said_with_its_reason(tmp_path: Path) -> None:
    session(tmp_path / "raw" / "sub-01")
    cut = raw.write_sdat(tmp_path / "raw" / "sub-02", raw.signal())
    cut.write_bytes(cut.read_bytes()[:100])
    result = run(tmp_path / "raw", tmp_path / "study", "--json")
    found = {row["path"]: row for row in json.loads(result.stdout)["found"]}
    assert found["sub-02/scan.SDAT"]["placed"] is False
    assert "truncated" in found["sub-02/scan.SDAT"]["note"]
    assert found["sub-01/act.SDAT"]["placed"] is True


def test_an_existing_study_is_not_overwritten(tmp_path: Path) -> None:
    session(tmp_path / "raw" / "sub-01")
    run(tmp_path / "raw", tmp_path / "study")
    (tmp_path / "study" / "study.yaml").write_text("name: mine\n")
    with pytest.raises(RequestError, match="a study already"):
        run(tmp_path / "raw", tmp_path / "study")
    assert (tmp_path / "study" / "study.yaml").read_text() == "name: mine\n"
    run(tmp_path / "raw", tmp_path / "study", "--force")


def test_a_folder_without_spectra_writes_nothing(tmp_path: Path) -> None:
    raw.write_image(tmp_path / "raw" / "t1.nii.gz", *raw.head_image())
    with pytest.raises(RequestError, match="no single-voxel spectrum"):
        run(tmp_path / "raw", tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_new_user_is_told_what_the_folder_holds_and_where_participants_come_from(tmp_path: Path) -> None:
    session(tmp_path / "raw" / "Anton")
    (tmp_path / "raw" / "press30.BASIS").write_text("$SEQPAR\n")
    result = run(tmp_path / "raw", tmp_path / "study")
    assert "press30.BASIS: a basis set by its name" in result.output
    assert "by their folders" in result.output
    assert "Anton" in result.output
    session(tmp_path / "raw2" / "sub-01")
    assert "by their folders" not in run(tmp_path / "raw2", tmp_path / "study2").output


def test_a_wrong_path_is_told_apart_from_a_folder_without_spectra(tmp_path: Path) -> None:
    (tmp_path / "rawdata").mkdir()
    for number in range(7):
        (tmp_path / "rawdata" / f"{number}.dcm").write_text("x")
    with pytest.raises(RequestError, match="this is a file"):
        run(tmp_path / "rawdata" / "1.dcm", tmp_path / "study")
    with pytest.raises(RequestError) as missing:
        run(tmp_path / "rawdat", tmp_path / "study")
    assert missing.value.remedy == "did you mean 'rawdata'?"
    with pytest.raises(RequestError) as empty:
        run(tmp_path / "rawdata", tmp_path / "study")
    assert "and 2 more files" in str(empty.value)


@pytest.mark.realdata
def test_the_measured_philips_data_become_a_study_without_editing(realdata: Path, tmp_path: Path) -> None:
    run(realdata / "philips_press_mm", tmp_path / "study")
    expected = {("svs", "press"), ("mrsref", "press"), ("svs", "mm"), ("mrsref", "mm"), ("T1w", "n/a")}
    assert labels(tmp_path / "study") == {(who, "01", *kind, "n/a", "n/a") for who in ("01", "02") for kind in expected}
