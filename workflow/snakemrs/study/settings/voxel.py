"""Settings of the stage voxel."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class VoxelSettings(Settings):
    """Settings of the stage voxel (section ``voxel`` of study.yaml)."""
