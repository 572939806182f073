"""The command ``snakemrs fit`` on files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from snakemrs.cli.main import cli
from snakemrs.errors import DataError, RequestError
from snakemrs.io import nifti_mrs
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.io.tables import read_table
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats import write_json_folder

DWELL, POINTS, MHZ = 5e-4, 1024, 123.2
Measure = Callable[..., np.ndarray]


def save(path: Path, signal: np.ndarray, **header: object) -> Path:
    facts = {"SpectrometerFrequency": [MHZ], "ResonantNucleus": ["1H"], "EchoTime": 0.03, "RepetitionTime": 2.0}
    image = NiftiMrs(np.zeros((1, 1, 1, POINTS), np.complex64), np.eye(4), DWELL, {**facts, **header})
    nifti_mrs.write(image.with_signal(signal, *(["DIM_DYN"] if signal.ndim == 2 else [])), path)
    return path


@pytest.fixture
def basis_folder(basis: Basis, tmp_path: Path) -> Path:
    write_json_folder(basis, tmp_path / "basis")
    return tmp_path / "basis"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["fit", *map(str, arguments)])


def test_one_spectrum_with_water(basis_folder: Path, measure: Measure, tmp_path: Path) -> None:
    data = save(tmp_path / "sub-01_desc-preproc_svs.nii.gz", measure(), NumberOfTransients=64)
    time = np.arange(POINTS) * DWELL
    water = save(tmp_path / "water.nii.gz", 2 * 3e4 * np.exp(-np.pi * 6 * time))
    result = run(data, "--basis", basis_folder, "--water", water, "--output", tmp_path / "out" / "sub-01")
    assert result.exit_code == 0, result.output
    start = f"{tmp_path}/out/sub-01_desc-static_"
    rows = {row["metabolite"]: row for row in read_table(start + "amplitudes.tsv")}
    assert float(rows["NAA"]["amplitude"]) == pytest.approx(10, rel=0.06)
    assert rows["tNAA"]["kind"] == "sum"
    assert float(rows["tNAA"]["amplitude_sd"]) < float(rows["NAA"]["amplitude_sd"]) + float(
        rows["NAAG"]["amplitude_sd"]
    )
    about = json.loads(Path(start + "fit.json").read_text())
    assert about["water"]["amplitude"] == pytest.approx(3e4, rel=0.01)
    assert about["frames"][0]["status"] == "ok"
    covariance = read_table(start + "covariance.tsv")
    assert len(covariance) == len(covariance[0]) - 2
    assert float(covariance[3]["NAA"]) == pytest.approx(float(covariance[0][covariance[3]["metabolite"]]), rel=1e-6)
    curves = read_table(start + "curves.tsv")
    assert {"data_re", "fit_re", "baseline_re", "fit_NAA"} <= set(curves[0])
    again = run(data, "--basis", basis_folder, "--water", water, "--output", tmp_path / "two" / "sub-01")
    assert again.exit_code == 0
    for name in ("amplitudes.tsv", "covariance.tsv", "curves.tsv", "fit.json"):
        one, two = (Path(f"{tmp_path}/{where}/sub-01_desc-static_{name}").read_bytes() for where in ("out", "two"))
        assert one == two, name


def test_frames_that_fail_are_marked_and_the_others_finished(
    basis_folder: Path, measure: Measure, tmp_path: Path
) -> None:
    frames = np.array([measure(seed=1), np.zeros(POINTS), measure(seed=2)])
    data = save(tmp_path / "x_svs.nii.gz", frames)
    result = run(data, "--basis", basis_folder, "--output", tmp_path / "x")
    assert result.exit_code == 0
    about = json.loads((tmp_path / "x_desc-frames_fit.json").read_text())
    assert [frame["status"] for frame in about["frames"]] == ["ok", "failed", "ok"]
    rows = [row for row in read_table(tmp_path / "x_desc-frames_amplitudes.tsv") if row["metabolite"] == "NAA"]
    assert [row["amplitude"] == "n/a" for row in rows] == [False, True, False]


def test_the_exit_code_of_the_program_says_that_a_file_failed(
    basis_folder: Path, measure: Measure, tmp_path: Path
) -> None:
    good, zero = save(tmp_path / "a_svs.nii.gz", measure()), save(tmp_path / "b_svs.nii.gz", 0 * measure())
    call = [
        sys.executable,
        "-m",
        "snakemrs.cli.main",
        "fit",
        good,
        zero,
        "--basis",
        basis_folder,
        "--output",
        tmp_path / "o",
    ]
    done = subprocess.run([str(part) for part in call], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "1 of 2 files fitted" in done.stdout


def test_many_files_finish_although_one_is_noise(basis_folder: Path, measure: Measure, tmp_path: Path) -> None:
    good = [save(tmp_path / f"{name}_svs.nii.gz", measure(seed=seed)) for seed, name in enumerate("ab")]
    draw = np.random.default_rng(0).normal(size=(2, POINTS))
    bad = save(tmp_path / "noise_svs.nii.gz", draw[0] + 1j * draw[1])
    result = run(good[0], bad, good[1], "--basis", basis_folder, "--output", tmp_path / "out", "--jobs", 2)
    assert result.exit_code == 1
    assert "2 of 3 files fitted" in result.output
    assert sorted(path.name for path in (tmp_path / "out").glob("*amplitudes.tsv")) == [
        "a_desc-static_amplitudes.tsv",
        "b_desc-static_amplitudes.tsv",
    ]


def test_a_spectrum_of_noise_leaves_nothing_and_says_why(basis_folder: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0).normal(size=(2, POINTS))
    data = save(tmp_path / "noise_svs.nii.gz", draw[0] + 1j * draw[1])
    result = run(data, "--basis", basis_folder, "--output", tmp_path / "out" / "noise")
    assert isinstance(result.exception, DataError)
    assert "no metabolites above the noise" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_phosphorus_data_are_refused_with_a_proton_basis(basis_folder: Path, measure: Measure, tmp_path: Path) -> None:
    data = save(tmp_path / "p_svs.nii.gz", measure(), ResonantNucleus=["31P"])
    result = run(data, "--basis", basis_folder, "--output", tmp_path / "p")
    assert isinstance(result.exception, RequestError)
    assert "nucleus" in str(result.exception)


def test_two_waters_for_three_spectra_are_refused(basis_folder: Path, measure: Measure, tmp_path: Path) -> None:
    data = [save(tmp_path / f"{name}_svs.nii.gz", measure()) for name in "abc"]
    result = run(*data, "--basis", basis_folder, "--water", data[0], "--water", data[1], "--output", tmp_path / "o")
    assert isinstance(result.exception, RequestError)


def test_noise_is_no_water_reference(basis_folder: Path, measure: Measure, tmp_path: Path) -> None:
    data = save(tmp_path / "a_svs.nii.gz", measure())
    draw = np.random.default_rng(0).normal(size=(2, POINTS))
    water = save(tmp_path / "w.nii.gz", draw[0] + 1j * draw[1])
    result = run(data, "--basis", basis_folder, "--water", water, "--output", tmp_path / "a")
    assert isinstance(result.exception, DataError)


def test_without_basis_one_is_simulated_and_said(measure: Measure, tmp_path: Path) -> None:
    data = save(tmp_path / "a_svs.nii.gz", measure(snr=200), PulseSequenceType="PRESS")
    result = run(data, "--output", tmp_path / "a")
    assert result.exit_code == 0, result.output
    assert "no basis was given: one was simulated for press" in result.output
    unknown = save(tmp_path / "b_svs.nii.gz", measure())
    refused = run(unknown, "--output", tmp_path / "b")
    assert isinstance(refused.exception, RequestError)
    assert "PulseSequenceType" in str(refused.exception)


def test_a_dynamic_fit_writes_betas(basis_folder: Path, measure: Measure, tmp_path: Path) -> None:
    step = [0] * 10 + [1] * 10
    data = save(
        tmp_path / "t_svs.nii.gz",
        np.array([measure(seed=m, Glu=9 * (1 + 0.2 * s), snr=200) for m, s in enumerate(step)]),
    )
    design = tmp_path / "design.tsv"
    design.write_text("transient\tinfusion\n" + "".join(f"{m + 1}\t{s}\n" for m, s in enumerate(step)))
    result = run(data, "--basis", basis_folder, "--design", design, "--output", tmp_path / "t")
    assert result.exit_code == 0, result.output
    rows = {(r["regressor"], r["metabolite"]): r for r in read_table(tmp_path / "t_desc-dynamic_betas.tsv")}
    glu = rows["infusion", "Glu"]
    assert float(glu["ci_low"]) < 20 < float(glu["ci_high"])
    assert float(glu["percent_sd"]) < 5
    assert abs(float(rows["infusion", "line_width"]["beta"])) < 4 * float(rows["infusion", "line_width"]["beta_sd"])


def test_events_give_the_design_and_all_tables_of_a_session(
    basis_folder: Path, measure: Measure, tmp_path: Path
) -> None:
    step = [0] * 12 + [1] * 12
    data = save(
        tmp_path / "t_desc-transients_svs.nii.gz",
        np.array([measure(seed=m, Glu=9 * (1 + 0.2 * s), snr=200) for m, s in enumerate(step)]),
        RepetitionTime=2.0,
        NumberOfTransients=1,
    )
    quality = ["transient\tonset\tduration\tweight", *(f"{m}\t{2 * m}\t2\t{int(m != 5)}" for m in range(24))]
    (tmp_path / "t_desc-transients_quality.tsv").write_text("\n".join(quality) + "\n")
    events = tmp_path / "events.tsv"
    events.write_text("onset\tduration\ttrial_type\n24\t24\tinfusion\n")
    frames = tmp_path / "frames.tsv"
    rows = [f"{n}\t{12 * n}\t12\tGlu\t{9 * (1 + rise)}\t0.1" for n, rise in enumerate((0, 0, 0.6, 0.6))]
    frames.write_text("\n".join(["frame\tonset\tduration\tmetabolite\tamplitude\tamplitude_sd", *rows]) + "\n")
    words = ("--events", events, "--frames", frames, "--functional", '{"course_step": 8}')
    result = run(data, "--basis", basis_folder, *words, "--output", tmp_path / "t")
    assert result.exit_code == 0, result.output
    summary = {row["metabolite"]: row for row in read_table(tmp_path / "t_desc-dynamic_summary.tsv")}
    glu = summary["Glu"]
    assert float(glu["ci_low"]) < 20 < float(glu["ci_high"])
    assert float(glu["auc_low"]) < 20 * 24 / 60 < float(glu["auc_high"])
    assert glu["frames_agree"] == "false"
    assert "frames and dynamic fit do not agree" in result.output
    assert abs(float(summary["line_width"]["change"])) < 4 * float(summary["line_width"]["change_sd"])
    design = read_table(tmp_path / "t_desc-dynamic_design.tsv")
    assert [row["infusion"] for row in design] == [str(s) for s in step]
    assert design[5]["weight"] == "0"
    levels = {row["frame"] for row in read_table(tmp_path / "t_desc-dynamic_amplitudes.tsv")}
    assert levels == {"baseline", "infusion", "infusion-baseline"}
    bins = [row for row in read_table(tmp_path / "t_desc-dynamic_course.tsv") if row["metabolite"] == "Glu"]
    assert len(bins) == 5, "eleven transients make two bins of four at least, twelve make three"


def test_frames_are_matched_in_line_width_on_request(basis_folder: Path, measure: Measure, tmp_path: Path) -> None:
    signals = np.array([measure(seed=m, lorentz=3 + m, snr=300) for m in range(3)])
    data = save(tmp_path / "f_svs.nii.gz", signals)
    settings = ("--settings", '{"match_frames": true}')
    result = run(data, "--basis", basis_folder, *settings, "--output", tmp_path / "f")
    assert result.exit_code == 0, result.output
    assert "frames were broadened to one line width" in result.output
    widths = [frame["line_width"] for frame in json.loads((tmp_path / "f_desc-frames_fit.json").read_text())["frames"]]
    assert np.ptp(widths) < 0.3


@pytest.mark.realdata
def test_creatine_of_the_challenge_comes_out_as_it_was_made(realdata: Path, tmp_path: Path) -> None:
    folder = realdata / "ismrm_challenge"
    start = "Cr_10mM_test_water_scaling"
    result = run(
        folder / f"{start}_metab.nii.gz",
        "--basis", folder / "press3T_30ms.BASIS",
        "--water", folder / f"{start}_wref.nii.gz",
        "--settings", '{"include": ["Cr"], "macromolecules": "none"}',
        "--output", tmp_path / "new-folder",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    results = tmp_path / "new-folder" / f"{start}_metab_desc-static"
    amplitude = float(read_table(Path(f"{results}_amplitudes.tsv"))[0]["amplitude"])
    water = json.loads(Path(f"{results}_fit.json").read_text())["water"]["amplitude"]
    # made of 10 mM with a decay of exp(-30/160); the first point of water is 54865, two protons
    assert amplitude / np.exp(-30 / 160) == pytest.approx(10.0, rel=0.005)
    assert water == pytest.approx(54865.1 / 2, rel=1e-3)
