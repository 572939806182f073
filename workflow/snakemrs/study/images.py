"""Container images: what the lock promises, what was built on this machine, and which file a rule names.

``containers/images.lock.yaml`` says what each image is made from. ``containers/build.py`` builds them into the folder
of images and writes ``images.built.json`` there, with the SHA-256 of each file. That digest is part of the file's name,
and so of the name in the rules: Snakemake sees another image as another software environment.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from snakemrs.study.resources import workflow_root

LOCK = Path("containers") / "images.lock.yaml"
BUILT = "images.built.json"
# Links to the images of a run, in the study: a name that holds wherever images and study lie.
LINKS = Path("work") / "images"

#: Families of images that hold a program which the user brings, by the segmentation backend that runs it.
BROUGHT = {"fast": "fsl", "synthseg": "freesurfer"}

_UNCOUNTED = {"__pycache__", "_workflow", "cli", "scanner"}


@dataclass(frozen=True)
class BuiltImage:
    """An image file on this machine.

    Attributes
    ----------
    family : str
        Tool family: core, anatomy, …
    path : Path
        The file.
    sha256 : str
        Digest of the file.
    definition : str
        Hash of all that it was built from, as in the lock.
    code : str
        `code_digest` of the package inside.
    """

    family: str
    path: Path
    sha256: str
    definition: str
    code: str

    @property
    def link(self) -> str:
        """Name of the image for a study: the same wherever the file lies, another where its content differs."""
        return (LINKS / f"{self.family}-{self.sha256[:16]}.sif").as_posix()


@cache
def lock() -> dict[str, dict[str, Any]]:
    """Images of ``containers/images.lock.yaml`` by family."""
    import yaml

    content = yaml.safe_load((workflow_root() / LOCK).read_text(encoding="utf-8"))
    images: dict[str, dict[str, Any]] = content["images"]
    return images


def images_folder() -> Path:
    """Folder of the built images: ``$SNAKEMRS_IMAGES``, else ``build/images`` of a checkout, else the user's data."""
    given = os.environ.get("SNAKEMRS_IMAGES")
    if given:
        return Path(given).expanduser().resolve()
    root = workflow_root()
    if (root / "pyproject.toml").exists():
        return root / "build" / "images"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "snakemrs" / "images"


def built_images(folder: Path | None = None) -> dict[str, BuiltImage]:
    """Images that were built on this machine and are still there, by family."""
    folder = folder or images_folder()
    record = folder / BUILT
    if not record.exists():
        return {}
    content = json.loads(record.read_text(encoding="utf-8"))
    found = {
        family: BuiltImage(family, folder / entry["file"], entry["sha256"], entry["definition"], entry["code"])
        for family, entry in content.items()
    }
    return {family: image for family, image in found.items() if image.path.exists()}


@cache
def code_digest() -> str:
    """Hash of the package and its constants: what decides, with its dependencies, what a step computes.

    The commands that plan and run, and the virtual scanner, work outside the images and do not count.
    """
    package = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for folder, name in ((package, "package"), (workflow_root() / "config" / "constants", "constants")):
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(folder)
            if file.is_file() and not _UNCOUNTED & set(inside.parts):
                total.update(f"{name}/{inside.as_posix()}\0".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return "sha256:" + total.hexdigest()


def image_name(family: str) -> str:
    """Image that a rule names; Snakemake's working directory is the study.

    Where the study has links to images (`snakemrs run --containers` lays them), the link: its name holds the digest.
    Else the file as built on this machine, else the name in the lock, which no file has: without containers nobody
    looks.
    """
    chosen = LINKS / "images.json"
    if chosen.exists():
        linked: dict[str, str] = json.loads(chosen.read_text(encoding="utf-8"))
        if family in linked:
            return linked[family]
    entry = lock()[family]
    built = built_images()
    return str(built[family].path) if family in built else f"{entry['name']}-{entry['definition'][7:23]}.sif"


def segmentation_families(anatomy: Mapping[str, Any]) -> list[str]:
    """Families of images that hold the programs of a segmentation, by its settings; no image holds those of two."""
    backends = (anatomy["backend"], anatomy["second_backend"])
    return sorted({BROUGHT[backend] for backend in backends if backend in BROUGHT}) or ["anatomy"]


def tool_versions(study: Path = Path()) -> dict[str, str]:
    """Versions of the tools in the images that a study's steps ran in; empty where they ran without images.

    A step sees only what its own image holds; the lock knows what the others hold.
    """
    chosen = study / LINKS / "images.json"
    if not chosen.exists():
        return {}
    linked: dict[str, str] = json.loads(chosen.read_text(encoding="utf-8"))
    # An image holds what the image that it stands on holds.
    families = list(linked)
    for family in families:
        below = lock()[family]["base"]
        families += [below] if below in lock() and below not in families else []
    return {tool: str(version) for family in families for tool, version in lock()[family]["tools"].items()}
