"""How stiff the baseline is: chosen by the data."""

from __future__ import annotations

import numpy as np

from snakemrs.fit.engine import Engine, State

TOLERANCE = 1.0
"""Difference of the criterion (minus twice a log likelihood) that is not worth a more flexible baseline."""


def choose_stiffness(engine: Engine, state: State, dampings: list[np.ndarray]) -> tuple[int, np.ndarray]:
    """Choose among `dampings` the most probable by the restricted marginal likelihood at the given θ.

    The baseline is a Gaussian process with prior precision λ·roughness, in units of the noise that the engine reckons
    with (`snakemrs.fit.effective_noise`: a baseline is not made to follow what other parts of the model miss).
    Integrated out together with the amplitudes that are not zero, its evidence is ``χ² + Σ log(1/(1 − damping)) +
    log|G|`` (Wahba 1985; Wood 2011), to be minimised: χ² with the baseline eliminated, G the normal matrix of the
    amplitudes.

    The stiffest is taken whose criterion is within `TOLERANCE` of the least: flexibility must earn its place.

    Returns
    -------
    best : int
    criterion : ndarray, shape (len(dampings),)
    """
    criterion = [engine.marginal(state, damping) for damping in dampings]
    values = np.array(criterion)
    return int(np.flatnonzero(values <= values.min() + TOLERANCE)[0]), values
