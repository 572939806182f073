"""The fit of one spectrum: variable projection.

Model, in the window of the spectrum (frequency domain, complex)::

    exp(-i(φ0 + φ1·(ppm - pivot)))·y = Σ_k a_k·X_k(θ) + Σ_j b_j·B_j + noise

with X_k the basis signal k, shifted and broadened, a_k ≥ 0, and B_j the functions of the baseline, damped by λ.
For given θ the amplitudes a and b are linear and eliminated (Golub & Pereyra 1973); the search is Gauss–Newton with
Marquardt's damping on the reduced problem, with Kaufman's (1975) approximation of the Jacobian, which is the exact
Schur complement of the Gauss–Newton matrix of all unknowns. Non-linear unknowns θ: φ0, φ1, shift f, Lorentzian
width L, squared Gaussian width Q, and for macromolecules and lipids a shift and a broadening of their own; where
asked, a shift and a broadening of each metabolite, and a free line shape (`snakemrs.fit.kernel`). Everything is in
units of the noise: costs are χ² plus the squares of the priors.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg.lapack import dposv

from snakemrs.fit.nnls import solve_nonnegative
from snakemrs.fit.problem import Problem

GAUSS = np.pi**2 / (4 * np.log(2))
"""exp(-GAUSS·w²·t²) has a Gaussian spectrum of full width w at half maximum."""
PIVOT_PPM = 2.6
"""Where the phase of first order does not act."""


@dataclass(frozen=True)
class Parameters:
    """The non-linear unknowns: names, start, bounds and Gaussian priors (all of shape (m,))."""

    names: tuple[str, ...]
    start: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    mean: np.ndarray
    precision: np.ndarray

    def index(self, name: str) -> int:
        """Place of a parameter."""
        return self.names.index(name)


@dataclass
class State:
    """Everything at one point θ."""

    theta: np.ndarray
    cost: float
    amplitudes: np.ndarray
    passive: np.ndarray
    rotated: np.ndarray  # (2n,) data, phased, in noise units
    spectra: np.ndarray  # (K, 2n)
    shapes: np.ndarray  # (K, time) basis times line shape
    gram: np.ndarray  # (K, K) with baseline eliminated and priors added
    target: np.ndarray
    residual: np.ndarray  # (2n,) after baseline: fit - data
    baseline: np.ndarray  # (B,) coefficients
    cross: np.ndarray  # (K, B) X·B'
    products: np.ndarray  # (K, K) X·X'
    overlap: np.ndarray  # (K,) X·y
    on_splines: np.ndarray  # (B,) B·y


@dataclass(frozen=True)
class AmplitudePrior:
    """Quadratic prior of the amplitudes: a'Πa − 2a'm (in units of the noise), shapes (K, K) and (K,)."""

    precision: np.ndarray
    target: np.ndarray
    constant: float = 0.0


def no_prior(size: int) -> AmplitudePrior:
    """No prior at all."""
    return AmplitudePrior(np.zeros((size, size)), np.zeros(size))


@dataclass
class Engine:
    """A spectrum, its noise and priors; evaluates and minimises.

    Parameters
    ----------
    problem : Problem
    data : ndarray of complex, shape (n,)
        Spectrum in the window, divided by the standard deviation of its noise (of the real part).
    scale : float
        That standard deviation; amplitudes come out in the units of the data.
    parameters : Parameters
    damping : ndarray, shape (B,)
        1/(1 + λ·roughness) of the baseline functions.
    prior : AmplitudePrior
    excess : float
        `scale` over the standard deviation of the scanner's noise (see `snakemrs.fit.effective_noise`).
    kernel : ndarray of complex, shape (J, time)
        Functions of a free line shape; none by default.
    """

    problem: Problem
    data: np.ndarray
    scale: float
    parameters: Parameters
    damping: np.ndarray
    prior: AmplitudePrior
    excess: float = 1.0
    kernel: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    evaluations: int = 0
    data_norm: float = 0.0
    _members: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        groups = self.problem.groups
        self.data_norm = float(np.vdot(self.data, self.data).real)
        self._members = [np.flatnonzero(groups == g) for g in range(3)]

    def with_excess(self, excess: float) -> Engine:
        """The same spectrum measured against `excess` times the scanner's noise."""
        factor = excess / self.excess
        return replace(self, data=self.data / factor, scale=self.scale * factor, excess=excess)

    def shape_of(self, theta: np.ndarray) -> np.ndarray:
        """Line shape of each basis function on the times of the problem, shape (K, time)."""
        shape = self._voigt_of(theta)
        return shape if not len(self.kernel) else shape * self._kernel_of(theta)

    def _kernel_of(self, theta: np.ndarray) -> np.ndarray:
        """Factor of a free line shape, shape (time,)."""
        first = self.parameters.index("kernel_1")
        return np.asarray(1 + theta[first : first + len(self.kernel)] @ self.kernel)

    def _voigt_of(self, theta: np.ndarray) -> np.ndarray:
        """Line shapes without the free one."""
        p, names = self.problem, self.parameters.names
        value = dict(zip(names, theta, strict=True))
        shared = 2j * np.pi * value["shift"] * p.time - np.pi * value["lorentzian"] * p.decay_time
        shared -= GAUSS * value["gaussian_squared"] * p.decay_time**2
        rows = [np.exp(shared)]
        for group in ("macromolecule", "lipid"):
            if f"shift_{group}" in value:
                own = 2j * np.pi * value[f"shift_{group}"] * p.time
                own -= np.pi * value[f"width_{group}"] * p.decay_time
                rows.append(rows[0] * np.exp(own))
            else:
                rows.append(rows[0])
        shape = np.array(rows)[p.groups]
        members = self._members[0]
        for name, slope in (("shift_1", 2j * np.pi * p.time), ("width_1", -np.pi * p.decay_time)):
            if name in value:
                first = self.parameters.index(name)
                shape[members] *= np.exp(np.multiply.outer(theta[first : first + len(members)], slope))
        return shape

    def phase_of(self, theta: np.ndarray) -> np.ndarray:
        """Phase factor of the data, shape (n,)."""
        phase = theta[0] + np.deg2rad(theta[1]) * (self.problem.ppm - PIVOT_PPM)
        return np.asarray(np.exp(-1j * phase))

    def evaluate(self, theta: np.ndarray, passive: np.ndarray | None = None) -> State:
        """Amplitudes, baseline and cost at θ."""
        self.evaluations += 1
        p = self.problem
        rotated = (self.data * self.phase_of(theta)).view(float)
        shapes = p.signals * self.shape_of(theta)
        spectra = p.fold(shapes).view(float) / self.scale
        cross = spectra @ p.splines.T
        products, overlap, on_splines = spectra @ spectra.T, spectra @ rotated, p.splines @ rotated
        weighted = cross * self.damping
        gram = products - weighted @ cross.T + self.prior.precision
        target = overlap - weighted @ on_splines + self.prior.target
        amplitudes, passive = solve_nonnegative(gram, target, passive)
        coefficients = self.damping * (on_splines - amplitudes @ cross)
        residual = amplitudes @ spectra + coefficients @ p.splines - rotated
        gap = theta - self.parameters.mean
        cost = self.data_norm - on_splines @ (self.damping * on_splines) - target @ amplitudes + self.prior.constant
        cost += gap @ (self.parameters.precision * gap)
        return State(
            theta=theta,
            cost=float(cost),
            amplitudes=amplitudes,
            passive=passive,
            rotated=rotated,
            spectra=spectra,
            shapes=shapes,
            gram=gram,
            target=target,
            residual=residual,
            baseline=coefficients,
            cross=cross,
            products=products,
            overlap=overlap,
            on_splines=on_splines,
        )

    def marginal(self, state: State, damping: np.ndarray) -> float:
        """Minus twice the log marginal likelihood of a stiffness at the θ of `state` (see `baseline`)."""
        weighted = state.cross * damping
        gram = state.products - weighted @ state.cross.T + self.prior.precision
        target = state.overlap - weighted @ state.on_splines + self.prior.target
        amplitudes, passive = solve_nonnegative(gram, target, state.passive)
        fall = float(state.on_splines @ (damping * state.on_splines) + target @ amplitudes)
        value = self.data_norm - fall - float(np.log1p(-damping[damping < 1.0]).sum())
        use = np.flatnonzero(passive)
        if use.size:
            value += float(np.linalg.slogdet(gram[use[:, None], use])[1])
        return value

    def derivatives(self, state: State, phased: np.ndarray | None = None) -> np.ndarray:
        """Derivatives of (fit − data) with respect to θ at fixed amplitudes, shape (m, 2n).

        `phased`: what the phases act upon, shape (2n,); the data by default, the fit for Cramér–Rao bounds.
        """
        p, names = self.problem, self.parameters.names
        signal = np.array([state.amplitudes[members] @ state.shapes[members] for members in self._members]) / self.scale
        total = signal.sum(axis=0)
        rows = [2j * np.pi * p.time * total, -np.pi * p.decay_time * total, -GAUSS * p.decay_time**2 * total]
        for number, group in ((1, "macromolecule"), (2, "lipid")):
            if f"shift_{group}" in names:
                rows += [2j * np.pi * p.time * signal[number], -np.pi * p.decay_time * signal[number]]
        stacked = np.array(rows)
        members = self._members[0]
        for name, slope in (("shift_1", 2j * np.pi * p.time), ("width_1", -np.pi * p.decay_time)):
            if name in names:
                own = state.shapes[members] * (state.amplitudes[members] / self.scale)[:, None] * slope
                stacked = np.concatenate([stacked, own])
        if len(self.kernel):
            plain = np.sum((state.amplitudes / self.scale)[:, None] * p.signals * self._voigt_of(state.theta), axis=0)
            stacked = np.concatenate([stacked, plain * self.kernel])
        spectra = p.fold(stacked)
        data = (state.rotated if phased is None else phased).view(complex)
        phases = np.array([1j * data, 1j * np.deg2rad(p.ppm - PIVOT_PPM) * data])
        return np.concatenate([phases, spectra]).view(float)

    def reduced(self, state: State, derivatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gauss–Newton matrix of θ with all linear unknowns eliminated, and half the gradient of the cost."""
        p = self.problem
        on_splines = derivatives @ p.splines.T
        use = np.flatnonzero(state.passive)
        with_basis = derivatives @ state.spectra[use].T - (on_splines * self.damping) @ state.cross[use].T
        matrix = derivatives @ derivatives.T - (on_splines * self.damping) @ on_splines.T
        if use.size:
            inner = dposv(state.gram[use[:, None], use], with_basis.T)[1]
            matrix -= with_basis @ inner
        gap = state.theta - self.parameters.mean
        matrix[np.diag_indices_from(matrix)] += self.parameters.precision
        return matrix, derivatives @ state.residual + self.parameters.precision * gap

    def minimise(self, theta: np.ndarray, iterations: int, tolerance: float = 5e-3) -> tuple[State, bool]:
        """Search from `theta`; stops when a step gains less than `tolerance` in χ².

        Returns
        -------
        State
        converged : bool
        """
        lower, upper = self.parameters.lower, self.parameters.upper
        movable = upper > lower
        state = self.evaluate(np.clip(theta, lower, upper))
        damping = 1e-3
        for _ in range(iterations):
            matrix, gradient = self.reduced(state, self.derivatives(state))
            at_edge = ((state.theta <= lower) & (gradient > 0)) | ((state.theta >= upper) & (gradient < 0))
            free = np.flatnonzero(movable & ~at_edge)
            if free.size == 0:
                return state, True
            part, slope = matrix[free[:, None], free], gradient[free]
            diagonal = np.maximum(np.diag(part), 1e-12)
            while True:
                step = np.linalg.solve(part + np.diag(damping * diagonal), -slope)
                trial_theta = state.theta.copy()
                trial_theta[free] += step
                np.clip(trial_theta, lower, upper, out=trial_theta)
                trial = self.evaluate(trial_theta, state.passive)
                gain = state.cost - trial.cost
                if gain > 0 or damping > 1e6:
                    break
                if gain > -tolerance and float(-slope @ step) < tolerance:
                    return state, True
                damping *= 8
            if gain <= 0:
                return state, True
            state = trial
            damping = max(damping / 8, 1e-9)
            if gain < tolerance:
                return state, True
        return state, False
