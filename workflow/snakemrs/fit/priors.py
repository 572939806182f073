"""Soft prior knowledge: of amplitudes that data hardly tell, and of the non-linear parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snakemrs.fit.engine import AmplitudePrior, Parameters
from snakemrs.fit.problem import Problem


def amplitude_prior(
    names: tuple[str, ...], known: Mapping[str, Any], amplitudes: np.ndarray, strength: float = 1.0
) -> AmplitudePrior:
    """Gaussian priors on ratios: (c_k − ρ_k·S)/(s_k·S₀) ~ N(0, 1), with S = tCr a combination of the unknowns itself.

    S₀, tCr of an earlier step, only sets the width; the mean moves with the fitted tCr, so that the prior knows ratios
    and no scale. Parametric macromolecules are held together in the same way, each by the mean of all of them.

    Parameters
    ----------
    names : tuple of str
        Basis functions.
    known : mapping
        ``config/constants/fit_priors.yaml``.
    amplitudes : ndarray, shape (K,)
        Of an earlier step.
    strength : float
        Factor on all precisions.
    """
    size = len(names)
    precision = np.zeros((size, size))
    reference = np.array([name in known["scale"] for name in names], float)
    scale = float(reference @ amplitudes)
    if scale > 0:
        precision += _ratios(names, known["ratios"], reference, scale)
    broad = known["macromolecules"]
    if all(name in names for name in broad):
        mean = np.isin(names, list(broad)) / len(broad)
        height = float(mean @ amplitudes)
        if height > 0:
            precision += _ratios(names, {name: (1.0, spread) for name, spread in broad.items()}, mean, height)
    if scale <= 0:
        return AmplitudePrior(precision * strength, np.zeros(size))
    for one, other, share, deviation in known["pairs"]:
        if one in names and other in names:
            row = np.zeros(size)
            row[names.index(one)] += 1 - share
            row[names.index(other)] -= share
            total = scale * (1.0 if one in known["scale"] else known["pair_scale"])
            precision += np.outer(row, row) / (deviation * total) ** 2
    return AmplitudePrior(precision * strength, np.zeros(size))


def _ratios(
    names: tuple[str, ...], ratios: Mapping[str, tuple[float, float]], reference: np.ndarray, scale: float
) -> np.ndarray:
    """Precision of c_k − mean·(reference @ c), standard deviation times `scale`, for all k of `ratios`."""
    precision = np.zeros((len(names), len(names)))
    for name, (mean, deviation) in ratios.items():
        if name in names:
            row = -mean * reference
            row[names.index(name)] += 1.0
            precision += np.outer(row, row) / (deviation * scale) ** 2
    return precision


def parameters_for(
    problem: Problem,
    *,
    line_shape: str,
    phase1_sd: float,
    group_shift_sd: float,
    group_width_sd: float,
    metabolite_shift_sd: float,
    max_shift: float,
    metabolite_width_sd: float = 0.0,
    kernel: int = 0,
) -> Parameters:
    """Non-linear parameters of a problem, with bounds and priors (units: see `snakemrs.study.settings.fit`).

    `kernel` is the number of functions of a free line shape (`snakemrs.fit.kernel`).
    """
    frequency = problem.spectrometer_frequency
    narrow = -0.8 * problem.basis.line_width
    metabolites = int(np.sum(problem.groups == 0))
    hertz = max_shift * frequency * 1.2
    rows: list[tuple[str, float, float, float, float]] = [  # name, start, lower, upper, sd of the prior
        ("phase0", 0.0, -np.inf, np.inf, np.inf),
        ("phase1", 0.0, -60.0, 60.0, phase1_sd) if phase1_sd > 0 else ("phase1", 0.0, 0.0, 0.0, np.inf),
        ("shift", 0.0, -hertz, hertz, np.inf),
        ("lorentzian", 2.0, narrow, 60.0, np.inf) if line_shape != "gaussian" else ("lorentzian", 0, 0, 0, np.inf),
        ("gaussian_squared", 9.0, 0.0, 3600.0, np.inf)
        if line_shape != "lorentzian"
        else ("gaussian_squared", 0.0, 0.0, 0.0, np.inf),
    ]
    for number, group in ((1, "macromolecule"), (2, "lipid")):
        if np.any(problem.groups == number):
            sd = group_shift_sd * frequency
            rows.append((f"shift_{group}", 0.0, -4 * sd, 4 * sd, sd))
            rows.append((f"width_{group}", 0.0, -0.08 * frequency, 0.32 * frequency, group_width_sd * frequency))
    if metabolite_shift_sd > 0:
        sd = metabolite_shift_sd * frequency
        rows += [(f"shift_{n + 1}", 0.0, -4 * sd, 4 * sd, sd) for n in range(metabolites)]
    if metabolite_width_sd > 0:
        sd = metabolite_width_sd
        rows += [(f"width_{n + 1}", 0.0, -2 * sd, 4 * sd, sd) for n in range(metabolites)]
    rows += [(f"kernel_{n + 1}", 0.0, -8.0, 8.0, 1.0) for n in range(kernel)]
    names, start, lower, upper, sds = zip(*rows, strict=True)
    return Parameters(
        names=tuple(names),
        start=np.array(start, float),
        lower=np.array(lower, float),
        upper=np.array(upper, float),
        mean=np.zeros(len(rows)),
        precision=1 / np.array(sds, float) ** 2,
    )
