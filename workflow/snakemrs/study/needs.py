"""What a step needs of the machine: memory and time that grow when it is tried again, and the segmentation's image."""

from __future__ import annotations

import gzip
import inspect
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemrs.study.images import segmentation_families
from snakemrs.study.resources import image
from snakemrs.study.variants import variant_of

if TYPE_CHECKING:
    from snakemrs.study.targets import Targets

Wildcards = Any
USUAL_T1W = 12.0
"""Million voxels of a T1w that cannot be looked at: a whole head at 1 mm."""


def sign(function: Callable[..., Any]) -> None:
    """Store a function's signature.

    Snakemake asks for it several times for each of thousands of jobs, and working it out takes longer than the call.
    """
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]


def growing(amount: int) -> Callable[..., int]:
    """Megabytes or minutes: so many for the first attempt, twice as many for the second."""

    def of_attempt(wildcards: Wildcards, attempt: int) -> int:
        return amount * attempt

    sign(of_attempt)
    return of_attempt


def segmentation_image(targets: Targets) -> str | Callable[[Wildcards], str]:
    """Image of the segmentation: of the programs that its backends need, those of the study or of a variant."""
    chosen = {
        variant: image(segmentation_families(settings)[0]) for variant, settings in targets.segmentations().items()
    }
    if len(set(chosen.values())) == 1:
        return chosen[""]

    def of_job(wildcards: Wildcards) -> str:
        return chosen[variant_of(wildcards.place)]

    sign(of_job)
    return of_job


def segmentation_memory(targets: Targets) -> Callable[..., int]:
    """Megabytes for a segmentation: 1,500 and 200 for each million voxels; SynthSeg takes 16,000 at least.

    Measured peak: Atropos on 200 × 248 × 244 voxels (12 million), 2,826 MB (`benchmarks/segmentation_cost.py`).
    """
    least = {
        variant: 16_000 if "synthseg" in (settings["backend"], settings["second_backend"]) else 0
        for variant, settings in targets.segmentations().items()
    }
    size = cache(million_voxels)

    def of_job(wildcards: Wildcards, attempt: int) -> int:
        voxels = size(targets.raw_t1w(wildcards))
        return max(1500 + round(200 * voxels), least[variant_of(wildcards.place)]) * attempt

    sign(of_job)
    return of_job


def million_voxels(raw: Path) -> float:
    """Size of a T1w as the scanner left it: by the header of a NIfTI image, else by two bytes a voxel."""
    try:
        if raw.name.endswith((".nii", ".nii.gz")):
            with gzip.open(raw) if raw.name.endswith(".gz") else raw.open("rb") as stream:
                head = stream.read(56)
            order = "<" if struct.unpack("<i", head[:4])[0] == 348 else ">"
            x, y, z = struct.unpack(f"{order}3h", head[42:48])
            return float(x) * y * z / 1e6
        files = [file for file in raw.rglob("*") if file.is_file()] if raw.is_dir() else [raw]
        return sum(file.stat().st_size for file in files) / 2e6
    except (OSError, EOFError, struct.error):  # missing or damaged: its own step says so
        return USUAL_T1W
