"""Removal of residual water by a sum of damped sinusoids (HLSVD), of many signals at once.

The signal poles are found from the column space of the Hankel matrix of the signal (Barkhuijsen, de Beer, van Ormondt,
J Magn Reson 1987, 73:553), here by iterations whose products with the Hankel matrix are convolutions (as in
Laudadio et al., J Magn Reson 2002, 157:292). Several signals share their poles: what they vary in is compressed to a
few principal components whose Hankel matrices stand side by side. With shared poles the removal is linear, so that the
mean of cleaned transients is the cleaned mean.
"""

from __future__ import annotations

import numpy as np


def _compress(fids: np.ndarray, components: int) -> np.ndarray:
    """Give the strongest principal components of `fids` (signals, points), scaled by their strength.

    Of many signals, components no stronger than what most of them share, noise, are left out.
    """
    if len(fids) == 1:
        return fids
    values, vectors = np.linalg.eigh(fids @ fids.conj().T)
    count = min(components, len(fids))
    if len(fids) > 2 * components:
        count = int(np.clip(np.sum(values > 2 * np.median(values)), 1, count))
    return vectors[:, ::-1][:, :count].conj().T @ fids


def signal_poles(fids: np.ndarray, order: int, max_points: int = 2048) -> np.ndarray:
    """Estimate the poles z of fid[n] = Σ a z^n that signals share.

    Parameters
    ----------
    fids : ndarray of complex, shape (signals, points)
    order : int
        Number of poles.
    max_points : int
        Points from the start that are used: later ones hold noise only and cost time.

    Returns
    -------
    ndarray of complex, shape (order,)
    """
    from scipy.fft import fft, ifft, next_fast_len

    points = min(fids.shape[1], max_points)
    rows = points // 2
    columns = points - rows + 1
    scale = np.abs(fids[:, :points]).max()
    signals = fids[:, :points].astype(complex) / scale
    length = next_fast_len(points + columns)
    spectra = fft(signals, length, axis=1)
    adjoint = fft(signals.conj(), length, axis=1)

    def gram(block: np.ndarray) -> np.ndarray:
        """Multiply `block` (vectors, rows) by Σ H Hᴴ, with H[i, j] = signal[i + j] of shape (rows, columns)."""
        # Hᴴ v = Σ_i conj(x[i + j]) v[i]: a correlation, made a convolution by turning v round; so is H w.
        turned = fft(block[:, ::-1], length, axis=1)
        product = np.zeros_like(block)
        for own, conjugate in zip(spectra, adjoint, strict=True):
            inner = ifft(conjugate * turned, axis=1)[:, rows - 1 : rows - 1 + columns]
            product += ifft(own * fft(inner[:, ::-1], length, axis=1), axis=1)[:, columns - 1 : columns - 1 + rows]
        return product

    # Block power iteration (Halko, Martinsson, Tropp, SIAM Rev 2011, 53:217): what stands above the noise converges
    # in a few steps; Lanczos would spend its time on telling directions of noise from each other.
    order = min(order, rows - 2)
    width = min(order + 8, rows)
    random = np.random.default_rng(0)
    basis = random.standard_normal((width, rows)) + 1j * random.standard_normal((width, rows))
    for _ in range(7):
        basis = np.linalg.qr(gram(basis).T)[0].T
    _, mixing = np.linalg.eigh(basis.conj() @ gram(basis).T)
    vectors = basis.T @ mixing[:, ::-1][:, :order]
    rotation = np.linalg.lstsq(vectors[:-1], vectors[1:], rcond=None)[0]
    poles: np.ndarray = np.linalg.eigvals(rotation)
    return poles


def remove_components(
    fids: np.ndarray,
    dwell_time: float,
    band: tuple[float, float],
    order: int = 40,
    duration: float = 0.4,
    typical: np.ndarray | None = None,
    singly: bool = False,
) -> tuple[np.ndarray, int]:
    """Remove what resonates within a band of frequencies.

    A broad component is removed only when at least half of its width on either side lies within the band, widened by
    a quarter on each side: one that reaches into the metabolites stands for their baseline as much as for water.

    Parameters
    ----------
    fids : ndarray of complex, shape (signals, points)
    dwell_time : float
        Seconds.
    band : (float, float)
        Lower and upper frequency, Hz, in the sense of `snakemrs.spins.axis.frequency_axis`.
    order : int
        Number of damped sinusoids of the model.
    duration : float
        Seconds of signal from which the poles are found (512 to 2048 points): later there is noise only.

    typical : ndarray of bool, shape (signals,), optional
        Signals that the poles are found from; all by default. Spoilt ones would claim poles for themselves.

    singly : bool
        Remove only what stands above the noise of each signal, not what only their mean shows: for comparing signals.

    Returns
    -------
    cleaned : ndarray, shape as `fids`
    removed : int
        Number of sinusoids taken out.
    """
    half_width_limit = 0.25 * (band[1] - band[0])
    max_points = int(np.clip(round(duration / dwell_time), 512, 2048))
    cleaned, removed = _remove_once(fids, dwell_time, band, order, max_points, None, typical, singly)
    # What rings longer than the first pass could see: narrow components, found from the whole signal.
    more_points = min(4 * max_points, fids.shape[1])
    cleaned, more = _remove_once(
        cleaned, dwell_time, band, max(order // 2, 5), more_points, half_width_limit, typical, singly
    )
    return cleaned, removed + more


def _remove_once(
    fids: np.ndarray,
    dwell_time: float,
    band: tuple[float, float],
    order: int,
    points: int,
    widest: float | None,
    typical: np.ndarray | None,
    singly: bool,
) -> tuple[np.ndarray, int]:
    """Remove the components of one model; `widest`: only those of at most this half width (Hz)."""
    poles = signal_poles(_compress(fids if typical is None else fids[typical], 6), order, points)
    # A growing pole is noise; as the model it would explode at the end of the signal.
    poles = poles[(np.abs(poles) < 1 + 0.5 / fids.shape[1]) & (np.abs(poles) > 1e-3)]
    frequency = np.angle(poles) / (2 * np.pi * dwell_time)
    half_width = np.maximum(-np.log(np.abs(poles)), 0) / (2 * np.pi * dwell_time)
    margin = 0.25 * (band[1] - band[0])
    inside = (frequency >= band[0]) & (frequency <= band[1])
    inside &= (frequency - half_width >= band[0] - margin) & (frequency + half_width <= band[1] + margin)
    if widest is not None:
        inside &= half_width <= widest
    if not inside.any():
        return fids.copy(), 0
    number = np.arange(fids.shape[1])
    model = np.exp(np.log(poles)[:, None] * number)
    amplitudes, kept = _significant(model, fids.astype(complex), inside, singly)
    inside &= kept
    return fids - amplitudes[inside].T @ model[inside], int(inside.sum())


def _significant(
    model: np.ndarray, fids: np.ndarray, candidates: np.ndarray, singly: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fit amplitudes; leave out candidates that are no more than noise, the weakest first.

    A component that is not there costs: its fitted amplitudes are noise, and overlapping ones blow each other up.

    Parameters
    ----------
    model : ndarray of complex, shape (components, points)
    fids : ndarray of complex, shape (signals, points)
    candidates : ndarray of bool, shape (components,)
        Those that may be left out (the others are needed to explain the rest).
    singly : bool
        Whether a component must stand out in each signal (three times its variance), or in their mean (nine times).

    Returns
    -------
    amplitudes : ndarray of complex, shape (components, signals)
        Zero for those left out.
    kept : ndarray of bool, shape (components,)
    """
    orthogonal, triangle = np.linalg.qr(model.T)
    projected = orthogonal.conj().T @ fids.T
    freedom = max(fids.shape[0] * (fids.shape[1] - len(model)), 1)
    noise = max(float(np.sum(np.abs(fids) ** 2) - np.sum(np.abs(projected) ** 2)), 0.0) / freedom
    kept = np.ones(len(model), bool)
    amplitudes = np.zeros((len(model), len(fids)), complex)
    while True:
        inverse = np.linalg.pinv(triangle[:, kept], rcond=1e-10)
        found = inverse @ projected
        variance = noise * np.sum(np.abs(inverse) ** 2, axis=1)
        energy = np.mean(np.abs(found) ** 2, axis=1) / 3
        if not singly:
            energy = np.maximum(energy, np.abs(found.mean(axis=1)) ** 2 * len(fids) / 9)
        standing = np.where(candidates[kept], energy / np.maximum(variance, 1e-300), np.inf)
        weakest = int(np.argmin(standing))
        if standing[weakest] >= 1:
            break
        kept[np.flatnonzero(kept)[weakest]] = False
    if singly and len(fids) >= 8:
        # What varies between signals no more than noise does is the same in all (empirical Bayes): metabolites stay
        # where their mean is, and overlapping components do not trade noise with them.
        mean = found.mean(axis=1, keepdims=True)
        spread = np.median(np.abs(found - mean) ** 2, axis=1) / np.log(2)
        true_spread = np.diag(np.maximum(spread - variance, 1e-3 * variance))
        covariance = noise * inverse @ inverse.conj().T
        found = mean + true_spread @ np.linalg.solve(true_spread + covariance, found - mean)
    amplitudes[kept] = found
    return amplitudes, kept
