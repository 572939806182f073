"""From the signals of many coils to one: noise decorrelation and whitened singular value decomposition.

Rodgers & Robson, Magn Reson Med 2010 (63:881): after the noise of the coils is made white, the first singular vector of
the signal weights the coils for the highest signal-to-noise ratio. What is large is read in blocks, so that memory
holds little more than the data themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 16
"""Transients worked on at once."""


@dataclass(frozen=True)
class CoilWeights:
    """How coils are combined.

    Attributes
    ----------
    weights : ndarray of complex, shape (coils,)
        The combined signal is Σ weights[c] · signal[c].
    used : ndarray of bool, shape (coils,)
        Coils with a signal.
    signal_share : float
        Share of the signal energy in the first singular vector: near 1 where the coils see one signal.
    expected_loss : float
        Fraction of the signal-to-noise ratio that the noise of the weights costs.
    noise : ndarray of complex, shape (coils, coils)
        Covariance of the noise.
    """

    weights: np.ndarray
    used: np.ndarray
    signal_share: float
    expected_loss: float
    noise: np.ndarray


def noise_covariance(signals: np.ndarray, dwell_time: float, keep_out: tuple[float, float]) -> np.ndarray:
    """Estimate the covariance of the noise between coils.

    Taken from the end of the signals, where successive transients are subtracted from each other, and from frequencies
    outside of `keep_out`: whatever is common to transients or lies in the spectrum is left out.

    Parameters
    ----------
    signals : ndarray of complex, shape (transients, coils, points)
    dwell_time : float
        Seconds.
    keep_out : (float, float)
        Frequencies that hold signal, Hz.

    Returns
    -------
    ndarray of complex, shape (coils, coils)
        Covariance of one point of one transient.
    """
    transients, coils, points = signals.shape
    # Trailing zeros (zero filling) are no noise.
    nonzero = np.flatnonzero(np.abs(signals[0]).sum(axis=0))
    end = int(nonzero[-1]) + 1 if len(nonzero) else points
    start = end - max(64, end // 4)
    start = max(0, start)
    length = end - start
    window = np.hanning(length)
    frequency = np.fft.fftfreq(length, dwell_time)
    outside = (frequency < keep_out[0]) | (frequency > keep_out[1])
    outside &= np.abs(frequency) < 0.45 / dwell_time  # filters of the receiver roll off at the edges
    if outside.sum() < 16:
        outside = np.ones(length, bool)
    total = np.zeros((coils, coils), complex)
    count = 0
    for first in range(0, transients, BLOCK):
        part = signals[first : first + BLOCK + 1, :, start:end]
        part = np.diff(part, axis=0) / np.sqrt(2) if transients > 1 else part
        if not len(part):
            continue
        spectrum = np.fft.fft(part * window, axis=-1)[..., outside]
        columns = np.moveaxis(spectrum, 1, 0).reshape(coils, -1)
        total += columns @ columns.conj().T
        count += columns.shape[1]
    return total / count / np.sum(window**2)


def coil_weights(
    signals: np.ndarray,
    noise: np.ndarray,
    dwell_time: float,
    band: tuple[float, float] | None = None,
    decay: float = 0.05,
) -> CoilWeights:
    """Find the weights of the coils.

    The covariance of the whitened signal is summed over transients: their drifts of phase and frequency are common to
    all coils and drop out.

    Parameters
    ----------
    signals : ndarray of complex, shape (transients, coils, points)
        Unsuppressed water, or the metabolite data themselves.
    noise : ndarray of complex, shape (coils, coils)
        From `noise_covariance`.
    dwell_time : float
        Seconds.
    band : (float, float), optional
        Frequencies that the signal is taken from, Hz; all by default.
    decay : float
        Time constant with which later points lose weight, s: a matched filter.
    """
    transients, coils, points = signals.shape
    used = np.real(np.diag(noise)) > 0
    chosen = noise[np.ix_(used, used)]
    # A little loading keeps nearly identical coils from blowing up the inverse.
    chosen = chosen + 1e-6 * np.trace(chosen).real / len(chosen) * np.eye(len(chosen))
    whitening = np.linalg.inv(np.linalg.cholesky(chosen))
    # The signal is over after some time constants; what follows is noise.
    keep = max(32, min(points, int(np.ceil(6 * decay / dwell_time))))
    window = np.exp(-np.arange(keep) * dwell_time / decay)
    inside = None
    if band is not None:
        frequency = np.fft.fftfreq(keep, dwell_time)
        inside = (frequency >= band[0]) & (frequency <= band[1])
    total = np.zeros((len(chosen), len(chosen)), complex)
    count = 0
    for first in range(0, transients, BLOCK):
        part = signals[first : first + BLOCK, :, :keep] * window
        if inside is not None:
            part = np.fft.fft(part, axis=-1)[..., inside] / np.sqrt(keep)
        columns = whitening @ np.moveaxis(part[:, used], 1, 0).reshape(int(used.sum()), -1)
        total += columns @ columns.conj().T
        count += columns.shape[1]
    values, vectors = np.linalg.eigh(total)
    floor = count * np.mean(window**2)  # what whitened noise alone gives
    strength = np.clip(values - floor, 0, None)
    share = float(strength[-1] / strength.sum()) if strength.sum() > 0 else 0.0
    sensitivity = np.linalg.inv(whitening) @ vectors[:, -1]
    weights = np.zeros(coils, complex)
    weights[used] = whitening.conj().T @ vectors[:, -1]
    weights = weights.conj()
    # Scale: the combined signal of unit sensitivity is as long as the vector of the coils' signals.
    weights *= np.linalg.norm(sensitivity) / np.abs(weights[used] @ sensitivity)
    # Phase: the strongest coil keeps its own, so that the combined phase does not depend on the solver.
    weights *= np.exp(-1j * np.angle(weights[np.argmax(np.abs(weights))]))
    # Each further direction of the singular vector scatters by 1 / (signal energy by noise); half of it is lost.
    energy = max(float(values[-1] - floor), 0.0) / float(np.mean(window**2))
    loss = 0.5 * (len(chosen) - 1) / energy if energy > 0 else 1.0
    return CoilWeights(weights, used, share, min(loss, 1.0), noise)


def efficiency(weights: np.ndarray, best: CoilWeights) -> float:
    """Signal-to-noise ratio that `weights` (coils,) give, by that of `best`, for the signal `best` was found from."""
    noise = best.noise
    # The coils' signals follow from their optimal weights, which are the signals times the inverse of the noise.
    signal = noise @ best.weights.conj()

    def ratio(chosen: np.ndarray) -> float:
        variance = np.real(chosen @ noise @ chosen.conj())
        return float(np.abs(chosen @ signal) / np.sqrt(variance))

    return ratio(weights) / ratio(best.weights)


def combine(signals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Combine coils: (transients, coils, points) and (coils,) to (transients, points), in double precision."""
    combined = np.empty((signals.shape[0], signals.shape[2]), complex)
    single = weights.astype(np.complex64)
    for first in range(0, len(signals), BLOCK):
        combined[first : first + BLOCK] = np.einsum("c,tcn->tn", single, signals[first : first + BLOCK], optimize=True)
    return combined
