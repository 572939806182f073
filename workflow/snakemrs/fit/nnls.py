"""Least squares with non-negative unknowns, on the normal equations."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dposv


def solve_nonnegative(
    gram: np.ndarray, target: np.ndarray, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise a'Ga − 2h'a subject to a ≥ 0 by an active set (Lawson & Hanson 1974; Bro & de Jong 1997).

    Parameters
    ----------
    gram : ndarray, shape (K, K)
        G, positive definite.
    target : ndarray, shape (K,)
        h.
    start : ndarray of bool, shape (K,), optional
        Which unknowns are expected to be positive (a warm start: usually right at once).

    Returns
    -------
    amplitudes : ndarray, shape (K,)
    passive : ndarray of bool, shape (K,)
        Which are positive.
    """
    size = len(target)
    passive = np.ones(size, bool) if start is None else start.copy()
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    tolerance = 1e-10 * float(np.abs(target / scale).max() or 1.0)
    amplitudes = np.zeros(size)
    # from above: leave out what comes out negative; gives the solution nearly always
    for _ in range(size):
        index = np.flatnonzero(passive)
        if index.size == 0:
            break
        found = dposv(gram[index[:, None], index], target[index])[1]
        if found.min() >= 0:
            amplitudes[index] = found
            break
        passive[index[found < 0]] = False
    # then the classic method, which also lets unknowns in again
    for _ in range(3 * size):
        gradient = (target - gram @ amplitudes) / scale
        gradient[passive] = -np.inf
        enter = int(np.argmax(gradient))
        if gradient[enter] <= tolerance:
            break
        passive[enter] = True
        while True:
            index = np.flatnonzero(passive)
            found = dposv(gram[index[:, None], index], target[index])[1]
            if found.min() > 0:
                amplitudes[:] = 0
                amplitudes[index] = found
                break
            old = amplitudes[index]
            falling = found <= 0
            step = float(np.min(old[falling] / np.maximum(old[falling] - found[falling], 1e-300)))
            amplitudes[index] = np.maximum(old + step * (found - old), 0)
            passive[index[falling & (amplitudes[index] <= 1e-14 * np.abs(found).max())]] = False
            if not passive.any():
                break
    return amplitudes, passive
