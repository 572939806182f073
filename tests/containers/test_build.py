"""The images as built: any user, read-only, no network; and a study gives the same bytes inside and outside."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from snakemrs.study.images import BUILT, BuiltImage, lock

pytestmark = [pytest.mark.slow, pytest.mark.containers]
CLOSED = ["--containall", "--no-home", "--net", "--network", "none"]


def as_anybody(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as an ordinary user, from a folder that everybody may enter."""
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        user = pwd.getpwnam("snakemrs-build")  # made by the build
        words = ["runuser", "-u", user.pw_name, "--", *words]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")


def readable(image: BuiltImage, folder: Path) -> Path:
    """The image where an ordinary user can read it."""
    place = folder / image.path.name
    shutil.copy(image.path, place)
    for parent in (folder, *folder.parents):
        if parent == Path("/tmp") or parent.stat().st_uid != os.geteuid():
            break
        parent.chmod(parent.stat().st_mode | 0o055)
    return place


@pytest.mark.parametrize("family", ["core", "anatomy"])
def test_an_image_tests_itself_as_any_user_without_network(
    images: dict[str, BuiltImage], family: str, tmp_path: Path
) -> None:
    image = readable(images[family], tmp_path)
    tested = as_anybody("apptainer", "test", *CLOSED, image)
    assert tested.returncode == 0, tested.stderr
    written = as_anybody("apptainer", "exec", *CLOSED, image, "touch", "/opt/snakemrs/written")
    assert written.returncode != 0
    assert "Read-only file system" in written.stderr
    reached = "import socket; socket.create_connection(('192.0.2.1', 80), 3)"
    network = as_anybody("apptainer", "exec", *CLOSED, image, "python", "-c", reached)
    assert "Network is unreachable" in network.stderr


@pytest.mark.parametrize("family", ["core", "anatomy"])
def test_an_image_says_what_it_is(images: dict[str, BuiltImage], family: str, tmp_path: Path) -> None:
    image = readable(images[family], tmp_path)
    labels = as_anybody("apptainer", "inspect", "--labels", image).stdout
    assert f"snakemrs.family: {family}" in labels
    assert f"org.opencontainers.image.version: {lock()[family]['version']}" in labels
    for tool in lock()[family]["tools"]:
        assert tool in labels
    help_text = as_anybody("apptainer", "run-help", image).stdout
    assert "Runs as any user, read-only, without network" in help_text


def test_the_versions_inside_are_those_of_the_lock(images: dict[str, BuiltImage], tmp_path: Path) -> None:
    image = readable(images["anatomy"], tmp_path)
    for family in ("core", "anatomy"):
        for tool, version in lock()[family]["tools"].items():
            code = f"from importlib.metadata import version; print(version('{tool}'))"
            shown = as_anybody("apptainer", "exec", *CLOSED, image, "python", "-c", code)
            assert shown.stdout.strip() == version, tool


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start the command as a user would."""
    command = [sys.executable, "-m", "snakemrs.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a command that must succeed; give what it printed."""
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    return out


def snakemrs(*arguments: str | Path) -> str:
    """Run the command as a user would."""
    return finish(start(*arguments))


def results(study: Path) -> dict[str, bytes]:
    """Every result of a study by its name; pages and methods text name the image they were made in, and so differ."""
    files = [p for top in ("bids", "derivatives") for p in sorted((study / top).rglob("*")) if p.is_file()]
    return {
        p.relative_to(study).as_posix(): p.read_bytes()
        for p in files
        if ".provenance" not in p.parts and p.suffix not in (".html", ".md", ".tex")
    }


@pytest.fixture(scope="module")
def both(images: dict[str, BuiltImage], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One study, run in the images and outside: two participants, the second without T1w.

    The raw files lie outside the study, in a folder with a space.
    """
    folder = tmp_path_factory.mktemp("both")
    inside, outside, raw = folder / "inside", folder / "outside", folder / "raw files"
    snakemrs("simulate", inside, "--participants", "2", "--sessions", "1", "--transients", "64", "--seed", "5")
    shutil.move(inside / "raw", raw)
    text = (inside / "study.yaml").read_text(encoding="utf-8")
    (inside / "study.yaml").write_text(text.replace("raw: raw\n", f'raw: "{raw}"\n'), encoding="utf-8")
    rows = (inside / "scans.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [row for row in rows if not ("T1w" in row and "sub-02" in row)]
    (inside / "scans.tsv").write_text("".join(kept), encoding="utf-8")
    snakemrs("plan", inside)
    shutil.copytree(inside, outside)
    for run in [
        start("run", inside, "--containers", "apptainer", "--cores", "1"),
        start("run", outside, "--cores", "1"),
    ]:
        finish(run)
    return inside, outside


def test_every_step_ran_in_its_image(both: tuple[Path, Path]) -> None:
    log = "".join(path.read_text(encoding="utf-8") for path in (both[0] / "logs").glob("snakemake-*.log"))
    assert "Activating singularity image work/images/core-" in log
    assert "Activating singularity image work/images/anatomy-" in log
    # Nothing was written to the user's home, which is the study inside.
    hidden = {path.name for path in both[0].iterdir() if path.name.startswith(".")}
    assert hidden <= {".snakemake"}


def test_a_study_gives_the_same_bytes_inside_and_outside(both: tuple[Path, Path]) -> None:
    ours, theirs = results(both[0]), results(both[1])
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def jobs(study: Path) -> list[tuple[str, str]]:
    """What a run in the images would do: (rule, name) of each job, sorted."""
    plan = json.loads(snakemrs("plan", study, "--containers", "apptainer", "--json"))
    return sorted((job["rule"], job["name"]) for job in plan["work"])


def test_a_moved_study_runs_nothing_in_the_same_images(both: tuple[Path, Path], tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(both[0], moved, symlinks=True)
    assert jobs(moved) == []
    (moved / "work" / "state.json").unlink()  # Snakemake itself finds that too
    assert jobs(moved) == []


def test_another_digest_runs_the_steps_of_that_image_and_what_follows(
    both: tuple[Path, Path], images: dict[str, BuiltImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The anatomy's image under another digest: the segmentation, and what is made from it."""
    study, folder = tmp_path / "study", tmp_path / "images"
    shutil.copytree(both[0], study, symlinks=True)
    folder.mkdir()
    record = json.loads((images["anatomy"].path.parent / BUILT).read_text(encoding="utf-8"))
    for image in images.values():
        (folder / image.path.name).symlink_to(image.path)
    record["anatomy"]["sha256"] = "0" * 64
    (folder / BUILT).write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setenv("SNAKEMRS_IMAGES", str(folder))
    anatomy, spectrum = "sub-01_ses-01", "sub-01_ses-01_task-infusion_acq-press_voi-acc"
    follows = [("voxel", spectrum), *[("quantify", spectrum)] * 3, ("report_participant", "sub-01")]
    group = [(rule, "study") for rule in ("group", "report_group", "report_methods")]
    assert jobs(study) == sorted([("segment", anatomy), *follows, *group])
