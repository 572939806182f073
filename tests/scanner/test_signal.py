"""The signal of a session: the truth can be read back from it, and water quantifies it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from snakemrs.scanner.cohort import draw_cohort
from snakemrs.scanner.coils import draw_coils, receive
from snakemrs.scanner.presets import Preset, load_preset, load_protocol
from snakemrs.scanner.signal import SessionSignal, draw_factors, make_basis, noise_level, session_signal, voigt
from snakemrs.spins.axis import ppm_axis, shift_frequency, time_axis, to_spectrum
from snakemrs.study.relaxation import field_strength, load_constants

PROTOCOL = load_protocol("philips", 80)
TISSUE = {"gm": 0.6, "wm": 0.25, "csf": 0.15}
QUIET = {
    "drift": (0.0, 0.0),
    "frequency_jitter": 0.0,
    "phase_jitter": 0.0,
    "spoilt_share": 0.0,
    "residual_water": 0.0,
    "eddy_current": (0.0, 0.0),
    "shim_loss": 0.0,
    "bold_narrowing": 0.0,
}
basis = cache(lambda: make_basis(PROTOCOL))


def make(preset: Preset, seed: int = 1) -> SessionSignal:
    # The sessions here last a tenth of the whole: so does the rise.
    preset = preset.model_copy(update={"rise_time_constant": preset.rise_time_constant / 10})
    person = draw_cohort(preset, 1, seed).people[0]
    known = load_constants(field_strength(PROTOCOL.spectrometer_frequency))
    factors = draw_factors(preset, np.random.default_rng(seed))
    return session_signal(
        person, person.visits[0], TISSUE, basis(), preset, PROTOCOL, known, factors, np.random.default_rng(seed)
    )


def undone(made: SessionSignal) -> np.ndarray:
    """The transients with the true frequency and phase taken out."""
    true = made.truth
    turned = made.metabolites * np.exp(-1j * true.phase[:, None])
    return shift_frequency(turned, -true.frequency, 1 / PROTOCOL.bandwidth)


def test_water_quantifies_the_true_concentration() -> None:
    """Amplitude of creatine over water gives mmol/kg by the formula of Gasparovic 2006, written out here."""
    preset = load_preset("null").model_copy(update=QUIET)
    made = make(preset)
    time = time_axis(PROTOCOL.points, 1 / PROTOCOL.bandwidth)
    names = list(basis().names)
    shape = voigt(time, float(made.truth.line_width[0]), preset.gaussian_share)
    amplitudes, *_ = np.linalg.lstsq((basis().fids * shape).T, undone(made)[0], rcond=None)
    known = load_constants(3.0)
    water = {"gm": 0.78, "wm": 0.65, "csf": 0.97}
    mass = {t: TISSUE[t] * water[t] for t in TISSUE}
    total = sum(mass.values())

    def left(t1: float, t2: float) -> float:
        return (1 - np.exp(-PROTOCOL.repetition_time / t1)) * np.exp(-PROTOCOL.echo_time / t2)

    seen = sum(mass[t] / total * left(known.water.t1[t], known.water.t2[t]) for t in TISSUE)
    tissue = (mass["gm"] + mass["wm"]) / total
    for name in ("Cr", "NAA", "Glu"):
        times = known.times(name)
        share = mass["gm"] / (mass["gm"] + mass["wm"])
        remaining = share * left(times.t1_gm, times.t2_gm) + (1 - share) * left(times.t1_wm, times.t2_wm)
        ratio = amplitudes[names.index(name)].real / (np.abs(made.water[0, 0]) / 2)
        molal = ratio * seen / (remaining * tissue) * 55510
        assert molal == pytest.approx(made.truth.concentrations[name][0], rel=1e-3)


def test_true_frequency_and_phase_align_the_transients() -> None:
    moving = {**QUIET, "drift": (10.0, 10.0), "phase_jitter": 20.0, "glx_sd_frame_physiological": 0.0}
    preset = load_preset("null").model_copy(update=moving)
    made = make(preset)
    assert np.ptp(made.truth.frequency) > 8
    aligned = undone(made)
    np.testing.assert_allclose(aligned, aligned[:1].repeat(len(aligned), 0), atol=2e-4 * np.abs(aligned).max())


def test_naa_lies_at_its_place() -> None:
    spectrum = to_spectrum(undone(make(load_preset("realistic")))).real.mean(0)
    ppm = ppm_axis(PROTOCOL.points, 1 / PROTOCOL.bandwidth, PROTOCOL.spectrometer_frequency)
    window = (ppm > 1.8) & (ppm < 2.3)
    assert ppm[window][np.argmax(spectrum[window])] == pytest.approx(2.01, abs=0.02)


def test_glx_rises_and_naa_stays() -> None:
    true = make(load_preset("large").model_copy(update={"glx_sd_frame_physiological": 0.0})).truth
    assert true.concentrations["Glu"][-1] / true.concentrations["Glu"][0] > 1.15
    assert np.ptp(true.concentrations["NAA"]) == 0


def test_bold_narrows_lines_without_changing_metabolites() -> None:
    true = make(load_preset("bold-only").model_copy(update={"shim_loss": 0.0, "spoilt_share": 0.0})).truth
    first = true.onset < PROTOCOL.baseline_duration
    assert np.ptp(true.line_width[first]) == pytest.approx(0)
    assert true.line_width[0] - true.line_width[-1] > 0.05
    assert true.concentrations["Glu"][~first].mean() == pytest.approx(
        true.concentrations["Glu"][first].mean(), rel=0.05
    )


def test_spoilt_transients_are_marked_and_weaker() -> None:
    true = make(load_preset("realistic").model_copy(update={"spoilt_share": 0.3})).truth
    assert 0.1 < true.spoilt.mean() < 0.5
    assert true.amplitude[true.spoilt].max() <= 0.8
    assert (true.amplitude[~true.spoilt] == 1).all()


def test_noise_gives_the_snr_of_the_preset() -> None:
    preset = load_preset("realistic")
    deviation = noise_level(basis(), PROTOCOL, preset)
    fid = basis().fids[basis().names.index("NAA")] * 0.75 * 13.2
    spectrum = to_spectrum(fid * voigt(time_axis(PROTOCOL.points, 1 / PROTOCOL.bandwidth), 6.0, 0.5))
    noise = np.random.default_rng(0).normal(0, deviation, (200, 2, PROTOCOL.points))
    scatter = to_spectrum(noise[:, 0] + 1j * noise[:, 1]).real.std()
    assert spectrum.real.max() / scatter == pytest.approx(preset.snr, rel=0.02)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_a_voigt_line_has_its_width(share: float) -> None:
    spectrum = to_spectrum(voigt(time_axis(1 << 16, 1e-3), 6.0, share)).real
    spectrum -= spectrum.min()
    width = (spectrum > spectrum.max() / 2).sum() * 1000 / (1 << 16)
    assert width == pytest.approx(6.0, rel=0.02)


def test_the_best_combination_of_coils_has_the_snr_of_one_ideal_coil() -> None:
    random = np.random.default_rng(3)
    coils = draw_coils(32, noise=2.0, random=random)
    signal = np.full((40, 256), 5.0, complex)
    received = receive(signal, coils, random)
    weights = np.linalg.solve(coils.noise_covariance, coils.sensitivities)
    combined = np.einsum("c,tcp->tp", weights.conj(), received) / (weights.conj() @ coils.sensitivities)
    assert combined.mean() == pytest.approx(5.0, abs=0.15)
    assert combined.real.std() == pytest.approx(2.0, rel=0.05)


def test_noise_of_neighbouring_coils_is_correlated() -> None:
    coils = draw_coils(16, 1.0, np.random.default_rng(0))
    diagonal = np.sqrt(np.diag(coils.noise_covariance).real)
    correlation = np.abs(coils.noise_covariance / np.outer(diagonal, diagonal))
    np.fill_diagonal(correlation, 0)
    assert 0.05 < correlation.max() < 0.5
    noise = receive(np.zeros((30, 512), complex), coils, np.random.default_rng(1))
    measured = np.einsum("tap,tbp->ab", noise, noise.conj()) / (30 * 512)
    np.testing.assert_allclose(measured, coils.noise_covariance, atol=0.05 * np.abs(coils.noise_covariance).max())
