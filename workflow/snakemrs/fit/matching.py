"""Line width matching of frames: each broadened to the broadest (Bednařík et al., NeuroImage 2015)."""

from __future__ import annotations

import numpy as np


def missing_lorentzian(width: float, gaussian: float, target: float) -> float:
    """Lorentzian width (Hz) that takes a Voigt line of full width `width` to `target`.

    Solves w = 0.5346·L + √(0.2166·L² + G²) (Olivero & Longbothum, J Quant Spectrosc Radiat Transf 1977;17:233) for L at
    both widths.
    """
    return _lorentzian(target, gaussian) - _lorentzian(width, gaussian)


def _lorentzian(width: float, gaussian: float) -> float:
    # 0.2166·L² + G² = (w − 0.5346·L)²: a quadratic equation, of whose roots the smaller keeps w − 0.5346·L positive.
    a, b, c = 0.5346**2 - 0.2166, -2 * 0.5346 * width, width**2 - gaussian**2
    return float((-b - np.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a))


def matched(
    fids: np.ndarray, widths: np.ndarray, gaussian: np.ndarray, dwell_time: float
) -> tuple[np.ndarray, np.ndarray]:
    """Broaden all frames to the width of the broadest.

    Parameters
    ----------
    fids : ndarray of complex, shape (F, points)
    widths, gaussian : ndarray, shape (F,)
        Full width at half maximum of each frame's lines and the Gaussian part of it, Hz. Frames whose width is not a
        number (their fit failed) stay as they are.
    dwell_time : float
        Seconds.

    Returns
    -------
    fids : ndarray of complex, shape (F, points)
    added : ndarray, shape (F,)
        Lorentzian broadening, Hz.
    """
    target = float(np.nanmax(widths))
    added = np.array(
        [
            max(missing_lorentzian(width, part, target), 0.0) if np.isfinite(width) else 0.0
            for width, part in zip(widths, gaussian, strict=True)
        ]
    )
    time = np.arange(fids.shape[1]) * dwell_time
    return np.asarray(fids * np.exp(-np.pi * np.multiply.outer(added, time))), added
