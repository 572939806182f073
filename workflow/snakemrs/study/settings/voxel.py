"""Settings of the stage voxel."""

from __future__ import annotations

from pydantic import Field

from snakemrs.study.settings import Settings


class VoxelSettings(Settings):
    """Settings of the stage voxel (section ``voxel`` of study.yaml)."""

    largest_outside: float = Field(default=0.5, gt=0.0, le=1.0)
    """Share of the voxel outside the brain above which it is refused."""
    warned_outside: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the voxel outside the brain above which it is flagged."""
    fraction_sd: float = Field(default=0.02, ge=0.0, le=0.5)
    """Standard deviation of each tissue fraction where no second segmentation gives one: the error of the segmentation
    on virtual heads (docs/benchmarks/segmentation.md)."""
