"""Presets of the virtual scanner (config/constants/scanner.yaml)."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict

from snakemrs.errors import RequestError
from snakemrs.study.resources import constants

Range = tuple[float, float]


class Preset(BaseModel):
    """What a virtual study is made of. Meaning and unit of each number stand in config/constants/scanner.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    glx_rise_placebo: float
    glx_rise_naltrexone: float
    glx_rise_naltrexone_men_minus_women: float
    rise_time_constant: float
    glx_tnaa: float
    glx_sd_participant: float
    glx_sd_session: float
    glx_sd_frame: float
    glx_sd_frame_physiological: float
    content_sd_participant: float
    metabolite_sd_participant: float
    madrs_mean: float
    madrs_sd: float
    madrs_change_placebo: float
    madrs_change_naltrexone: float
    madrs_residual_sd: float
    madrs_period_2_baseline: Range
    snr: float
    line_width: Range
    gaussian_share: float
    bold_narrowing: float
    drift: Range
    frequency_jitter: float
    phase_jitter: float
    spoilt_share: float
    residual_water: float
    eddy_current: Range
    eddy_time_constant: float
    shim_loss: float

    def glx_rise(self, treatment: str, sex: str) -> float:
        """Relative rise of Glx that the infusion tends to, for a treatment (``placebo``, ``naltrexone``) and sex."""
        if treatment == "placebo":
            return self.glx_rise_placebo
        return self.glx_rise_naltrexone + self.glx_rise_naltrexone_men_minus_women * (0.5 if sex == "M" else -0.5)

    def madrs_change(self, treatment: str) -> float:
        """Mean change of the MADRS total from before to a day after the infusion."""
        return self.madrs_change_placebo if treatment == "placebo" else self.madrs_change_naltrexone


class Protocol(BaseModel):
    """The protocol of the virtual scan (seconds, Hz, MHz, mm, degrees)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    echo_time: float
    te1: float
    repetition_time: float
    spectrometer_frequency: float
    bandwidth: float
    points: int
    baseline_duration: float
    infusion_duration: float
    frame_duration: float
    coils: int
    water_transients: int
    t1w_spacing_mm: float
    voxel_size_mm: tuple[float, float, float]
    voxel_centre_mni_mm: tuple[float, float, float]
    voxel_tilt_degrees: float

    @property
    def transients(self) -> int:
        """Number of transients of a session."""
        return round((self.baseline_duration + self.infusion_duration) / self.repetition_time)

    def resized(self, transients: int) -> Protocol:
        """The same session with fewer or more transients: all durations in proportion, TR as it is.

        Raises
        ------
        RequestError
            If `transients` is no multiple of the frames of a session.
        """
        frames = round((self.baseline_duration + self.infusion_duration) / self.frame_duration)
        if transients % frames or transients < 2 * frames:
            raise RequestError(
                "so many transients do not make whole frames",
                found=transients,
                expected=f"a multiple of {frames} ({frames} frames a session), at least {2 * frames}",
            )
        ratio = transients / self.transients
        durations = ("baseline_duration", "infusion_duration", "frame_duration")
        return self.model_copy(update={name: getattr(self, name) * ratio for name in durations})


def preset_names() -> tuple[str, ...]:
    """Names of the presets."""
    return tuple(constants("scanner")["presets"])


def load_preset(name: str) -> Preset:
    """Give a preset: ``realistic`` with the changes that the named one lists.

    Raises
    ------
    RequestError
        If there is none of that name.
    """
    presets: dict[str, dict[str, Any]] = constants("scanner")["presets"]
    if name not in presets:
        near = difflib.get_close_matches(name, presets, n=1)
        raise RequestError(
            f"there is no preset '{name}'",
            expected=", ".join(presets),
            remedy=f"did you mean '{near[0]}'?" if near else None,
        )
    return Preset(name=name, **{**presets["realistic"], **presets[name]})


def vendor_names() -> tuple[str, ...]:
    """Names of the vendors."""
    return tuple(constants("scanner")["vendors"])


def load_protocol(vendor: str = "philips", transients: int | None = None) -> Protocol:
    """Give the protocol of the virtual scan as a vendor's scanner runs it.

    Parameters
    ----------
    vendor : str
    transients : int, optional
        Of a session; the vendor's default where not given.

    Raises
    ------
    RequestError
        For an unknown vendor or an impossible number of transients.
    """
    table = constants("scanner")
    if vendor not in table["vendors"]:
        raise RequestError(f"there is no vendor '{vendor}'", expected=", ".join(table["vendors"]))
    own = dict(table["vendors"][vendor])
    count = own.pop("transients") if transients is None else transients
    own.pop("transients", None)
    return Protocol(**{**table["protocol"], **own}).resized(count)
