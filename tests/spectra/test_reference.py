"""The frequency axis and phase are found from the singlets; conjugated data are recognised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemrs.spectra.measure import DETECTED, Scale
from snakemrs.spectra.reference import positive_phase, voigt_width
from snakemrs.spins.axis import shift_frequency
from snakemrs.study.resources import constants
from spectra_signals import Sampling, brain, noise, noise_for

SAMPLING = Sampling()
DWELL = 1 / SAMPLING.bandwidth
SCALE = Scale.of(DWELL, 123.2, constants("quality"), 1.0)


@settings(deadline=None, max_examples=12)
@given(st.floats(-90, 90), st.floats(-3.1, 3.1), st.floats(3.0, 8.0))
def test_shift_phase_and_width_are_found(hertz: float, radians: float, width: float) -> None:
    rng = np.random.default_rng(0)
    fid = brain(SAMPLING, width) + noise(rng, (SAMPLING.points,), noise_for(60.0, SAMPLING, width))
    fid = shift_frequency(fid, hertz, DWELL) * np.exp(1j * radians)
    fit = SCALE.find(fid)
    assert fit is not None
    assert fit.shift == pytest.approx(hertz, abs=0.35)
    assert np.angle(np.exp(1j * (fit.phase - radians))) == pytest.approx(0, abs=np.radians(5))
    assert fit.line_width_naa == pytest.approx(width, rel=0.15)


def test_conjugated_data_score_at_their_mirror_image() -> None:
    rng = np.random.default_rng(1)
    fid = (brain(SAMPLING) + noise(rng, (SAMPLING.points,), noise_for(20.0, SAMPLING))).conj()
    assert SCALE.search(fid.conj()).score > 2 * SCALE.search(fid).score
    assert SCALE.search(fid.conj()).score > 2 * DETECTED


def test_noise_is_not_taken_for_metabolites() -> None:
    rng = np.random.default_rng(2)
    scores = [SCALE.search(noise(rng, (SAMPLING.points,), 1.0)).score for _ in range(50)]
    assert max(scores) < DETECTED


def test_macromolecules_alone_are_not_taken_for_metabolites() -> None:
    only = brain(SAMPLING) - brain(SAMPLING, macromolecules=False)
    rng = np.random.default_rng(3)
    assert SCALE.find(only + noise(rng, (SAMPLING.points,), noise_for(60.0, SAMPLING))) is None


def test_the_phase_of_a_positive_spectrum_is_found_without_known_lines() -> None:
    only = brain(SAMPLING) - brain(SAMPLING, macromolecules=False)
    found = positive_phase(only * np.exp(1.0j), DWELL, 123.2, (0.2, 4.2))
    assert found == pytest.approx(1.0, abs=0.15)


def test_voigt_width_has_the_right_limits() -> None:
    assert voigt_width(4.0, 0.0) == pytest.approx(4.0, rel=1e-3)
    assert voigt_width(0.0, 4.0) == pytest.approx(4.0)
