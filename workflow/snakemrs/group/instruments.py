"""Clinical instruments as data: ranges, totals, missing items, response and remission."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from snakemrs.errors import RequestError
from snakemrs.study.resources import constants
from snakemrs.study.settings import Settings
from snakemrs.study.tables import nearest


class ItemsDefinition(Settings):
    """Items of an instrument: how many, and their lowest and highest value."""

    count: int = Field(ge=1)
    range: tuple[float, float]
    ranges: dict[int, tuple[float, float]] = Field(default_factory=dict)
    """Ranges of single items (from 1) where they differ."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for item, (low, high) in {0: self.range, **self.ranges}.items():
            if not low < high:
                raise ValueError(f"a range goes from low to high, not from {low:g} to {high:g}")
            if not 0 <= item <= self.count or (item == 0 and 0 in self.ranges):
                raise ValueError(f"there are items 1 to {self.count}, no item {item}")
        return self


class MissingDefinition(Settings):
    """How many missing items are filled with the mean of the others."""

    prorate: int = Field(default=0, ge=0)


class InstrumentDefinition(Settings):
    """An instrument as config/constants/instruments.yaml, or a file of one's own, describes it."""

    name: str = ""
    items: ItemsDefinition
    total: tuple[float, float]
    highest_of: tuple[tuple[int, ...], ...] = ()
    response: float | None = Field(default=None, gt=0)
    remission: float | None = None
    remission_also: tuple[float, ...] = ()
    missing: MissingDefinition = MissingDefinition()
    worse: Literal["higher", "lower"] = "higher"
    unit: str = "points"
    reference: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.total
        if not low < high:
            raise ValueError(f"the total goes from low to high, not from {low:g} to {high:g}")
        for item in (i for group in self.highest_of for i in group):
            if not 1 <= item <= self.items.count:
                raise ValueError(f"highest_of: there are items 1 to {self.items.count}, no item {item}")
        for cut in (self.remission, *self.remission_also):
            if cut is not None and not low <= cut <= high:
                raise ValueError(f"remission at {cut:g} is no total between {low:g} and {high:g}")
        if self.missing.prorate >= self.items.count:
            raise ValueError(f"missing.prorate: of {self.items.count} items {self.missing.prorate} cannot be missing")
        return self


@dataclass(frozen=True)
class CutOff:
    """A total at which a participant is in remission, or on its better side."""

    total: float
    worse: Literal["higher", "lower"] = "higher"

    def __str__(self) -> str:
        return f"{self.total:g} or {'below' if self.worse == 'higher' else 'above'}"

    def met(self, totals: Any) -> Any:
        """Say of a total, or an array of totals, whether it is remission."""
        return totals <= self.total if self.worse == "higher" else totals >= self.total


@dataclass(frozen=True)
class Instrument:
    """A clinical instrument.

    Attributes
    ----------
    key, name : str
        Name of its table and columns (``madrs``); name in words.
    ranges : tuple of (float, float)
        Lowest and highest value of each item.
    total : (float, float)
        Lowest and highest total.
    highest_of : tuple of tuple of int
        Groups of items (from 1) of which only the highest counts.
    response : float or None
        Improvement from baseline, as a share, that is a response.
    remission : float or None
        Total at or below which is remission (at or above, where `worse` is ``lower``).
    remission_also : tuple of float
        Further cut-offs in use, for the sensitivity analysis.
    prorate : int
        So many missing items are filled with the mean of the others; more make the total missing.
    worse : str
        ``higher`` or ``lower``: which scores are the worse ones.
    """

    key: str
    name: str
    ranges: tuple[tuple[float, float], ...]
    total: tuple[float, float]
    highest_of: tuple[tuple[int, ...], ...] = ()
    response: float | None = None
    remission: float | None = None
    remission_also: tuple[float, ...] = ()
    prorate: int = 0
    worse: Literal["higher", "lower"] = "higher"

    def improvement(self, change: float) -> float:
        """A change of the total, positive where it is for the better."""
        return -change if self.worse == "higher" else change

    def score(self, items: Sequence[float | None]) -> tuple[float | None, str]:
        """Total of the items and how it was made (``complete``, ``prorated`` or why it is missing).

        With m of n items missing and m at most `prorate`, the total is the sum times n / (n - m); where items count in
        groups, a group counts if any of its items is there.
        """
        missing = [i for i, value in enumerate(items) if value is None]
        grouped = {i - 1 for group in self.highest_of for i in group}
        parts: list[float | None] = [items[i] for i in range(len(items)) if i not in grouped]
        for group in self.highest_of:
            present = [items[i - 1] for i in group if items[i - 1] is not None]
            parts.append(max(v for v in present if v is not None) if present else None)
        known = [part for part in parts if part is not None]
        absent = len(parts) - len(known)
        if absent > self.prorate or not known:
            return None, f"{len(missing)} of {len(items)} items missing, at most {self.prorate} may be"
        if absent:
            return sum(known) * len(parts) / len(known), f"prorated: {len(missing)} of {len(items)} items missing"
        return float(sum(known)), "complete"


def load_instruments(own: str | Path | None = None) -> dict[str, Instrument]:
    """Read the instruments that come with the program and, where given, those of a YAML file of one's own.

    Raises
    ------
    RequestError
        If the file is absent, an instrument is not described completely, or a key is unknown.
    """
    described: dict[str, Any] = dict(constants("instruments"))
    if own is not None:
        import yaml

        path = Path(own)
        if not path.exists():
            raise RequestError("the file of instruments does not exist", file=path)
        try:
            described.update(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise RequestError("the file of instruments is not valid", file=path, found=str(error)) from None
    return {key: _instrument(key, content, own) for key, content in described.items()}


def _instrument(key: str, content: Any, file: str | Path | None) -> Instrument:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(key)):
        raise RequestError(
            f"the instrument '{key}' cannot be called so", file=file, expected="small letters, digits, _"
        )
    try:
        described = InstrumentDefinition.model_validate(content)
    except ValidationError as error:
        raise _explain(key, error, file) from None
    ranges = [described.items.ranges.get(item, described.items.range) for item in range(1, described.items.count + 1)]
    return Instrument(
        key=key,
        name=described.name or key,
        ranges=tuple(ranges),
        total=described.total,
        highest_of=described.highest_of,
        response=described.response,
        remission=described.remission,
        remission_also=described.remission_also,
        prorate=described.missing.prorate,
        worse=described.worse,
    )


def _explain(key: str, error: ValidationError, file: str | Path | None) -> RequestError:
    """Turn one of pydantic's complaints into an error that names the key, and the nearest valid one."""
    complaints = error.errors()
    # A key that is written wrong is missing too; which one it is, says more.
    first = next((c for c in complaints if c["type"] == "extra_forbidden"), complaints[0])
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        sections: dict[str, type[Settings]] = {"items": ItemsDefinition, "missing": MissingDefinition}
        model = (
            sections.get(str(first["loc"][0]), InstrumentDefinition) if len(first["loc"]) > 1 else InstrumentDefinition
        )
        keys = list(model.model_fields)
        return RequestError(
            f"the instrument '{key}' has an unknown key '{place}'",
            file=file,
            expected=", ".join(keys),
            remedy=nearest(str(first["loc"][-1]), keys),
        )
    if first["type"] == "missing":
        return RequestError(
            f"the instrument '{key}' is not described completely: '{place}' is missing",
            file=file,
            expected="items {count, range}, total [lowest, highest]; see config/constants/instruments.yaml",
        )
    return RequestError(
        f"the instrument '{key}' is wrong" + (f" in '{place}'" if place else ""),
        file=file,
        found=first.get("input"),
        expected=str(first["msg"]).removeprefix("Value error, "),
    )
