"""Personal data planted in raw headers: nothing of them may be found in anything that the pipeline writes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FAMILY = ("Quagmarsh", "Zillbeck", "Thornquist", "Vexholm", "Wrenfeldt", "Oxlaithe", "Jarnvale", "Pyxley")
_GIVEN = ("Zebulina", "Ottavanna", "Quorinda", "Ximeran", "Belthasar", "Ysoldina", "Thaddrik", "Wilfreda")


@dataclass(frozen=True)
class Personal:
    """Name (``Family^Given``), birth date (``YYYY-MM-DD``), identifier of the hospital, sex (F, M), weight in kg."""

    name: str
    birth_date: str
    identifier: str
    sex: str
    weight: float

    @property
    def strings(self) -> tuple[str, ...]:
        """Strings that may not be found in what the pipeline writes."""
        family, given = self.name.split("^")
        compact = self.birth_date.replace("-", "")
        return (family, given, self.identifier, self.birth_date, compact, self.birth_date.replace("-", "."))


def draw_personal(random: np.random.Generator, sex: str, age: int) -> Personal:
    """Draw invented personal data, unlike any word of a header."""
    name = f"{random.choice(_FAMILY)}^{random.choice(_GIVEN)}"
    birth = f"{2024 - age:04d}-{random.integers(1, 13):02d}-{random.integers(10, 29):02d}"
    weight = float(np.round(random.normal(70, 9), 1))
    return Personal(name, birth, f"PID{random.integers(10**7, 10**8)}", sex, max(weight, 45.0))
