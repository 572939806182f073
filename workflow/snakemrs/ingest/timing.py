"""Echo, repetition and inversion times: unit mended where that is unambiguous, else refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from snakemrs.errors import DataError
from snakemrs.study.settings.ingest import IngestSettings

#: Plausible times, s. Echo times of proton MRS in people lie between 1 and 500 ms.
ECHO = (0.001, 0.5)
REPETITION = (0.1, 30.0)
INVERSION = (0.01, 10.0)


@dataclass(frozen=True)
class Timing:
    """Times in seconds, and what was done to the header's.

    Attributes
    ----------
    echo_time, repetition_time, inversion_time : float or None
    notes : tuple of str
        What was mended or supplied.
    """

    echo_time: float
    repetition_time: float | None
    inversion_time: float | None
    notes: tuple[str, ...] = ()


def _plausible(value: float | None, limits: tuple[float, float]) -> bool:
    return value is not None and math.isfinite(value) and limits[0] <= value <= limits[1]


def first_plausible(one: float | None, other: float | None, limits: tuple[float, float]) -> float | None:
    """Give what the converter says where it is plausible, else what the header says where that is; else the first."""
    if _plausible(one, limits) or not _plausible(other, limits):
        return one if one else other
    return other


def mend(
    echo_time: float | None,
    repetition_time: float | None,
    inversion_time: float | None,
    settings: IngestSettings,
    *,
    file: Path,
    participant: str | None = None,
) -> Timing:
    """Check the times of a header and mend what can only be a wrong unit.

    A wrong unit is taken for sure only when echo and repetition time are both off by the same factor of a thousand (or
    a million) and both plausible after dividing it out. Anything else implausible needs the settings.

    Raises
    ------
    DataError
        If the echo time is missing or implausible and the settings have none, or they contradict a plausible header.
    """
    notes: list[str] = []
    echo, repetition = echo_time, repetition_time
    if not _plausible(echo, ECHO) and echo and repetition and not _plausible(repetition, REPETITION):
        for factor in (1e3, 1e-3, 1e-6):
            if _plausible(echo * factor, ECHO) and _plausible(repetition * factor, REPETITION):
                notes.append(f"EchoTime {echo:g} s and RepetitionTime {repetition:g} s were off by {factor:g}: mended")
                echo, repetition = echo * factor, repetition * factor
                break
    echo = _choose("echo_time", "EchoTime", echo, settings.echo_time, ECHO, settings, notes, file, participant)
    repetition = _choose(
        "repetition_time", "RepetitionTime", repetition, settings.repetition_time, REPETITION, settings, notes, file,
        participant,
    )  # fmt: skip
    if echo is None:
        raise DataError(
            "the echo time is missing" if not echo_time else "the echo time is impossible",
            file=file,
            participant=participant,
            found="no echo time in the header" if not echo_time else f"{echo_time:g} s",
            expected="1 to 500 ms",
            remedy="give it in study.yaml as `ingest: {echo_time: 0.030}` (seconds), from the scan protocol",
        )
    if repetition is None:
        notes.append(
            "RepetitionTime is missing: without `ingest: {repetition_time: 2.0}` (seconds) in study.yaml there are "
            "ratios and no concentrations"
        )
    elif repetition <= echo:
        raise DataError(
            "the repetition time is shorter than the echo time",
            file=file,
            participant=participant,
            found=f"TR {repetition:g} s, TE {echo:g} s",
            remedy="give `repetition_time` and `echo_time` in the section `ingest` of study.yaml",
        )
    inversion = inversion_time or None
    if inversion is not None and not _plausible(inversion, INVERSION):
        if _plausible(inversion / 1e3, INVERSION):
            notes.append(f"InversionTime {inversion:g} was in milliseconds: mended")
            inversion /= 1e3
        else:
            notes.append(f"InversionTime {inversion:g} s is impossible: left out")
            inversion = None
    return Timing(echo, repetition, inversion, tuple(notes))


def _choose(
    setting: str,
    key: str,
    header: float | None,
    given: float | None,
    limits: tuple[float, float],
    settings: IngestSettings,
    notes: list[str],
    file: Path,
    participant: str | None,
) -> float | None:
    """Give the header's value where it is plausible, else the settings'."""
    if not _plausible(header, limits):
        if given is not None:
            notes.append(f"{key} {given:g} s from the settings")
        elif header:
            notes.append(f"{key} {header:g} s is impossible: left out")
        return given
    if given is None or header is None or math.isclose(header, given, rel_tol=0.01):
        return header
    if settings.trust_settings:
        notes.append(f"{key} {given:g} s from the settings, against {header:g} s in the header")
        return given
    raise DataError(
        f"the header and the setting `{setting}` disagree",
        file=file,
        participant=participant,
        found=f"{header:g} s in the header",
        expected=f"{given:g} s, as set",
        remedy=f"remove `{setting}` from the section `ingest`, or set `trust_settings: true` if the header is wrong",
    )
