"""Simulation of spin systems: what theory says of simple systems, and agreement with an independent basis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemrs.errors import RequestError
from snakemrs.spins.axis import ppm_axis, time_axis, to_spectrum
from snakemrs.spins.simulation import composite_spins, fragment_lines, sequence_steps, simulate_basis
from snakemrs.spins.systems import Fragment, HeteroNucleus, spin_system, spin_systems

AXIS = {"spectrometer_frequency": 123.2, "bandwidth": 4000.0, "points": 2048}


def test_the_table_has_the_metabolites_of_the_brain() -> None:
    expected = "Ala Asc Asp Cr PCr GABA Glc Gln Glu Gly GPC PCho GSH Ins sIns Lac NAA NAAG PE Tau Ace"
    assert set(expected.split(" ")) <= set(spin_systems())
    assert all(system.references for system in spin_systems().values())


@pytest.mark.parametrize("symbol", sorted(spin_systems()))
def test_undisturbed_signal_starts_at_the_number_of_protons(symbol: str) -> None:
    basis = simulate_basis("pulse-acquire", 0.0, names=[symbol], **AXIS)
    assert basis.fids[0, 0] == pytest.approx(spin_system(symbol).protons, abs=1e-9)


@pytest.mark.parametrize(
    ("sequence", "more"), [("press", {}), ("spin-echo", {}), ("slaser", {}), ("steam", {"mixing_time": 0.01})]
)
def test_singlets_come_out_of_every_sequence_whole_and_in_phase(sequence: str, more: dict[str, float]) -> None:
    basis = simulate_basis(sequence, 0.030, names=["Cr", "Gly", "sIns"], **AXIS, **more)
    assert basis.fids[:, 0] == pytest.approx([5, 2, 6], abs=1e-9)


def test_a_singlet_lies_at_its_shift_in_the_sign_of_nifti_mrs() -> None:
    fid = simulate_basis("press", 0.030, names=["Ace"], **AXIS).fids[0]
    damped = fid * np.exp(-np.pi * 3 * time_axis(2048, 1 / 4000))
    ppm = ppm_axis(2048, 1 / 4000, 123.2)
    spectrum = to_spectrum(damped)
    assert ppm[np.argmax(spectrum.real)] == pytest.approx(1.904, abs=4000 / 2048 / 123.2 / 2)


@settings(max_examples=15, deadline=None)
@given(coupling=st.floats(1, 15), echo_time=st.floats(0.01, 0.2))
def test_a_weakly_coupled_doublet_is_modulated_by_cosine(coupling: float, echo_time: float) -> None:
    """The AX doublet at an echo: cos(πJ·TE) (weak coupling: 5 ppm at 300 MHz)."""
    pair = Fragment(("A", "X"), (1.0, 6.0), (1, 1), {(0, 1): coupling})
    steps, _ = sequence_steps("spin-echo", echo_time)
    frequencies, amplitudes = fragment_lines(pair, steps, 300.0)
    of_a = amplitudes[frequencies < 0].sum()
    assert of_a == pytest.approx(np.cos(np.pi * coupling * echo_time), abs=0.02)


def test_lactate_is_inverted_at_144_ms() -> None:
    """The methyl doublet of lactate at TE = 1/J is upside down, at 2/J upright (weak coupling: high field)."""
    axis = {**AXIS, "spectrometer_frequency": 800.0, "bandwidth": 10000.0}
    once = simulate_basis("press", 1 / 6.933, names=["Lac"], **axis).fids[0, 0].real
    twice = simulate_basis("press", 2 / 6.933, names=["Lac"], **axis).fids[0, 0].real
    assert once == pytest.approx(-4, abs=0.05)
    assert twice == pytest.approx(4, abs=0.05)


def test_strong_coupling_gives_the_lines_of_the_ab_quartet() -> None:
    """Positions and heights of an AB system in closed form (Levitt, Spin Dynamics, section 14.5)."""
    coupling, difference = 10.0, 12.0
    frequency = 100.0
    pair = Fragment(("A", "B"), (4.65 + 0.06, 4.65 - 0.06), (1, 1), {(0, 1): coupling})
    frequencies, amplitudes = fragment_lines(pair, [], frequency)
    root = np.hypot(difference, coupling)
    strong = np.abs(amplitudes) > 1e-9
    order = np.argsort(frequencies[strong])
    expected = np.array([-root - coupling, -root + coupling, root - coupling, root + coupling]) / 2
    heights = np.array([1 - coupling / root, 1 + coupling / root, 1 + coupling / root, 1 - coupling / root]) / 2
    np.testing.assert_allclose(frequencies[strong][order], expected, atol=1e-9)
    np.testing.assert_allclose(amplitudes[strong][order].real, heights, atol=1e-9)


def test_equivalent_protons_as_composite_spins_agree_with_single_spins() -> None:
    """An A₃X group once as composite spin and once as three protons, also through PRESS with strong coupling."""
    steps, _ = sequence_steps("press", 0.050, 0.020)
    grouped = Fragment(("CH3", "CH"), (1.5, 1.9), (3, 1), {(0, 1): 7.0})
    single = Fragment(("a", "b", "c", "CH"), (1.5, 1.5, 1.5, 1.9), (1, 1, 1, 1), {(n, 3): 7.0 for n in range(3)})
    time = time_axis(256, 1e-3)

    def signal(fragment: Fragment) -> np.ndarray:
        frequencies, amplitudes = fragment_lines(fragment, steps, 60.0)
        return amplitudes @ np.exp(-2j * np.pi * np.outer(frequencies, time))

    np.testing.assert_allclose(signal(grouped), signal(single), atol=1e-9)


@given(st.integers(1, 9))
def test_composite_spins_span_all_states(protons: int) -> None:
    states = sum((2 * spin + 1) * count for spin, count in composite_spins(protons))
    hidden = 2**protons - states
    assert hidden >= 0
    assert hidden == 0 or protons % 2 == 0  # singlets, of even numbers only


def test_phosphorus_splits_and_refocuses() -> None:
    """A heteronuclear coupling shows in the lines but not at the echo: proton pulses do not turn phosphorus."""
    fragment = Fragment(("H",), (3.9,), (2,), {}, hetero=(HeteroNucleus("31P", 0.5, {"H": 7.0}),))
    steps, _ = sequence_steps("spin-echo", 1 / (2 * 7.0))
    frequencies, amplitudes = fragment_lines(fragment, steps, 100.0)
    assert np.sort(frequencies) == pytest.approx([-75 - 3.5, -75 + 3.5])
    assert amplitudes == pytest.approx([1, 1], abs=1e-9)


def test_an_amide_proton_splits_but_is_not_seen() -> None:
    assert spin_system("NAA").protons == 6
    frequencies, amplitudes = fragment_lines(spin_system("NAA").fragments[1], [], 123.2)
    strong = np.abs(amplitudes) > 0.02
    assert frequencies[strong].max() < 0  # nothing at 7.8 ppm


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sequence": "press", "echo_time": 30.0}, "echo time"),
        ({"sequence": "press", "echo_time": 0.03, "te1": 0.04}, "TE1"),
        ({"sequence": "steam", "echo_time": 0.03}, "mixing time"),
        ({"sequence": "slaser", "echo_time": 0.03, "te1": 0.01}, "TE1"),
        ({"sequence": "press", "echo_time": 0.03, "names": ["NAAX"]}, "NAAX"),
        ({"sequence": "megapress", "echo_time": 0.03}, "megapress"),
        ({"sequence": "press", "echo_time": 0.03, "spectrometer_frequency": 123.2e6}, "MHz"),
    ],
)
def test_nonsense_is_refused_with_a_reason(arguments: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        simulate_basis(**{**AXIS, **arguments})


@pytest.mark.realdata
def test_agrees_with_the_basis_of_the_fitting_challenge(realdata) -> None:
    """At least 0.99 in 0.2-4.2 ppm; GSH lies at 0.97, because the challenge couples its amide protons too."""
    basis = simulate_basis("press", 0.030, 0.011, **AXIS)
    time = time_axis(2048, 1 / 4000)
    ppm = ppm_axis(2048, 1 / 4000, 123.2)
    window = (ppm > 0.2) & (ppm < 4.2)
    values = {}
    for name, fid in zip(basis.names, basis.fids, strict=True):
        columns = np.loadtxt(realdata / "ismrm_challenge" / "basis_text" / f"{name}.txt")
        theirs = to_spectrum((columns[:, 0] + 1j * columns[:, 1]) * np.exp(-np.pi * 3 * time))[window]
        ours = to_spectrum(fid * np.exp(-np.pi * 5 * time))[window]  # theirs has 2 Hz already
        values[name] = np.vdot(theirs, ours).real / np.linalg.norm(theirs) / np.linalg.norm(ours)
    below = {name: value for name, value in values.items() if value < 0.99}
    assert set(below) == {"GSH"}
    assert below["GSH"] > 0.96
