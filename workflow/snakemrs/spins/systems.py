"""Spin systems: which protons a molecule has, at which shift, coupled how.

The table is config/constants/spin_systems.yaml (Govindaraju et al. 2000 with later corrections, a reference each).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from snakemrs.errors import RequestError
from snakemrs.study.resources import constants


@dataclass(frozen=True)
class HeteroNucleus:
    """A nucleus that splits proton lines and that no proton pulse turns (31P, 14N).

    Attributes
    ----------
    nucleus : str
    spin : float
        Spin quantum number: 0.5, 1, ...
    couplings : dict
        Label of the proton group → J in Hz.
    """

    nucleus: str
    spin: float
    couplings: dict[str, float]


@dataclass(frozen=True)
class Fragment:
    """A part of a molecule without scalar coupling to the rest.

    Attributes
    ----------
    labels : tuple of str
        Name of each group of magnetically equivalent protons.
    shifts : tuple of float
        Chemical shift of each group, ppm.
    protons : tuple of int
        Number of protons of each group.
    couplings : dict
        (index, index) of groups → J in Hz.
    hetero : tuple of HeteroNucleus
    weight : float
        Share of the molecules that have this fragment (anomers).
    invisible : tuple of str
        Labels of groups that split their partners' lines but are not seen themselves (amide protons).
    """

    labels: tuple[str, ...]
    shifts: tuple[float, ...]
    protons: tuple[int, ...]
    couplings: dict[tuple[int, int], float]
    hetero: tuple[HeteroNucleus, ...] = ()
    weight: float = 1.0
    invisible: tuple[str, ...] = ()

    @property
    def visible_protons(self) -> int:
        """Number of protons that are seen."""
        return sum(count for label, count in zip(self.labels, self.protons, strict=True) if label not in self.invisible)


@dataclass(frozen=True)
class SpinSystem:
    """A molecule: its fragments and where its numbers come from."""

    symbol: str
    name: str
    fragments: tuple[Fragment, ...]
    references: tuple[str, ...]

    @property
    def protons(self) -> float:
        """Number of visible protons: what the undamped signal starts at."""
        return sum(fragment.weight * fragment.visible_protons for fragment in self.fragments)


@cache
def spin_systems() -> dict[str, SpinSystem]:
    """Read the table of spin systems, by symbol (``NAA``, ``Cr``, ...)."""
    table = constants("spin_systems")
    references = table["references"]
    systems = {}
    for symbol, entry in table["metabolites"].items():
        fragments = []
        for part in entry["fragments"]:
            labels = tuple(part["spins"])
            index = {label: n for n, label in enumerate(labels)}
            fragments.append(
                Fragment(
                    labels=labels,
                    shifts=tuple(float(part["spins"][label][0]) for label in labels),
                    protons=tuple(int(part["spins"][label][1]) for label in labels),
                    couplings={(index[a], index[b]): float(j) for a, b, j in part.get("couplings", [])},
                    hetero=tuple(HeteroNucleus(**nucleus) for nucleus in part.get("hetero", [])),
                    weight=float(part.get("weight", 1.0)),
                    invisible=tuple(part.get("invisible", [])),
                )
            )
        cited = tuple(references[key] for key in entry["reference"])
        systems[symbol] = SpinSystem(symbol, entry["name"], tuple(fragments), cited)
    return systems


def spin_system(symbol: str) -> SpinSystem:
    """Give the spin system of one metabolite.

    Raises
    ------
    RequestError
        If the table has none of that name; the nearest names are given.
    """
    import difflib

    systems = spin_systems()
    if symbol not in systems:
        near = difflib.get_close_matches(symbol, systems, n=3, cutoff=0.4)
        raise RequestError(
            f"there is no spin system '{symbol}'",
            expected=f"one of {', '.join(systems)}",
            remedy=f"did you mean {' or '.join(near)}?" if near else None,
        )
    return systems[symbol]
