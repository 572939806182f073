"""The signal of a session, transient by transient, with everything that spoils it, and the truth about each transient.

Sign of NIfTI-MRS throughout; each vendor's writer turns it into its own. Amplitudes: one millimole of protons per litre
of voxel, fully relaxed at TE 0, counts 1, for water as for metabolites, so that absolute quantification by water
(Gasparovic et al. 2006; Near et al. 2021) gives the true concentrations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snakemrs.scanner.cohort import Person, Visit, rise
from snakemrs.scanner.presets import Preset, Protocol
from snakemrs.spins.axis import time_axis, to_spectrum
from snakemrs.spins.basis import Basis
from snakemrs.spins.macromolecules import joined, parametric_signals
from snakemrs.spins.simulation import simulate_basis
from snakemrs.study.relaxation import TissueConstants
from snakemrs.study.resources import constants

MEASURED_TO_CHANGE = ("Glu", "Gln")
"""Metabolites that the infusion changes (Glx)."""


def left_of_water(known: TissueConstants, tissue: str, protocol: Protocol) -> float:
    """Share of the signal of water in ``gm``, ``wm`` or ``csf`` left after TR and TE."""
    return _left(known.water.t1[tissue], known.water.t2[tissue], protocol)


def left_of_metabolite(known: TissueConstants, name: str, tissue: str, protocol: Protocol) -> float:
    """Share of the signal of a metabolite in ``gm`` or ``wm`` left after TR and TE."""
    times = known.times(name)
    if tissue == "gm":
        return _left(times.t1_gm, times.t2_gm, protocol)
    return _left(times.t1_wm, times.t2_wm, protocol)


def _left(t1: float, t2: float, protocol: Protocol) -> float:
    return float((1 - np.exp(-protocol.repetition_time / t1)) * np.exp(-protocol.echo_time / t2))


@dataclass(frozen=True)
class Truth:
    """What is true of each transient, and of the session.

    Attributes
    ----------
    onset : ndarray, shape (transients,)
        Seconds from the first transient.
    frequency, phase : ndarray
        The transient is multiplied by exp(2πi·frequency·t + i·phase); Hz (positive: towards lower ppm) and radians.
    amplitude : ndarray
        1, less where motion spoilt it.
    line_width : ndarray
        Full width at half maximum of metabolites, Hz.
    spoilt : ndarray of bool
    concentrations : dict
        Metabolite → ndarray, mmol/kg of water in brain tissue, at each transient.
    water_signal : float
        Amplitude of the unsuppressed water (see the module's unit).
    noise : float
        Standard deviation of the real and of the imaginary part of each point.
    """

    onset: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray
    amplitude: np.ndarray
    line_width: np.ndarray
    spoilt: np.ndarray
    concentrations: dict[str, np.ndarray]
    water_signal: float
    noise: float
    eddy_current: float


@dataclass(frozen=True)
class SessionSignal:
    """Signals of a session as one ideal coil receives them.

    Attributes
    ----------
    metabolites : ndarray of complex64, shape (transients, points)
        Without noise.
    water : ndarray of complex64, shape (water transients, points)
        Unsuppressed, without noise.
    truth : Truth
    """

    metabolites: np.ndarray
    water: np.ndarray
    truth: Truth


def make_basis(protocol: Protocol) -> Basis:
    """Simulate all that a spectrum of the protocol holds: metabolites, macromolecules, lipids."""
    axis: dict[str, Any] = {
        "spectrometer_frequency": protocol.spectrometer_frequency,
        "bandwidth": protocol.bandwidth,
        "points": protocol.points,
    }
    metabolites = simulate_basis(
        "press", protocol.echo_time, protocol.te1, names=tuple(constants("scanner")["concentrations"]), **axis
    )
    table = constants("scanner")
    return joined(metabolites, parametric_signals(names=(*table["macromolecules"], *table["lipids"]), **axis))


def voigt(time: np.ndarray, line_width: float, gaussian_share: float) -> np.ndarray:
    """Decay of a Voigt line of full width `line_width` (Hz), `gaussian_share` of which is not Lorentzian.

    Width of the Gaussian from Olivero and Longbothum, J Quant Spectrosc Radiat Transf 1977;17:233.
    """
    lorentzian = (1 - gaussian_share) * line_width
    gaussian = np.sqrt(max((line_width - 0.5346 * lorentzian) ** 2 - 0.2166 * lorentzian**2, 0.0))
    return np.exp(-np.pi * lorentzian * time - (np.pi * gaussian * time) ** 2 / (4 * np.log(2)))


def noise_level(basis: Basis, protocol: Protocol, preset: Preset) -> float:
    """Standard deviation of the noise that gives NAA of one nominal transient the SNR of the preset.

    SNR as in the consensus (Near 2021; Öz 2021): height of NAA in the real spectrum over the standard deviation of the
    noise there, without apodisation. Nominal: 0.75 kg of tissue water per litre and the mean line width.
    """
    time = time_axis(protocol.points, 1 / protocol.bandwidth)
    naa = basis.fids[basis.names.index("NAA")] * 0.75 * float(constants("scanner")["concentrations"]["NAA"])
    height = to_spectrum(naa * voigt(time, float(np.mean(preset.line_width)), preset.gaussian_share)).real.max()
    return float(height / preset.snr / np.sqrt(protocol.points))


def session_signal(
    person: Person,
    visit: Visit,
    tissue: Mapping[str, float],
    basis: Basis,
    preset: Preset,
    protocol: Protocol,
    known: TissueConstants,
    metabolite_factors: Mapping[str, float],
    random: np.random.Generator,
) -> SessionSignal:
    """Make the signals of one session.

    Parameters
    ----------
    tissue : mapping
        Shares of the voxel: ``gm wm csf``.
    known : TissueConstants
        Relaxation times and water contents: the sets that the stage quantify takes by default.
    metabolite_factors : mapping
        Metabolite → this person's concentration relative to the nominal one (without `visit.glx_factor`).
    """
    count, time = protocol.transients, time_axis(protocol.points, 1 / protocol.bandwidth)
    onset = np.arange(count) * protocol.repetition_time
    concentrations = true_concentrations(person, visit, metabolite_factors, onset, preset, protocol, random)

    # Kilograms of water per litre of voxel.
    water_mass = {name: tissue[name] * known.content[name] for name in ("gm", "wm", "csf")}
    strength = {
        name: sum(water_mass[t] * left_of_metabolite(known, name, t, protocol) for t in ("gm", "wm"))
        for name in concentrations
    }
    water_signal = 2 * sum(
        1000 * known.molal_pure * mass * left_of_water(known, name, protocol) for name, mass in water_mass.items()
    )
    clean = np.zeros((count, protocol.points), complex)
    table = constants("scanner")
    steady = np.zeros(protocol.points, complex)
    for name, fid in zip(basis.names, basis.fids, strict=True):
        if name in MEASURED_TO_CHANGE:
            clean += np.multiply.outer(concentrations[name] * strength[name], fid)
        elif name in concentrations:
            steady += concentrations[name][0] * strength[name] * fid
        else:
            level = float({**table["macromolecules"], **table["lipids"]}[name])
            steady += level * (water_mass["gm"] + water_mass["wm"]) * person.content_factor * fid
    clean += steady

    base_width = random.uniform(*preset.line_width)
    progress = onset / onset[-1]
    in_infusion = rise(onset - protocol.baseline_duration, preset)
    change = preset.shim_loss * progress - preset.bold_narrowing * in_infusion
    spoilt = random.random(count) < preset.spoilt_share
    extra_width = np.where(spoilt, random.uniform(3, 10, count), 0.0)
    amplitude = np.where(spoilt, random.uniform(0.3, 0.8, count), 1.0)
    drift = random.uniform(*preset.drift)
    wander = np.cumsum(random.normal(0, 1, count))
    wander -= np.linspace(wander[0], wander[-1], count)
    wander *= 0.5 / max(np.abs(wander).max(), 1e-9)
    offset = random.normal(0, 2.0)
    frequency = offset + drift * progress + wander + random.normal(0, preset.frequency_jitter, count)
    frequency += np.where(spoilt, random.normal(0, 8, count), 0.0)
    session_phase = random.uniform(-np.pi, np.pi)
    phase = session_phase + np.deg2rad(random.normal(0, preset.phase_jitter, count))
    phase += np.where(spoilt, random.uniform(-1.5, 1.5, count), 0.0)

    shape = voigt(time, base_width, preset.gaussian_share)
    clean *= shape
    # Residual water: two parts, near 4.65 ppm, whose phase has nothing to do with the rest and turns slowly.
    left = preset.residual_water * water_signal
    turning = np.exp(1j * (random.uniform(-np.pi, np.pi) + 0.6 * progress))
    parts = 0.7 * voigt(time, 1.3 * base_width, 0.3) + 0.3 * np.exp(2j * np.pi * 6 * time) * voigt(
        time, 2 * base_width, 0.3
    )
    clean += left * np.multiply.outer(turning * np.exp(random.normal(0, 0.05, count)), parts)

    eddy_hz = random.uniform(*preset.eddy_current)
    eddy = np.exp(2j * np.pi * eddy_hz * preset.eddy_time_constant * (1 - np.exp(-time / preset.eddy_time_constant)))
    clean *= np.exp(-np.pi * np.multiply.outer(change + extra_width, time))
    clean *= amplitude[:, None] * np.exp(1j * (2 * np.pi * np.multiply.outer(frequency, time) + phase[:, None]))
    clean *= eddy
    # Water is taken before the session: the same phase, the frequency before the drift.
    still = protocol.water_transients
    own = offset + random.normal(0, preset.frequency_jitter, still)
    water = water_signal * voigt(time, base_width + 0.3, preset.gaussian_share) * eddy
    water = water * np.exp(1j * (2 * np.pi * np.multiply.outer(own, time) + session_phase))
    truth = Truth(
        onset=onset,
        frequency=frequency,
        phase=phase,
        amplitude=amplitude,
        line_width=base_width + change + extra_width,
        spoilt=spoilt,
        concentrations=concentrations,
        water_signal=float(water_signal),
        noise=noise_level(basis, protocol, preset),
        eddy_current=float(eddy_hz),
    )
    return SessionSignal(clean.astype(np.complex64), water.astype(np.complex64), truth)


def true_concentrations(
    person: Person,
    visit: Visit,
    factors: Mapping[str, float],
    onset: np.ndarray,
    preset: Preset,
    protocol: Protocol,
    random: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Concentrations at each transient, mmol/kg of water in brain tissue: metabolite → shape of `onset`."""
    nominal = constants("scanner")["concentrations"]
    frames = (onset // protocol.frame_duration).astype(int)
    wobble = np.exp(random.normal(0, preset.glx_sd_frame_physiological, frames.max() + 1))[frames]
    course = 1 + visit.glx_rise * rise(onset - protocol.baseline_duration, preset)
    # Nominal Glx/tNAA is that of the table; a preset may ask for another.
    scale = preset.glx_tnaa * (nominal["NAA"] + nominal["NAAG"]) / (nominal["Glu"] + nominal["Gln"])
    result = {}
    for name, value in nominal.items():
        level = float(value) * person.content_factor * factors.get(name, 1.0)
        if name in MEASURED_TO_CHANGE:
            result[name] = level * scale * visit.glx_factor * course * wobble
        else:
            result[name] = np.full(onset.size, level)
    return result


def draw_factors(preset: Preset, random: np.random.Generator) -> dict[str, float]:
    """Draw a person's own level of each metabolite; NAA, NAAG and Glx are left to `content_factor` and `glx_factor`."""
    names = constants("scanner")["concentrations"]
    fixed = {"NAA", "NAAG", *MEASURED_TO_CHANGE}
    return {
        name: 1.0 if name in fixed else float(np.exp(random.normal(0, preset.metabolite_sd_participant)))
        for name in names
    }


def add_noise(signal: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Add white complex Gaussian noise."""
    draw = random.standard_normal((2, *signal.shape), dtype=np.float32)
    noisy: np.ndarray = (signal + deviation * (draw[0] + 1j * draw[1])).astype(np.complex64)
    return noisy
