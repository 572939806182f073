"""What must run again in a study with T1w images: after a new image, another option, a raised version of a step.

A study of two participants × two sessions really ran; its maps exist already (`precomputed`), so it ran in no time.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import pytest

from snakemrs.study.steps import STEP_VERSIONS

from .conftest import jobs, only, snakemrs, write_maps
from .test_incremental import GROUP, fits, jobs_with, other_checkout, pages, stem

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

Jobs = list[tuple[str, str]]
ALL = [(p, s) for p in ("01", "02") for s in ("01", "02")]
PAGES = pages("01", "02")


@pytest.fixture(scope="module")
def with_t1w(scanner_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, run; not to be changed."""
    study = tmp_path_factory.mktemp("with-t1w") / "study"
    shutil.copytree(scanner_files, study)
    only(study, "01", "02")
    write_maps(study, "maps")
    with (study / "study.yaml").open("a", encoding="utf-8") as stream:
        stream.write("anatomy:\n  backend: precomputed\n  precomputed: maps/sub-{participant}/ses-{session}\n")
    outcome = snakemrs("run", study, "--cores", "2")
    assert outcome.code == 0, outcome.out + outcome.err
    (study / "work" / "state.json").unlink(missing_ok=True)
    assert jobs(study) == []
    return study


@pytest.fixture
def ran(with_t1w: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    study = tmp_path / "study"
    shutil.copytree(with_t1w, study, symlinks=True)
    return study


def segmented(*sessions: tuple[str, str]) -> Jobs:
    return [("segment", f"sub-{p}_ses-{s}") for p, s in sessions]


def voxels(*sessions: tuple[str, str]) -> Jobs:
    return [("voxel", stem(*session)) for session in sessions]


def concentrations(*sessions: tuple[str, str], labels: int = 3) -> Jobs:
    """Of static, frames and dynamic fits, or of fewer."""
    return [("quantify", stem(*session)) for session in sessions for _ in range(labels)]


@pytest.mark.parametrize(
    ("session", "served"),
    [
        pytest.param("02", ["02"], id="second session"),
        # The voxel of the second session is compared with that of the first.
        pytest.param("01", ["01", "02"], id="first session"),
    ],
)
def test_a_replaced_t1w_runs_what_it_serves_and_the_group(ran: Path, session: str, served: list[str]) -> None:
    path = ran / "raw" / "sub-02" / f"ses-{session}" / "T1w.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(0.9 * image.get_fdata(dtype="float32"), image.affine), path)
    sessions = [("02", s) for s in served]
    expected = [
        ("ingest", f"sub-02_ses-{session}_T1w"),
        *segmented(("02", session)),
        *voxels(*sessions),
        *concentrations(*sessions),
        *pages("02"),
        *GROUP,
    ]
    assert jobs(ran) == sorted(expected)


def test_an_option_of_the_segmentation_runs_it_and_what_follows(ran: Path) -> None:
    with (ran / "study.yaml").open("a", encoding="utf-8") as stream:
        stream.write("  seed: 2\n")
    expected = [*segmented(*ALL), *voxels(*ALL), *concentrations(*ALL), *PAGES, *GROUP]
    assert jobs(ran) == sorted(expected)


@pytest.fixture(scope="module")
def checkout(with_t1w: Path) -> Path:
    return other_checkout(with_t1w)


def ingested() -> Jobs:
    water = [f"sub-{p}_ses-{s}_acq-press_voi-acc_mrsref" for p, s in ALL]
    t1w = [f"sub-{p}_ses-{s}_T1w" for p, s in ALL]
    return [("ingest", name) for name in (*(f"{stem(*session)}_svs" for session in ALL), *water, *t1w)]


def simulated(study: Path) -> Jobs:
    return [("basis", path.name) for path in (study / "derivatives" / "snakemrs" / "basis").iterdir()]


def following(study: Path, step: str) -> Jobs:
    """The step's own jobs and what follows from them, by the table in the design."""
    end = [*PAGES, *GROUP]
    preprocessed = [("preprocess", stem(*session)) for session in ALL]
    dynamic = [("dynamic", stem(*session)) for session in ALL]
    quantified = [*concentrations(*ALL), *end]
    placed = [*voxels(*ALL), *quantified]
    return {
        "ingest": [*ingested(), *segmented(*ALL), *voxels(*ALL), *preprocessed, *fits(*ALL), *end],
        "dataset": [("dataset", "study")],
        "segment": [*segmented(*ALL), *placed],
        "preprocess": [*preprocessed, *fits(*ALL), *end],
        "voxel": placed,
        "basis": [*simulated(study), *fits(*ALL), *end],
        "fit": [*fits(*ALL), *end],
        "dynamic": [*dynamic, *concentrations(*ALL, labels=1), *end],
        "quantify": quantified,
        "group": GROUP,
        "report": [*PAGES, ("report_group", "study"), ("report_methods", "study")],
    }[step]


@pytest.mark.parametrize("step", STEP_VERSIONS)
def test_a_raised_version_of_a_step_runs_that_step_and_what_follows(with_t1w: Path, checkout: Path, step: str) -> None:
    steps = checkout / "snakemrs" / "study" / "steps.py"
    text = steps.read_text(encoding="utf-8")
    steps.write_text(text.replace(f'"{step}": ', f'"{step}": 9'), encoding="utf-8")
    try:
        assert jobs_with(with_t1w, checkout) == sorted(following(with_t1w, step))
    finally:
        steps.write_text(text, encoding="utf-8")
