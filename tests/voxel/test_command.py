"""The command `voxel` on a made-up head."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from snakemrs.errors import DataError
from snakemrs.io import nifti_mrs
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.io.tables import read_table, write_table
from snakemrs.voxel.command import voxel

SHAPE = (60, 60, 60)
GRID = np.diag([2.0, 2.0, 2.0, 1.0])
GRID[:3, 3] = -59.0


def save(path: Path, data: np.ndarray, affine: np.ndarray = GRID) -> Path:
    nib.save(nib.Nifti1Image(data.astype(np.float32), affine), path)
    return path


@pytest.fixture
def study(tmp_path: Path) -> dict[str, Path]:
    """A brain of 50 mm radius: left half 70 % grey and 30 % white matter, right half fluid."""
    where = np.moveaxis(np.indices(SHAPE), 0, -1) * 2.0 - 59.0
    brain = np.linalg.norm(where, axis=-1) < 50
    left = brain & (where[..., 0] < 0)
    prefix = tmp_path / "sub-01_ses-01"
    return {
        "t1w": save(Path(f"{prefix}_desc-preproc_T1w.nii.gz"), brain * 100.0),
        "brain-mask": save(Path(f"{prefix}_desc-brain_mask.nii.gz"), brain),
        "gm": save(Path(f"{prefix}_label-GM_probseg.nii.gz"), left * 0.7),
        "wm": save(Path(f"{prefix}_label-WM_probseg.nii.gz"), left * 0.3),
        "csf": save(Path(f"{prefix}_label-CSF_probseg.nii.gz"), brain & ~left),
    }


def spectrum(folder: Path, centre: tuple[float, float, float], name: str = "sub-01_ses-01_svs.nii.gz") -> Path:
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    affine[:3, 3] = centre
    header = {"SpectrometerFrequency": [123.25], "ResonantNucleus": ["1H"]}
    nifti_mrs.write(NiftiMrs(np.ones((1, 1, 1, 16), np.complex64), affine, 5e-4, header), folder / name)
    return folder / name


def run(study: dict[str, Path], svs: Path, *more: str) -> dict[str, str]:
    options = [part for name, path in study.items() for part in (f"--{name}", str(path))]
    stem = svs.parent / "out"
    result = CliRunner().invoke(voxel, [str(svs), *options, "--output", str(stem), *more], standalone_mode=False)
    if result.exception:
        raise result.exception
    return read_table(Path(f"{stem}_tissue.tsv"))[0]


def test_tissue_of_a_voxel_across_two_halves(study: dict[str, Path], tmp_path: Path):
    """Centre 5 mm to the left: 15 of 20 mm lie in tissue."""
    mask = tmp_path / "mask.nii.gz"
    row = run(study, spectrum(tmp_path, (-5.0, 0.0, 0.0)), "--mask-output", str(mask))
    assert float(row["gm"]) == pytest.approx(0.75 * 0.7, abs=1e-6)
    assert float(row["wm"]) == pytest.approx(0.75 * 0.3, abs=1e-6)
    assert float(row["csf"]) == pytest.approx(0.25, abs=1e-6)
    assert float(row["outside"]) == pytest.approx(0.0, abs=1e-6)
    assert float(row["volume_mm3"]) == 8000
    assert row["flag"] == "n/a"
    assert nib.load(mask).get_fdata().sum() * 8 == pytest.approx(8000, rel=1e-6)


def test_a_voxel_outside_the_brain_is_refused(study: dict[str, Path], tmp_path: Path):
    svs = spectrum(tmp_path, (55.0, 0.0, 0.0))
    with pytest.raises(DataError, match="outside the brain") as caught:
        run(study, svs)
    assert "same person and session" in str(caught.value)
    assert not (tmp_path / "out_tissue.tsv").exists()
    with pytest.raises(DataError, match="outside the image"):
        run(study, spectrum(tmp_path, (300.0, 0.0, 0.0)))


def shifted(study: dict[str, Path], millimetres: float) -> None:
    """Move the head along x, away from the scanner's centre."""
    moved = GRID.copy()
    moved[0, 3] += millimetres
    for path in study.values():
        save(path, nib.load(path).get_fdata(), moved)


def test_a_flipped_header_is_named(study: dict[str, Path], tmp_path: Path):
    """The head lies 40 mm to the right; the voxel's header has left for right."""
    shifted(study, 40.0)
    with pytest.raises(DataError, match="with left and right exchanged it would be 0 %: is a header flipped"):
        run(study, spectrum(tmp_path, (-40.0, 0.0, 0.0)))
    row = run(study, spectrum(tmp_path, (-5.0, 0.0, 0.0)))
    assert "outside the brain" in row["flag"]
    assert "left and right exchanged" in row["flag"]


def test_a_voxel_outside_that_no_flip_explains_gets_no_such_hint(study: dict[str, Path], tmp_path: Path):
    with pytest.raises(DataError) as caught:
        run(study, spectrum(tmp_path, (0.0, 0.0, 58.0)))
    assert "exchanged" not in str(caught.value)


def test_what_a_left_right_mistake_would_move_is_measured(study: dict[str, Path], tmp_path: Path):
    """Tissue is on the left, fluid on the right: the mirrored voxel holds nothing but fluid."""
    beside = tmp_path / "sub-01_ses-01_from-T1w_to-MNI152_xfm.json"
    beside.write_text(json.dumps({"matrix": np.eye(4).tolist()}))
    run(study, spectrum(tmp_path, (-20.0, 0.0, 0.0)))
    quality = {r["metric"]: r for r in read_table(tmp_path / "out_desc-voxel_quality.tsv")}
    assert float(quality["mirror_difference"]["value"]) == pytest.approx(1.0, abs=1e-6)


def test_an_image_too_coarse_for_the_voxel_is_flagged(study: dict[str, Path], tmp_path: Path):
    svs = spectrum(tmp_path, (-20.0, 0.0, 0.0))
    image = nifti_mrs.read(svs)
    affine = image.affine.copy()
    affine[:3, :3] = np.diag([20.0, 20.0, 6.0])
    nifti_mrs.write(NiftiMrs(image.data, affine, 5e-4, image.header), svs)
    assert "only 3.0 image voxels" in run(study, svs)["flag"]
    quality = {r["metric"]: r for r in read_table(tmp_path / "out_desc-voxel_quality.tsv")}
    assert quality["resolution"]["verdict"] == "warn"


def test_a_t1w_turned_against_its_scanner_header_is_flagged(study: dict[str, Path], tmp_path: Path):
    columns = ["metric", "value", "unit", "verdict", "rule"]
    row = {"metric": "header_rotation", "value": 12.5, "unit": "deg", "verdict": "warn", "rule": "warn above 1"}
    write_table(tmp_path / "sub-01_ses-01_desc-anatomy_quality.tsv", [row], columns)
    assert "turned by 12.5 deg" in run(study, spectrum(tmp_path, (-20.0, 0.0, 0.0)))["flag"]


def test_a_voxel_partly_outside_is_flagged(study: dict[str, Path], tmp_path: Path):
    row = run(study, spectrum(tmp_path, (-44.0, 0.0, 0.0)))
    assert 0.1 < float(row["outside"]) < 0.5
    assert "outside the brain" in row["flag"]


def test_another_session_and_another_space_are_flagged(study: dict[str, Path], tmp_path: Path):
    row = run(study, spectrum(tmp_path, (-5.0, 0.0, 0.0), "sub-01_ses-02_svs.nii.gz"))
    assert "session 01" in row["flag"]
    image = nib.load(study["t1w"])
    image.set_sform(GRID, 4)
    image.set_qform(GRID, 0)
    nib.save(image, study["t1w"])
    assert "template's space" in run(study, spectrum(tmp_path, (-5.0, 0.0, 0.0)))["flag"]


def test_a_t1w_of_another_session_widens_the_uncertainty(study: dict[str, Path], tmp_path: Path):
    """At the border of tissue and fluid, 5 mm of 20 move a quarter of the voxel's content, along one axis of three."""
    own = run(study, spectrum(tmp_path, (0.0, 0.0, 0.0)))
    assert float(own["csf_sd"]) == pytest.approx(0.02)
    other = run(study, spectrum(tmp_path, (0.0, 0.0, 0.0), "sub-01_ses-02_svs.nii.gz"))
    assert float(other["csf_sd"]) == pytest.approx(np.hypot(0.02, 0.25 / 3**0.5), abs=1e-6)
    assert float(other["gm_sd"]) == pytest.approx(np.hypot(0.02, 0.7 * 0.25 / 3**0.5), abs=1e-6)


def test_maps_of_another_grid_are_refused(study: dict[str, Path], tmp_path: Path):
    moved = GRID.copy()
    moved[0, 3] += 5
    save(study["gm"], np.zeros(SHAPE), moved)
    with pytest.raises(DataError, match="not on the grid"):
        run(study, spectrum(tmp_path, (-5.0, 0.0, 0.0)))


def test_a_second_segmentation_gives_the_uncertainty(study: dict[str, Path], tmp_path: Path):
    for name, tissue, change in (("gm", "GM", 0.6 / 0.7), ("wm", "WM", 0.4 / 0.3), ("csf", "CSF", 1.0)):
        data = nib.load(study[name]).get_fdata() * change
        save(study[name].with_name(f"sub-01_ses-01_desc-second_label-{tissue}_probseg.nii.gz"), data)
    row = run(study, spectrum(tmp_path, (-20.0, 0.0, 0.0)))
    assert float(row["gm_sd"]) == pytest.approx(0.1 / 2**0.5, abs=1e-6)
    # Two that agree may err alike: no less than what one alone has.
    assert float(row["csf_sd"]) == pytest.approx(0.02)
    quality = {r["metric"]: r for r in read_table(tmp_path / "out_desc-voxel_quality.tsv")}
    assert float(quality["difference_wm"]["value"]) == pytest.approx(0.1, abs=1e-6)
    assert quality["difference_wm"]["verdict"] == "warn"


def test_overlap_between_sessions_and_with_the_plan(study: dict[str, Path], tmp_path: Path):
    """Template coordinates are the scanner's moved by 10 mm here; the second voxel lies 5 mm beside the first."""
    move = np.eye(4)
    move[0, 3] = 10.0
    (tmp_path / "sub-01_ses-01_from-T1w_to-MNI152_xfm.json").write_text(json.dumps({"matrix": move.tolist()}))
    run(study, spectrum(tmp_path, (-10.0, 0.0, 0.0)))
    (tmp_path / "out_voxel.json").rename(tmp_path / "first_voxel.json")
    plan = '{"planned_centre": [-5.0, 0.0, 0.0]}'
    run(
        study, spectrum(tmp_path, (-5.0, 0.0, 0.0)), "--compare", str(tmp_path / "first_voxel.json"), "--settings", plan
    )
    quality = {r["metric"]: r for r in read_table(tmp_path / "out_desc-voxel_quality.tsv")}
    assert float(quality["dice_first"]["value"]) == pytest.approx(0.75)
    assert float(quality["distance_planned"]["value"]) == pytest.approx(10.0)
    assert float(quality["dice_planned"]["value"]) == pytest.approx(0.5)


def test_each_voi_may_have_its_own_plan(study: dict[str, Path], tmp_path: Path):
    name = "sub-01_ses-01_from-T1w_to-MNI152_xfm.json"
    (tmp_path / name).write_text(json.dumps({"matrix": np.eye(4).tolist()}))
    plan = {"planned_centre": {"acc": [-5, 0, 0], "occ": [-15, 0, 0]}, "planned_size": {"occ": [20, 20, 10]}}
    found = {}
    for voi in ("acc", "occ", "hip"):
        image = spectrum(tmp_path, (-5.0, 0.0, 0.0), f"sub-01_ses-01_voi-{voi}_svs.nii.gz")
        run(study, image, "--settings", json.dumps(plan))
        found[voi] = {r["metric"]: r for r in read_table(tmp_path / "out_desc-voxel_quality.tsv")}
    assert float(found["acc"]["dice_planned"]["value"]) == pytest.approx(1.0)
    assert float(found["occ"]["distance_planned"]["value"]) == pytest.approx(10.0)
    assert float(found["occ"]["dice_planned"]["value"]) == pytest.approx(2 * 2000 / (8000 + 4000))
    assert found["hip"]["dice_planned"]["value"] == "n/a"
    assert found["hip"]["dice_planned"]["rule"] == "no position is planned for the voi hip"


def test_tissue_of_displaced_voxels(study: dict[str, Path], tmp_path: Path):
    """With 1000 Hz along x, NAA's voxel lies 2.5 mm to the right of creatine's: 12.5 % less tissue."""
    settings = '{"pulse_bandwidths": [1000, null, null], "carrier_ppm": 3.03}'
    run(study, spectrum(tmp_path, (0.0, 0.0, 0.0)), "--settings", settings)
    rows = {r["metabolite"]: r for r in read_table(tmp_path / "out_desc-displaced_tissue.tsv")}
    assert float(rows["tCr"]["csf"]) == pytest.approx(0.5, abs=1e-6)
    assert float(rows["tNAA"]["shift_x"]) == pytest.approx(20 * 1.02 * 123.25 / 1000, rel=1e-6)
    assert float(rows["tNAA"]["csf"]) == pytest.approx(0.5 + 1.02 * 123.25 / 1000, abs=1e-6)
