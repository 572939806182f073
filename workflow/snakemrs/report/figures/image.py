"""Images inside the page."""

from __future__ import annotations

import base64
import io

import numpy as np


def to_grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale values from `low` to `high` to bytes; what lies outside is clipped, what is missing is black."""
    span = high - low if high > low else 1.0
    scaled = np.nan_to_num((np.asarray(values, float) - low) / span, nan=0.0)
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def png(pixels: np.ndarray) -> str:
    """Give an image as a ``data:`` address.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        First row at the top.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=False, compress_level=9)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def diverging(values: np.ndarray, extreme: float) -> np.ndarray:
    """Colours from blue over white to orange (Okabe–Ito), for values from −`extreme` to `extreme`.

    Returns
    -------
    ndarray of uint8, shape (*values.shape, 3)
    """
    share = np.clip(np.nan_to_num(np.asarray(values, float)) / extreme, -1, 1)[..., None]
    blue, orange, white = (np.array(c, float) for c in ((0, 114, 178), (213, 94, 0), (247, 247, 247)))
    colour = np.where(share < 0, white + (blue - white) * -share, white + (orange - white) * share)
    return np.rint(colour).astype(np.uint8)
