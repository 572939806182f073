"""Running `snakemrs` as a user does, on studies small enough to test with."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

SNAKEMRS = [sys.executable, "-m", "snakemrs.cli.main"]


@dataclass
class Outcome:
    """What a command said and how it left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def snakemrs(*words: str | Path, **environment: str) -> Outcome:
    """Run a command; the words are those of the shell."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    result = subprocess.run(
        [*SNAKEMRS, *map(str, words)], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, check=False
    )
    return Outcome(result.returncode, result.stdout, result.stderr)


def jobs(study: Path) -> list[tuple[str, str]]:
    """What a run would do now: (rule, name) of each job, sorted."""
    outcome = snakemrs("plan", study, "--json")
    assert outcome.code in (0, 1), outcome.err
    assert outcome.out, outcome.err
    return sorted((job["rule"], job["name"]) for job in outcome.json["work"])


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A study that the workers of pytest-xdist share: the first that needs it makes it, the others wait."""
    mine = factory.getbasetemp()
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / f"shared-{name}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder / "study")
            done.touch()
    return folder / "study"


@pytest.fixture(scope="session")
def scanner_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual study of three participants, two sessions each, as the scanner left it. Not to be changed."""

    def make(study: Path) -> None:
        size = ("--participants", "3", "--sessions", "2", "--transients", "160")
        outcome = snakemrs("simulate", study, *size, "--seed", "5")
        assert outcome.code == 0, outcome.err

    return made_once(tmp_path_factory, "scanner", make)


def without_anatomy(study: Path) -> None:
    """Leave the T1w images out of a study: all of it runs in seconds then."""
    scans = study / "scans.tsv"
    lines = [line for line in scans.read_text(encoding="utf-8").splitlines() if "\tT1w\t" not in line]
    scans.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for image in (study / "raw").rglob("*.nii.gz"):
        image.unlink()


def with_anatomy(study: Path, scanner_files: Path) -> None:
    """Give a study, made without, the T1w images back that the scanner left."""
    for path in (scanner_files / "scans.tsv", *(scanner_files / "raw").rglob("T1w.nii.gz")):
        shutil.copyfile(path, study / path.relative_to(scanner_files))


def only(study: Path, *participants: str) -> None:
    """Leave all but some participants out of a study's tables."""
    for name in ("scans.tsv", "participants.tsv", "sessions.tsv", "phenotype/madrs.tsv"):
        header, *lines = (study / name).read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.startswith(tuple(f"sub-{label}" for label in participants))]
        (study / name).write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")


def map_of(study: Path, folder: str, participant: str, session: str, tissue: str) -> Path:
    """Where `write_maps` puts a tissue map."""
    name = f"sub-{participant}_ses-{session}_label-{tissue}_probseg.nii.gz"
    return study / folder / f"sub-{participant}" / f"ses-{session}" / name


def write_maps(
    study: Path,
    folder: str,
    levels: tuple[float, float, float] = (0.05, 0.45, 0.8),
    images: str = "raw/sub-*/ses-*/T1w.nii.gz",
) -> None:
    """Tissue maps as another program would leave them: ranges of the (skull-stripped) T1w of each session."""
    for path in sorted(study.glob(images)):
        parts = dict(
            part.split("-") for part in path.relative_to(study).parent.parts if part.startswith(("sub-", "ses-"))
        )
        participant, session = parts["sub"], parts["ses"]
        image = nib.load(path)
        data = image.get_fdata()
        level = np.digitize(data / np.percentile(data[data > 0], 99), levels)
        for k, tissue in enumerate(("CSF", "GM", "WM")):
            to = map_of(study, folder, participant, session, tissue)
            to.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image((level == k + 1).astype(np.float32), image.affine), to)


@pytest.fixture(scope="session")
def finished(scanner_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of three participants × two sessions that ran (without T1w, to be quick); not to be changed."""

    def make(study: Path) -> None:
        shutil.copytree(scanner_files, study)
        without_anatomy(study)
        outcome = snakemrs("run", study, "--cores", "2", PYTHONPATH=python_path(TELLING), TOLD=str(told_by(study)))
        assert outcome.code == 0, outcome.out + outcome.err

    return made_once(tmp_path_factory, "finished", make)


TELLING = Path(__file__).parent / "telling"
"""With this folder on Python's path the steps of a run tell what they loaded (telling/sitecustomize.py)."""


def told_by(study: Path) -> Path:
    """What the steps of the run told that made the study."""
    return study.with_name("told.jsonl")


def python_path(folder: Path) -> str:
    """The path of Python with a folder in front."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture
def study(scanner_files: Path, tmp_path: Path) -> Path:
    """A copy of the virtual study, without T1w images."""
    copy = tmp_path / "study"
    shutil.copytree(scanner_files, copy)
    without_anatomy(copy)
    return copy
