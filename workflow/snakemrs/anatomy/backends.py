"""The segmentation backends behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.anatomy.images import Volume
from snakemrs.study.settings.anatomy import AnatomySettings

TISSUES = ("GM", "WM", "CSF")


@dataclass(frozen=True)
class Segmentation:
    """Result of a backend, on the grid of the T1w.

    Attributes
    ----------
    t1w : Volume
        The image, bias removed where the backend removed it.
    mask : ndarray of bool
        The brain.
    maps : dict of ndarray
        ``GM``, ``WM``, ``CSF``: probabilities, float32.
    extracted : bool
        Whether the T1w was skull-stripped already.
    similarity : float or None
        Correlation with the template inside the brain, where the backend registers one.
    """

    t1w: Volume
    mask: np.ndarray
    maps: dict[str, np.ndarray]
    extracted: bool
    similarity: float | None


def segment(t1w: Volume, extracted: bool, settings: AnatomySettings, folder: Path) -> Segmentation:
    """Segment with the built-in backend that the settings name (``atropos``)."""
    from snakemrs.anatomy.brain import find_brain

    brain = find_brain(
        t1w,
        extracted,
        folder,
        bias_correction=settings.bias_correction,
        spacing=settings.registration_spacing,
        seed=settings.seed,
    )
    maps = BUILT_IN[settings.backend](brain.t1w, brain.mask, brain.gm, brain.wm, settings)
    return Segmentation(brain.t1w, brain.mask, maps, extracted, brain.similarity)


def _atropos(
    t1w: Volume, mask: np.ndarray, gm: np.ndarray, wm: np.ndarray, settings: AnatomySettings
) -> dict[str, np.ndarray]:
    from snakemrs.anatomy.atropos import segment_atropos

    return segment_atropos(
        t1w, mask, gm, wm, prior_weight=settings.prior_weight, smoothing=settings.smoothing, seed=settings.seed
    )


BUILT_IN: dict[str, Callable[..., Any]] = {"atropos": _atropos}
