"""The bias field of a T1w image: N4, what the template says that it left, and what the found tissue says."""

from __future__ import annotations

import numpy as np

from snakemrs.anatomy.images import Volume, from_ants, resampled, to_ants
from snakemrs.interfaces.ants import load_ants

PURE_CSF = 0.87
"""Least posterior of the CSF from which its intensity is taken."""
LEVEL_WIDTHS = (25.0, 20.0, 20.0)
"""Standard deviations of the kernels that smooth the field the template shows, one a round, mm."""
LEVEL_DOUBT = 0.03
"""How much of that field (natural logarithm) may be the template's own error: its maps are wrong by a tenth here and
there, and grey matter has two thirds of white matter's intensity."""
COARSE = 3.0
"""Grid on which a field is smoothed, mm; its kernels are several times as wide."""


def remove_bias(
    t1w: Volume, mask: np.ndarray, shrink: float = 4.0, iterations: tuple[int, ...] = (40, 40, 30)
) -> Volume:
    """Remove the bias field with N4 (Tustison et al., IEEE Trans Med Imaging 2010;29:1310).

    The field is estimated inside `mask` on a grid of `shrink` mm, with the numbers of `iterations` a level, and taken
    out of the whole image. It is scaled so that its mean over the mask is 1.
    """
    ants = load_ants()
    from scipy import ndimage

    coarse = resampled(t1w, shrink)
    inside = resampled(t1w.like(mask.astype(np.float32)), shrink).data > 0.5
    positive = np.maximum(coarse.data, np.float32(1e-3 * max(float(np.percentile(coarse.data, 99)), 1e-6)))
    field_image = ants.n4_bias_field_correction(
        to_ants(coarse.like(positive)),
        mask=to_ants(coarse.like(inside.astype(np.float32))),
        shrink_factor=1,
        convergence={"iters": list(iterations), "tol": 1e-6},
        spline_param=100,
        return_bias_field=True,
    )
    field = np.asarray(from_ants(field_image).data, np.float32)
    field = np.clip(field / field[inside].mean(), 0.1, 10.0)
    # Back to the image's grid: both grids share their axes, so that a scaling of indices suffices.
    steps = np.linalg.inv(coarse.affine) @ t1w.affine
    smooth = ndimage.affine_transform(
        np.log(field), steps[:3, :3], offset=steps[:3, 3], output_shape=t1w.data.shape, order=1, mode="nearest"
    )
    return t1w.like((t1w.data / np.exp(smooth)).astype(np.float32))


def level(t1w: Volume, mask: np.ndarray, gm: np.ndarray, wm: np.ndarray) -> Volume:
    """Remove the bias field that N4 left, as far as the template's tissue maps show it.

    N4 sharpens the histogram of the whole brain and can leave the cerebellum too bright, where a segmenter then
    takes grey matter for white, and what it takes for white looks right. The template does not look at the intensity.

    Parameters
    ----------
    t1w : Volume
        The image after `remove_bias`.
    mask : ndarray of bool, shape of the image
        The brain.
    gm, wm : ndarray, shape of the image
        The template's maps, brought onto the image; what remains of the mask is CSF.
    """
    cut, box = t1w.crop(mask, 3.0)
    inside = mask[box]
    data = cut.data.astype(np.float32)
    maps = np.stack([np.clip(1.0 - gm[box] - wm[box], 0.0, 1.0), gm[box], wm[box]]).astype(np.float32)
    maps = np.where(inside, maps, np.float32(0))
    shown = np.zeros(data.shape, np.float32)
    for width in LEVEL_WIDTHS:
        means, _ = class_means(data, inside, maps)
        part = np.log(remaining_field(data, inside, maps, means, width, cut.spacing))
        part -= part[inside].mean()
        data, shown = data * np.exp(-part), shown + part
    believed = shown - np.clip(shown, -LEVEL_DOUBT, LEVEL_DOUBT)
    out = t1w.data.astype(np.float32)
    out[box] *= np.exp(-believed)
    return t1w.like(out)


def class_means(
    data: np.ndarray, mask: np.ndarray, posteriors: np.ndarray, pure: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the pure tissues.

    Parameters
    ----------
    data : ndarray, shape (x, y, z)
    mask : ndarray of bool, same shape
    posteriors : ndarray, shape (3, x, y, z)
        Of CSF, GM, WM.
    pure : float
        Voxels of grey or white matter whose neighbours too have on average at least this posterior are pure. Of CSF,
        the voxels with a posterior of at least `PURE_CSF` count, whatever is beside them: it is thin in the sulci, and
        the voxels with CSF all around are those of the ventricles, darker than the fluid between the gyri with its pia
        and vessels.

    Returns
    -------
    means, sds : ndarray, shape (3,)
        Medians and scaled median absolute deviations.
    """
    from scipy import ndimage

    means, sds = np.zeros(3), np.zeros(3)
    for k, posterior in enumerate(posteriors):
        near = posterior if k == 0 else ndimage.uniform_filter(posterior, 3)
        for limit in (PURE_CSF if k == 0 else pure, 0.8, 0.6, 0.0):
            values = data[mask & (near >= limit) & (posterior >= limit)]
            if len(values) >= 500:
                break
        means[k] = np.median(values)
        sds[k] = 1.4826 * np.median(np.abs(values - means[k]))
    return means, sds


def remaining_field(
    data: np.ndarray, mask: np.ndarray, found: np.ndarray, means: np.ndarray, width: float, spacing: np.ndarray
) -> np.ndarray:
    """Bias field that is left: what the image is over what its tissue should be, smoothed.

    Grey and white matter count, not CSF, whose rim holds dura and vessels (Wells et al., IEEE Trans Med Imaging
    1996;15:429).

    Parameters
    ----------
    data, mask
        As in `class_means`.
    found : ndarray, shape (3, x, y, z)
        Shares of CSF, GM, WM.
    means : ndarray, shape (3,)
        Intensities of the pure tissues.
    width : float
        Standard deviation of the smoothing, mm.
    spacing : ndarray, shape (3,)
        Of the image, mm.

    Returns
    -------
    ndarray of float32, shape of `data`
    """
    from scipy import ndimage

    floor = 1e-3 * means[2]
    expected = np.tensordot(means, found, axes=1)
    weight = np.where(mask, (found[1] + found[2]) ** 2, 0.0).astype(np.float32)
    ratio = np.log(np.maximum(data, floor) / np.maximum(expected, floor))
    ratio = np.where(weight > 0, np.clip(ratio, -0.3, 0.3), 0.0).astype(np.float32)
    steps = np.maximum(np.floor(COARSE / spacing), 1).astype(int)
    sigma = width / (steps * spacing)
    total = ndimage.gaussian_filter(_block_means(weight, steps), sigma, truncate=2.5)
    field = ndimage.gaussian_filter(_block_means(ratio * weight, steps), sigma, truncate=2.5)
    field /= np.maximum(total, 1e-3)
    # The middle of block 0 lies between the samples 0 and steps - 1.
    shift = -(steps - 1) / (2.0 * steps)
    fine = ndimage.affine_transform(
        field, np.diag(1.0 / steps), offset=shift, output_shape=data.shape, order=1, mode="nearest"
    )
    return np.asarray(np.exp(fine), np.float32)


def _block_means(data: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Mean over blocks of so many samples along each axis; what is missing at the end counts as 0."""
    padded = np.pad(data, [(0, -n % step) for n, step in zip(data.shape, steps, strict=True)])
    shape = [part for n, step in zip(padded.shape, steps, strict=True) for part in (n // step, step)]
    return np.asarray(padded.reshape(shape).mean(axis=(1, 3, 5)))
