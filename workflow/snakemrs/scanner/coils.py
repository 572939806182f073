"""Receive coils: sensitivities at the voxel and noise that is correlated between coils."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Receive:
    """What is true of the receive coils; one coil of sensitivity 1 where the scanner combined them.

    Attributes
    ----------
    sensitivities : ndarray of complex, shape (coils,)
        Scaled so that the best combination gives the SNR of one ideal coil.
    noise_covariance : ndarray of complex, shape (coils, coils)
        Of the complex noise of one point.
    """

    sensitivities: np.ndarray = field(default_factory=lambda: np.ones(1, complex))
    noise_covariance: np.ndarray = field(default_factory=lambda: np.eye(1, dtype=complex))

    @property
    def coils(self) -> int:
        """Number of coils."""
        return int(self.sensitivities.size)


def single(noise: float) -> Receive:
    """One ideal coil with `noise` as the standard deviation of each part of a point."""
    return Receive(noise_covariance=np.array([[2 * noise**2]], complex))


def draw_coils(coils: int, noise: float, random: np.random.Generator, dead: int = 0) -> Receive:
    """Draw the coils of a head array round a voxel.

    Elements sit on a sphere, sensitivity falls with the square of the distance, phases are arbitrary, gains differ by
    20 %, and neighbouring elements share noise (correlation falling with distance, up to about 0.4).

    Parameters
    ----------
    coils : int
    noise : float
        Standard deviation of each part of a point that the best combination has, where the signal is the ideal coil's.
    dead : int
        Elements that give noise only.
    """
    # Evenly spread over a sphere of radius 1 (golden spiral); the voxel lies off its centre.
    index = np.arange(coils) + 0.5
    height = 1 - 2 * index / coils
    turn = np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - height**2)
    places = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)
    voxel = np.array([0.0, 0.35, 0.1])
    distance = np.linalg.norm(places - voxel, axis=1)
    gains = np.exp(random.normal(0, 0.2, coils))
    sensitivities = gains * distance**-2 * np.exp(1j * random.uniform(-np.pi, np.pi, coils))
    if dead:
        sensitivities[random.choice(coils, dead, replace=False)] = 0
    between = np.linalg.norm(places[:, None] - places[None], axis=2)
    correlation = 0.4 * np.exp(-((between / 0.6) ** 2)) + 0.6 * np.eye(coils)
    phases = np.exp(1j * random.uniform(-0.5, 0.5, coils))
    covariance = gains[:, None] * gains * correlation * np.multiply.outer(phases, phases.conj())
    best = np.real(sensitivities.conj() @ np.linalg.solve(covariance, sensitivities))
    # Now sᴴC⁻¹s = 1 / (2σ²) once C is scaled to the noise wanted.
    return Receive(sensitivities / np.sqrt(best), covariance * 2 * noise**2)


def receive(signal: np.ndarray, coils: Receive, random: np.random.Generator) -> np.ndarray:
    """Give what the coils receive, with noise.

    Parameters
    ----------
    signal : ndarray of complex, shape (transients, points)

    Returns
    -------
    ndarray of complex64, shape (transients, coils, points)
    """
    mixing = (np.linalg.cholesky(coils.noise_covariance) / np.sqrt(2)).astype(np.complex64)
    weights = coils.sensitivities.astype(np.complex64)[:, None]
    count, points = signal.shape
    received = np.empty((count, coils.coils, points), np.complex64)
    for n in range(count):
        draw = random.standard_normal((2, coils.coils, points), dtype=np.float32)
        received[n] = weights * signal[n] + mixing @ (draw[0] + 1j * draw[1])
    return received
