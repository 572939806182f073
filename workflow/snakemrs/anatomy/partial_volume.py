"""Shares of tissue in each image voxel, from a segmentation into classes and the intensities.

A segmenter says which class a voxel most likely is; a concentration needs how much of each tissue is in it. On the rim
between two tissues the intensity is the mean of theirs weighted by their shares, as in the partial-volume models of
Laidlaw (IEEE Trans Med Imaging 1998;17:74) and of Tohka, Zijdenbos & Evans (NeuroImage 2004;23:84). Each voxel is taken
as pure or as a mixture of two tissues with any share alike; the share is the mean of its posterior.
"""

from __future__ import annotations

import numpy as np

from snakemrs.anatomy.bias import class_means, remaining_field
from snakemrs.anatomy.images import Volume

TISSUES = ("CSF", "GM", "WM")
PAIRS = ((0, 1), (1, 2), (0, 2))
MIXED = 0.2
"""Prior weight of a mixture over that of pure tissue, where both its tissues are around."""
FIELD_WIDTHS = (20.0, 20.0, 15.0, 15.0, 12.0, 12.0)
"""Standard deviations of the kernels that smooth what bias field N4 left, one a round, mm."""


def shares(
    data: np.ndarray, mask: np.ndarray, posteriors: np.ndarray, means: np.ndarray, sds: np.ndarray, mixed: float = MIXED
) -> np.ndarray:
    """Share of each tissue in each voxel.

    Parameters
    ----------
    data, mask, posteriors
        As in `bias.class_means`.
    means, sds : ndarray, shape (3,)
        Of the pure tissues.
    mixed : float
        Prior weight of a mixture.

    Returns
    -------
    ndarray of float32, shape (3, x, y, z)
        Sums to 1 in the mask, 0 outside.
    """
    from scipy import ndimage, special

    around = np.stack([ndimage.gaussian_filter(p, 1.0)[mask] for p in posteriors]) + 1e-3
    around /= around.sum(axis=0)
    y = data[mask].astype(np.float64)
    weights, expected = [], []
    for k in range(3):
        z = (y - means[k]) / sds[k]
        # A sample darker than pure CSF or brighter than pure white matter is that tissue, however far it is.
        z = np.maximum(z, 0) if k == 0 else (np.minimum(z, 0) if k == 2 else z)
        weights.append(around[k] * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * sds[k]))
        one = np.zeros((3, 1))
        one[k] = 1.0
        expected.append(np.broadcast_to(one, (3, y.size)))
    for a, b in PAIRS:
        low, high = means[a], means[b]
        sd = np.sqrt((sds[a] ** 2 + sds[b] ** 2) / 2)
        span = high - low
        # Likelihood of y for a share t of b, uniform in 0-1, and noise sd: a difference of error functions; the mean
        # of t is that of a normal distribution cut off at 0 and 1.
        middle, width = (y - low) / span, sd / abs(span)
        p, q = (0.0 - middle) / width, (1.0 - middle) / width
        mass = special.ndtr(q) - special.ndtr(p)
        bells = (np.exp(-0.5 * p**2) - np.exp(-0.5 * q**2)) / np.sqrt(2 * np.pi)
        share = np.clip(middle + width * bells / np.maximum(mass, 1e-12), 0.0, 1.0)
        weights.append(mixed * 4 * around[a] * around[b] * mass / abs(span))
        parts = np.zeros((3, y.size))
        parts[a], parts[b] = 1 - share, share
        expected.append(parts)
    total = np.sum(weights, axis=0)
    lost = total <= 1e-300
    mean = sum(w * e for w, e in zip(weights, expected, strict=True)) / np.where(lost, 1.0, total)
    mean[:, lost] = np.stack([p[mask] for p in posteriors])[:, lost]
    out = np.zeros((3, *data.shape), np.float32)
    out[:, mask] = mean / np.maximum(mean.sum(axis=0), 1e-9)
    return out


def refine(t1w: Volume, mask: np.ndarray, maps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Turn probabilities of classes ``GM WM CSF`` into shares of tissue, on the grid of the T1w.

    Class means, shares and the bias field that N4 left are estimated in turn, a round for each of `FIELD_WIDTHS`.
    """
    cut, box = t1w.crop(mask, 3.0)
    inside = mask[box]
    data = cut.data.astype(np.float32)
    found = np.stack([maps[name][box] for name in TISSUES])
    for width in FIELD_WIDTHS:
        means, sds = class_means(data, inside, found)
        found = shares(data, inside, found, means, sds)
        field = remaining_field(data, inside, found, means, width, cut.spacing)
        data = np.asarray(data / field, np.float32)
    means, sds = class_means(data, inside, found)
    found = shares(data, inside, found, means, sds)
    out = {}
    for name, part in zip(TISSUES, found, strict=True):
        out[name] = np.zeros(t1w.data.shape, np.float32)
        out[name][box] = part
    return out
