"""Segmentation by Atropos: a Gaussian mixture with the template's maps as priors and a Markov random field.

Avants, Tustison, Wu, Cook, Gee, Neuroinformatics 2011;9:381.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from snakemrs.anatomy.images import Volume, to_ants
from snakemrs.interfaces.ants import load_ants


def segment_atropos(
    t1w: Volume,
    mask: np.ndarray,
    gm: np.ndarray,
    wm: np.ndarray,
    *,
    prior_weight: float = 0.2,
    smoothing: float = 0.1,
    folder: Path | None = None,
) -> dict[str, np.ndarray]:
    """Segment a T1w image into grey matter, white matter and CSF.

    Parameters
    ----------
    t1w : Volume
        The image, bias removed.
    mask : ndarray of bool, shape of the image
        The brain.
    gm, wm : ndarray, shape of the image
        Prior maps of grey and white matter, 0–1; what remains of the mask is CSF.
    prior_weight : float
        Weight of the priors, 0–1.
    smoothing : float
        Weight of the Markov random field.
    folder : Path, optional
        Where Atropos may leave its files.

    Returns
    -------
    dict of ndarray
        ``GM``, ``WM``, ``CSF``: probabilities, float32, shape of the image; they sum to 1 in the mask.
    """
    ants = load_ants()

    _, box = t1w.crop(mask, 3.0)
    # Atropos passes the priors through files that keep 32 bits of the geometry, and then finds that the grids differ:
    # it gets a grid whose numbers 32 bits hold exactly. Only the spacing matters to it.
    grid = np.diag([*t1w.spacing.astype(np.float32).astype(float), 1.0])
    cut = Volume(t1w.data[box], grid)
    inside = mask[box]
    low, high = np.percentile(cut.data[inside], (0.1, 99.9))
    image = to_ants(cut.like(np.clip(cut.data, low, high)))
    csf = np.clip(1.0 - gm[box] - wm[box], 0.0, 1.0)
    priors = np.stack([csf, gm[box], wm[box]]).astype(np.float32)
    # No class is impossible anywhere in the brain: the registration is never exact.
    priors = np.clip(priors, 0.02, 1.0)
    priors = np.where(inside, priors / priors.sum(axis=0), 0.0)
    usual = tempfile.tempdir
    try:
        tempfile.tempdir = usual if folder is None else str(folder)
        result = ants.atropos(
            a=image,
            x=to_ants(cut.like(inside.astype(np.float32))),
            i=[to_ants(cut.like(p)) for p in priors],
            m=f"[{smoothing:g},1x1x1]",
            c="[5,0.0001]",
            priorweight=prior_weight,
            r=0,  # Atropos starts from the clock otherwise
            v=0,
        )
    finally:
        tempfile.tempdir = usual
    found = np.stack([p.numpy() for p in result["probabilityimages"]])
    total = found.sum(axis=0)
    found = np.where(inside & (total > 0), found / np.where(total > 0, total, 1.0), 0.0)
    maps = {}
    for name, part in zip(("CSF", "GM", "WM"), found, strict=True):
        full = np.zeros(t1w.data.shape, np.float32)
        full[box] = part
        maps[name] = full
    return maps
