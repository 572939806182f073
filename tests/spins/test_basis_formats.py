"""Basis sets of other programs come back in one convention; what is written comes back as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snakemrs.errors import RequestError
from snakemrs.io import nifti_mrs
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.spins.axis import WATER_PPM, shift_frequency
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats import read_basis, write_json_folder, write_lcmodel
from snakemrs.spins.basis_formats.settle import canonical_names, kind_of
from snakemrs.spins.basis_match import match
from snakemrs.spins.first_point import first_point_ratio

DWELL, POINTS, MHZ = 2.5e-4, 2048, 123.2
LINES = {
    "NAA": [(2.008, 3), (2.6, 2)],
    "Cr": [(3.027, 3), (3.913, 2)],
    "GPC": [(3.212, 9), (3.66, 3)],
    "Gly": [(3.548, 2)],
}


def lines(parts: list[tuple[float, float]], width: float = 2.0) -> np.ndarray:
    time = np.arange(POINTS) * DWELL
    return np.asarray(
        sum(h * np.exp(2j * np.pi * (WATER_PPM - ppm) * MHZ * time - np.pi * width * time) for ppm, h in parts)
    )


@pytest.fixture
def basis() -> Basis:
    return Basis(
        names=tuple(LINES),
        fids=np.array([lines(parts) for parts in LINES.values()]),
        dwell_time=DWELL,
        spectrometer_frequency=MHZ,
        kinds=("metabolite",) * len(LINES),
        echo_time=0.03,
        sequence="press",
        line_width=2.0,
        notes={"origin": "test"},
    )


def write_text(folder: Path, names: tuple[str, ...], fids: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    for name, fid in zip(names, fids, strict=True):
        np.savetxt(folder / f"{name}.txt", np.column_stack([fid.real, fid.imag]))
    return folder


def read_text(folder: Path) -> Basis:
    return read_basis(folder, dwell_time=DWELL, spectrometer_frequency=MHZ)


def test_json_folder_comes_back_exactly(basis: Basis, tmp_path: Path) -> None:
    write_json_folder(basis, tmp_path / "b")
    again = read_basis(tmp_path / "b")
    assert np.array_equal(again.fids, basis.fids)
    assert replace(again, fids=basis.fids) == basis


def test_lcmodel_file_comes_back_to_six_digits(basis: Basis, tmp_path: Path) -> None:
    write_lcmodel(basis, tmp_path / "b.BASIS")
    again = read_basis(tmp_path / "b.BASIS")
    assert again.names == basis.names
    assert again.echo_time == pytest.approx(0.03)
    scale = np.abs(basis.fids).max()
    assert np.abs(again.fids - basis.fids).max() < 2e-3 * scale


@pytest.mark.parametrize("conjugated", [False, True])
@pytest.mark.parametrize("offset", [0.0, 0.05, -1.65])
@pytest.mark.parametrize("scale", [1.0, 3e-7])
def test_sign_reference_and_scale_of_a_file_are_found(
    basis: Basis, tmp_path: Path, conjugated: bool, offset: float, scale: float
) -> None:
    fids = scale * shift_frequency(basis.fids, offset * MHZ, DWELL)
    found = read_text(write_text(tmp_path / "b", basis.names, fids.conj() if conjugated else fids))
    wanted = basis.fids[[basis.names.index(name) for name in found.names]]
    assert found.notes["conjugated"] is conjugated
    assert found.notes["reference_shift_ppm"] == pytest.approx(offset, abs=3e-3)
    assert np.abs(found.fids - wanted).max() < 0.02 * np.abs(wanted).max()


def test_a_halved_first_point_is_doubled(basis: Basis, tmp_path: Path) -> None:
    fids = basis.fids.copy()
    fids[:, 0] *= 0.5
    found = read_text(write_text(tmp_path / "b", basis.names, fids))
    assert first_point_ratio(found.fids, DWELL, MHZ) == pytest.approx(1.0, abs=0.05)


def test_a_reference_peak_is_removed(basis: Basis, tmp_path: Path) -> None:
    with_peak = basis.fids + 0.5 * lines([(0.0, 1.0)], width=1.0)
    found = read_text(write_text(tmp_path / "b", basis.names, with_peak))
    wanted = basis.fids[[basis.names.index(name) for name in found.names]]
    assert "reference_peak" in found.notes
    assert np.abs(found.fids - wanted).max() < 0.02 * np.abs(wanted).max()


def test_singlets_that_disagree_are_said(basis: Basis, tmp_path: Path) -> None:
    fids = basis.fids.copy()
    fids[0] *= 1.3
    assert "disagree" in read_text(write_text(tmp_path / "b", basis.names, fids)).notes["warning"]


def test_names_of_other_programs() -> None:
    assert canonical_names(["mI", "PCh", "Scyllo", "PEth", "Mac", "NAA", "xyz"]) == [
        "Ins", "PCho", "sIns", "PE", "MM", "NAA", "xyz",
    ]  # fmt: skip
    assert [kind_of(name) for name in ("MM", "MM09", "Lip13a", "NAA")] == [
        "macromolecule", "macromolecule", "lipid", "metabolite",
    ]  # fmt: skip


def test_jmrui_text_says_its_own_axis(basis: Basis, tmp_path: Path) -> None:
    for name, fid in zip(basis.names, basis.fids, strict=True):
        head = f"jMRUI Data Textfile\n\nPointsInDataset: {POINTS}\nSamplingInterval: 2.5E-1\n"
        head += "TransmitterFrequency: 1.232E8\n"
        rows = "\n".join(f"{z.real:.9e}\t{z.imag:.9e}\t0\t0" for z in fid.conj())
        (tmp_path / f"{name}.txt").write_text(
            head + "Signal and FFT\nsig(real)\tsig(imag)\tfft(real)\tfft(imag)\n" + rows
        )
    found = read_basis(tmp_path)
    assert found.dwell_time == pytest.approx(DWELL)
    assert found.notes["conjugated"] is True
    assert found.fids.shape == basis.fids.shape


@pytest.mark.parametrize("step", [1.9e-4, 2.5e-4, 4e-4])
def test_another_dwell_time_is_resampled(basis: Basis, step: float) -> None:
    count = int(0.4 / step)
    found, notes = match(basis, dwell_time=step, points=count, spectrometer_frequency=MHZ)
    time = np.arange(count) * step
    for name, fid in zip(found.names, found.fids, strict=True):
        wanted = sum(
            h * np.exp(2j * np.pi * (WATER_PPM - ppm) * MHZ * time - np.pi * 2 * time) for ppm, h in LINES[name]
        )
        assert np.abs(fid - wanted).max() < 1e-3 * np.abs(wanted).max()
    assert bool(notes) == (step != DWELL)


def test_a_short_basis_shortens_the_fit_and_says_so(basis: Basis) -> None:
    found, notes = match(basis, dwell_time=DWELL, points=4096, spectrometer_frequency=MHZ)
    assert found.points == POINTS
    assert "only the first 2048 of 4096 points" in notes[0]


def test_another_field_or_nucleus_is_refused(basis: Basis) -> None:
    with pytest.raises(RequestError, match="field strength"):
        match(basis, dwell_time=DWELL, points=POINTS, spectrometer_frequency=297.2)
    with pytest.raises(RequestError, match="nucleus"):
        match(basis, dwell_time=DWELL, points=POINTS, spectrometer_frequency=MHZ, nucleus="31P")


def test_a_neighbouring_field_is_rescaled_and_said(basis: Basis) -> None:
    found, notes = match(basis, dwell_time=DWELL, points=1024, spectrometer_frequency=127.7)
    peak = np.fft.fftfreq(8192, DWELL)[np.argmax(np.abs(np.fft.fft(found.fids[0], 8192)))]
    assert WATER_PPM - peak / 127.7 == pytest.approx(2.008, abs=0.005)
    assert "3.7%" in notes[0]


def test_what_is_no_basis_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="does not exist"):
        read_basis(tmp_path / "nothing.BASIS")
    (tmp_path / "x.basis").write_text("no basis at all")
    with pytest.raises(RequestError, match="no LCModel basis"):
        read_basis(tmp_path / "x.basis")
    (tmp_path / "b").mkdir()
    with pytest.raises(RequestError, match="no basis set"):
        read_basis(tmp_path / "b")


def test_a_truncated_lcmodel_file_is_refused(basis: Basis, tmp_path: Path) -> None:
    write_lcmodel(basis, tmp_path / "b.BASIS")
    text = (tmp_path / "b.BASIS").read_text()
    (tmp_path / "b.BASIS").write_text(text[: len(text) - 2000])
    with pytest.raises(RequestError, match="incomplete"):
        read_basis(tmp_path / "b.BASIS")


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    [
        "ismrm_challenge/press3T_30ms.BASIS",
        "ismrm_challenge/basis_text",
        "basis/3T_PRESS_Philips_35ms_noMM.BASIS",
        "basis/press_30ms_3T.basis",
        "basis/basis_ge_press30.mat",
        "basis/slaser_3T_fsl_json",
        "lcmodel_reference/3t.basis",
    ],
)
def test_bases_of_other_programs(realdata: Path, name: str) -> None:
    found = read_text(realdata / name)
    assert "warning" not in found.notes
    ppm = WATER_PPM - np.fft.fftfreq(8192, found.dwell_time) / found.spectrometer_frequency
    for metabolite, place in (("NAA", 2.008), ("Cr", 3.027), ("GPC", 3.212)):
        size = np.abs(np.fft.fft(found.fids[found.names.index(metabolite)], 8192))
        assert ppm[np.argmax(size)] == pytest.approx(place, abs=0.01)


def test_a_basis_in_nifti_mrs(basis: Basis, tmp_path: Path) -> None:
    image = NiftiMrs(
        np.zeros((1, 1, 1, POINTS), np.complex64),
        np.eye(4),
        DWELL,
        {"SpectrometerFrequency": [MHZ], "ResonantNucleus": ["1H"], "EchoTime": 0.03},
    )
    names = {"Metabolite": list(basis.names)}
    nifti_mrs.write(image.with_signal(basis.fids, "DIM_METAB", dim_5_header=names), tmp_path / "b.nii.gz")
    found = read_basis(tmp_path / "b.nii.gz")
    assert found.names == basis.names
    assert found.echo_time == pytest.approx(0.03)
    assert np.abs(found.fids - basis.fids).max() < 3e-3 * np.abs(basis.fids).max()


def test_an_osprey_basis_with_its_own_reference(basis: Basis, tmp_path: Path) -> None:
    from scipy.io import savemat

    fids = shift_frequency(basis.fids, 1.65 * MHZ, DWELL).conj()
    structure = {
        "fids": fids.T,
        "name": np.array(basis.names, object),
        "dwelltime": DWELL,
        "Bo": MHZ / 42.577478518,
        "te": 30.0,
        "seq": "PRESS",
    }
    savemat(tmp_path / "b.mat", {"BASIS": structure})
    found = read_basis(tmp_path / "b.mat")
    assert found.notes["conjugated"] is True
    assert found.sequence == "press"
    assert np.abs(found.fids - basis.fids).max() < 0.02 * np.abs(basis.fids).max()
