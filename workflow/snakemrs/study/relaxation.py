"""Relaxation times and water contents: the published sets of config/constants, or one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snakemrs.errors import RequestError
from snakemrs.study.resources import constants


class UnknownFieldError(RequestError):
    """There are no published relaxation times for a field strength."""


TISSUES = ("gm", "wm", "csf")
PROTON_MHZ_PER_TESLA = 42.577478518


@dataclass(frozen=True)
class Times:
    """T1 and T2 in seconds of a metabolite in grey and white matter."""

    t1_gm: float
    t1_wm: float
    t2_gm: float
    t2_wm: float

    @property
    def t1(self) -> float:
        """Mean T1 of grey and white matter, s."""
        return (self.t1_gm + self.t1_wm) / 2

    @property
    def t2(self) -> float:
        """Mean T2 of grey and white matter, s."""
        return (self.t2_gm + self.t2_wm) / 2


@dataclass(frozen=True)
class WaterTimes:
    """T1 and T2 of water in seconds, in grey matter, white matter and CSF."""

    t1: dict[str, float]
    t2: dict[str, float]


@dataclass(frozen=True)
class TissueConstants:
    """Everything that turns signals into concentrations, at one field strength.

    Attributes
    ----------
    field : int or float
        Field strength of the set, T.
    metabolites : dict
        Times by canonical name; ``default`` for all others.
    water : WaterTimes
    content : dict
        MR-visible water of grey matter, white matter and CSF over pure water.
    molal_pure, molar_pure : float
        Pure water, mol/kg and mol/l.
    relative_sd : dict
        Standard deviation over value: ``metabolite_t1 metabolite_t2 water_t1 water_t2 water_t2_csf content_gm
        content_wm content_csf``.
    sources : dict
        By kind (``metabolites water content``), the name of the set and its references.
    """

    field: float
    metabolites: dict[str, Times]
    water: WaterTimes
    content: dict[str, float]
    molal_pure: float
    molar_pure: float
    relative_sd: dict[str, float]
    sources: dict[str, str]

    def times(self, metabolite: str) -> Times:
        """Times of a metabolite by its canonical name; those of ``default`` where it has none of its own."""
        return self.metabolites.get(metabolite, self.metabolites["default"])


class _OwnTimes(BaseModel):
    model_config = ConfigDict(extra="forbid")
    t1: float = Field(gt=0.01, lt=20.0)
    t2: float = Field(gt=0.001, lt=10.0)


class _OwnConstants(BaseModel):
    """A constants file of one's own; what it leaves out comes from the published sets."""

    model_config = ConfigDict(extra="forbid")
    metabolites: dict[str, _OwnTimes] = {}
    water: dict[str, _OwnTimes] = {}
    content: dict[str, float] = {}
    relative_sd: dict[str, float] = {}
    reference: str = "own constants"


def field_strength(spectrometer_frequency: float) -> float:
    """Field strength in tesla of a proton spectrometer frequency in MHz."""
    return spectrometer_frequency / PROTON_MHZ_PER_TESLA


def load_constants(
    tesla: float,
    *,
    metabolite_set: str | None = None,
    water_set: str | None = None,
    content_set: str | None = None,
    own: str | Path | None = None,
) -> TissueConstants:
    """Gather the constants for a field strength.

    Parameters
    ----------
    tesla : float
        Field strength. The nearest published field within 10 % is taken.
    metabolite_set, water_set, content_set : str, optional
        Names of published sets in config/constants; those named there as default where not given.
    own : path, optional
        YAML with any of ``metabolites: {NAME: {t1, t2}}``, ``water: {gm|wm|csf: {t1, t2}}``,
        ``content: {gm|wm|csf: value}``, ``relative_sd``, ``reference``: goes before the published values.

    Raises
    ------
    RequestError
        Unknown set, unknown key in `own`.
    UnknownFieldError
        A field strength for which nothing is published, and `own` does not say all that is needed.
    """
    relaxation, water = constants("relaxation"), constants("water")
    mine = _read_own(own)
    names = {
        "metabolites": metabolite_set or relaxation["default_sets"]["metabolites"],
        "water": water_set or relaxation["default_sets"]["water"],
        "content": content_set or water["default_set"],
    }
    pools = {
        "metabolites": relaxation["metabolites"],
        "water": relaxation["water"],
        "content": water["content"],
    }
    for kind, name in names.items():
        if name not in pools[kind]:
            raise RequestError(f"there is no set '{name}' of {kind}", found=name, expected=", ".join(pools[kind]))
    metabolites = _at_field(relaxation["metabolites"][names["metabolites"]]["fields"], tesla)
    waters = _at_field(relaxation["water"][names["water"]]["fields"], tesla)
    contents = water["content"][names["content"]]
    if metabolites is None and "default" not in mine.metabolites:
        raise _unknown_field(
            tesla, relaxation["metabolites"][names["metabolites"]]["fields"], "metabolites.default", own
        )
    if waters is None and not set(TISSUES) <= set(mine.water):
        raise _unknown_field(tesla, relaxation["water"][names["water"]]["fields"], "water.gm, .wm and .csf", own)
    times: dict[str, Times] = {}
    if metabolites is not None:
        times = {name: Times(**value) for name, value in metabolites["values"].items()}
        times["default"] = Times(**metabolites["default"])
    times.update({name: Times(v.t1, v.t1, v.t2, v.t2) for name, v in mine.metabolites.items()})
    t1 = {t: mine.water[t].t1 if t in mine.water else waters[t]["t1"] for t in TISSUES}  # type: ignore[index]
    t2 = {t: mine.water[t].t2 if t in mine.water else waters[t]["t2"] for t in TISSUES}  # type: ignore[index]
    # A time of one's own is not exact: where its spread is not given it is that of the set it replaces.
    metabolite_sd = _nearest(relaxation["metabolites"][names["metabolites"]]["fields"], tesla)["relative_sd"]
    water_sd = _nearest(relaxation["water"][names["water"]]["fields"], tesla)["relative_sd"]
    relative_sd = {
        "metabolite_t1": metabolite_sd["t1"],
        "metabolite_t2": metabolite_sd["t2"],
        "water_t1": water_sd["t1"],
        "water_t2": water_sd["t2"],
        "water_t2_csf": water_sd.get("t2_csf", water_sd["t2"]),
        **{f"content_{t}": contents["relative_sd"][t] for t in TISSUES},
    }
    stray = set(mine.relative_sd) - set(relative_sd)
    if stray:
        raise RequestError(
            "unknown constant under relative_sd", file=own, found=sorted(stray), expected=", ".join(relative_sd)
        )
    relative_sd.update(mine.relative_sd)
    sources = {
        "metabolites": _source(names["metabolites"], metabolites, relaxation["references"]),
        "water": _source(names["water"], waters, relaxation["references"]),
        "content": _source(names["content"], contents, water["references"]),
    }
    if own is not None:
        taken = ", ".join(f"{k} {100 * v:g} %" for k, v in relative_sd.items() if k not in mine.relative_sd)
        sources["own"] = f"{Path(own).name}: {mine.reference}"
        sources["own"] += f" (standard deviations taken from the published sets: {taken})" if taken else ""
    field = min(relaxation["metabolites"][names["metabolites"]]["fields"], key=lambda f: abs(f - tesla))
    return TissueConstants(
        field=float(field) if metabolites is not None else round(tesla, 2),
        metabolites=times,
        water=WaterTimes(t1, t2),
        content={t: mine.content.get(t, contents[t]) for t in TISSUES},
        molal_pure=water["molal_pure"]["value"],
        molar_pure=water["molar_pure"]["value"],
        relative_sd=relative_sd,
        sources=sources,
    )


def _nearest(fields: dict[float, Any], tesla: float) -> dict[str, Any]:
    """Entry of the nearest field strength."""
    entry: dict[str, Any] = fields[min(fields, key=lambda f: abs(f - tesla))]
    return entry


def _at_field(fields: dict[float, Any], tesla: float) -> dict[str, Any] | None:
    """Entry of the nearest field strength within 10 %; None where there is none."""
    nearest = min(fields, key=lambda f: abs(f - tesla))
    entry: dict[str, Any] = fields[nearest]
    return entry if abs(nearest - tesla) <= 0.1 * nearest else None


def _source(name: str, entry: dict[str, Any] | None, references: dict[str, str]) -> str:
    """Write a set and its references in a line."""
    if entry is None:
        return "own"
    caution = f"; caution: {entry['caution']}" if "caution" in entry else ""
    return f"{name} ({'; '.join(references[r] for r in entry['references'])}){caution}"


def _unknown_field(tesla: float, fields: dict[float, Any], missing: str, own: Any) -> UnknownFieldError:
    return UnknownFieldError(
        "there are no published relaxation times for this field strength",
        file=own,
        found=f"{tesla:.2f} T",
        expected=" or ".join(f"{f} T" for f in fields),
        remedy=f"give your own with --constants FILE (it must say {missing})",
    )


def _read_own(path: str | Path | None) -> _OwnConstants:
    """Read a constants file of one's own."""
    if path is None:
        return _OwnConstants()
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        own = _OwnConstants.model_validate(content)
    except FileNotFoundError:
        raise RequestError("the constants file does not exist", file=path) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']} (times are in seconds)",
            file=path,
            found=first.get("input"),
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RequestError("the constants file cannot be read as YAML", file=path, found=str(error)) from None
    stray = (set(own.water) | set(own.content)) - set(TISSUES)
    if stray:
        raise RequestError("unknown tissue", file=path, found=", ".join(sorted(stray)), expected=", ".join(TISSUES))
    wrong = [t for t, value in own.content.items() if not 0.3 <= value <= 1.0]
    if wrong:
        raise RequestError(
            "water content is a share of pure water", file=path, found=own.content[wrong[0]], expected="0.3 to 1"
        )
    return own
