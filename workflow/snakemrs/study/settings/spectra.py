"""Settings of the stage spectra."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class SpectraSettings(Settings):
    """Settings of the stage spectra (section ``spectra`` of study.yaml)."""
