"""Which basis is simulated for a spectrum, or why none can be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from snakemrs.study.config import StudyConfig
from snakemrs.study.hashes import joined

SIMULATED = ("press", "steam", "slaser", "spin-echo", "pulse-acquire")
"""Sequences that `snakemrs basis simulate` knows; a test holds them against `snakemrs.spins.simulation`."""
_ECHO = (0.001, 0.5)
"""Seconds between which an echo time is plausible (`snakemrs.ingest.timing`)."""


@dataclass(frozen=True)
class Simulation:
    """The basis of a spectrum: its name and the options of `snakemrs basis simulate`, or why there is none.

    All are None where only the converted file can tell the echo time.
    """

    key: str | None = None
    given: dict[str, Any] | None = None
    obstacle: str | None = None


def localisation_of(sequence: str) -> str:
    """The localisation that a sequence's name ends in, in lower case: ``press`` of ``MEGA-PRESS``."""
    name = sequence.lower()
    return name if name in SIMULATED else name.rsplit("-", 1)[-1]


def echo_time(header: dict[str, Any], config: StudyConfig) -> float | None:
    """The echo time in seconds that ingest will give the file; None where that needs the converter."""
    own, given = header.get("te"), config.ingest.echo_time
    if given is not None and (config.ingest.trust_settings or not own):
        return given
    return float(own) if own and _ECHO[0] <= float(own) <= _ECHO[1] else given


def first_echo_time(header: dict[str, Any], config: StudyConfig) -> float | None:
    """TE1 in seconds: the header's, else the study's; None where neither tells it (the basis takes half of TE)."""
    return _rounded(header.get("te1") or config.first_echo_time)


def mixing_time(header: dict[str, Any], config: StudyConfig) -> float | None:
    """TM in seconds: the header's, else the study's; None where neither tells it."""
    return _rounded(header.get("tm") or config.mixing_time)


def _rounded(value: Any) -> float | None:
    return round(float(value), 6) if value else None


def simulation_of(header: dict[str, Any], config: StudyConfig) -> Simulation:
    """The basis to simulate for a spectrum, from its header and the study's settings.

    Scanners of one field differ by some kHz from session to session; a basis serves all within 0.05 MHz, at which the
    shifts are wrong by less than 0.1 Hz.
    """
    own = "name a basis of your own in study.yaml (basis: …)"
    if not header.get("sequence"):
        return Simulation(obstacle=f"the sequence is not known from the header, so no basis can be simulated: {own}")
    sequence = localisation_of(str(header["sequence"]))
    if sequence not in SIMULATED:
        text = f"no basis can be simulated for {header['sequence']} (only for PRESS, STEAM and sLASER): {own}"
        return Simulation(obstacle=text)
    first = first_echo_time(header, config) if sequence == "press" else None
    mixing = mixing_time(header, config) if sequence == "steam" else None
    if sequence == "steam" and mixing is None:
        text = "the mixing time of STEAM is not in the header, so no basis can be simulated: set mixing_time (seconds)"
        return Simulation(obstacle=f"{text} in study.yaml, or {own}")
    echo = echo_time(header, config)
    if echo is None or any(header.get(key) in (None, "") for key in ("frequency", "bandwidth", "points")):
        return Simulation()
    if first is not None and first > echo:
        text = f"TE1 {first * 1e3:g} ms is longer than the echo time {echo * 1e3:g} ms: set first_echo_time"
        return Simulation(obstacle=f"{text} (seconds) in study.yaml right")
    given = {
        "sequence": sequence,
        "te": round(echo, 6),
        "te1": first,
        "frequency": round(round(float(header["frequency"]) / 0.05) * 0.05, 2),
        "bandwidth": round(float(header["bandwidth"]), 3),
        "points": int(header["points"]),
        **({"tm": mixing} if mixing is not None else {}),
    }
    key = f"{sequence}-te{echo * 1e3:g}-{joined([json.dumps(given, sort_keys=True)])[:8]}"
    return Simulation(key, given)
