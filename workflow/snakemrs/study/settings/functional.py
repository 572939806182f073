"""Settings of functional MRS: the design over time and what is asked of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from snakemrs.study.settings import Settings

Shape = Literal["block", "ramp", "exponential", "gamma", "pharmacokinetic", "column"]


class RegressorSettings(Settings):
    """A course over time that amplitudes may follow (an entry of ``functional.regressors``)."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Name of the regressor, as it stands in the tables."""
    shape: Shape = "block"
    """``block``: 1 during the event; ``ramp``: rises evenly during it and stays; ``exponential``: 1 − exp(−t/τ) during
    it, falls with the same τ after it; ``gamma``: gamma variate from its onset; ``pharmacokinetic``: plasma
    concentration of `drug` infused evenly during it; ``column``: a column of `functional.table` with this name."""
    event: str | None = None
    """Trial type of events.tsv that it follows; none: the event of `functional.event`."""
    time_constant: float = Field(default=600.0, gt=0)
    """τ of ``exponential``, s."""
    time_to_peak: float = Field(default=600.0, gt=0)
    """Time from the onset to the peak of ``gamma``, s."""
    sharpness: float = Field(default=2.0, gt=0)
    """Exponent of ``gamma``: (t/T)^a·exp(a·(1 − t/T))."""
    drug: str = "ketamine"
    """Compartment model of ``pharmacokinetic`` (config/constants/pharmacokinetics.yaml)."""
    delay: float = Field(default=0.0)
    """Time by which the course starts later than the event, s."""


class FunctionalSettings(Settings):
    """Functional MRS: spectra fitted over time (section ``functional`` of study.yaml)."""

    enabled: Literal["auto", "never"] = "auto"
    """``auto``: a dynamic fit of every spectrum that has several transients, where the study has events."""
    event: str | None = None
    """Trial type that divides a session into baseline and response (the infusion); none: the first that has a
    duration."""
    regressors: tuple[RegressorSettings, ...] = ()
    """What amplitudes follow. Empty: a block for each trial type with a duration, and ``after`` for what comes after a
    trial type that occurs once; the block's coefficient is the mean change, whatever its course."""
    table: str | None = None
    """Table of one's own regressors, relative to the study: ``onset`` (s) and a column for each; ``{participant}`` and
    ``{session}`` may stand in its name."""
    drift: int = Field(default=0, ge=0, le=3)
    """Order of the polynomial in time that amplitudes follow beside the regressors. A slow response and a drift can
    hardly be told apart: each order costs precision."""
    line_width: Literal["auto", "design", "water", "none"] = "auto"
    """What line width follows: the regressors (``design``), the width of interleaved water (``water``), nothing
    (``none``: narrower lines are then taken for more metabolite); ``auto``: water where it is interleaved, else
    ``design``."""
    line_width_drift: int = Field(default=1, ge=0, le=3)
    """Order of the polynomial in time that line width follows beside its regressors (the shim drifts)."""
    baseline: Literal["shared", "slow"] = "shared"
    """Spectral baseline: the same in all transients, or changing evenly with time."""
    contrasts: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Contrasts beside the default one (response − baseline): name → weight by regressor."""
    course_step: float | None = Field(default=None, gt=0)
    """Length of the bins of the free course (an amplitude of its own in each bin), s; none: a sixteenth of the
    session."""
    autocorrelation: Literal["correct", "ignore"] = "correct"
    """Widen the standard deviations where the residuals of neighbouring transients are correlated."""
    controls: tuple[str, ...] = ("tNAA", "tCr")
    """Metabolites or sums that must stay flat."""
    control_limit: float = Field(default=2.0, gt=0)
    """Change of a control in percent above which, if its interval leaves out zero, a warning is given."""

    @model_validator(mode="after")
    def _distinct(self) -> FunctionalSettings:
        names = [regressor.name for regressor in self.regressors]
        reserved = {"constant", "onset", "duration", "transient", "phase", "weight", "line_width"}
        twice = {name for name in names if names.count(name) > 1} | (reserved & set(names))
        if twice:
            raise ValueError(f"regressors need names of their own: {', '.join(sorted(twice))}")
        if any(regressor.shape == "column" for regressor in self.regressors) and self.table is None:
            raise ValueError("a regressor of shape 'column' needs `table`")
        return self
