"""Segmentation by DIPY: hidden Markov random field with expectation maximisation.

Zhang, Brady, Smith, IEEE Trans Med Imaging 2001;20:45 (the model of FSL FAST), as DIPY implements it.
"""

from __future__ import annotations

import numpy as np

from snakemrs.anatomy.images import Volume


def segment_hmrf(
    t1w: Volume, mask: np.ndarray, *, smoothing: float = 0.1, iterations: int = 30
) -> dict[str, np.ndarray]:
    """Segment a T1w image into CSF, grey matter and white matter, in rising order of intensity.

    Parameters
    ----------
    t1w : Volume
        The image, bias removed.
    mask : ndarray of bool, shape of the image
        The brain.
    smoothing : float
        Weight of the Markov random field.
    iterations : int
        Most iterations.

    Returns
    -------
    dict of ndarray
        ``GM``, ``WM``, ``CSF``: probabilities, float32; they sum to 1 in the mask.
    """
    from dipy.segment.tissue import TissueClassifierHMRF

    cut, box = t1w.crop(mask, 2.0)
    inside = mask[box]
    low, high = np.percentile(cut.data[inside], (0.1, 99.9))
    # Zero is background to DIPY: in the mask nothing may be zero.
    image = np.where(inside, np.clip((cut.data - low) / (high - low), 0.0, 1.0) + 0.01, 0.0).astype(np.float64)
    _, _, posterior = TissueClassifierHMRF(verbose=False).classify(image, 3, smoothing, max_iter=iterations)
    posterior = np.where(inside[..., None], posterior, 0.0)
    total = posterior.sum(axis=-1)
    maps = {}
    for k, name in enumerate(("CSF", "GM", "WM")):
        full = np.zeros(t1w.data.shape, np.float32)
        full[box] = np.where(total > 0, posterior[..., k] / np.where(total > 0, total, 1.0), 0.0)
        maps[name] = full
    return maps
