"""Raw files of every vendor become NIfTI-MRS with the same samples, sign, place and times, and nobody's name."""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ingest import raw_files as raw
from snakemrs.errors import DataError, RequestError
from snakemrs.ingest.command import ingest
from snakemrs.ingest.convert import convert_all
from snakemrs.io import nifti_mrs
from snakemrs.spectra.command import preprocess
from snakemrs.study.settings.ingest import IngestSettings

COILS = np.array([1, 0.5j, -0.3])
MANY = raw.signal(8)[:, None] * COILS[:, None]
WATER = raw.water_signal(8)[:, None] * COILS[:, None]

VENDORS: dict[str, tuple[Callable[[Path], Path], np.ndarray, np.ndarray | None]] = {
    "Philips SDAT": (lambda d: raw.write_sdat(d, raw.signal(4)), raw.signal(4)[:, None], None),
    "Philips DATA/LIST": (lambda d: raw.write_data_list(d, MANY, WATER[:2]), MANY, WATER[:2]),
    "Philips DICOM, 16 and 16 frames": (
        lambda d: raw.write_philips_dicom(d, np.concatenate([raw.signal(16), raw.water_signal(16)])),
        raw.signal(16)[:, None],
        raw.water_signal(16)[:, None],
    ),
    "Siemens RDA": (lambda d: raw.write_rda(d, raw.signal()), raw.signal()[:, None], None),
    "Siemens twix": (lambda d: raw.write_twix(d, MANY), MANY, None),
    "Siemens twix with averages": (lambda d: raw.write_twix(d, MANY, counter="Ave"), MANY, None),
    "Siemens twix VE": (lambda d: raw.write_twix(d, MANY, counter="Ave", software="syngo MR E11"), MANY, None),
    "Siemens twix XA": (lambda d: raw.write_twix(d, MANY, counter="Ave", software="syngo MR XA30"), MANY, None),
    "Siemens twix XA with water": (
        lambda d: raw.write_twix(d, MANY, counter="Ave", software="syngo MR XA30", reference=WATER[:1]),
        MANY,
        WATER[:1],
    ),
    "Siemens enhanced DICOM": (lambda d: raw.write_siemens_dicom(d, raw.signal()), raw.signal()[:, None], None),
    "Siemens enhanced DICOM of eight frames": (
        lambda d: raw.write_siemens_dicom(d, raw.signal(8)),
        raw.signal(8)[:, None],
        None,
    ),
    "GE P-file": (lambda d: raw.write_ge(d, MANY, WATER), MANY, WATER),
    "UIH DICOM with water": (
        lambda d: raw.write_uih_dicom(d, raw.signal()[0], raw.water_signal()[0]),
        raw.signal()[:, None],
        raw.water_signal()[:, None],
    ),
}


def stored(path: Path) -> bytes:
    """Everything that a reader could find in an output."""
    content = path.read_bytes()
    return gzip.decompress(content) if path.name.endswith(".gz") else content


def same_up_to_scale(found: np.ndarray, expected: np.ndarray) -> bool:
    scale = np.vdot(expected, found) / np.vdot(expected, expected)
    # Scanners keep integers or VAX floats, each with its unit: the scale is free, sign and phase are not.
    return bool(abs(np.angle(scale)) < 1e-6 and np.allclose(found / abs(scale), expected, rtol=1e-4, atol=1e-2))


@pytest.mark.parametrize("vendor", VENDORS)
def test_samples_place_and_times_are_those_of_the_scanner(vendor: str, tmp_path: Path) -> None:
    write, metabolites, water = VENDORS[vendor]
    out = tmp_path / "bids" / "sub-01_voi-acc_svs.nii.gz"
    convert_all([(write(tmp_path / "raw"), out)], IngestSettings(voi_names={"acc": "anterior cingulate cortex"}))

    image = nifti_mrs.read(out)
    assert same_up_to_scale(image.as_dims("DIM_DYN", "DIM_COIL"), metabolites)
    assert image.affine[:3, 3] == pytest.approx(raw.CENTRE, abs=0.01)
    # The box is what counts: vendors turn its axes differently.
    corner = np.abs(image.affine[:3, :3]).sum(1)
    assert corner == pytest.approx(raw.SIZE, abs=0.01)
    assert image.dwell_time == pytest.approx(1 / raw.BANDWIDTH)

    sidecar = json.loads(out.with_suffix("").with_suffix(".json").read_text())
    assert sidecar["EchoTime"] == pytest.approx(raw.TE)
    assert sidecar["RepetitionTime"] == pytest.approx(raw.TR)
    assert sidecar["SpectrometerFrequency"] == pytest.approx(raw.FREQUENCY)
    assert sidecar["ResonantNucleus"] == "1H"
    assert sidecar["MagneticFieldStrength"] == 3.0
    assert sidecar["NumberOfSpectralPoints"] == raw.POINTS
    assert sidecar["PulseSequenceType"] == "PRESS"
    assert (sidecar["BodyPart"], sidecar["BodyPartDetails"]) == ("BRAIN", "anterior cingulate cortex")
    assert sidecar["WaterSuppression"] is True

    beside = out.with_name("sub-01_voi-acc_mrsref.nii.gz")
    assert beside.exists() == (water is not None)
    if water is not None:
        assert same_up_to_scale(nifti_mrs.read(beside).as_dims("DIM_DYN", "DIM_COIL"), water)


@pytest.mark.parametrize("vendor", VENDORS)
def test_nobody_is_named_in_any_byte(vendor: str, tmp_path: Path) -> None:
    write, _, _ = VENDORS[vendor]
    source = write(tmp_path / "Quagmarsh")
    assert any(word.encode() in f.read_bytes() for f in source.parent.iterdir() for word in raw.PERSONAL)
    run = CliRunner().invoke(ingest, ["--convert", str(source), str(tmp_path / "out" / "sub-01_svs.nii.gz")])
    assert run.exit_code == 0, run.output
    for path in (tmp_path / "out").iterdir():
        for word in raw.PERSONAL:
            assert word.encode().lower() not in stored(path).lower(), (path.name, word)
    assert not any(word in run.output for word in raw.PERSONAL)


def test_the_time_of_each_transient_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "sub-01_svs.nii.gz"
    convert_all([(raw.write_twix(tmp_path / "raw", MANY), out)], IngestSettings())
    times = [n * raw.TR for n in range(len(MANY))]
    assert json.loads((tmp_path / "sub-01_svs.json").read_text())["AcquisitionTimes"] == times
    image = nifti_mrs.read(out)
    assert image.dim_tags == ("DIM_COIL", "DIM_DYN")
    assert image.header["dim_6_header"] == {"AcquisitionStartTime": times}


def test_transients_of_zeros_are_said_to_be_left_out(tmp_path: Path) -> None:
    data = raw.signal(4)
    data[2] = 0
    convert_all([(raw.write_sdat(tmp_path / "raw", data), tmp_path / "sub-01_svs.nii.gz")], IngestSettings())
    assert nifti_mrs.read(tmp_path / "sub-01_svs.nii.gz").as_dims("DIM_DYN").shape[0] == 3
    assert "1 signals of zeros" in json.loads((tmp_path / "sub-01_svs.json").read_text())["IngestNotes"][0]


def test_a_number_of_averages_on_the_scanner_is_the_number_of_transients(tmp_path: Path) -> None:
    pairs = [
        (raw.write_sdat(tmp_path / "averaged", raw.signal(1), averages=48), tmp_path / "a_svs.nii.gz", 48),
        (raw.write_sdat(tmp_path / "single", raw.signal(4), averages=4), tmp_path / "b_svs.nii.gz", 4),
        (raw.write_sdat(tmp_path / "blocks", raw.signal(4), averages=8), tmp_path / "c_svs.nii.gz", 32),
        (raw.write_ge(tmp_path / "ge", MANY, WATER), tmp_path / "d_svs.nii.gz", 16),
    ]
    convert_all([(source, out) for source, out, _ in pairs], IngestSettings())
    for _, out, count in pairs:
        assert nifti_mrs.read(out).header["NumberOfTransients"] == count


@pytest.mark.parametrize(
    ("write", "gain"),
    [
        (lambda d: raw.write_ge(d, MANY, WATER, gains=(11, 14)), "R1 11, R2 14"),
        (lambda d: raw.write_ge(d, MANY, WATER, revision=16.0, gains=(7, 15)), "R1 7, R2 15"),
        (lambda d: raw.write_ge(d, MANY, WATER), None),
        (lambda d: raw.write_twix(d, MANY, protocol=("sRXSPEC.lGain = 1",)), "high"),
        (lambda d: raw.write_twix(d, MANY, protocol=("sRXSPEC.bGainValid = 0x1",)), "low"),
        (lambda d: raw.write_twix(d, MANY), None),
    ],
)
def test_the_receiver_gain_is_kept_where_the_raw_file_says_it(
    write: Callable[[Path], Path], gain: str | None, tmp_path: Path
) -> None:
    """GE's R1 and R2; the step of Siemens, whose protocol leaves out a nought."""
    out = tmp_path / "sub-01_svs.nii.gz"
    convert_all([(write(tmp_path / "raw"), out)], IngestSettings(), "01")
    assert nifti_mrs.read(out).header.get("ReceiverGain") == gain
    assert json.loads(out.with_name("sub-01_svs.json").read_text()).get("ReceiverGain") == gain


def test_the_header_is_valid_nifti_mrs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validator = pytest.importorskip("nifti_mrs.nifti_mrs")
    out = tmp_path / "sub-01_svs.nii.gz"
    convert_all([(raw.write_twix(tmp_path / "raw", MANY), out)], IngestSettings())
    assert validator.NIFTI_MRS(str(out)).dim_tags == ["DIM_COIL", "DIM_DYN", None]
    assert "invalid" not in capsys.readouterr().out


def test_the_same_raw_file_gives_the_same_bytes(tmp_path: Path) -> None:
    source = raw.write_sdat(tmp_path / "raw", raw.signal())
    for name in ("one", "two"):
        convert_all([(source, tmp_path / name / "sub-01_svs.nii.gz")], IngestSettings())
    for one in (tmp_path / "one").iterdir():
        assert one.read_bytes() == (tmp_path / "two" / one.name).read_bytes()


def test_a_spar_of_old_software_without_inversion_time_is_mended(tmp_path: Path) -> None:
    source = raw.write_sdat(tmp_path / "raw", raw.signal(), spectrum_inversion_time=None, scan_id=12345)
    convert_all([(source, tmp_path / "sub-01_svs.nii.gz")], IngestSettings())
    assert "InversionTime" not in json.loads((tmp_path / "sub-01_svs.json").read_text())


def test_one_bad_file_leaves_nothing_of_the_call(tmp_path: Path) -> None:
    good = raw.write_sdat(tmp_path / "good", raw.signal())
    bad = raw.write_sdat(tmp_path / "bad", raw.signal())
    bad.write_bytes(bad.read_bytes()[:1000])
    out = tmp_path / "bids"
    with pytest.raises(DataError, match="truncated") as problem:
        convert_all([(good, out / "sub-07_svs.nii.gz"), (bad, out / "sub-07_mrsref.nii.gz")], IngestSettings())
    assert "scan.SDAT" in str(problem.value)
    assert "sub-07" in str(problem.value)
    assert not out.exists() or not list(out.iterdir())


def test_a_structural_image_keeps_samples_and_place_and_loses_names(tmp_path: Path) -> None:
    import nibabel as nib

    data, affine = raw.head_image()
    source = raw.write_image(tmp_path / "raw" / "Quagmarsh.nii.gz", data, affine)
    out = tmp_path / "sub-01_T1w.nii.gz"
    convert_all([(source, out)], IngestSettings())
    image = nib.load(out)
    assert np.array_equal(np.asarray(image.dataobj), data)
    assert np.array_equal(image.affine, affine)
    assert not any(word.encode() in stored(out) for word in raw.PERSONAL)
    assert json.loads((tmp_path / "sub-01_T1w.json").read_text())["SkullStripped"] is False


def test_a_dicom_series_becomes_one_image_in_its_place(tmp_path: Path) -> None:
    import nibabel as nib

    data, _ = raw.head_image()
    data = np.round(np.clip(data, 0, 4000))
    out = tmp_path / "sub-01_T1w.nii.gz"
    convert_all([(raw.write_dicom_series(tmp_path / "raw", data), out)], IngestSettings())
    image = nib.load(out)
    # DICOM is LPS: the first row is the right, the first column the front.
    found = nib.as_closest_canonical(image)
    assert np.array_equal(np.asarray(found.dataobj), data[::-1, ::-1])
    assert not any(word.encode() in stored(p) for p in tmp_path.glob("sub-01*") for word in raw.PERSONAL)
    sidecar = json.loads((tmp_path / "sub-01_T1w.json").read_text())
    assert sidecar["ManufacturersModelName"] == "Prisma"
    assert sidecar["EchoTime"] == pytest.approx(0.00298)


@pytest.mark.parametrize(
    ("write", "suffix", "message"),
    [
        (lambda d: raw.write_image(d / "x.nii.gz", *raw.head_image()), "svs", "no single-voxel spectrum"),
        (lambda d: raw.write_rda(d, raw.signal()), "T1w", "this is no image"),
        (lambda d: raw.write_sdat(d, raw.signal(), nucleus="31P"), "svs", "another nucleus"),
        (lambda d: raw.write_sdat(d, np.zeros((1, 512))), "svs", "cannot be used"),
        (lambda d: raw.write_sdat(d, raw.signal(), lr_size=0), "svs", "geometry is impossible"),
        (lambda d: raw.write_sdat(d, raw.signal(), synthesizer_frequency=127), "svs", "frequency is impossible"),
        (lambda d: raw.write_sdat(d, raw.signal(), samples=10**12), "svs", "absurd"),
        (lambda d: raw.write_twix(d, MANY, end=False), "svs", "cut short"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    write: Callable[[Path], Path], suffix: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        convert_all([(write(tmp_path / "raw"), tmp_path / f"sub-01_{suffix}.nii.gz")], IngestSettings())
    assert not list(tmp_path.glob("sub-01*"))


def test_an_output_that_ingest_cannot_make_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot make this output"):
        convert_all([(tmp_path / "x", tmp_path / "sub-01_bold.nii.gz")], IngestSettings())


@pytest.mark.realdata
def test_rda_and_ima_of_one_scan_give_identical_samples_and_geometry(realdata: Path, tmp_path: Path) -> None:
    folder = realdata / "siemens_skyra_press30"
    convert_all(
        [(folder / "SVS_30.rda", tmp_path / "rda_svs.nii.gz"), (folder / "SVS_30.IMA", tmp_path / "ima_svs.nii.gz")],
        IngestSettings(),
    )
    rda, ima = nifti_mrs.read(tmp_path / "rda_svs.nii.gz"), nifti_mrs.read(tmp_path / "ima_svs.nii.gz")
    assert np.array_equal(rda.data, ima.data)
    assert rda.affine == pytest.approx(ima.affine, abs=1e-4)
    assert (rda.echo_time, rda.repetition_time) == (ima.echo_time, ima.repetition_time)
    # RDA keeps the dwell time in whole microseconds (833 for 833.4).
    assert rda.dwell_time == pytest.approx(ima.dwell_time, rel=5e-4)


def test_a_repetition_time_of_milliseconds_in_nifti_mrs_is_mended_with_the_echo_time(tmp_path: Path) -> None:
    source = tmp_path / "raw" / "spectrum.nii.gz"
    convert_all(
        [(raw.write_sdat(tmp_path / "x", raw.signal()), tmp_path / "x" / "sub-01_svs.nii.gz")], IngestSettings()
    )
    image = nifti_mrs.read(tmp_path / "x" / "sub-01_svs.nii.gz")
    source.parent.mkdir()
    nifti_mrs.write(replace(image, header={**image.header, "EchoTime": 30.0, "RepetitionTime": 2000.0}), source)
    convert_all([(source, tmp_path / "sub-01_svs.nii.gz")], IngestSettings())
    mended = nifti_mrs.read(tmp_path / "sub-01_svs.nii.gz")
    assert (mended.echo_time, mended.repetition_time) == (0.03, 2.0)


def test_an_edited_scan_under_a_localising_name_says_so_and_is_not_preprocessed(tmp_path: Path) -> None:
    out = tmp_path / "sub-01_svs.nii.gz"
    convert_all([(raw.write_sdat(tmp_path / "raw", raw.signal(4), scan_id="MEGA_sLASER_68"), out)], IngestSettings())
    assert json.loads((tmp_path / "sub-01_svs.json").read_text())["PulseSequenceType"] == "MEGA-sLASER"
    run = CliRunner().invoke(preprocess, [str(out), "--output", str(tmp_path / "x")])
    assert "difference-edited" in str(run.exception)


def test_a_bruker_scan_keeps_its_transients_and_times_and_loses_its_names(tmp_path: Path) -> None:
    source, out = raw.write_bruker(tmp_path / "raw", raw.signal(4)), tmp_path / "sub-01_svs.nii.gz"
    convert_all([(source, out)], IngestSettings())
    image = nifti_mrs.read(out)
    found = image.as_dims("DIM_DYN")
    # Whole numbers, a thousandth of the unit each.
    np.testing.assert_allclose(found / 1000, raw.signal(4), atol=0.01)
    assert image.affine[:3, 3] == pytest.approx(raw.CENTRE)
    assert np.abs(image.affine[:3, :3]).sum(1) == pytest.approx(raw.SIZE)
    sidecar = json.loads((tmp_path / "sub-01_svs.json").read_text())
    assert (sidecar["EchoTime"], sidecar["RepetitionTime"]) == pytest.approx((raw.TE, raw.TR))
    assert sidecar["PulseSequenceType"] == "STEAM"
    assert "mostly untested" in sidecar["IngestNotes"][0]
    assert not any(word.encode() in stored(p) for p in tmp_path.glob("sub-01*") for word in raw.PERSONAL)


def test_edited_spectra_of_uih_are_refused_by_what_the_file_holds(tmp_path: Path) -> None:
    source = raw.write_uih_dicom(tmp_path / "raw", raw.signal()[0], raw.water_signal()[0], "svs_mega")
    with pytest.raises(DataError, match=r"several spectra[\s\S]*_off_on"):
        convert_all([(source, tmp_path / "sub-01_svs.nii.gz")], IngestSettings())


def test_a_damaged_dicom_value_is_not_quoted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = raw.write_philips_dicom(tmp_path / "raw", np.concatenate([raw.signal(16), raw.water_signal(16)]))
    content = source.read_bytes()
    source.write_bytes(content.replace(raw.NAME.encode(), raw.NAME[:-1].encode() + b"\x81"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convert_all([(source, tmp_path / "sub-01_svs.nii.gz")], IngestSettings())
    assert "Quagmarsh" not in "".join(capfd.readouterr())
