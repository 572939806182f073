"""Raw files of each vendor, read back by spec2nii: exact geometry, header, signals; planted names are in them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from spec2nii import spec2nii

from snakemrs.io.nifti_mrs import NiftiMrs, read
from snakemrs.scanner.ge import REVISIONS, write_pfile
from snakemrs.scanner.head import Box
from snakemrs.scanner.personal import Personal
from snakemrs.scanner.philips import to_vax, write_pair
from snakemrs.scanner.philips_list import write_list
from snakemrs.scanner.presets import load_protocol
from snakemrs.scanner.siemens import write_twix

PROTOCOL = load_protocol("philips").model_copy(update={"points": 256})
PERSON = Personal("Quagmarsh^Zebulina", "1987-06-15", "PID12345678", "F", 61.5)


def box(angles: tuple[float, float, float] = (22.0, -6.0, 9.0)) -> Box:
    turn = Rotation.from_euler("XYZ", angles, degrees=True).as_matrix()
    return Box(np.array([-3.25, 41.5, 12.125]), turn, np.array([20.0, 30.0, 25.0]))


def signals(transients: int = 6, coils: int = 4, points: int = 256) -> np.ndarray:
    """A line at 2.01 ppm in the sign of NIfTI-MRS, with another size in every coil and transient, and a phase."""
    random = np.random.default_rng(1)
    time = np.arange(points) / PROTOCOL.bandwidth
    line = np.exp(-2j * np.pi * (2.01 - 4.65) * PROTOCOL.spectrometer_frequency * time - 20 * time)
    weights = random.normal(size=(transients, coils)) + 1j * random.normal(size=(transients, coils))
    return (100 * weights[:, :, None] * line).astype(np.complex64)


def convert(tmp_path: Path, *arguments: object) -> dict[str, NiftiMrs]:
    """Run spec2nii (in this process, which spares its start-up); give what it wrote, by name."""
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["spec2nii", *map(str, arguments), "-o", str(out), "-f", "x"])
        spec2nii.main()
    return {path.name.removesuffix(".nii.gz"): read(path) for path in out.glob("*.nii.gz")}


def same_box(image: NiftiMrs, expected: Box) -> None:
    """The same box to 0.1 mm and 0.1°, whatever order and sign its axes have."""
    affine = image.affine
    np.testing.assert_allclose(affine[:3, 3], expected.centre, atol=1e-4)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs((affine[:3, :3] / sizes).T @ expected.rotation)
    match = cosines.argmax(axis=1)
    assert sorted(match) == [0, 1, 2]
    np.testing.assert_allclose(np.rad2deg(np.arccos(np.clip(cosines.max(axis=1), -1, 1))), 0, atol=0.01)
    np.testing.assert_allclose(sizes, expected.size[match], atol=1e-4)


def same_header(image: NiftiMrs) -> None:
    assert image.echo_time == pytest.approx(PROTOCOL.echo_time)
    assert image.repetition_time == pytest.approx(PROTOCOL.repetition_time)
    assert image.spectrometer_frequency == pytest.approx(PROTOCOL.spectrometer_frequency, abs=1e-6)
    assert image.bandwidth == pytest.approx(PROTOCOL.bandwidth)
    assert image.nucleus == "1H"


ANGLES = [(0.0, 0.0, 0.0), (22.0, -6.0, 9.0), (-28.0, 11.0, -14.0)]


@pytest.mark.parametrize("angles", ANGLES)
def test_philips_sdat(tmp_path: Path, angles: tuple[float, float, float]) -> None:
    signal = signals(coils=1)[:, 0]
    write_pair(tmp_path / "scan", signal, PROTOCOL, box(angles), PERSON, "PRESS_ACC", water=False)
    image = convert(tmp_path, "philips", tmp_path / "scan.SDAT", tmp_path / "scan.SPAR")["x"]
    same_box(image, box(angles))
    same_header(image)
    np.testing.assert_allclose(image.as_dims("DIM_DYN"), signal, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("angles", ANGLES)
def test_siemens_twix(tmp_path: Path, angles: tuple[float, float, float]) -> None:
    signal = signals()
    write_twix(tmp_path / "meas.dat", signal, PROTOCOL, box(angles), PERSON, "svs_se_acc")
    image = convert(tmp_path, "twix", "-e", "image", tmp_path / "meas.dat")["x"]
    same_box(image, box(angles))
    same_header(image)
    np.testing.assert_allclose(image.as_dims("DIM_DYN", "DIM_COIL"), signal, rtol=1e-6)


def test_siemens_removing_the_oversampling_halves_points_and_doubles_dwell(tmp_path: Path) -> None:
    write_twix(tmp_path / "meas.dat", signals(), PROTOCOL, box(), PERSON, "svs_se_acc")
    image = convert(tmp_path, "twix", "-e", "image", "--remove_os", tmp_path / "meas.dat")["x"]
    assert image.points == 128
    assert image.bandwidth == pytest.approx(PROTOCOL.bandwidth / 2)


@pytest.mark.parametrize(("revision", "angles"), [*((r, ANGLES[1]) for r in REVISIONS), *((26.002, a) for a in ANGLES)])
def test_ge_pfile(tmp_path: Path, revision: float, angles: tuple[float, float, float]) -> None:
    metabolites, water = signals(), 50 * signals(16)
    path = tmp_path / "P12345.7"
    write_pfile(path, metabolites, water, PROTOCOL, box(angles), PERSON, revision)
    images = convert(tmp_path, "ge", path)
    for name, signal in (("x", metabolites), ("x_ref", water)):
        same_box(images[name], box(angles))
        same_header(images[name])
        found = images[name].as_dims("DIM_DYN", "DIM_COIL")
        # Whole numbers, in a unit of their own.
        unit = np.vdot(signal, found).real / np.vdot(signal, signal).real
        np.testing.assert_allclose(found / unit, signal, atol=2 / unit)


@pytest.mark.parametrize("angles", ANGLES)
def test_philips_list(tmp_path: Path, angles: tuple[float, float, float]) -> None:
    metabolites, water, noise = signals(), 50 * signals(3), signals(1)[0]
    write_list(tmp_path / "scan", metabolites, water, noise, PROTOCOL, box(angles), PERSON, "PRESS_ACC")
    paths = [tmp_path / f"scan.{ending}" for ending in ("data", "list", "SPAR")]
    images = convert(tmp_path, "philips_dl", *paths)
    for name, signal in (("x_STD_0", metabolites), ("x_STD_1", water)):
        same_box(images[name], box(angles))
        same_header(images[name])
        np.testing.assert_allclose(images[name].as_dims("DIM_DYN", "DIM_COIL"), signal, rtol=1e-6)


def test_vax_floats() -> None:
    """1 is 0x4080 in the first word of a VAX F float (DEC STD 032)."""
    assert to_vax(np.array([1 + 0j, -1 + 0.5j])) == bytes.fromhex("8040000000000000" + "80C0000000400000".lower())


@pytest.mark.parametrize("vendor", ["philips", "philips-list", "siemens", "ge"])
def test_personal_data_are_planted(tmp_path: Path, vendor: str) -> None:
    signal = signals(2)
    if vendor == "philips":
        write_pair(tmp_path / "scan", signal[:, 0], PROTOCOL, box(), PERSON, "PRESS_ACC", water=False)
    elif vendor == "philips-list":
        write_list(tmp_path / "scan", signal, signal, signal[0], PROTOCOL, box(), PERSON, "PRESS_ACC")
    elif vendor == "siemens":
        write_twix(tmp_path / "scan.dat", signal, PROTOCOL, box(), PERSON, "svs_se_acc")
    else:
        write_pfile(tmp_path / "P1.7", signal, signals(16), PROTOCOL, box(), PERSON)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Quagmarsh" in content
    assert PERSON.identifier.encode() in content
    assert any(string.encode() in content for string in PERSON.strings[3:])
