"""`snakemrs preprocess` writes what docs/reference/files.md promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from snakemrs.errors import DataError, RequestError
from snakemrs.io.nifti_mrs import read, write
from snakemrs.io.tables import read_table
from snakemrs.spectra.command import preprocess
from snakemrs.study.config import load_config
from spectra_scan import Scan, make_image
from spectra_signals import Sampling, brain


def run(*arguments: object) -> Result:
    return CliRunner().invoke(preprocess, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files, and what the command made of them with an infusion from 40 s to 70 s."""
    where = tmp_path_factory.mktemp("mrs")
    write(scan.svs, where / "raw_svs.nii.gz")
    write(scan.water, where / "raw_mrsref.nii.gz")
    (where / "events.tsv").write_text("onset\tduration\ttrial_type\n40\t30\tinfusion\n")
    result = run(
        where / "raw_svs.nii.gz",
        *("--water", where / "raw_mrsref.nii.gz", "--events", where / "events.tsv"),
        *("--output", where / "out" / "sub-01_acq-press", "--settings", '{"frame_transients": 8}'),
    )
    assert result.exit_code == 0
    return where


def test_all_files_are_there_and_no_others(folder: Path) -> None:
    names = {path.name.removeprefix("sub-01_acq-press_desc-") for path in (folder / "out").iterdir()}
    tables = {"preproc", "frames", "transients", "water"}
    expected = {"preproc_svs.nii.gz", "frames_svs.nii.gz", "transients_svs.nii.gz", "preproc_mrsref.nii.gz"}
    expected |= {f"{name}_quality.{ending}" for name in tables for ending in ("tsv", "json")}
    assert names == expected


def test_the_mean_is_one_spectrum_that_says_how_it_was_made(folder: Path) -> None:
    image = read(folder / "out" / "sub-01_acq-press_desc-preproc_svs.nii.gz")
    assert image.data.shape == (1, 1, 1, 2048)
    assert image.header["NumberOfTransients"] == 48
    assert image.header["TransientsPerSignal"] == 1
    methods = [step["Method"] for step in image.header["ProcessingApplied"]]
    assert methods[0] == "Eddy current correction"
    assert methods[-1] == "Residual water removal"


def test_frames_stay_within_the_phases_of_the_experiment(folder: Path) -> None:
    rows = read_table(folder / "out" / "sub-01_acq-press_desc-frames_quality.tsv")
    assert [(row["phase"], row["transients"]) for row in rows] == [
        ("baseline", "8"),
        ("baseline", "8"),
        ("baseline", "4"),
        ("infusion", "8"),
        ("infusion", "7"),
        ("after", "8"),
        ("after", "5"),
    ]
    assert [float(row["onset"]) for row in rows] == [0, 16, 32, 40, 56, 70, 86]
    image = read(folder / "out" / "sub-01_acq-press_desc-frames_svs.nii.gz")
    assert image.dim_tags == ("DIM_DYN",)
    assert image.data.shape[4] == len(rows)
    assert image.header["dim_5_header"]["FrameOnset"]["Value"] == [0, 16, 32, 40, 56, 70, 86]


def test_the_weighted_mean_of_frames_is_the_mean(folder: Path) -> None:
    rows = read_table(folder / "out" / "sub-01_acq-press_desc-frames_quality.tsv")
    counts = np.array([float(row["transients"]) for row in rows])
    frames = read(folder / "out" / "sub-01_acq-press_desc-frames_svs.nii.gz").as_dims("DIM_DYN")
    mean = read(folder / "out" / "sub-01_acq-press_desc-preproc_svs.nii.gz").as_dims()
    assert np.abs(counts @ frames / counts.sum() - mean).max() < 1e-5 * np.abs(mean).max()


@pytest.mark.parametrize(
    ("section", "kinds", "frames"),
    [
        # (onset, duration, phase, transients); 48 transients of 2 s, an infusion from 40 s to 70 s.
        pytest.param(
            {"frame_duration": 20},
            {"fixed"},
            [
                *((0, 20, "baseline", 10), (20, 20, "baseline", 10), (40, 20, "infusion", 10)),
                *((60, 10, "infusion", 5), (70, 26, "after", 13)),
            ],
            id="fixed length",
        ),
        pytest.param(
            {"frames": "sliding", "frame_transients": 10, "frame_step": 5},
            {"sliding"},
            [
                *((0, 20, "baseline", 10), (10, 20, "baseline", 10), (20, 20, "baseline", 10)),
                *((40, 20, "infusion", 10), (50, 20, "infusion", 10), (70, 20, "after", 10)),
            ],
            id="sliding, within the phases",
        ),
        pytest.param(
            {"frames": "events", "frame_duration": 10, "event_window": [0, 30], "event_types": ["infusion"]},
            {"events"},
            [(0, 96, "baseline", 33), (0, 10, "infusion", 5), (10, 10, "infusion", 5), (20, 10, "infusion", 5)],
            id="locked to events",
        ),
        pytest.param({"frames": "none"}, {"none"}, [(0, 96, "all", 48)], id="none"),
    ],
)
def test_frames_are_those_that_study_yaml_asks_for(
    section: dict, kinds: set[str], frames: list[tuple], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"name": "frames", "spectra": section}))
    settings = load_config(tmp_path / "study.yaml").spectra.model_dump_json()
    raw, events = folder / "raw_svs.nii.gz", folder / "events.tsv"
    run(raw, "--events", events, "--output", tmp_path / "x", "--settings", settings)
    rows = read_table(tmp_path / "x_desc-frames_quality.tsv")
    found = [(float(r["onset"]), float(r["duration"]), r["phase"], int(r["transients"])) for r in rows]
    assert found == frames
    assert {row["kind"] for row in rows} == kinds
    image = read(tmp_path / "x_desc-frames_svs.nii.gz")
    marked = "for figures only" in image.header["ProcessingApplied"][-1]["Details"]
    assert marked == (kinds == {"sliding"})


def test_every_transient_has_its_row(folder: Path, scan: Scan) -> None:
    rows = read_table(folder / "out" / "sub-01_acq-press_desc-transients_quality.tsv")
    assert [float(row["onset"]) for row in rows] == [2.0 * k for k in range(48)]
    shift = np.array([float(row["frequency_shift"]) for row in rows])
    assert np.std(shift - scan.frequency) < 0.2
    assert np.median([float(row["snr"]) for row in rows]) == pytest.approx(15, rel=0.2)
    assert np.median([float(row["line_width"]) for row in rows]) == pytest.approx(5, rel=0.15)


def test_the_quality_table_names_verdicts_and_units(folder: Path) -> None:
    rows = {row["metric"]: row for row in read_table(folder / "out" / "sub-01_acq-press_desc-preproc_quality.tsv")}
    assert rows["snr"]["verdict"] == "pass"
    assert float(rows["drift"]["before"]) == pytest.approx(6, abs=1)
    assert rows["line_width_water"]["unit"] == "Hz"
    assert rows["overall"]["verdict"] in ("pass", "warn")
    dictionary = json.loads((folder / "out" / "sub-01_acq-press_desc-preproc_quality.json").read_text())
    assert set(dictionary["metric"]["Levels"]) | {"overall"} >= set(rows)


def test_the_same_input_gives_the_same_bytes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    for name in ("a", "b"):
        run(folder / "raw_svs.nii.gz", "--water", folder / "raw_mrsref.nii.gz", "--output", tmp_path / name / "x")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_an_averaged_spectrum_is_one_frame_and_one_row(tmp_path: Path) -> None:
    write(make_image(brain(Sampling())), tmp_path / "raw.nii.gz")
    run(tmp_path / "raw.nii.gz", "--output", tmp_path / "out" / "x")
    mean = read(tmp_path / "out" / "x_desc-preproc_svs.nii.gz")
    frame = read(tmp_path / "out" / "x_desc-frames_svs.nii.gz")
    assert np.array_equal(frame.data, mean.data)
    assert not (tmp_path / "out" / "x_desc-transients_svs.nii.gz").exists()
    for name in ("frames", "transients"):
        assert len(read_table(tmp_path / "out" / f"x_desc-{name}_quality.tsv")) == 1


def test_interleaved_water_tells_the_line_width_of_each_frame(folder: Path, tmp_path: Path) -> None:
    settings = '{"frame_transients": 12, "water_interleaved": true}'
    raw, water = folder / "raw_svs.nii.gz", folder / "raw_mrsref.nii.gz"
    run(raw, "--water", water, "--output", tmp_path / "x", "--settings", settings)
    rows = read_table(tmp_path / "x_desc-frames_quality.tsv")
    assert [float(row["line_width_water"]) for row in rows] == pytest.approx([6] * 4, rel=0.25)
    trace = read_table(tmp_path / "x_desc-water_quality.tsv")
    assert [float(row["onset"]) for row in trace] == [0, 24, 48, 72]


def test_interleaved_water_is_followed_over_time(scan: Scan, tmp_path: Path) -> None:
    # Four frames of water between the transients: it drifts by 6 Hz, narrows by 1.5 Hz and loses a tenth.
    time, number = Sampling().time, np.arange(4)[:, None]
    width, place, height = 7 - 0.5 * number, 2.0 * number - 3, 2000 * (1 - 0.03 * number)
    water = make_image(height * np.exp(-np.pi * width * time + 2j * np.pi * place * time), "DIM_DYN")
    write(scan.svs, tmp_path / "svs.nii.gz")
    write(water, tmp_path / "water.nii.gz")
    settings = '{"frame_transients": 12, "water_interleaved": true}'
    run(
        tmp_path / "svs.nii.gz",
        "--water",
        tmp_path / "water.nii.gz",
        "--output",
        tmp_path / "x",
        "--settings",
        settings,
    )
    trace = read_table(tmp_path / "x_desc-water_quality.tsv")
    frequency = np.array([float(row["frequency_shift"]) for row in trace])
    amplitude = np.array([float(row["amplitude"]) for row in trace])
    assert np.diff(frequency) == pytest.approx([2, 2, 2], abs=0.05)
    assert [float(row["line_width"]) for row in trace] == pytest.approx([7, 6.5, 6, 5.5], abs=0.1)
    assert amplitude / amplitude[0] == pytest.approx([1, 0.97, 0.94, 0.91], abs=0.01)
    frames = read_table(tmp_path / "x_desc-frames_quality.tsv")
    assert [float(row["line_width_water"]) for row in frames] == pytest.approx([7, 6.5, 6, 5.5], abs=0.1)


def test_the_number_averaged_on_the_scanner_is_kept(tmp_path: Path) -> None:
    write(make_image(brain(Sampling())), tmp_path / "raw.nii.gz")
    (tmp_path / "raw.json").write_text('{"NumberOfTransients": 64}')
    run(tmp_path / "raw.nii.gz", "--output", tmp_path / "x")
    header = read(tmp_path / "x_desc-preproc_svs.nii.gz").header
    assert header["NumberOfTransients"] == header["TransientsPerSignal"] == 64


def test_refused_data_leave_nothing_behind(folder: Path, scan: Scan, tmp_path: Path) -> None:
    broken = make_image(np.full_like(scan.svs.as_dims("DIM_DYN"), np.nan), "DIM_DYN")
    write(broken, tmp_path / "raw.nii.gz")
    with pytest.raises(DataError, match="not finite"):
        run(tmp_path / "raw.nii.gz", "--output", tmp_path / "out" / "x")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ("onset\tlength\n1\t2\n", "no such column"),
        ("onset\tduration\nsoon\t2\n", "no number"),
        ("onset\tduration\nn/a\t2\n", "needs an onset"),
    ],
)
def test_wrong_events_are_a_wrong_request(folder: Path, tmp_path: Path, events: str, message: str) -> None:
    (tmp_path / "events.tsv").write_text(events)
    with pytest.raises(RequestError, match=message):
        run(folder / "raw_svs.nii.gz", "--events", tmp_path / "events.tsv", "--output", tmp_path / "x")


def test_frames_by_time_need_a_repetition_time(scan: Scan, folder: Path, tmp_path: Path) -> None:
    header = {key: value for key, value in scan.svs.header.items() if key != "RepetitionTime"}
    image = make_image(scan.svs.as_dims("DIM_DYN"), "DIM_DYN")
    write(type(image)(image.data, image.affine, image.dwell_time, header), tmp_path / "raw.nii.gz")
    with pytest.raises(DataError, match="time of the transients"):
        run(tmp_path / "raw.nii.gz", "--events", folder / "events.tsv", "--output", tmp_path / "x")


def test_recorded_acquisition_times_come_before_the_repetition_time(scan: Scan, tmp_path: Path) -> None:
    times = [100 + 2.0 * k + (30 if k > 20 else 0) for k in range(48)]
    image = make_image(scan.svs.as_dims("DIM_DYN"), "DIM_DYN", dim_5_header={"AcquisitionTime": times})
    write(image, tmp_path / "raw.nii.gz")
    run(tmp_path / "raw.nii.gz", "--output", tmp_path / "x", "--settings", '{"frames": "none"}')
    rows = read_table(tmp_path / "x_desc-transients_quality.tsv")
    assert float(rows[21]["onset"]) == 72
