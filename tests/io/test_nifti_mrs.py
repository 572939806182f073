"""NIfTI-MRS files: round trips, dimensions by tag, and clear errors for what is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemrs.errors import DataError
from snakemrs.io.nifti_mrs import NiftiMrs, read, write

AFFINE = np.array([[20.0, 0, 0, 5], [0, 30, 0, -20], [0, 0, 25, 10], [0, 0, 0, 1]])
HEADER: dict[str, Any] = {"SpectrometerFrequency": [123.2], "ResonantNucleus": ["1H"], "EchoTime": 0.03}


def image(*lengths: int, tags: tuple[str, ...] = (), **header: Any) -> NiftiMrs:
    """An image of 16 points whose values count upwards."""
    shape = (1, 1, 1, 16, *lengths)
    data = (np.arange(np.prod(shape)).reshape(shape) * (1 + 0.5j)).astype(np.complex64)
    named = {f"dim_{5 + k}": tag for k, tag in enumerate(tags)}
    return NiftiMrs(data, AFFINE, 0.0005, {**HEADER, **named, **header})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = image(4, 3, tags=("DIM_COIL", "DIM_DYN"), RepetitionTime=2.0, NumberOfTransients=3)
    write(written, tmp_path / "a.nii.gz")
    found = read(tmp_path / "a.nii.gz")
    assert np.array_equal(found.data, written.data)
    assert np.allclose(found.affine, AFFINE)
    assert found.dwell_time == pytest.approx(0.0005)
    assert found.header == written.header
    assert (found.spectrometer_frequency, found.nucleus, found.echo_time) == (123.2, "1H", 0.03)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(image(2, tags=("DIM_DYN",)), tmp_path / f"{name}.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_dimensions_are_given_by_tag_in_any_order() -> None:
    both = image(4, 3, tags=("DIM_COIL", "DIM_DYN"))
    assert both.as_dims("DIM_DYN", "DIM_COIL").shape == (3, 4, 16)
    assert both.as_dims("DIM_DYN", "DIM_COIL")[2, 1, 5] == both.data[0, 0, 0, 5, 1, 2]
    assert both.as_dims("DIM_COIL", "DIM_DYN")[1, 2, 5] == both.data[0, 0, 0, 5, 1, 2]


def test_a_dimension_that_is_absent_has_length_one() -> None:
    assert image().as_dims("DIM_DYN", "DIM_COIL").shape == (1, 1, 16)


def test_a_tagged_dimension_of_length_one_need_not_be_stored() -> None:
    single = image(4, tags=("DIM_COIL", "DIM_DYN"))
    assert single.as_dims("DIM_DYN", "DIM_COIL").shape == (1, 4, 16)


def test_a_dimension_is_never_dropped_in_silence() -> None:
    with pytest.raises(DataError, match="DIM_EDIT"):
        image(2, 3, tags=("DIM_EDIT", "DIM_DYN")).as_dims("DIM_DYN")
    with pytest.raises(DataError, match="no tag"):
        image(2).as_dims("DIM_DYN")


def test_two_voxels_are_no_single_voxel() -> None:
    two = NiftiMrs(np.zeros((2, 1, 1, 16), np.complex64), AFFINE, 0.0005, HEADER)
    with pytest.raises(DataError, match="more than one voxel"):
        two.as_dims()


@given(st.lists(st.integers(1, 3), min_size=0, max_size=3), st.permutations(["DIM_COIL", "DIM_DYN", "DIM_MEAS"]))
def test_with_signal_and_as_dims_undo_each_other(lengths: list[int], tags: list[str]) -> None:
    used = tuple(tags[: len(lengths)])
    signal = np.random.default_rng(0).standard_normal((*lengths, 16)) + 0j
    changed = image().with_signal(signal, *used)
    assert np.allclose(changed.as_dims(*used), signal, atol=1e-6)


def test_processing_steps_are_appended() -> None:
    steps = image().processed("Signal averaging", "a").processed("Eddy current correction", "b")
    assert [step["Method"] for step in steps.header["ProcessingApplied"]] == [
        "Signal averaging",
        "Eddy current correction",
    ]
    assert steps.header["ProcessingApplied"][0]["Program"] == "SnakeMRS"


def raw(path: Path, header: object, data: np.ndarray | None = None, unit: str = "sec", dwell: float = 0.0005) -> Path:
    """Write a file by nibabel, whatever is wrong with it."""
    data = image().data if data is None else data
    nifti = nib.Nifti2Image(data, AFFINE)
    nifti.header.set_xyzt_units("mm", unit)
    nifti.header["pixdim"][4] = dwell
    if header is not None:
        content = header if isinstance(header, bytes) else json.dumps(header).encode()
        nifti.header.extensions.append(nib.nifti1.Nifti1Extension(44, content))
    nib.save(nifti, path)
    return path


def test_milliseconds_are_understood(tmp_path: Path) -> None:
    assert read(raw(tmp_path / "a.nii", HEADER, unit="msec", dwell=0.5)).dwell_time == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "no NIfTI-MRS file"),
        (b"{not json", "header is damaged"),
        ([1, 2], "header is damaged"),
        ({"ResonantNucleus": ["1H"]}, "incomplete"),
        ({**HEADER, "SpectrometerFrequency": [123.2e6]}, "frequency cannot be"),
        ({**HEADER, "SpectrometerFrequency": []}, "no number"),
        ({**HEADER, "SpectrometerFrequency": ["high"]}, "no number"),
        ({**HEADER, "EchoTime": "short"}, "no number"),
        ({**HEADER, "RepetitionTime": -2}, "repetition time cannot be"),
        ({**HEADER, "dim_5": "DIM_DYN", "dim_6": "DIM_DYN"}, "not named"),
        ({**HEADER, "dim_5": 3}, "not named"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(raw(tmp_path / "a.nii.gz", header))
    assert caught.value.file == str(tmp_path / "a.nii.gz")


def test_wrong_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not complex"):
        read(raw(tmp_path / "a.nii", HEADER, np.zeros((1, 1, 1, 16), np.float32)))
    with pytest.raises(DataError, match="no time axis"):
        read(raw(tmp_path / "b.nii", HEADER, np.zeros((4, 4, 4), np.complex64)))
    with pytest.raises(DataError, match="no tag"):
        read(raw(tmp_path / "c.nii", HEADER, np.zeros((1, 1, 1, 16, 3), np.complex64)))
    with pytest.raises(DataError, match="dwell time"):
        read(raw(tmp_path / "d.nii", HEADER, dwell=500.0))


def test_absent_cut_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "none.nii.gz")
    (tmp_path / "text.nii.gz").write_text("no image")
    write(image(8, tags=("DIM_DYN",)), tmp_path / "whole.nii.gz")
    content = gzip.decompress((tmp_path / "whole.nii.gz").read_bytes())
    (tmp_path / "cut.nii").write_bytes(content[: len(content) // 2])
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "whole.nii.gz").read_bytes()[:-40])
    for name in ("text.nii.gz", "cut.nii", "cut.nii.gz"):
        with pytest.raises(DataError, match="cannot be read"):
            read(tmp_path / name)
