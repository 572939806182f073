"""Calendar dates in a table, however they are written: found, so that none is taken for a number or a label."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from snakemrs.errors import RequestError

_MONTHS = ("%d-%b-%Y", "%d %b %Y", "%d-%B-%Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%y", "%d %b %y", "%d%b%Y")
_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
            *_MONTHS)  # fmt: skip
_CLOCK = re.compile(r"[T ]\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s?[AaPp][Mm])?\s?(Z|UTC|[+-]\d{2}:?\d{2})?$")
_COMPACT_CLOCK = re.compile(r"(?<=^\d{8})[T ]?\d{6}(\.\d+)?Z?$")


def _day(value: Any) -> str:
    """The part of a cell that may be a date: without the time of day, and as a whole number where it is one."""
    text = re.sub(r"\.0+$", "", str(value).strip()) if isinstance(value, float) else str(value).strip()
    return _COMPACT_CLOCK.sub("", _CLOCK.sub("", text)).replace(",", "")


def _parsed(text: str, written: str) -> datetime | None:
    # A date without separators has all its eight digits, or it is a number.
    if written == "%Y%m%d" and not re.fullmatch(r"\d{8}", text):
        return None
    try:
        day = datetime.strptime(text, written)
    except ValueError:
        return None
    return day if 1900 <= day.year <= 2100 else None


def _formats(texts: Iterable[str]) -> list[str]:
    """How all of the texts may be written."""
    distinct = set(texts)
    return [f for f in _FORMATS if distinct and all(_parsed(text, f) is not None for text in distinct)]


def looks_like_date(values: Iterable[Any]) -> bool:
    """Whether all values are calendar dates of 1900 to 2100, with or without a time of day.

    Known are 2024-01-15, 2024/01/15, 20240115, 15.01.2024, 15/01/2024, 01/15/2024, 15-Jan-2024, January 15, 2024, and
    timestamps as 2024-01-15T10:30:00 or 20240115103000. Numbers of eight digits are dates only where every one is.
    """
    return bool(_formats(_day(value) for value in values))


def as_days(values: Iterable[Any], name: str) -> list[float]:
    """Count dates as days since the first of them.

    Raises
    ------
    RequestError
        Where day and month cannot be told apart, or the values are no dates.
    """
    texts = [_day(value) for value in values]
    found = _formats(texts)
    readings = {tuple(_parsed(text, f) for text in texts) for f in found}
    if len(readings) != 1:
        raise RequestError(
            "the dates are not clear" if found else "not every value is a date",
            found=f"{name} = {texts[0] if texts else 'nothing'}",
            expected="YYYY-MM-DD",
        )
    days = [day.toordinal() for day in readings.pop() if day is not None]
    return [float(day - min(days)) for day in days]
