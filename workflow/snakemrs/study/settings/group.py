"""Settings of the stage group."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from snakemrs.study.settings import Settings


class DesignSettings(Settings):
    """How frames and sessions map to the design of the trial (section ``group.design``)."""

    event: str | None = None
    """Trial type in events.tsv that divides a session into phases (the infusion). None: the first event with a
    duration."""
    baseline: str = "baseline"
    """Name of the phase before the event."""
    active: str = "infusion"
    """Name of the phase during the event."""
    after: str = "washout"
    """Name of the phase after the event; its frames are no part of the primary analysis."""
    time_constant: float = Field(default=600.0, gt=0)
    """Time constant of the regressor 1 - exp(-t/tau) from the onset of the event, s."""
    select: dict[str, str] = Field(default_factory=dict)
    """Which spectra enter the analysis, where a session has several: value by ``acq``, ``voi``, ``task`` or ``run``."""
    blinded: bool = True
    """Refuse tables that tell the treatment (config/constants/treatments.yaml): they must hold masked codes until
    `snakemrs unblind`."""
    not_telling: tuple[str, ...] = ()
    """Columns that name a drug and yet tell nobody's treatment (earlier medication, say); they are not looked at."""
    columns: tuple[str, ...] = ()
    """Further columns of participants.tsv and sessions.tsv that the joined tables carry, beside sex, age, period,
    condition, sequence and those that the formula names."""


class OutcomeSettings(Settings):
    """The outcomes, declared before the data are seen (section ``group.outcomes``)."""

    primary: str = "log(glx_tnaa)"
    """The one primary outcome, with its transformation. Columns are
    ``{metabolite}_{tnaa|tcr|molar|molal|uncorrected|amplitude}``."""
    secondary: tuple[str, ...] = ("log(glx_tcr)", "log(glu_tnaa)", "log(gln_tnaa)")
    """Secondary outcomes: the confirmatory family that Holm's correction covers."""
    parts: tuple[str, ...] = ("log(glx_amplitude)", "log(tnaa_amplitude)", "log(tcr_amplitude)")
    """Numerators and denominators on their own: a ratio's effect must not be that of its denominator."""
    exploratory: tuple[str, ...] = ("log(gaba_tnaa)", "log(gsh_tnaa)", "log(ins_tnaa)", "log(tcho_tnaa)")
    """Exploratory outcomes, corrected by Benjamini and Hochberg."""


class ClinicalSettings(Settings):
    """Clinical scores (section ``group.clinical``)."""

    primary: str = "madrs"
    """The instrument whose change is the clinical outcome."""
    baseline: str | None = None
    """Name of the visit before treatment, in each period. None: ``baseline`` or ``pre``."""
    followup: str | None = None
    """Name of the visit after treatment, in each period. None: the only other visit; with several it must be named."""
    instruments: str | None = None
    """YAML file with instruments of one's own, in the form of config/constants/instruments.yaml."""
    windows: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Allowed days from the session to each visit (first, last); a visit outside is flagged, not left out."""
    remission: float | None = None
    """Remission at this total or below, instead of the instrument's own cut-off."""

    @field_validator("baseline", "followup")
    @classmethod
    def _visit(cls, value: str | None) -> str | None:
        """Visits are compared in lower case: Day1 is day1."""
        return None if value is None else value.lower()

    @field_validator("windows")
    @classmethod
    def _windows(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        return {name.lower(): days for name, days in value.items()}


VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$", max_length=40)]
VariantStage = Literal["anatomy", "spectra", "voxel", "fit", "quantify"]


class SensitivitySettings(Settings):
    """Choices under which the primary analysis is repeated (section ``group.sensitivity``)."""

    ratios: tuple[str, ...] = ("tnaa", "tcr", "molal", "uncorrected", "amplitude")
    """References of the primary metabolite: total NAA, total creatine, water with and without tissue correction,
    none."""
    permutations: int = Field(default=1000, ge=0)
    """Sign flips of the participants' effects."""
    missing_shift: tuple[float, ...] = (-0.05, 0.05)
    """How much the effect is taken to differ in incomplete participants (those who lack a session, or all), as if they
    were not missing at random; in units of the log outcome. Added to the effect is the shift times the share of
    incomplete participants: a positive shift moves it up, a negative one down, whatever its sign."""
    leave_one_out: bool = True
    """Repeat the analysis without each participant in turn."""
    autoregression: bool = True
    """Repeat the analysis with first-order autoregressive frames."""
    tables: dict[str, str] = Field(default_factory=dict)
    """Further tables of frames (TSV, as group/frames.tsv), from other programs say, by the name of the choice that made
    them."""
    variants: dict[VariantName, Annotated[dict[VariantStage, dict[str, Any]], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Choices under which sessions are made again, by name: the settings of the stages anatomy, spectra, voxel, fit,
    quantify that differ from the study's, such as ``{matched-width: {fit: {match_frames: true}}}``. Only the steps that
    they concern run again. None by default: each takes the time of these steps in all sessions."""


class GroupSettings(Settings):
    """Settings of the stage group (section ``group`` of study.yaml)."""

    design: DesignSettings = DesignSettings()
    """Phases, conditions, which spectra."""
    outcomes: OutcomeSettings = OutcomeSettings()
    """Primary, secondary and exploratory outcomes."""
    formula: str = "condition*phase + period + sex"
    """Fixed effects of the primary model; terms that the study has no values for are left out, and said."""
    effect: str = "condition:phase"
    """The term that answers the trial's question."""
    df: Literal["kenward-roger", "satterthwaite"] = "kenward-roger"
    """Method of the degrees of freedom."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Two-sided level of significance; intervals have the level 1 - alpha."""
    exclude: Literal["fail", "warn", "none"] = "fail"
    """Frames and spectra left out by the verdict of quality control: those that fail, also those that warn, none."""
    bootstrap: int = Field(default=1000, ge=100)
    """Bootstrap samples, drawn by participant."""
    seed: int = Field(default=20240229, ge=0)
    """Seed of all random numbers."""
    power: float = Field(default=0.8, gt=0.5, lt=1)
    """Power at which the smallest detectable effect is given."""
    allow: tuple[str, ...] = ()
    """Refusals of a model that are overridden, by name; printed with every result."""
    clinical: ClinicalSettings = ClinicalSettings()
    """Clinical scores."""
    sensitivity: SensitivitySettings = SensitivitySettings()
    """The specification curve."""
