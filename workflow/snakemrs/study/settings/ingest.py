"""Settings of the stage ingest."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class IngestSettings(Settings):
    """Settings of the stage ingest (section ``ingest`` of study.yaml)."""
