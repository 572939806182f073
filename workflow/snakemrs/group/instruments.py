"""Clinical instruments as data: ranges, totals, missing items, response and remission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemrs.errors import RequestError
from snakemrs.study.resources import constants


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
        Fall from baseline, as a share, that is a response.
    remission : float or None
        Total at or below which is remission.
    remission_also : tuple of float
        Further cut-offs in use, for the sensitivity analysis.
    prorate : int
        So many missing items are filled with the mean of the others; more make the total missing.
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
    reference: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

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
        If the file is absent or an instrument is not described completely.
    """
    described = dict(constants("instruments"))
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


def _instrument(key: str, content: Mapping[str, Any], file: str | Path | None) -> Instrument:
    try:
        count = int(content["items"]["count"])
        low, high = content["items"]["range"]
        ranges = [(float(low), float(high))] * count
        for item, (first, last) in (content["items"].get("ranges") or {}).items():
            ranges[int(item) - 1] = (float(first), float(last))
        lowest, highest = content["total"]
        return Instrument(
            key=key,
            name=str(content.get("name", key)),
            ranges=tuple(ranges),
            total=(float(lowest), float(highest)),
            highest_of=tuple(tuple(int(i) for i in group) for group in content.get("highest_of") or ()),
            response=content.get("response"),
            remission=content.get("remission"),
            remission_also=tuple(float(cut) for cut in content.get("remission_also") or ()),
            prorate=int((content.get("missing") or {}).get("prorate", 0)),
            reference=str(content.get("reference", "")),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RequestError(
            f"the instrument '{key}' is not described completely",
            file=file,
            found=f"{type(error).__name__}: {error}",
            expected="items {count, range}, total [lowest, highest]; see config/constants/instruments.yaml",
        ) from None
