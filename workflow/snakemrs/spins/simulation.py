"""Density-matrix simulation of a basis with ideal pulses.

Each fragment of a molecule is simulated on its own. A group of n magnetically equivalent protons acts as composite
spins n/2, n/2 − 1, ... with their multiplicities, which is exact (couplings within the group do not show). A nucleus
that no proton pulse turns (31P, 14N) only moves the shifts of the protons, once for each of its states.

The Hamiltonian in rad/s, with the sign of NIfTI-MRS in the detection (`snakemrs.spins.axis`):
H = Σ 2π(δ_k − 4.65)·F·I_kz + Σ 2πJ_kl I_k·I_l, and s(t) = Tr(F₋ ρ(t)).
Text: Levitt, Spin Dynamics (2008), chapters 14-16; product operators of coupled spins in PRESS and STEAM: Thompson and
Allen, Magn Reson Med 1999;41:1162.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from math import comb, pi

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.spins.axis import WATER_PPM, time_axis
from snakemrs.spins.basis import Basis, Kind
from snakemrs.spins.systems import Fragment, SpinSystem, spin_system, spin_systems

SEQUENCES: tuple[str, ...] = ("press", "steam", "slaser", "spin-echo", "pulse-acquire")
Step = tuple[str, float]
"""("delay", seconds), ("pulse", degrees) about x, ("pulse-y", degrees), or ("order", coherence order to keep)."""


def sequence_steps(
    sequence: str, echo_time: float, te1: float | None = None, mixing_time: float | None = None
) -> tuple[list[Step], float]:
    """Give the steps after the excitation, and the factor that makes one proton count one.

    Parameters
    ----------
    sequence : {"press", "steam", "slaser", "spin-echo", "pulse-acquire"}
    echo_time : float
        Seconds. For ``pulse-acquire`` the delay before the first point.
    te1 : float, optional
        First echo time of PRESS in seconds; half of `echo_time` where it is not given.
    mixing_time : float, optional
        TM of STEAM in seconds.

    Returns
    -------
    steps : list of (str, float)
        The density matrix before them is F_x (all protons turned by 90°).
    gain : float
        1, or 2 for STEAM, whose coherence selection loses half of every signal, that of water too.

    Notes
    -----
    sLASER has two pairs of refocusing pulses; ideal pulses at TE/8, 3TE/8, 5TE/8 and 7TE/8 (Carr-Purcell spacing).
    """
    if not 0 <= echo_time < 2:
        raise RequestError("the echo time is not in seconds", found=echo_time, expected="between 0 and 2 s")
    if te1 is not None and sequence != "press":
        raise RequestError("TE1 belongs to PRESS only", found=f"--te1 with {sequence}")
    if mixing_time is not None and sequence != "steam":
        raise RequestError("a mixing time belongs to STEAM only", found=f"mixing time with {sequence}")
    half = echo_time / 2
    if sequence == "press":
        first = half if te1 is None else te1
        if not 0 <= first <= echo_time:
            raise RequestError("TE1 is longer than TE", found=f"TE1 {first} s, TE {echo_time} s")
        return [("delay", first / 2), ("pulse", 180), ("delay", half), ("pulse", 180), ("delay", half - first / 2)], 1.0
    if sequence == "spin-echo":
        return [("delay", half), ("pulse", 180), ("delay", half)], 1.0
    if sequence == "slaser":
        eighth, quarter = echo_time / 8, echo_time / 4
        middle: list[Step] = [("pulse", 180), ("delay", quarter)] * 3
        return [("delay", eighth), *middle, ("pulse", 180), ("delay", eighth)], 1.0
    if sequence == "steam":
        if mixing_time is None or mixing_time < 0:
            raise RequestError("STEAM needs its mixing time", found=mixing_time, expected="seconds, such as 0.010")
        # About y, so that F_x becomes longitudinal. Gradients let the stimulated echo pass: order −1 before TM, 0 in
        # it, +1 after it (the order that F₋ detects).
        store: list[Step] = [("order", -1), ("pulse-y", 90), ("order", 0), ("delay", mixing_time), ("pulse-y", -90)]
        return [("delay", half), *store, ("delay", half)], 2.0
    if sequence == "pulse-acquire":
        return [("delay", echo_time)], 1.0
    raise RequestError(f"there is no sequence '{sequence}'", expected=", ".join(SEQUENCES))


def simulate_basis(
    sequence: str,
    echo_time: float,
    te1: float | None = None,
    *,
    spectrometer_frequency: float,
    bandwidth: float,
    points: int,
    names: Sequence[str] | None = None,
    mixing_time: float | None = None,
) -> Basis:
    """Simulate the metabolites of a basis with ideal pulses, undamped.

    Parameters
    ----------
    sequence : {"press", "steam", "slaser", "spin-echo", "pulse-acquire"}
    echo_time : float
        Seconds.
    te1 : float, optional
        First echo time of PRESS in seconds; half of `echo_time` where it is not given.
    spectrometer_frequency : float
        MHz.
    bandwidth : float
        Hz.
    points : int
    names : sequence of str, optional
        Symbols of the table of spin systems; all of them where not given.
    mixing_time : float, optional
        TM of STEAM in seconds.

    Returns
    -------
    Basis
        One proton counts one; line width 0.

    Raises
    ------
    RequestError
        For an unknown sequence or metabolite, and for times, frequencies or sizes that make no sense.
    """
    if not 10 <= spectrometer_frequency <= 1000:
        raise RequestError("the spectrometer frequency is not in MHz", found=spectrometer_frequency, expected="10-1000")
    if not 200 <= bandwidth <= 1e6 or points < 2:
        raise RequestError("bandwidth or points make no sense", found=f"{bandwidth} Hz, {points} points")
    steps, gain = sequence_steps(sequence, echo_time, te1, mixing_time)
    symbols = tuple(spin_systems() if names is None else names)
    fids = np.array(
        [
            simulate_system(spin_system(symbol), steps, gain, spectrometer_frequency, bandwidth, points)
            for symbol in symbols
        ]
    )
    metabolite: Kind = "metabolite"
    notes = {"origin": "simulated by SnakeMRS, ideal pulses", "te1": te1, "mixing_time": mixing_time}
    return Basis(
        names=symbols,
        fids=fids,
        dwell_time=1 / bandwidth,
        spectrometer_frequency=spectrometer_frequency,
        kinds=tuple(metabolite for _ in symbols),
        echo_time=echo_time,
        sequence=sequence,
        notes={key: value for key, value in notes.items() if value is not None},
    )


def simulate_system(
    system: SpinSystem,
    steps: Sequence[Step],
    gain: float,
    spectrometer_frequency: float,
    bandwidth: float,
    points: int,
) -> np.ndarray:
    """Time signal of one molecule, shape (points,): the sum over its fragments."""
    time = time_axis(points, 1 / bandwidth)
    fid = np.zeros(points, complex)
    for fragment in system.fragments:
        frequencies, amplitudes = fragment_lines(fragment, steps, spectrometer_frequency)
        fid += fragment.weight * gain * sum_of_lines(frequencies, amplitudes, time)
    return fid


def sum_of_lines(frequencies: np.ndarray, amplitudes: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Sum of amplitude·exp(−2πi·frequency·t) over lines, shape of `time`, which must be evenly spaced.

    Times are split into long and short steps, t = t_j + t_k, so that the sum is a product of two small matrices.
    """
    block = max(int(np.sqrt(time.size)), 1)
    short = np.exp(-2j * pi * np.outer(frequencies, time[:block] - time[0]))
    long = amplitudes[:, None] * np.exp(-2j * pi * np.outer(frequencies, time[::block]))
    return (long.T @ short).ravel()[: time.size]


def fragment_lines(
    fragment: Fragment, steps: Sequence[Step], spectrometer_frequency: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lines of a fragment after the steps of a sequence.

    Returns
    -------
    frequencies : ndarray, shape (lines,)
        (δ − 4.65)·F in Hz.
    amplitudes : ndarray of complex, shape (lines,)
        Their sum over an undisturbed excitation is the number of protons.
    """
    offsets = (np.array(fragment.shifts) - WATER_PPM) * spectrometer_frequency
    visible = np.array([float(label not in fragment.invisible) for label in fragment.labels])
    states = [np.arange(-nucleus.spin, nucleus.spin + 0.5) for nucleus in fragment.hetero]
    shares = 1.0 / np.prod([len(state) for state in states]) if states else 1.0
    all_frequencies, all_amplitudes = [], []
    for levels in product(*states):
        moved = offsets.copy()
        for nucleus, level in zip(fragment.hetero, levels, strict=True):
            for label, coupling in nucleus.couplings.items():
                moved[fragment.labels.index(label)] += coupling * level
        frequencies, amplitudes = _homonuclear_lines(moved, fragment.protons, fragment.couplings, steps, visible)
        all_frequencies.append(frequencies)
        all_amplitudes.append(amplitudes * shares)
    return np.concatenate(all_frequencies), np.concatenate(all_amplitudes)


def composite_spins(protons: int) -> list[tuple[float, int]]:
    """Total spins of `protons` equivalent protons, each with the number of times it occurs.

    Three protons: spin 3/2 once and spin 1/2 twice (Clebsch-Gordan series).
    """
    series = []
    for down in range(protons // 2 + 1):
        multiplicity = comb(protons, down) - (comb(protons, down - 1) if down else 0)
        series.append((protons / 2 - down, multiplicity))
    return [(spin, count) for spin, count in series if spin > 0]


def _homonuclear_lines(
    offsets: np.ndarray,
    protons: Sequence[int],
    couplings: dict[tuple[int, int], float],
    steps: Sequence[Step],
    visible: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Lines of groups at `offsets` (Hz): over all combinations of their composite spins."""
    if len(protons) == 1:
        # Equivalent protons with no partner are that many single spins.
        frequencies, amplitudes = _spin_lines(offsets, (0.5,), couplings, steps, visible)
        return frequencies, amplitudes * 2.0 * protons[0]
    all_frequencies, all_amplitudes = [], []
    # A spin of zero gives no signal itself but its partners still do: it must be in the sum.
    for combination in product(*([*composite_spins(n), *_singlets(n)] for n in protons)):
        spins = tuple(spin for spin, _ in combination)
        if not any(spins):
            continue
        count = float(np.prod([count for _, count in combination]))
        frequencies, amplitudes = _spin_lines(offsets, spins, couplings, steps, visible)
        all_frequencies.append(frequencies)
        # Over all states Tr(F₋F_x) of N protons is N·2^(N−2).
        all_amplitudes.append(amplitudes * count * 4.0 / 2.0 ** sum(protons))
    return np.concatenate(all_frequencies), np.concatenate(all_amplitudes)


def _singlets(protons: int) -> list[tuple[float, int]]:
    """The combinations of an even number of protons whose total spin is zero."""
    if protons % 2:
        return []
    half = protons // 2
    return [(0.0, comb(protons, half) - comb(protons, half - 1))]


def _spin_operators(spin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """I_x, i·I_y and I_z of one spin (all real), states by falling m."""
    m = np.arange(spin, -spin - 0.5, -1)
    raising = np.diag(np.sqrt(spin * (spin + 1) - m[1:] * (m[1:] + 1)), 1)
    return (raising + raising.T) / 2, (raising - raising.T) / 2, np.diag(m)


def _spin_lines(
    offsets: np.ndarray,
    spins: Sequence[float],
    couplings: dict[tuple[int, int], float],
    steps: Sequence[Step],
    visible: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Lines of coupled spins of any spin number; the amplitudes add up to Tr(F₋ρ) over the visible spins."""
    dims = [round(2 * spin + 1) for spin in spins]
    singles = [_spin_operators(spin) for spin in spins]

    def embed(which: int, operator: np.ndarray) -> np.ndarray:
        return reduce(np.kron, [operator if k == which else np.eye(dim) for k, dim in enumerate(dims)])

    x, iy, z = (np.array([embed(k, single[axis]) for k, single in enumerate(singles)]) for axis in range(3))
    hamiltonian = np.tensordot(2 * pi * offsets, z, axes=1)
    for (a, b), coupling in couplings.items():
        # I_y·I_y = −(iI_y)(iI_y)
        hamiltonian = hamiltonian + 2 * pi * coupling * (x[a] @ x[b] - iy[a] @ iy[b] + z[a] @ z[b])
    energies, states = np.linalg.eigh(hamiltonian)
    order = np.rint(np.subtract.outer(np.diag(z.sum(0)), np.diag(z.sum(0)))).astype(int)

    density = np.tensordot(visible, x, axes=1).astype(complex)
    for kind, value in steps:
        if kind == "delay":
            propagator = (states * np.exp(-1j * energies * value)) @ states.T
            density = propagator @ density @ propagator.conj().T
        elif kind in ("pulse", "pulse-y"):
            turn = reduce(np.kron, [_rotation(single, value, kind == "pulse-y") for single in singles])
            density = turn @ density @ turn.conj().T
        elif kind == "order":
            density = np.where(order == int(value), density, 0)
        else:
            raise ValueError(kind)

    lowering = np.tensordot(visible, x - iy, axes=1)
    seen = (states.T @ density @ states) * (states.T @ lowering @ states).T
    frequencies = np.subtract.outer(energies, energies) / (2 * pi)
    scale = np.abs(seen).max(initial=0.0)
    keep = np.abs(seen) > 1e-10 * scale if scale > 0 else np.zeros(seen.shape, bool)
    # ρ_ab evolves as exp(−i(E_a − E_b)t).
    return frequencies[keep], seen[keep]


def _rotation(single: tuple[np.ndarray, np.ndarray, np.ndarray], degrees: float, about_y: bool) -> np.ndarray:
    """exp(−iθI) of one spin."""
    x, iy, _ = single
    operator = -1j * iy if about_y else x
    values, vectors = np.linalg.eigh(operator)
    return (vectors * np.exp(-1j * np.deg2rad(degrees) * values)) @ vectors.conj().T
