"""What the signal itself says, where headers lie: whether water was suppressed."""

from __future__ import annotations

import numpy as np

#: Height of water over the highest other signal: above, water is unsuppressed; below, suppressed; between, undecided.
UNSUPPRESSED_ABOVE = 150.0
SUPPRESSED_BELOW = 50.0
#: A sample so many times above every other one is no signal.
SPIKE = 1000.0
#: Largest sample that single precision holds with room for sums and squares.
LARGEST = 1e18


def water_ratio(signal: np.ndarray, bandwidth: float, frequency: float) -> float | None:
    """Height of the water peak over the highest peak of the metabolites.

    Unsuppressed water stands about a thousand times above NAA (72 mol/l of protons against 30 mmol/l), suppressed water
    within a few times NAA, and in spectra of nulled metabolites within thirty times the macromolecules. Measured (3 T,
    7 T; spectra 0.1 to 29, references 320 to 4000) in docs/science/ingest.md.

    Parameters
    ----------
    signal : ndarray of complex, shape (..., points)
        Time signals of one acquisition; magnitude spectra are averaged over the leading axes, so phases do not matter.
    bandwidth : float
        Hz.
    frequency : float
        Spectrometer frequency, MHz.

    Returns
    -------
    float or None
        The ratio; None where the signal is empty or not finite.
    """
    signal = np.asarray(signal)
    flat = signal.reshape(-1, signal.shape[-1])
    if flat.size == 0 or trouble(flat) or not bandwidth > 0 or not frequency > 0:
        return None
    flat = some_of(flat)
    # A bell over the first 0.4 s: the foot of a line that starts at once falls as 1/f, that of a bell as 1/f^3, so that
    # what is seen 1 ppm from water is not water's own foot.
    length = min(flat.shape[-1], max(32, int(0.4 * bandwidth)))
    bell = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    flat = flat.astype(np.complex128)
    spectrum = np.fft.fft(flat[:, :length] * bell, n=flat.shape[-1], axis=-1)
    height = np.sqrt(np.mean(np.abs(spectrum) ** 2, axis=0))
    offset = np.abs(np.fft.fftfreq(flat.shape[-1], 1 / bandwidth)) / frequency
    water = offset < 0.6
    # Both sides: the sign of the axis is not known yet. Metabolites lie 0.85-4.1 ppm from water.
    others = (offset > 1.0) & (offset < 4.0)
    if not water.any() or not others.any() or not height[others].max() > 0:
        return None
    return float(height[water].max() / height[others].max())


def some_of(signals: np.ndarray) -> np.ndarray:
    """Give signals enough to judge the height of water by, spread over all (along the first axis): 64 to 127."""
    return signals[:: max(1, len(signals) // 64)]


def trouble(signal: np.ndarray) -> str | None:
    """Say why there is nothing to convert in a signal, or None."""
    if signal.size == 0 or not np.any(signal):
        return "the file holds no signal"
    if not np.all(np.isfinite(signal)):
        return "the file holds values that are no numbers"
    if np.abs(signal).max() > LARGEST:
        return "the file holds values beyond what single precision holds"
    return None


def spike(signal: np.ndarray) -> float | None:
    """Give how far one sample stands above all others, where that is further than any signal goes; else None.

    A flipped bit in an exponent multiplies a sample by a power of two up to 2^128. Sparks of a scanner stay below
    `SPIKE` times the strongest signal, and neighbouring points of a decay are alike.

    Parameters
    ----------
    signal : ndarray of complex, shape (..., points)
    """
    height = np.abs(signal).ravel(order="K")
    if height.size < 3:
        return None
    at = int(height.argmax())
    first, second = height[at], np.maximum(height[:at].max(initial=0), height[at + 1 :].max(initial=0))
    return float(first) / float(second) if second > 0 and first > SPIKE * second else None


def is_suppressed(ratio: float | None) -> bool | None:
    """Whether water was suppressed, by `water_ratio`; None where it cannot be decided."""
    if ratio is None or SUPPRESSED_BELOW <= ratio <= UNSUPPRESSED_ABOVE:
        return None
    return ratio < SUPPRESSED_BELOW
