"""Settings of the stage anatomy."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class AnatomySettings(Settings):
    """Settings of the stage anatomy (section ``anatomy`` of study.yaml)."""
