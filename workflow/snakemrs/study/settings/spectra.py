"""Settings of the stage spectra."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from snakemrs.study.settings import Settings


class SpectraSettings(Settings):
    """Settings of the stage spectra (section ``spectra`` of study.yaml)."""

    coil_weights: Literal["auto", "water", "metabolite"] = "auto"
    """Signal that the coil weights are computed from; ``auto`` takes water where there is a water reference."""

    align: bool = True
    """Whether transients are aligned in frequency and phase before they are averaged."""
    align_range: tuple[float, float] = (0.5, 4.2)
    """Chemical shifts whose signal the alignment uses, ppm (lower, upper)."""
    align_max_shift: float = Field(default=30.0, gt=0)
    """Largest frequency shift of a transient that the alignment looks for, Hz."""

    outliers: Literal["reject", "weight", "mark"] = "reject"
    """What is done with outlying transients: left out, given a smaller weight, or only marked in the table."""
    outlier_z: float = Field(default=5.0, gt=1)
    """Robust standard deviations beyond which a transient is an outlier (dimensionless)."""
    outlier_amplitude: float = Field(default=0.2, gt=0, lt=1)
    """Least fraction by which the amplitude of a transient must differ from its neighbours to be an outlier."""

    frames: Literal["auto", "none", "fixed", "sliding", "events"] = "auto"
    """How transients are grouped into frames. ``fixed``: consecutive blocks of one length, cut anew at every onset and
    end of an event; ``sliding``: overlapping blocks, for figures only; ``events``: time bins after the onset of events,
    averaged over the repeats of one trial type; ``auto``: ``fixed``."""
    frame_transients: int = Field(default=32, ge=1)
    """Length of a frame in transients (of a block with ``fixed`` and ``sliding``)."""
    frame_duration: float | None = Field(default=None, gt=0)
    """Length of a frame in seconds; takes precedence over `frame_transients`. With ``events``: length of a time bin."""
    frame_step: int = Field(default=4, ge=1)
    """Step of ``sliding`` frames in transients."""
    event_types: tuple[str, ...] = ()
    """Trial types of events.tsv that count; empty: all."""
    event_window: tuple[float, float] | None = None
    """Time after the onset of an event that ``events`` frames cover, s (start, end); none: the event's duration."""

    eddy_current: Literal["auto", "none"] = "auto"
    """Eddy-current correction: ``auto`` uses the phase of the water reference (Klose 1990) where there is one from the
    same voxel with the same echo time; ``none`` never does."""
    water_elsewhere: Literal["refuse", "no-correction"] = "refuse"
    """Water reference of another position or size: refused, or kept without eddy-current correction by it."""

    water_interleaved: bool = False
    """Whether the frames of the water reference were acquired between the transients, over the same time: then the line
    width of water is told for each frame of the spectrum."""

    remove_water: bool = True
    """Whether residual water is removed (HLSVD)."""
    water_range: tuple[float, float] = (4.25, 5.05)
    """Chemical shifts in which components are taken for residual water and removed, ppm (lower, upper)."""
    water_components: int = Field(default=40, ge=5, le=60)
    """Number of damped sinusoids of the HLSVD model of the whole signal."""

    reference: Literal["auto", "metabolites", "water", "none"] = "auto"
    """What the frequency axis is referenced to: the singlets of NAA, creatine and choline, the water reference, or
    nothing. ``auto``: metabolites, but water for inversion-nulled (macromolecule) scans."""
    reference_max_shift: float = Field(default=1.0, gt=0, le=2.0)
    """Largest shift of the frequency axis that the referencing looks for, ppm."""
    conjugated: Literal["refuse", "correct"] = "refuse"
    """Data whose imaginary part has the wrong sign (NAA on the wrong side of water): refused, or conjugated back."""
    edited: Literal["refuse", "accept"] = "refuse"
    """Data that look like difference-edited or metabolite-cycled by the names in their header or by groups of
    transients that differ: refused, or taken as plain transients (only right where one condition was extracted
    beforehand). A DIM_EDIT or DIM_METCYCLE dimension is always refused."""

    @model_validator(mode="after")
    def _ordered(self) -> SpectraSettings:
        """Refuse ranges whose ends are swapped."""
        for name in ("align_range", "water_range", "event_window"):
            pair = getattr(self, name)
            if pair is not None and not pair[0] < pair[1]:
                raise ValueError(f"{name}: the first value must be the smaller one")
        return self
