"""Settings of the stage quantify."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class QuantifySettings(Settings):
    """Settings of the stage quantify (section ``quantify`` of study.yaml)."""
