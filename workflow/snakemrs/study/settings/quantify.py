"""Settings of the stage quantify."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from snakemrs.study.settings import Settings


class AssumedTissue(Settings):
    """Volume fractions that the uncorrected values assume."""

    gm: float = Field(default=0.6, ge=0.0, le=1.0)
    """Grey matter."""
    wm: float = Field(default=0.4, ge=0.0, le=1.0)
    """White matter."""
    csf: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Cerebrospinal fluid."""


class QuantifySettings(Settings):
    """Settings of the stage quantify (section ``quantify`` of study.yaml)."""

    metabolite_set: str = "individual"
    """Published set of metabolite T1 and T2 (config/constants/relaxation.yaml): ``individual`` or ``survey``."""
    water_set: str = "wansapura"
    """Published set of water T1 and T2: ``wansapura`` (as Osprey and Gannet) or ``survey`` (as FSL-MRS)."""
    content_set: str = "ernst"
    """Published set of water contents (config/constants/water.yaml): ``ernst`` or ``mapping2019``."""
    constants: str | None = None
    """A constants file of one's own (YAML); it goes before the published sets."""
    relaxation_by_tissue: bool = False
    """Weigh a metabolite's attenuation in grey and white matter by their fractions, instead of mean times."""
    alpha: dict[str, float] = Field(default_factory=dict)
    """Concentration in white over that in grey matter, by metabolite, for tissue-corrected values (Harris 2015),
    such as ``{GABA: 0.5}``. They are added as columns."""
    assumed_tissue: AssumedTissue = AssumedTissue()
    """Tissue that the uncorrected values assume (column ``uncorrected``)."""
    echo_time: float | None = Field(default=None, gt=0.0, lt=2.0)
    """Echo time of the metabolite spectrum (s), where the header lacks it."""
    repetition_time: float | None = Field(default=None, gt=0.0)
    """Repetition time of the metabolite spectrum (s), where the header lacks it."""
    water_echo_time: float | None = Field(default=None, gt=0.0, lt=2.0)
    """Echo time of the water reference (s), where its header lacks it."""
    water_repetition_time: float | None = Field(default=None, gt=0.0)
    """Repetition time of the water reference (s), where its header lacks it."""
    receiver_gain: Literal["refuse", "ignore", "amplitude", "decibel"] = "refuse"
    """What to do where the headers say different receiver gains for water and metabolites: refuse, ignore them, or
    correct for them as amplitude factors or decibels."""
