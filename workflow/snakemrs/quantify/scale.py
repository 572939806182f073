"""Are water and metabolites on one scale? Receiver gains, and signals that are sums over transients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snakemrs.errors import DataError, RequestError

if TYPE_CHECKING:
    from snakemrs.io.nifti_mrs import NiftiMrs
    from snakemrs.study.settings.quantify import QuantifySettings

GAIN_KEYS = ("ReceiverGain", "RxGain", "receiver_gain")


def water_scale(svs: NiftiMrs, water: NiftiMrs, settings: QuantifySettings) -> tuple[float, list[str]]:
    """Give the factor that brings the water amplitude to the scale of the metabolites, with notes on what was done.

    Raises
    ------
    DataError
        If the headers say different receiver gains and the settings do not say how to correct for them, or if sums
        over transients are to be corrected and the headers do not say of how many.
    """
    gain, notes = receiver_gain(svs, water, settings)
    if settings.signals == "mean":
        return gain, notes
    mine, other = transients_per_signal(svs), transients_per_signal(water)
    notes.append(
        f"signals are sums of {mine:g} transients, those of the water of {other:g}: its amplitude ×{mine / other:.6g}"
    )
    return gain * mine / other, notes


def receiver_gain(svs: NiftiMrs, water: NiftiMrs, settings: QuantifySettings) -> tuple[float, list[str]]:
    """Give the factor for the water amplitude that makes up for another receiver gain, and notes."""
    mine, other = gain_of(svs), gain_of(water)
    if settings.receiver_gain == "ignore":
        return 1.0, []
    if mine is None or other is None:
        return 1.0, ["receiver gains are taken as equal: the headers do not hold those of both"]
    if mine == other:
        return 1.0, []
    if isinstance(mine, str) or isinstance(other, str) or settings.receiver_gain == "refuse":
        raise DataError(
            "water and metabolites were received with different gains",
            file=water.path,
            found=f"receiver gain {_shown(other)}",
            expected=f"{_shown(mine)} of {svs.path}",
            remedy="these are steps of the receiver without a unit: bring the raw data to one gain, then say so in the "
            "settings of quantify (receiver_gain: ignore)"
            if isinstance(mine, str) or isinstance(other, str)
            else "say in the settings of quantify what the numbers mean (receiver_gain: amplitude or decibel), "
            "or that the signals are corrected already (ignore)",
        )
    factor = float(10.0 ** ((mine - other) / 20.0)) if settings.receiver_gain == "decibel" else mine / other
    return factor, [f"water amplitude multiplied by {factor:.6g} for its other receiver gain"]


def gain_of(image: NiftiMrs) -> float | str | None:
    """Receiver gain in the header: a number, or the steps in the vendor's words; None where there is none."""
    value: Any = next((image.header[k] for k in GAIN_KEYS if k in image.header), None)
    value = value.get("Value") if isinstance(value, dict) else value
    value = value[0] if isinstance(value, list) and value else value
    if value is None or (isinstance(value, str) and any(c.isalpha() for c in value)):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RequestError("the receiver gain in the header is no number", file=image.path, found=value) from None


def _shown(gain: float | str) -> str:
    return gain if isinstance(gain, str) else f"{gain:g}"


def transients_per_signal(image: NiftiMrs) -> float:
    """Number of transients that the scanner summed into each signal it stored.

    Raises
    ------
    DataError
        If the header does not say it: `NumberOfTransients` of an average made since counts other ones.
    """
    value = image.header.get("TransientsPerSignal")
    steps = image.header.get("ProcessingApplied", [])
    averaged = any("averaging" in str(step.get("Method", "")).lower() for step in steps if isinstance(step, dict))
    total = image.header.get("NumberOfTransients")
    if value is None and not averaged and total is not None:
        shape = zip(image.data.shape[4:], image.dim_tags, strict=False)
        rows = 1
        for length, tag in shape:
            rows *= 1 if tag == "DIM_COIL" else length
        value = float(total) / rows
    if value is None or not float(value) >= 1:
        raise image.error(
            "the header does not say of how many transients its signals are sums",
            expected="TransientsPerSignal, or NumberOfTransients of signals as the scanner stored them",
            remedy="preprocess again, or correct the amplitudes and leave out `signals: sum`",
        )
    return float(value)
