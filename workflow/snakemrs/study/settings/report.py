"""Settings of the stage report."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class ReportSettings(Settings):
    """Settings of the stage report (section ``report`` of study.yaml)."""
