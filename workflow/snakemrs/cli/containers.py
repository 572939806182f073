"""Running a study's steps in containers: which images, what is mounted, what the environment is."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from contextlib import suppress
from pathlib import Path

from snakemrs.anatomy.precomputed import existing_maps
from snakemrs.errors import RequestError, SnakeMRSError
from snakemrs.io.atomic import write_json
from snakemrs.study.images import (
    LINKS,
    BuiltImage,
    built_images,
    code_digest,
    images_folder,
    lock,
    segmentation_families,
)
from snakemrs.study.plan import Plan
from snakemrs.study.resources import workflow_root
from snakemrs.study.variants import merged

# What a step may learn from outside: threads, time stamps, and how numerical libraries choose their kernels (without
# these an image would compute with other kernels than the same machine does outside).
_HANDED_ON = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "NPY_DISABLE_CPU_FEATURES",
)
# Where the image freesurfer looks for the key of whoever runs it (containers/freesurfer/image.yaml).
_LICENCE = "/opt/licence/license.txt"
_CACHES = {"MPLCONFIGDIR": "matplotlib", "XDG_CACHE_HOME": "cache", "NIPYPE_CONFIG_DIR": "nipype"}


def container_arguments(study: Path, plan: Plan, code: Path | None = None) -> list[str]:
    """Options that make Snakemake run every step in its image; lays links to the images in the study.

    Parameters
    ----------
    study : Path
        The study's folder.
    plan : Plan
        Its plan: where raw files and basis lie, what becomes of time stamps.
    code : Path, optional
        The run's frozen copy of the code, for its rules' images.

    Returns
    -------
    list of str
        For Snakemake's command line, in front of its targets.

    Raises
    ------
    RequestError
        If Apptainer or an image is missing, an image holds another version of the code, or a path cannot be mounted.
    """
    if shutil.which("apptainer") is None and shutil.which("singularity") is None:
        raise RequestError(
            "containers need Apptainer, which is not installed here",
            expected="the program apptainer (1.0 or newer) on PATH",
            remedy="install it, or run without --containers",
        )
    images = required_images(plan, code)
    link_images(study.resolve(), images)
    words = ["--containall", *_user_namespace()]
    for source, target, mode in mounts(study.resolve(), plan):
        words += ["--bind", f"{source}:{target}:{mode}"]
    # The node's own /tmp: that of --containall has 64 MiB.
    words += ["--bind", "/tmp:/tmp:rw"]
    licence = os.environ.get("FS_LICENSE", "")
    if "freesurfer" in images and Path(licence).is_file():
        words += ["--bind", f"{Path(licence).resolve()}:{_LICENCE}:ro"]
    environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    environment.update(
        dict.fromkeys(_HANDED_ON[:3], "1"),
        SOURCE_DATE_EPOCH=str(plan.created),
        NO_ET="1",
        PYTHONNOUSERSITE="1",
    )
    # /tmp may be everybody's: each user has caches of their own there.
    for name, folder in _CACHES.items():
        environment[name] = f"/tmp/snakemrs-{os.getuid()}/{folder}"
    for name, value in sorted(environment.items()):
        words += ["--env", f"{name}={value}"]
    # With = and a space in front, or Snakemake takes the text for an option of its own.
    return ["--software-deployment-method", "apptainer", "--apptainer-args= " + shlex.join(words)]


def families(rules: Path, plan: Plan) -> list[str]:
    """Families of images that the steps of a study need.

    Parameters
    ----------
    rules : Path
        Folder of the rule files.
    plan : Plan
        The study's plan: without a T1w nothing is segmented; with one, its backends say in which images.

    Raises
    ------
    RequestError
        If a segmentation takes the programs of two images.
    """
    found = set()
    for path in sorted(rules.glob("*.smk")):
        found.update(re.findall(r"\bimage\(\"(\w+)\"\)", path.read_text(encoding="utf-8")))
    if not plan.anatomies:
        return sorted(found)
    own = plan.settings["anatomy"]
    variants = plan.settings["group"]["sensitivity"]["variants"].values()
    for settings in (own, *(merged(own, changes["anatomy"]) for changes in variants if "anatomy" in changes)):
        needed = segmentation_families(settings)
        if len(needed) > 1:
            raise RequestError(
                "no image holds the programs of both segmentations",
                found=f"anatomy: backend {settings['backend']}, second_backend {settings['second_backend']}",
                expected="at most one that needs FSL or FreeSurfer",
                remedy="make one of them a choice (group.sensitivity.variants), or run without --containers",
            )
        found.update(needed)
    return sorted(found)


def required_images(plan: Plan, code: Path | None = None) -> dict[str, BuiltImage]:
    """The images that the steps of a study need, as built on this machine.

    Raises
    ------
    RequestError
        If one is missing, or was built from another definition or other code than those of this run.
    """
    root = workflow_root() if code is None else code / "snakemrs" / "_workflow"
    wanted = families(root / "rules", plan)
    found = built_images()
    missing = [family for family in wanted if family not in found]
    if missing:
        raise RequestError(
            f"container images are missing: {', '.join(missing)}", file=images_folder(), remedy=_remedy(missing)
        )
    for family in wanted:
        image = found[family]
        if image.definition != lock()[family]["definition"]:
            raise RequestError(
                f"the image {family} was built from another definition than the lock's",
                file=image.path,
                found=image.definition,
                expected=lock()[family]["definition"],
                remedy=_remedy([family]),
            )
        if image.code != code_digest():
            raise RequestError(
                f"the image {family} holds another version of SnakeMRS than the one that runs",
                file=image.path,
                found=image.code,
                expected=code_digest(),
                remedy=_remedy([family]),
            )
    return {family: found[family] for family in wanted}


def _remedy(wanted: list[str]) -> str:
    """How to come by images: those that hold a program of the user's are not made by `make images`."""
    brought = [family for family in wanted if lock()[family]["optional"]]
    words = ["`make images` builds core and anatomy"]
    words += [f"`python containers/build.py {name} --archive …` builds {name} from your own copy" for name in brought]
    return "; ".join([*words, "SNAKEMRS_IMAGES names the folder where they lie"])


def link_images(study: Path, images: dict[str, BuiltImage]) -> None:
    """Lay links to the images in the study, under names that hold their digests; earlier links go.

    The rules name the links. So Snakemake sees another image as another software environment, and sees none in an image
    or a study that was moved.
    """
    folder = study / LINKS
    folder.mkdir(parents=True, exist_ok=True)
    for image in images.values():
        place = study / image.link
        aside = place.with_suffix(".new")
        aside.unlink(missing_ok=True)
        aside.symlink_to(image.path.resolve())
        os.replace(aside, place)
    write_json(folder / "images.json", {family: image.link for family, image in sorted(images.items())})
    kept = {Path(image.link).name for image in images.values()}
    for other in folder.glob("*.sif"):
        if other.name not in kept:
            other.unlink()


def mounts(study: Path, plan: Plan) -> list[tuple[Path, Path, str]]:
    """What a container must see beside the study itself (its working directory, which Snakemake mounts).

    Returns
    -------
    list of (source, target, mode)
        Real folder outside, the path under which the steps name it, ``ro`` or ``rw``. Raw files and what the settings
        name (`_named`) are read-only. Links are followed: a raw file that is a link needs the folder it points to as
        well.

    Raises
    ------
    RequestError
        If a path holds a comma or a colon, which Apptainer cannot mount.
    """
    wanted: dict[Path, tuple[Path, str]] = {}

    def add(path: Path, mode: str = "ro") -> None:
        for target in (path, path.resolve()):
            if not _inside(target, study):
                wanted.setdefault(target, (path.resolve(), mode))

    raw = Path(os.path.normpath(study / plan.raw))
    if raw.exists():
        add(raw)
    for scan in plan.scans:
        file = raw / scan.path
        real = Path(os.path.realpath(file))
        if real.exists() and not _inside(real, raw.resolve()):
            add(real if real.is_dir() else real.parent)
    for path in _named(study, plan):
        add(path)
    # A study may have parts of itself on another disk.
    for entry in sorted(study.iterdir()):
        if entry.is_symlink() and entry.exists():
            writable = entry.name in ("bids", "derivatives", "logs", "work")
            add(entry.resolve() if entry.is_dir() else entry.resolve().parent, "rw" if writable else "ro")
    # A folder around the study would hide it, read-only, where it is mounted after it.
    if any(target in study.parents for target in wanted):
        wanted[study] = (study, "rw")
    result = []
    for target, (source, mode) in sorted(wanted.items()):
        covered = any(
            other != target
            and _inside(target, other)
            and _inside(source, wanted[other][0])
            and wanted[other][1] == mode
            for other in wanted
        )
        if not covered:
            result.append((source, target, mode))
    for path in (study, *(part for source, target, _ in result for part in (source, target))):
        if set(str(path)) & set(',:"\n'):
            raise RequestError(
                "a path with a comma, a colon or a quotation mark cannot be mounted into a container",
                file=path,
                remedy="rename it, or run without --containers",
            )
    return result


def _named(study: Path, plan: Plan) -> list[Path]:
    """Folders of what the settings name and steps read: basis, constants, regressors, tables, maps that exist.

    Of a path with ``{participant}`` the part before it serves all participants. A file that is a link brings the folder
    that it points to.
    """
    settings = plan.settings
    sensitivity = settings["group"]["sensitivity"]
    variants = sensitivity["variants"].values()
    names = [settings["basis"], settings["functional"]["table"], settings["group"]["clinical"]["instruments"]]
    names += sensitivity["tables"].values()
    names += [part.get("constants") for part in (settings["quantify"], *(v.get("quantify", {}) for v in variants))]
    files = [path for name in names if name for path in _of_each(study, name, plan)]
    found = [path if path.is_dir() else path.parent for path in files]
    found += [_common(study, name) for name in names if name and "{" in name]
    anatomies = [a for group in (plan.anatomies, *plan.variant_anatomies.values()) for a in group if a.existing]
    for folder in {Path(os.path.normpath(study / (a.existing or ""))) for a in anatomies}:
        found.append(folder)
        with suppress(SnakeMRSError):  # without maps that participant is a problem of the plan's
            files += existing_maps(folder)
    templates = [part.get("precomputed") for part in (settings["anatomy"], *(v.get("anatomy", {}) for v in variants))]
    found += [_common(study, name) for name in templates if name and anatomies]
    found += [path.resolve().parent for path in files if path.is_symlink()]
    return [path for path in dict.fromkeys(found) if path.exists() and path != Path("/")]


def _of_each(study: Path, name: str, plan: Plan) -> list[Path]:
    """The files that a setting names: one, or one a session where it has ``{participant}`` or ``{session}``."""
    names = {name.replace("{participant}", p).replace("{session}", s) for p, s in plan.sessions}
    return [path for text in sorted(names) if (path := Path(os.path.normpath(study / text))).exists()]


def _common(study: Path, name: str) -> Path:
    """The folder that all participants' files are in, of a path with ``{participant}`` or ``{session}``."""
    path = Path(os.path.normpath(study / name))
    while "{" in str(path):
        path = path.parent
    return path


def _inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _user_namespace() -> list[str]:
    """Root's containers run in a user namespace too, as everybody's do."""
    return ["--userns"] if os.geteuid() == 0 else []
