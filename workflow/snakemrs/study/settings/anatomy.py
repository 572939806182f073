"""Settings of the stage anatomy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from snakemrs.study.settings import Settings

Backend = Literal["atropos", "hmrf", "fast", "synthseg", "precomputed"]


class AnatomySettings(Settings):
    """Settings of the stage anatomy (section ``anatomy`` of study.yaml)."""

    backend: Backend = "atropos"
    """What segments the T1w. ``atropos`` (ANTs) and ``hmrf`` (DIPY) are built in; ``fast`` needs FSL and ``synthseg``
    FreeSurfer 7.3 or later on the machine; ``precomputed`` takes the maps of fMRIPrep, FreeSurfer, CAT12 or SPM."""
    second_backend: Backend | None = None
    """A second segmentation, whose difference in the voxel is taken as the uncertainty of the fractions."""
    between_sessions: Literal["each", "first"] = "each"
    """``each``: segment the T1w of each session. ``first``: segment a participant's first T1w and bring its maps to the
    T1w of the other sessions by rigid registration, so that sessions do not differ by their segmentation."""
    precomputed: str | None = None
    """Folder of the derivatives for ``precomputed``, or a path with ``{participant}`` and ``{session}`` in it; relative
    to the study."""
    brain_extracted: bool | None = None
    """Whether the T1w is skull-stripped already; found out from the image where it is not said."""
    bias_correction: bool = True
    """Whether to remove the bias field with N4 (not for ``precomputed``)."""
    registration_spacing: float = Field(default=3.0, ge=1.0, le=6.0)
    """Grid of the registration of the template, mm."""
    prior_weight: float = Field(default=0.2, ge=0.0, le=1.0)
    """Weight of the template's tissue maps in ``atropos``."""
    smoothing: float = Field(default=0.1, ge=0.0, le=1.0)
    """Weight of the Markov random field in ``atropos``."""
    partial_volume: bool = True
    """Whether ``atropos`` and ``hmrf`` give shares of tissue, from the intensities on the rims between tissues, instead
    of probabilities of classes."""
    threads: int = Field(default=1, ge=1, le=16)
    """Threads of ANTs. With one, the same input gives the same bytes; more are faster, but the sums of threads are
    rounded in changing order, which moves the last digits of the maps."""
    seed: int = 1
    """Seed of all random numbers."""
