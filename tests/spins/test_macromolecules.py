"""Parametric macromolecules and lipids."""

from __future__ import annotations

import numpy as np
import pytest

from snakemrs.errors import RequestError
from snakemrs.spins.axis import ppm_axis, time_axis, to_spectrum
from snakemrs.spins.macromolecules import gaussian_line, joined, parametric_signals
from snakemrs.spins.simulation import simulate_basis

AXIS = {"spectrometer_frequency": 123.2, "bandwidth": 4000.0, "points": 2048}


def test_a_line_has_its_position_and_width() -> None:
    spectrum = to_spectrum(gaussian_line(0.92, 0.2, 123.2, time_axis(8192, 1 / 4000)))
    ppm = ppm_axis(8192, 1 / 4000, 123.2)
    height = spectrum.real - spectrum.real.min()
    inside = ppm[height > height.max() / 2]
    assert ppm[np.argmax(height)] == pytest.approx(0.92, abs=0.005)
    assert np.ptp(inside) == pytest.approx(0.2, abs=0.01)


def test_every_signal_starts_at_its_protons_and_has_a_kind() -> None:
    basis = parametric_signals(**AXIS)
    assert {"MM09", "MM20", "Lip13a"} <= set(basis.names)
    for name, kind in zip(basis.names, basis.kinds, strict=True):
        assert kind == ("lipid" if name.startswith("Lip") else "macromolecule")
    assert basis.fids[basis.names.index("MM09"), 0] == pytest.approx(3.0)


def test_joined_to_metabolites() -> None:
    both = joined(simulate_basis("press", 0.03, names=["NAA"], **AXIS), parametric_signals(names=["MM09"], **AXIS))
    assert both.names == ("NAA", "MM09")
    assert both.kinds == ("metabolite", "macromolecule")
    assert both.sequence == "press"


def test_bases_of_other_sampling_are_not_joined() -> None:
    other = {**AXIS, "points": 1024}
    with pytest.raises(ValueError, match="sampled"):
        joined(simulate_basis("press", 0.03, names=["NAA"], **AXIS), parametric_signals(**other))


def test_unknown_name() -> None:
    with pytest.raises(RequestError, match="MM99"):
        parametric_signals(names=["MM99"], **AXIS)
