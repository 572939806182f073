"""Settings of the stage ingest."""

from __future__ import annotations

from pydantic import Field

from snakemrs.study.settings import Settings


class IngestSettings(Settings):
    """Settings of the stage ingest (section ``ingest`` of study.yaml)."""

    echo_time: float | None = Field(default=None, gt=0.001, lt=0.5)
    """Echo time of the spectra in seconds, for raw files whose header has none or one outside 1-500 ms."""

    repetition_time: float | None = Field(default=None, gt=0.1, lt=30)
    """Repetition time of the spectra in seconds, for raw files whose header has none or an impossible one."""

    trust_settings: bool = False
    """Let `echo_time` and `repetition_time` win over a plausible header that says otherwise (else it is refused)."""

    nucleus: str = "1H"
    """The nucleus that the study measures; a raw file of another is refused."""

    body_part: str = "BRAIN"
    """BIDS ``BodyPart`` of every spectrum with a ``voi`` label."""

    voi_names: dict[str, str] = Field(default_factory=dict)
    """Full name of each ``voi`` label, for BIDS ``BodyPartDetails`` (``acc: anterior cingulate cortex``)."""

    converter_seconds: int = Field(default=300, ge=1)
    """Longest time in seconds that an external converter may take for one raw file."""

    converter_memory: int = Field(default=2048, ge=256)
    """Most memory in MiB that an external converter may take; grows to 12 times the raw file where that is more."""
