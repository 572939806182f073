"""What the virtual scanner writes for each vendor comes through ingest: box, samples, water; its person does not."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.spatial.transform import Rotation

from snakemrs.ingest.command import ingest
from snakemrs.io import nifti_mrs
from snakemrs.scanner.ge import write_pfile
from snakemrs.scanner.head import Box
from snakemrs.scanner.personal import Personal
from snakemrs.scanner.philips import write_pair
from snakemrs.scanner.philips_list import write_list
from snakemrs.scanner.presets import load_protocol
from snakemrs.scanner.siemens import write_twix

PROTOCOL = load_protocol("philips").model_copy(update={"points": 512})
PERSON = Personal("Quagmarsh^Zebulina", "1987-06-15", "PID12345678", "F", 61.5)
TURN = Rotation.from_euler("XYZ", (22.0, -6.0, 9.0), degrees=True).as_matrix()
BOX = Box(np.array([-3.25, 41.5, 12.125]), TURN, np.array([20.0, 30.0, 25.0]))


def lines(transients: int, water: float) -> np.ndarray:
    """Water and NAA in four coils, shape (transients, 4, points)."""
    time = np.arange(PROTOCOL.points) / PROTOCOL.bandwidth
    shape = [(4.65, water), (2.01, 1.0)]
    signal = sum(h * np.exp(-2j * np.pi * (s - 4.65) * PROTOCOL.spectrometer_frequency * time) for s, h in shape)
    coils = np.array([1.0, 0.7j, -0.4, 0.2 - 0.3j])
    size = 1 + 0.01 * np.arange(transients)
    return (100 * size[:, None, None] * coils[:, None] * signal * np.exp(-15 * time)).astype(np.complex64)


METABOLITES, WATER = lines(8, 0.5), lines(16, 900.0)
Written = tuple[Path, np.ndarray, np.ndarray | None]


def philips(folder: Path) -> Written:
    write_pair(folder / "scan", METABOLITES[:, 0], PROTOCOL, BOX, PERSON, "PRESS_ACC", water=False)
    return folder / "scan.SDAT", METABOLITES[:, :1], None


def philips_list(folder: Path) -> Written:
    write_list(folder / "scan", METABOLITES, WATER, 0.01 * METABOLITES[0], PROTOCOL, BOX, PERSON, "PRESS_ACC")
    return folder / "scan.data", METABOLITES, WATER


def siemens(folder: Path) -> Written:
    write_twix(folder / "meas.dat", METABOLITES, PROTOCOL, BOX, PERSON, "svs_se_acc")
    return folder / "meas.dat", METABOLITES, None


def ge(folder: Path) -> Written:
    write_pfile(folder / "P12345.7", METABOLITES, WATER, PROTOCOL, BOX, PERSON, 26.002)
    return folder / "P12345.7", METABOLITES, WATER


def same_signal(found: np.ndarray, expected: np.ndarray) -> None:
    scale = np.vdot(expected, found) / np.vdot(expected, expected)
    assert abs(np.angle(scale)) < 1e-5
    np.testing.assert_allclose(found / abs(scale), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("write", [philips, philips_list, siemens, ge])
def test_a_virtual_scan_comes_through_whole_and_nameless(write: Callable[[Path], Written], tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    source, metabolites, water = write(tmp_path / "raw")
    out = tmp_path / "bids" / "sub-01_svs.nii.gz"
    run = CliRunner().invoke(ingest, ["--convert", str(source), str(out)])
    assert run.exit_code == 0, run.exception

    image = nifti_mrs.read(out)
    same_signal(image.as_dims("DIM_DYN", "DIM_COIL"), metabolites)
    beside = out.with_name("sub-01_mrsref.nii.gz")
    assert beside.exists() == (water is not None)
    if water is not None:
        same_signal(nifti_mrs.read(beside).as_dims("DIM_DYN", "DIM_COIL"), water)

    sides = np.linalg.norm(image.affine[:3, :3], axis=0)
    cosines = np.abs((image.affine[:3, :3] / sides).T @ BOX.rotation)
    assert np.rad2deg(np.arccos(np.clip(cosines.max(axis=1), -1, 1))).max() < 0.1
    assert np.abs(sides - BOX.size[cosines.argmax(axis=1)]).max() < 0.1
    assert np.abs(image.affine[:3, 3] - BOX.centre).max() < 0.1

    for path in out.parent.iterdir():
        content = path.read_bytes()
        content = gzip.decompress(content) if path.name.endswith(".gz") else content
        assert not [word for word in PERSON.strings if word.encode().lower() in content.lower()], path.name
    assert not [word for word in PERSON.strings if word in run.output]
