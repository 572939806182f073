"""What a run needs of the machine: room on the disk, programs, an executor. Without it nothing can run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from snakemrs.cli.cluster import executor_of, executor_problem
from snakemrs.cli.containers import container_arguments
from snakemrs.errors import SnakeMRSError
from snakemrs.study.goals import Goals
from snakemrs.study.plan import DERIVATIVES, Plan, Problem
from snakemrs.study.targets import ANATOMY_FILES
from snakemrs.study.variants import in_variant, made_again

# Measured on the demo (python -m snakemrs demo, then du): MB a T1w and a spectrum leave under bids/ and derivatives/.
MEGABYTES_PER_T1W = 12.0
MEGABYTES_PER_SPECTRUM = 12.0
MEGABYTES_PER_CHOICE = 3.0
"""Of a spectrum that a choice of the sensitivity analysis makes again: its derivatives alone."""

PROGRAMS = {"fast": ("fast", "FSL"), "synthseg": ("mri_synthseg", "FreeSurfer 7.3 or later")}
"""Programs of the segmentation backends that are not built in, and what has them."""


def check_profile(study: Path, plan: Plan, profile: Path, in_images: bool) -> tuple[list[Problem], list[str]]:
    """Check executor, images and programs of a run.

    Returns
    -------
    problems : list of Problem
    inside : list of str
        Options that make Snakemake run every step in its image; none without containers, or where they are missing.
    """
    problems: list[Problem] = []
    inside: list[str] = []
    if unreachable := executor_problem(profile):
        problems.append(Problem("error", unreachable, f"profile {profile.name}", machine=True))
    if in_images:
        try:
            inside = container_arguments(study, plan)
        except SnakeMRSError as error:
            found = f" (found: {error.found})" if error.found else ""
            text = f"{error.message}{found}" + (f": {error.remedy}" if error.remedy else "")
            problems.append(Problem("error", text, error.file or "containers", machine=True))
    else:
        problems += check_programs(plan, executor_of(profile) == "local")
    return problems, inside


def check_programs(plan: Plan, here: bool = True) -> list[Problem]:
    """Programs of the segmentation backends, the study's and those of its choices, that are not on the PATH.

    Parameters
    ----------
    here : bool
        Whether the steps run on this machine. What a cluster's nodes have is only guessed from it: a warning.
    """
    if not plan.anatomies:
        return []
    chosen = [plan.settings["anatomy"]["backend"], plan.settings["anatomy"]["second_backend"]]
    variants = plan.settings["group"]["sensitivity"]["variants"]
    chosen += [changes.get("anatomy", {}).get("backend") for changes in variants.values()]
    found = []
    for backend in sorted(PROGRAMS.keys() & set(chosen)):
        program, package = PROGRAMS[backend]
        if shutil.which(program) is None:
            text = f"the segmentation backend {backend} needs {program} ({package}), which is not on the PATH"
            remedy = "install it, or choose the backend atropos (anatomy.backend)"
            found.append(Problem("error" if here else "warning", f"{text}: {remedy}", "study.yaml", machine=here))
    return found


def check_disk(study: Path, plan: Plan) -> list[Problem]:
    """Room for what is still to be written, on the disk where the derivatives are."""
    place = (study / DERIVATIVES).resolve()
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(place).free / 1e6, disk_needed(study, plan)
    if free < needed:
        text = f"about {needed:.0f} MB will be written, {free:.0f} MB are free"
        return [Problem("error", text, str(place), machine=True)]
    return []


def disk_needed(study: Path, plan: Plan) -> float:
    """Megabytes that are still to be written under bids/ and derivatives/, by the demo's measure."""
    goals = Goals(plan)
    images = sum(not _all_there(study, f"{anatomy.prefix}_{ANATOMY_FILES[-1]}") for anatomy in plan.anatomies)
    images += sum(not _all_there(study, path) for path in _images_of_variants(plan))
    spectra = sum(not _all_there(study, *goals.of_spectrum(spectrum)) for spectrum in plan.spectra)
    choices = sum(not _all_there(study, path) for path in goals.of_variants())
    return MEGABYTES_PER_T1W * images + MEGABYTES_PER_SPECTRUM * spectra + MEGABYTES_PER_CHOICE * choices


def _all_there(study: Path, *paths: str) -> bool:
    return all((study / path).exists() for path in paths)


def _images_of_variants(plan: Plan) -> Iterator[str]:
    """A last file of each T1w that a choice segments anew."""
    for variant, anatomies in plan.variant_anatomies.items():
        if made_again("anatomy", plan.settings["group"]["sensitivity"]["variants"][variant]):
            for anatomy in anatomies:
                yield in_variant(f"{anatomy.prefix}_{ANATOMY_FILES[-1]}", DERIVATIVES, variant)
