"""Settings of the stage quantify."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from snakemrs.study.settings import Settings


class AssumedTissue(Settings):
    """Volume fractions that the uncorrected values assume."""

    gm: float = Field(default=0.6, ge=0.0, le=1.0)
    """Grey matter."""
    wm: float = Field(default=0.4, ge=0.0, le=1.0)
    """White matter."""
    csf: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Cerebrospinal fluid."""

    @model_validator(mode="after")
    def _is_tissue(self) -> Self:
        total = self.gm + self.wm + self.csf
        if abs(total - 1.0) > 1e-3:
            raise ValueError(
                f"the fractions gm {self.gm:g}, wm {self.wm:g}, csf {self.csf:g} sum to {total:g}, not to 1"
            )
        if self.gm + self.wm <= 0.0:
            raise ValueError("without grey and white matter there is no tissue")
        return self


Alpha = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


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
    alpha: dict[str, Alpha] = Field(default_factory=dict)
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
    correct for them as amplitude factors or decibels (only numbers can be corrected: the steps of GE and Siemens are
    refused)."""
    signals: Literal["mean", "sum"] = "mean"
    """What the scanner stored where it put several transients into one signal: their mean, or their sum, which is
    corrected by the numbers of transients in the headers of spectrum and water reference."""

    @field_validator("alpha")
    @classmethod
    def _of_known_metabolites(cls, alpha: dict[str, float]) -> dict[str, float]:
        """Refuse a name that no table of concentrations can have: it would be left out in silence."""
        if not alpha:
            return alpha
        from snakemrs.study.resources import constants

        single = set(constants("spin_systems")["metabolites"])
        known = single | set(constants("fit_sums")["sums"])
        for name in alpha:
            if name not in known and not ("+" in name and set(name.split("+")) <= single):
                near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.3)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise ValueError(f"there is no metabolite or sum '{name}'{hint}")
        return alpha
