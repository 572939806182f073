"""Variants: sessions made again under other settings, for the sensitivity analysis of the group.

A variant is a name and the settings that differ (``group.sensitivity.variants``). Only the steps that these settings
concern, and those that follow, are made again, under ``derivatives/snakemrs/variants/NAME``; everything before them is
that of the study itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

#: Stages that a variant may change, and those whose files each of them reads.
UPSTREAM: dict[str, tuple[str, ...]] = {
    "anatomy": (),
    "spectra": (),
    "voxel": ("anatomy",),
    "fit": ("spectra",),
    "quantify": ("voxel", "fit"),
}


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings with some of them changed, sections within sections too."""
    changed = dict(settings)
    for key, value in changes.items():
        own = changed.get(key)
        changed[key] = merged(own, value) if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return changed


def made_again(stage: str, changed: Collection[str]) -> bool:
    """Say whether a variant that changes the settings of some stages makes the files of `stage` again."""
    return stage in changed or any(made_again(earlier, changed) for earlier in UPSTREAM[stage])


def needs_anatomy(changed: Collection[str]) -> bool:
    """Say whether a variant only concerns sessions that have a T1w."""
    return not any(made_again(stage, changed) for stage in ("spectra", "fit")) and "quantify" not in changed


def variant_of(place: str) -> str:
    """The variant that a place under the derivatives belongs to; an empty text for the study itself."""
    return place.split("/")[1] if place.startswith("variants/") else ""


def in_variant(path: str, derivatives: str, variant: str) -> str:
    """Where a variant has a file of the derivatives."""
    return path.replace(f"{derivatives}/", f"{derivatives}/variants/{variant}/", 1)


def in_words(changes: Mapping[str, Mapping[str, Any]]) -> str:
    """What a variant changes: ``fit.baseline fixed, fit.baseline_ed_per_ppm 1``."""
    return ", ".join(f"{stage}.{key} {value}" for stage, part in changes.items() for key, value in part.items())
