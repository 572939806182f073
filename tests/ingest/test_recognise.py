"""A raw file is what its header and signal say, not what its name says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ingest import raw_files as raw
from snakemrs.errors import DataError
from snakemrs.ingest.formats import philips
from snakemrs.ingest.raw import sequence_of
from snakemrs.ingest.recognise import files_of, recognise
from snakemrs.ingest.signal import SPIKE, is_suppressed, spike, water_ratio
from snakemrs.io import nifti_mrs

COILS = np.array([1, 0.5j, -0.3])[:, None]
MANY = raw.signal(8)[:, None] * COILS
WATER = raw.water_signal(8)[:, None] * COILS

CASES: dict[str, tuple[Callable[[Path], Path], dict[str, object]]] = {
    "Philips SDAT": (lambda d: raw.write_sdat(d, raw.signal(4)), {"format": "sdat", "kind": "svs", "transients": 4}),
    "Philips SDAT of water": (lambda d: raw.write_sdat(d, raw.water_signal(2)), {"format": "sdat", "kind": "mrsref"}),
    "Philips DATA/LIST": (
        lambda d: raw.write_data_list(d, MANY, WATER[:2]),
        {"format": "data-list", "kind": "svs", "transients": 8, "coils": 3},
    ),
    "Philips enhanced DICOM": (
        lambda d: raw.write_philips_dicom(d, np.concatenate([raw.signal(4), raw.water_signal(4)])),
        {"format": "dicom-mrs", "kind": "svs", "transients": 4},
    ),
    "Siemens enhanced DICOM": (
        lambda d: raw.write_siemens_dicom(d, raw.signal(8)),
        {"format": "dicom-mrs", "kind": "svs", "transients": 8, "vendor": "Siemens"},
    ),
    "UIH DICOM": (
        lambda d: raw.write_uih_dicom(d, raw.signal()[0], raw.water_signal()[0]),
        {"format": "uih", "kind": "svs", "transients": 1, "vendor": "UIH"},
    ),
    "Siemens RDA": (lambda d: raw.write_rda(d, raw.signal()), {"format": "rda", "kind": "svs"}),
    "Siemens twix": (
        lambda d: raw.write_twix(d, MANY),
        {"format": "twix-vb", "kind": "svs", "transients": 8, "coils": 3},
    ),
    "Siemens twix of water": (lambda d: raw.write_twix(d, WATER[:2]), {"format": "twix-vb", "kind": "mrsref"}),
    "GE P-file": (
        lambda d: raw.write_ge(d, MANY, WATER),
        {"format": "ge", "kind": "svs", "transients": 8, "coils": 3},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_spectra_of_every_vendor_are_recognised_whatever_their_name(case: str, tmp_path: Path) -> None:
    write, expected = CASES[case]
    found = recognise(write(tmp_path / "patient_T1_water_ref"))
    assert {key: getattr(found, key) for key in expected} == expected
    assert (found.echo_time, found.repetition_time) == pytest.approx((raw.TE, raw.TR))
    assert found.frequency == pytest.approx(raw.FREQUENCY)
    assert found.bandwidth == pytest.approx(raw.BANDWIDTH)
    assert found.points == raw.POINTS
    assert found.sequence == "PRESS"
    assert found.centre == pytest.approx(raw.CENTRE)
    assert sorted(found.voxel_size) == pytest.approx(sorted(raw.SIZE))


def test_a_file_under_a_wrong_name_is_recognised_by_its_content(tmp_path: Path) -> None:
    shutil.copy(raw.write_rda(tmp_path, raw.signal()), tmp_path / "meas.dat")
    shutil.copy(raw.write_twix(tmp_path / "t", MANY), tmp_path / "scan.IMA")
    assert recognise(tmp_path / "meas.dat").format == "rda"
    assert recognise(tmp_path / "scan.IMA").format == "twix-vb"


def test_the_mixing_time_of_steam_is_read_where_the_header_has_it(tmp_path: Path) -> None:
    path = raw.write_rda(tmp_path, raw.signal(), SequenceName="*svs_st", TM=10.0)
    assert recognise(path).mixing_time == pytest.approx(0.010)
    assert recognise(raw.write_rda(tmp_path / "press", raw.signal())).mixing_time is None
    header = {"SpectrometerFrequency": [raw.FREQUENCY], "ResonantNucleus": ["1H"], "EchoTime": 0.02, "MixingTime": 0.01}
    image = nifti_mrs.NiftiMrs(raw.signal().reshape(1, 1, 1, -1), np.eye(4), 1 / raw.BANDWIDTH, header)
    nifti_mrs.write(image, tmp_path / "steam.nii.gz")
    assert recognise(tmp_path / "steam.nii.gz").mixing_time == pytest.approx(0.010)


def test_a_sequence_that_only_the_sidecar_of_a_nifti_mrs_tells_is_known(tmp_path: Path) -> None:
    header = {"SpectrometerFrequency": [raw.FREQUENCY], "ResonantNucleus": ["1H"], "EchoTime": 0.03}
    image = nifti_mrs.NiftiMrs(raw.signal().reshape(1, 1, 1, -1), np.eye(4), 1 / raw.BANDWIDTH, header)
    nifti_mrs.write(image, tmp_path / "svs.nii.gz")
    assert recognise(tmp_path / "svs.nii.gz").sequence is None
    (tmp_path / "svs.json").write_text('{"PulseSequenceType": "PRESS", "MixingTime": 0.01}')
    found = recognise(tmp_path / "svs.nii.gz")
    assert (found.sequence, found.mixing_time) == ("PRESS", 0.01)


def test_a_text_file_is_no_raw_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("the participant moved a lot\n" * 100)
    assert recognise(tmp_path / "notes.txt").format == "unknown"


def test_a_name_that_promises_another_format_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "P01024.7").write_bytes(bytes(100_000))
    with pytest.raises(DataError, match="the name says GE"):
        recognise(tmp_path / "P01024.7")


@pytest.mark.parametrize("ending", ["SDAT", "SPAR"])
def test_half_a_pair_names_the_other_half(ending: str, tmp_path: Path) -> None:
    pair = raw.write_sdat(tmp_path, raw.signal())
    missing = "SPAR" if ending == "SDAT" else "SDAT"
    pair.with_suffix(f".{missing}").unlink()
    with pytest.raises(DataError, match=f"the {missing} file beside it is missing"):
        recognise(pair.with_suffix(f".{ending}"))


def test_inversion_nulled_scans_are_known_by_the_name_that_the_scanner_gave(tmp_path: Path) -> None:
    assert recognise(raw.write_sdat(tmp_path / "a", raw.signal(), scan_id="PRESS_TI_600")).inversion_time == 0.6
    assert recognise(raw.write_sdat(tmp_path / "b", raw.signal(), spectrum_inversion_time=920)).inversion_time == 0.92
    assert recognise(raw.write_sdat(tmp_path / "c", raw.signal(), scan_id="MULTI 300")).inversion_time is None


@pytest.mark.parametrize("stripped", [True, False])
def test_a_head_is_told_from_a_stripped_brain_by_the_image(stripped: bool, tmp_path: Path) -> None:
    found = recognise(raw.write_image(tmp_path / "anything.nii.gz", *raw.head_image(stripped)))
    assert (found.kind, found.skull_stripped) == ("T1w", stripped)


def test_masks_maps_and_small_images_are_no_t1w(tmp_path: Path) -> None:
    head, affine = raw.head_image()
    images = {
        "mask": (head > 50).astype(np.uint8),
        "probability": np.clip(head / 100, 0, 1),
        "small": head[:10, :10, :10],
    }
    for name, image in images.items():
        found = recognise(raw.write_image(tmp_path / f"{name}_T1w.nii.gz", image, affine))
        assert found.kind == "image", name
        assert found.problem


def test_a_dicom_series_is_one_image_and_its_times_tell_the_contrast(tmp_path: Path) -> None:
    head, _ = raw.head_image()
    whole = recognise(raw.write_dicom_series(tmp_path / "a", head))
    assert (whole.kind, len(whole.files), whole.path) == ("T1w", head.shape[2], tmp_path / "a")
    spin_echo = recognise(raw.write_dicom_series(tmp_path / "T1", head, EchoTime=98.0, RepetitionTime=6000.0))
    assert spin_echo.kind == "image"
    assert "not T1-weighted" in spin_echo.why


def test_all_files_of_a_scan_are_listed(tmp_path: Path) -> None:
    sdat = raw.write_sdat(tmp_path, raw.signal())
    assert files_of(sdat) == [sdat, sdat.with_suffix(".SPAR")]
    assert len(files_of(raw.write_data_list(tmp_path / "d", MANY, WATER))) == 3


def test_water_is_judged_by_its_height_over_the_rest() -> None:
    ratio = water_ratio(raw.signal(4), raw.BANDWIDTH, raw.FREQUENCY)
    assert is_suppressed(ratio) is True
    assert is_suppressed(water_ratio(raw.water_signal(), raw.BANDWIDTH, raw.FREQUENCY)) is False
    assert is_suppressed(100.0) is None
    assert water_ratio(np.zeros((2, 512)), raw.BANDWIDTH, raw.FREQUENCY) is None


@pytest.mark.realdata
def test_measured_spectra_and_water_references_are_told_apart(realdata: Path) -> None:
    seven = realdata / "siemens_7t_multicoil"
    challenge = realdata / "ismrm_challenge" / "datasets"
    for path, kind in [
        *((p, "mrsref") for p in [*seven.glob("wref*"), *seven.glob("quant*"), *challenge.glob("*_wref.nii.gz")]),
        *((p, "svs") for p in [*seven.glob("metab*"), *challenge.glob("*_metab.nii.gz")]),
        *((p, "svs") for p in (realdata / "siemens_skyra_press30").glob("SVS*")),
    ]:
        assert recognise(path).kind == kind, path


@pytest.mark.realdata
def test_measured_heads_are_told_from_stripped_brains(realdata: Path) -> None:
    assert recognise(realdata / "t1_whole_head" / "chris_t1.nii.gz").skull_stripped is False
    for path in realdata.glob("philips_press_mm/sub-*/anat/*.nii.gz"):
        assert recognise(path).skull_stripped is True
    assert recognise(realdata / "t1_brain_fast" / "pve_1.nii.gz").kind == "image"


@pytest.mark.parametrize(
    ("names", "sequence"),
    [
        (["PRESS_35"], "PRESS"),
        ([r"%CustomerSeq%\eja_svs_slaser"], "sLASER"),
        (["svs_se", "MEGA_PRESS_68"], "MEGA-PRESS"),
        (["eja_svs_mpress"], "MEGA-PRESS"),
        (["eja_svs_mslaser"], "MEGA-sLASER"),
        (["svs_edit"], "MEGA"),
        (["gaba"], "MEGA"),
        (["HERMES_GABA"], "HERMES"),
        (["mc_semiLASER"], "metabolite-cycled-sLASER"),
        (["omega_press"], "PRESS"),
        ([None, "T1w"], None),
    ],
)
def test_names_tell_the_sequence_and_whether_it_is_edited(names: list[str | None], sequence: str | None) -> None:
    assert sequence_of(*names) == sequence


@pytest.mark.parametrize("rows", [1, 64, 100, 200, 800])
def test_the_height_of_water_is_judged_by_some_rows_as_by_all(tmp_path: Path, rows: int) -> None:
    sdat = raw.write_sdat(tmp_path, raw.signal(rows))
    some, every = philips.read_some(sdat, raw.POINTS, rows), philips.read_sdat(sdat, raw.POINTS, rows)
    assert len(some) <= 127
    ratios = [water_ratio(signals, raw.BANDWIDTH, raw.FREQUENCY) for signals in (some, every)]
    assert ratios[0] == ratios[1] is not None


@pytest.mark.parametrize("row", [0, 1, 95])
def test_a_value_beyond_all_signals_is_seen_in_any_row(tmp_path: Path, row: int) -> None:
    data = raw.signal(96)
    data[row, 500] = 1e20
    assert recognise(raw.write_sdat(tmp_path, data)).problem == (
        "the file holds values beyond what single precision holds"
    )


def test_signal_in_few_rows_is_signal(tmp_path: Path) -> None:
    data = raw.signal(192)
    data[::3] = 0  # all that would be looked at
    assert recognise(raw.write_sdat(tmp_path, data)).problem is None


@given(
    arrays(np.float32, st.integers(1, 60), elements=st.floats(0, 1e6, width=32)),
    st.integers(0, 59),
    st.sampled_from([1.0, 1e5, 1e12]),
)
def test_a_spike_is_the_highest_value_over_the_second_highest(values: np.ndarray, at: int, factor: float) -> None:
    values = values.copy()
    values[at % values.size] *= np.float32(factor)
    found = spike(values)
    if values.size < 3:
        assert found is None
        return
    second, first = np.sort(values)[-2:]
    if second > 0 and first > SPIKE * second:
        assert found == float(first) / float(second)
    else:
        assert found is None
