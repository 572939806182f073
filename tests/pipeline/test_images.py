"""The images on paper: one source, every rule an image, what a run in containers hands to Snakemake."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from snakemrs.cli import containers
from snakemrs.errors import RequestError
from snakemrs.report import from_plan
from snakemrs.study import images, resources
from snakemrs.study.plan import Plan
from snakemrs.study.resolve import build_plan
from snakemrs.study.settings.anatomy import Backend

ROOT = resources.workflow_root()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a").write_text("a")
    (folder / "study.yaml").write_text("name: skeleton\nraw: ../raw\n")
    (folder / "scans.tsv").write_text("path\tparticipant\tsession\tsuffix\na\t01\t01\tsvs\n")
    return folder


def plan_of(study: Path) -> Plan:
    return build_plan(study, lambda path: {})


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images as a build leaves it."""
    folder = tmp_path / "images"
    folder.mkdir()
    record(folder, "core", "1" * 64)
    record(folder, "anatomy", "2" * 64)
    monkeypatch.setenv("SNAKEMRS_IMAGES", str(folder))
    monkeypatch.setattr(containers.shutil, "which", lambda name: f"/usr/bin/{name}")
    return folder


def record(folder: Path, family: str, sha256: str, code: str | None = None) -> None:
    path = folder / images.BUILT
    content = json.loads(path.read_text()) if path.exists() else {}
    file = f"snakemrs-{family}-{sha256[:16]}.sif"
    (folder / file).write_text(sha256)
    definition = images.lock()[family]["definition"]
    content[family] = {
        "file": file,
        "sha256": sha256,
        "definition": definition,
        "code": code or images.code_digest(),
        "base": "sha256:0",
    }
    path.write_text(json.dumps(content))


def test_every_image_that_a_rule_names_is_in_the_lock_and_every_rule_names_one() -> None:
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for rule, body in re.findall(r"^rule (\w+):(.*?)(?=^\S|\Z)", path.read_text(), re.M | re.S):
            named = re.findall(r"container:\s+image\(\"(\w+)\"\)", body)
            if rule == "segment":
                assert "segmentation_image(targets)" in body
                continue
            assert len(named) == 1, f"{path.name}: rule {rule}"
            assert not images.lock()[named[0]]["optional"]
    for backend in get_args(Backend):
        assert set(images.segmentation_families({"backend": backend, "second_backend": None})) <= images.lock().keys()


def test_an_image_that_segments_holds_the_core_and_what_finds_the_brain() -> None:
    """The user's program is beside ANTs and SnakeMRS: the image stands on one that has them."""
    for family in images.BROUGHT.values():
        assert images.lock()[family]["base"] == "anatomy"
        definition = (ROOT / "containers" / family / f"{family}.def").read_text(encoding="utf-8")
        tested = definition.partition("%test")[2]
        assert "snakemrs --version" in tested
        assert "import ants" in tested


def test_definitions_and_lock_follow_from_their_sources() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "containers" / "definitions.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("family", ["core", "anatomy", "fsl", "lcmodel", "freesurfer"])
def test_an_image_installs_offline_and_names_no_address(family: str) -> None:
    folder = ROOT / "containers" / family
    for path in folder.iterdir():
        assert "://" not in path.read_text(encoding="utf-8"), path.name
    for name in (f"{family}.def", "Containerfile"):
        text = (folder / name).read_text(encoding="utf-8")
        installs = [line for line in text.splitlines() if "pip install" in line]
        assert all("--no-index" in line for line in installs)
        assert bool(installs) != images.lock()[family]["optional"]


def test_what_the_user_brings_is_not_built_before_its_licence_is_accepted() -> None:
    for family, entry in images.lock().items():
        text = (ROOT / "containers" / family / f"{family}.def").read_text(encoding="utf-8")
        assert ("ACCEPT_LICENCE=no" in text) == entry["optional"]


def test_the_lock_claims_no_digest_that_nobody_has() -> None:
    content = yaml.safe_load((ROOT / "containers" / "images.lock.yaml").read_text(encoding="utf-8"))
    for entry in content["images"].values():
        assert entry["digest"] is None or re.fullmatch(r"sha256:[0-9a-f]{64}", entry["digest"])
        assert {"name", "version", "licence", "tools"} <= entry.keys()


def test_steps_see_the_raw_files_read_only_and_one_thread(study: Path, built: Path) -> None:
    method, value, arguments = containers.container_arguments(study, plan_of(study))
    assert (method, value) == ("--software-deployment-method", "apptainer")
    assert arguments.startswith("--apptainer-args= ")
    words = shlex.split(arguments.partition("=")[2])
    raw = (study.parent / "raw").resolve()
    assert f"{raw}:{raw}:ro" in words
    assert "--containall" in words
    for setting in ("OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "NO_ET=1", "PYTHONNOUSERSITE=1"):
        assert setting in words
    assert any(word.startswith("SOURCE_DATE_EPOCH=") for word in words)


def test_a_raw_file_that_is_a_link_brings_the_folder_it_points_to(study: Path, built: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a").write_text("a")
    (tmp_path / "raw" / "a").unlink()
    (tmp_path / "raw" / "a").symlink_to(tmp_path / "store" / "a")
    targets = [target for _, target, _ in containers.mounts(study, plan_of(study))]
    assert (tmp_path / "store").resolve() in targets


def add_t1w(study: Path) -> None:
    (study.parent / "raw" / "b").write_text("b")
    scans = study / "scans.tsv"
    scans.write_text(scans.read_text() + "b\t01\t01\tT1w\n")


def mounted(study: Path) -> set[str]:
    """What a run mounts read-only beside the raw files, relative to the folder that the study lies in."""
    found = containers.mounts(study, plan_of(study))
    assert all(mode == "ro" for _, _, mode in found)
    return {str(target.relative_to(study.parent)) for _, target, _ in found} - {"raw"}


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def test_maps_that_exist_already_are_mounted_once_for_all_participants(study: Path, built: Path) -> None:
    add_t1w(study)
    for tissue in ("GM", "WM", "CSF"):
        for program in ("fmriprep", "cat12"):
            touch(study.parent / program / "sub-01" / "ses-01" / "anat" / f"sub-01_label-{tissue}_probseg.nii.gz")
    of = "sub-{participant}/ses-{session}/anat"
    anatomy = {"backend": "precomputed", "precomputed": f"{study.parent}/fmriprep/{of}"}
    variants = {"other": {"anatomy": {"precomputed": f"../cat12/{of}"}}}
    with (study / "study.yaml").open("a") as stream:
        stream.write(yaml.safe_dump({"anatomy": anatomy, "group": {"sensitivity": {"variants": variants}}}))
    assert mounted(study) == {"fmriprep", "cat12"}
    linked = study.parent / "cat12" / "sub-01" / "ses-01" / "anat" / "sub-01_label-GM_probseg.nii.gz"
    store = touch(study.parent / "store" / "map.nii.gz")
    linked.unlink()
    linked.symlink_to(store)
    assert mounted(study) == {"fmriprep", "cat12", "store"}


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("basis/own.BASIS", {"basis": "../named/basis/own.BASIS"}),
        ("constants/own.yaml", {"quantify": {"constants": "../named/constants/own.yaml"}}),
        (
            "choice/own.yaml",
            {"group": {"sensitivity": {"variants": {"a": {"quantify": {"constants": "../named/choice/own.yaml"}}}}}},
        ),
        ("course/sub-01/r.tsv", {"functional": {"table": "../named/course/sub-{participant}/r.tsv"}}),
        ("scores/own.yaml", {"group": {"clinical": {"instruments": "../named/scores/own.yaml"}}}),
        ("tables/lc.tsv", {"group": {"sensitivity": {"tables": {"LCModel": "../named/tables/lc.tsv"}}}}),
    ],
)
def test_a_file_that_a_setting_names_is_mounted_with_its_folder(
    study: Path, built: Path, file: str, settings: dict[str, Any]
) -> None:
    touch(study.parent / "named" / file)
    with (study / "study.yaml").open("a") as stream:
        stream.write(yaml.safe_dump(settings))
    assert mounted(study) == {f"named/{Path(file).parts[0]}"}


def test_a_folder_around_the_study_does_not_hide_it(study: Path, built: Path) -> None:
    (study / "study.yaml").write_text("name: skeleton\nraw: ..\n")
    (study / "scans.tsv").write_text("path\tparticipant\tsession\tsuffix\nraw/a\t01\t01\tsvs\n")
    binds = [(target, mode) for _, target, mode in containers.mounts(study, plan_of(study))]
    assert binds == [(study.parent, "ro"), (study, "rw")]


def test_a_missing_image_is_named_before_anything_starts(study: Path, built: Path) -> None:
    next(built.glob("snakemrs-core-*.sif")).unlink()
    with pytest.raises(RequestError, match="images are missing: core"):
        containers.container_arguments(study, plan_of(study))


def test_an_image_with_other_code_than_the_run_is_refused(study: Path, built: Path) -> None:
    record(built, "core", "1" * 64, code="sha256:other")
    with pytest.raises(RequestError, match="another version"):
        containers.container_arguments(study, plan_of(study))


def test_a_path_that_cannot_be_mounted_is_refused(study: Path, built: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").rename(tmp_path / "raw,old")
    (study / "study.yaml").write_text("name: skeleton\nraw: ../raw,old\n")
    with pytest.raises(RequestError, match="comma"):
        containers.container_arguments(study, plan_of(study))


def test_the_name_of_an_image_follows_its_digest_and_nothing_else(
    study: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers.container_arguments(study, plan_of(study))
    monkeypatch.chdir(study)
    first = images.image_name("core")
    assert (study / first).resolve() == (built / f"snakemrs-core-{'1' * 16}.sif").resolve()
    # The same image elsewhere.
    elsewhere = tmp_path / "elsewhere"
    built.rename(elsewhere)
    monkeypatch.setenv("SNAKEMRS_IMAGES", str(elsewhere))
    containers.container_arguments(study, plan_of(study))
    assert images.image_name("core") == first
    assert (study / first).exists()
    # Another image.
    record(elsewhere, "core", "3" * 64)
    containers.container_arguments(study, plan_of(study))
    assert images.image_name("core") != first
    assert not (study / first).is_symlink()


def test_a_study_without_t1w_needs_no_anatomy_image(study: Path, built: Path) -> None:
    assert containers.families(ROOT / "rules", plan_of(study)) == ["core"]
    add_t1w(study)
    assert containers.families(ROOT / "rules", plan_of(study)) == ["anatomy", "core"]


@pytest.mark.parametrize(
    ("anatomy", "variants", "expected"),
    [
        ({}, {}, ["anatomy", "core"]),
        ({"backend": "fast"}, {}, ["core", "fsl"]),
        ({"second_backend": "synthseg"}, {}, ["core", "freesurfer"]),
        ({}, {"other": {"anatomy": {"backend": "fast"}}}, ["anatomy", "core", "fsl"]),
        ({"backend": "fast"}, {"other": {"anatomy": {"backend": "synthseg"}}}, ["core", "freesurfer", "fsl"]),
    ],
)
def test_the_segmentation_runs_in_the_image_that_has_its_program(
    study: Path, built: Path, anatomy: dict[str, Any], variants: dict[str, Any], expected: list[str]
) -> None:
    add_t1w(study)
    segmented(study, anatomy, variants)
    assert containers.families(ROOT / "rules", plan_of(study)) == expected


def segmented(study: Path, anatomy: dict[str, Any], variants: dict[str, Any] | None = None) -> None:
    settings = {"anatomy": anatomy, "group": {"sensitivity": {"variants": variants or {}}}}
    with (study / "study.yaml").open("a") as stream:
        stream.write(yaml.safe_dump(settings))


def test_an_image_with_a_program_of_the_user_s_is_missing_with_the_way_to_build_it(study: Path, built: Path) -> None:
    add_t1w(study)
    segmented(study, {"backend": "fast"})
    with pytest.raises(RequestError, match="images are missing: fsl") as told:
        containers.container_arguments(study, plan_of(study))
    assert "python containers/build.py fsl --archive" in str(told.value)


def test_programs_of_two_images_in_one_segmentation_are_refused(study: Path, built: Path) -> None:
    add_t1w(study)
    segmented(study, {"backend": "fast", "second_backend": "synthseg"})
    with pytest.raises(RequestError, match="no image holds the programs of both"):
        containers.container_arguments(study, plan_of(study))


def test_freesurfer_finds_the_user_s_key(study: Path, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_t1w(study)
    segmented(study, {"backend": "synthseg"})
    record(built, "freesurfer", "4" * 64)
    key = touch(study.parent / "licence" / "mine.txt")
    monkeypatch.setenv("FS_LICENSE", str(key))
    words = shlex.split(containers.container_arguments(study, plan_of(study))[-1].partition("=")[2])
    assert f"{key}:/opt/licence/license.txt:ro" in words


def test_the_methods_text_knows_the_tools_of_images_that_are_not_its_own(
    study: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(from_plan, "versions", lambda: {"snakemrs": "0.1.0", "numpy": "9.9"})
    assert "antspyx" not in from_plan.versions_of(study)
    add_t1w(study)
    containers.container_arguments(study, plan_of(study))
    known = from_plan.versions_of(study)
    assert known["antspyx"] == images.lock()["anatomy"]["tools"]["antspyx"]
    assert known["numpy"] == "9.9"  # what is installed goes before what the lock says
