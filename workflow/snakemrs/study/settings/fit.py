"""Settings of the stage fit."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class FitSettings(Settings):
    """Settings of the stage fit (section ``fit`` of study.yaml)."""
