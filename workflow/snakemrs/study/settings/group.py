"""Settings of the stage group."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class GroupSettings(Settings):
    """Settings of the stage group (section ``group`` of study.yaml)."""
