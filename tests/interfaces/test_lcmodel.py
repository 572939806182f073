"""LCModel through nipype: its control file, its command line, its outputs; a stand-in takes the program's place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snakemrs.errors import DataError
from snakemrs.interfaces.lcmodel import (
    LCModel,
    control_file,
    read_control,
    read_coord,
    read_csv,
    read_table,
    write_raw,
)
from snakemrs.io.nifti_mrs import NiftiMrs

TABLE = """\
  4 lines in following {mark} table = NCONC+1
    Conc.  %SD /Cr+PCr  Metabolite
 1.91E-06   5%    1.047  NAA
    0.000 999%    0.000  PCh
 2.38E-06   3%    1.306  NAA+NAAG
"""
COORD = (
    TABLE.format(mark="concentration")
    + """\
  3 points on ppm-axis = NY
     4.000000     3.900000     3.800000
 NY phased data points follow
  1.00000E+00  2.00000E+00  3.00000E+00
 NY points of the fit to the data follow
  1.10000E+00  2.10000E+00  3.10000E+00
 NY background values follow
  1.00000E-01  1.00000E-01 -1.00000E-01
 NAA       Conc. =  1.91E-06
  5.00000E-01  6.00000E-01  7.00000E-01
   0 lines in following diagnostic table:
"""
)
STAND_IN = """#!/bin/sh
# Keeps the control file it was given and writes what LCModel would.
cat > seen.control
base=$(sed -n "s/^ filtab='\\(.*\\)[.]table'/\\1/p" seen.control)
cp "$(dirname "$0")/answer.table" "$base.table"
cp "$(dirname "$0")/answer.coord" "$base.coord"
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "lcmodel").write_text(STAND_IN)
    (folder / "lcmodel").chmod(0o755)
    (folder / "answer.table").write_text(TABLE.format(mark="$$CONC"))
    (folder / "answer.coord").write_text(COORD)
    for name in ("a b.raw", "water.raw", "3t.basis"):
        (tmp_path / name).write_text("x")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_writes_the_control_file_and_gives_the_files_that_were_asked_for(program: Path) -> None:
    fit = LCModel(
        raw="a b.raw", basis="3t.basis", water="water.raw", points=1024, dwell_time=5e-4, frequency=127.786142,
        echo_time=30.0, outputs=["table", "coord"], extra={"ppmend": 1.8, "chomit": ["Lac", "Ala"]}, out_base="sub-01",
    )  # fmt: skip
    assert fit.cmdline == "lcmodel < sub-01.control"
    outputs = fit.run().outputs
    seen = read_control((program / "seen.control").read_text())
    assert seen == read_control(Path(outputs.control).read_text())
    assert seen | {
        "filraw": str(program / "a b.raw"), "filh2o": str(program / "water.raw"), "filbas": str(program / "3t.basis"),
        "nunfil": 1024, "deltat": 5e-4, "hzpppm": 127.786142, "echot": 30.0, "doecc": True, "dows": True,
        "ltable": 7, "lcoord": 9, "ppmend": 1.8, "nomit": 2, "chomit(1)": "Lac", "chomit(2)": "Ala",
    } == seen  # fmt: skip
    assert "lcsv" not in seen
    assert read_table(outputs.table)["NAA+NAAG"].sd_percent == 3
    assert read_coord(outputs.coord).metabolites["NAA"].tolist() == [0.5, 0.6, 0.7]


def test_an_output_that_lcmodel_did_not_write_is_an_error(program: Path) -> None:
    fit = LCModel(raw="a b.raw", basis="3t.basis", points=8, dwell_time=1e-3, frequency=100.0, outputs=["table", "csv"])
    with pytest.raises(FileNotFoundError, match=r"lcmodel\.csv"):
        fit.run()


def test_text_with_an_apostrophe_comes_back_as_it_was() -> None:
    parameters = {"title": "O'Hara, day 2", "nunfil": 2048, "deltat": 2.5e-4, "dows": False}
    assert read_control(control_file(parameters)) == parameters


def test_the_table_and_the_curves_of_a_coord_file(tmp_path: Path) -> None:
    path = tmp_path / "a.coord"
    path.write_text(COORD)
    assert read_table(path)["NAA"].ratio == 1.047
    curves = read_coord(path)
    assert curves.ppm.tolist() == [4.0, 3.9, 3.8]
    assert curves.fit - curves.data == pytest.approx([0.1, 0.1, 0.1])
    assert curves.background[-1] == -0.1


@pytest.mark.parametrize(
    ("text", "reader", "message"),
    [
        (TABLE.format(mark="$$CONC").replace(" 2.38E-06   3%    1.306  NAA+NAAG\n", ""), read_table, "incomplete"),
        ("FATAL ERROR MYCONT 3\n", read_table, "no concentration table"),
        (COORD.split("NY background")[0], read_coord, "'background' is missing"),
        (COORD.split(" 3.00000E+00")[0], read_coord, "'data' is incomplete"),
    ],
)
def test_what_a_stopped_lcmodel_left_is_refused(tmp_path: Path, text: str, reader: object, message: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(DataError, match=message):
        reader(tmp_path / "x")  # type: ignore[operator]


def test_one_spectrum_is_written_as_raw_and_several_are_refused(tmp_path: Path) -> None:
    signal = np.array([1 + 2j, -3e-7 + 4j])
    image = NiftiMrs(signal[None, None, None], np.eye(4), 1e-3)
    write_raw(image, tmp_path / "a.raw")
    numbers = np.array((tmp_path / "a.raw").read_text().split("$END")[1].split(), float)
    assert numbers[0::2] + 1j * numbers[1::2] == pytest.approx(signal)
    with pytest.raises(DataError, match="one spectrum"):
        write_raw(NiftiMrs(np.ones((1, 1, 1, 4, 2), complex), np.eye(4), 1e-3), tmp_path / "b.raw")


@pytest.mark.realdata
def test_the_reference_case_of_lcmodel_is_read(realdata: Path, tmp_path: Path) -> None:
    folder = realdata / "lcmodel_reference"
    theirs = read_control((folder / "control.file").read_text())
    fit = LCModel(
        raw=str(folder / "data.raw"), basis=str(folder / "3t.basis"), points=theirs["nunfil"],
        dwell_time=theirs["deltat"], frequency=theirs["hzpppm"], outputs=["csv", "ps"],
    )  # fmt: skip
    ours = fit.parameters()
    assert {key: ours[key] for key in ("nunfil", "deltat", "hzpppm", "lcsv")} == {
        "nunfil": 1024, "deltat": 5e-4, "hzpppm": 127.786142, "lcsv": 11,
    }  # fmt: skip
    table = read_csv(folder / "test-reference-out.csv")
    assert (table["Glu"].concentration, table["Glu"].sd_percent, table["Glu"].ratio) == (2.14e-6, 8, 1.171)
    assert table["Cr+PCr"].ratio == 1
    assert table["Glu+Gln"].concentration == pytest.approx(
        table["Glu"].concentration + table["Gln"].concentration, rel=0.01
    )


@pytest.mark.realdata
def test_raw_has_the_sign_of_nifti_mrs(realdata: Path) -> None:
    """In LCModel's own example NAA (2.01 ppm) stands where the standard of NIfTI-MRS puts it: above zero frequency."""
    text = (realdata / "lcmodel_reference" / "data.raw").read_text().split("$END")[1].split()
    signal = np.array(text[0::2], float) + 1j * np.array(text[1::2], float)
    spectrum, frequency = np.abs(np.fft.fft(signal)), np.fft.fftfreq(signal.size, 5e-4)
    naa = (4.65 - 2.01) * 127.786142
    assert spectrum[np.abs(frequency - naa) < 10].max() > 3 * spectrum[np.abs(frequency + naa) < 10].max()
