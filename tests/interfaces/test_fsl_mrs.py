"""FSL-MRS's command through nipype; a stand-in takes the program's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from snakemrs.interfaces.fsl_mrs import FslMrs

STAND_IN = """#!/bin/sh
# Keeps its words and leaves a folder of results.
echo "$@" > words
while [ $# -gt 0 ]; do [ "$1" = --output ] && out=$2; [ "$1" = --report ] && report=1; shift; done
mkdir -p "$out"
echo "Metab,mMol/kg" > "$out/concentrations.csv"
echo "Metab,SNR" > "$out/qc.csv"
touch "$out/fit_summary.png"
[ -n "$report" ] && touch "$out/report.html"
exit 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "fsl_mrs"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    for name in ("svs.nii.gz", "ref.nii.gz", "tissue.json"):
        (tmp_path / name).write_text("x")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_words_are_those_of_the_public_command_line(folder: Path) -> None:
    fit = FslMrs(
        data="svs.nii.gz", basis="basis", out_dir="out", water="ref.nii.gz", fractions=(0.4, 0.5, 0.1), echo_time=30.0,
        ppm_limits=(0.2, 4.2), algorithm="MH", baseline_order=2, metabolite_groups=["Mac", "NAA+NAAG"],
        combine=[["Glu", "Gln"], ["GPC", "PCho"]], overwrite=True,
    )  # fmt: skip
    outputs = fit.run().outputs
    words = (folder / "words").read_text().split(" --")
    assert words[0] == "--data svs.nii.gz"
    assert {word.strip() for word in words[1:]} == {
        "basis basis", "output out", "h2o ref.nii.gz", "tissue_frac 0.4 0.5 0.1", "TE 30",
        "ppmlim 0.2 4.2", "algo MH", "baseline_order 2", "metab_groups Mac NAA+NAAG", "combine Glu Gln",
        "combine GPC PCho", "overwrite",
    }  # fmt: skip
    assert [Path(path).name for path in outputs.tables] == ["concentrations.csv", "qc.csv"]
    assert outputs.figures == str(folder / "out" / "fit_summary.png")


def test_the_report_is_given_where_it_was_asked_for(folder: Path) -> None:
    outputs = FslMrs(data="svs.nii.gz", basis="basis", report=True).run().outputs
    assert outputs.report == str(folder / "fsl_mrs" / "report.html")


def test_tissue_fractions_are_given_once(folder: Path) -> None:
    with pytest.raises(OSError, match="mutually exclusive"):
        FslMrs(data="svs.nii.gz", basis="basis", tissue="tissue.json", fractions=(0.4, 0.5, 0.1))
