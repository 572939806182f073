"""Quality figures of a segmentation, each with its equation and whether lower or higher is better."""

from __future__ import annotations

from typing import Any

import numpy as np

from snakemrs.anatomy.backends import TISSUES, Segmentation
from snakemrs.anatomy.checks import BRAIN_VOLUME

SIMILARITY_REFUSED = 0.3
"""Correlation with the template below which what was found is no brain."""
SIMILARITY_WARNED = 0.6
USUAL_BRAIN = (1000.0, 1900.0)
"""Usual volume of an adult's brain with its CSF, millilitres."""
CONTRAST_WARNED = 1.0
TURNED_WARNED = 1.0
"""Angle between the image's axes and its DICOM files' above which it is not in the scanner's coordinates, degrees."""


def contrast_to_noise(data: np.ndarray, maps: dict[str, np.ndarray]) -> float:
    """Contrast between white and grey matter over their spread; higher is better.

    (mean_WM − mean_GM) / sqrt(var_WM + var_GM), over voxels of more than 90 % of one tissue (Magnotta & Friedman,
    J Digit Imaging 2006;19:140, with the spread within tissue in place of the air's).
    """
    white, grey = data[maps["WM"] > 0.9], data[maps["GM"] > 0.9]
    if min(len(white), len(grey)) < 100:
        return float("nan")
    return float((white.mean() - grey.mean()) / np.sqrt(white.var() + grey.var()))


def implausible(result: Segmentation) -> dict[str, Any] | None:
    """Say what makes a result impossible (parts of an error); None where it may be a brain."""
    volume = result.mask.sum() * result.t1w.voxel_volume / 1000.0
    if not BRAIN_VOLUME[0] <= volume <= BRAIN_VOLUME[1]:
        return {
            "found": f"a brain mask of {volume:.0f} ml",
            "expected": f"{BRAIN_VOLUME[0]:.0f} to {BRAIN_VOLUME[1]:.0f} ml",
        }
    if result.similarity is not None and result.similarity < SIMILARITY_REFUSED:
        return {
            "found": f"a correlation of {result.similarity:.2f} with the template of a brain",
            "expected": f"at least {SIMILARITY_REFUSED}",
        }
    return None


def quality_rows(result: Segmentation) -> list[dict[str, Any]]:
    """Rows of the table of quality."""
    litre = result.t1w.voxel_volume / 1000.0
    brain = float(result.mask.sum() * litre)
    rows: list[dict[str, Any]] = [
        {
            "metric": "brain_volume",
            "value": brain,
            "unit": "ml",
            "verdict": "pass" if USUAL_BRAIN[0] <= brain <= USUAL_BRAIN[1] else "warn",
            "rule": f"warn outside {USUAL_BRAIN[0]:.0f}-{USUAL_BRAIN[1]:.0f}",
        }
    ]
    for tissue in TISSUES:
        rows.append(
            {
                "metric": f"{tissue.lower()}_volume",
                "value": float(result.maps[tissue].sum(dtype=np.float64) * litre),
                "unit": "ml",
                "verdict": "n/a",
            }
        )
    contrast = contrast_to_noise(result.t1w.data, result.maps)
    rows.append(
        {
            "metric": "contrast_to_noise",
            "value": contrast,
            "verdict": "pass" if contrast >= CONTRAST_WARNED else "warn",
            "rule": f"warn below {CONTRAST_WARNED:g}",
        }
    )
    if result.similarity is not None:
        rows.append(
            {
                "metric": "template_similarity",
                "value": result.similarity,
                "verdict": "pass" if result.similarity >= SIMILARITY_WARNED else "warn",
                "rule": f"warn below {SIMILARITY_WARNED:g}, refused below {SIMILARITY_REFUSED:g}",
            }
        )
    for metric, value in result.extra.items():
        unit = {"session_rotation": "deg", "session_translation": "mm", "header_rotation": "deg"}.get(metric)
        row = {"metric": metric, "value": value, "unit": unit, "verdict": "n/a"}
        if metric == "header_rotation":
            row["verdict"] = "pass" if value <= TURNED_WARNED else "warn"
            row["rule"] = f"warn above {TURNED_WARNED:g}"
        rows.append(row)
    for tissue in TISSUES if result.second else ():
        assert result.second is not None
        rows.append(
            {
                "metric": f"{tissue.lower()}_dice",
                "value": dice(result.maps[tissue], result.second[tissue]),
                "verdict": "n/a",
            }
        )
    return rows


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Dice overlap of two maps at one half (Dice, Ecology 1945;26:297); 1 is best."""
    a, b = one > 0.5, other > 0.5
    total = int(a.sum() + b.sum())
    return float(2 * (a & b).sum() / total) if total else float("nan")


def dictionary(result: Segmentation) -> dict[str, Any]:
    """Describe the columns of the table of quality, and how the maps were made."""
    return {
        "metric": {
            "Description": "Quality figure",
            "Levels": {
                "brain_volume": "Volume of the brain mask",
                "gm_volume": "Sum of the grey-matter probabilities",
                "wm_volume": "Sum of the white-matter probabilities",
                "csf_volume": "Sum of the CSF probabilities",
                "contrast_to_noise": "(mean WM - mean GM) / sqrt(var WM + var GM); higher is better",
                "template_similarity": "Correlation with the registered template inside the brain; higher is better",
                "header_rotation": "Angle of the image's axes to those of the DICOM files that it was made of",
                "session_correlation": "Correlation with the other session's T1w inside the brain; higher is better",
                "session_rotation": "Rotation of the head between the sessions",
                "session_translation": "Way of the brain's centre between the sessions",
                **{f"{t.lower()}_dice": f"Overlap of {t} of the two segmentations; 1 is best" for t in TISSUES},
            },
        },
        "value": {"Description": "Value of the figure"},
        "unit": {"Description": "Unit of the value"},
        "verdict": {"Description": "pass, warn, fail or n/a (no rule)"},
        "rule": {"Description": "Rule behind the verdict"},
        "Notes": {"Description": f"Segmented by {result.made_by}; skull-stripped already: {result.extracted}."},
    }
