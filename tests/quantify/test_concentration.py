"""The equations, worked by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemrs.quantify.concentration import alpha_corrected, attenuation, molality, molarity, mole_fractions

# A voxel at 3 T: TE 30 ms, TR 2 s; signal ratio per proton S_M/S_W = 2.0e-4.
FRACTIONS = {"gm": 0.55, "wm": 0.35, "csf": 0.10}
CONTENT = {"gm": 0.78, "wm": 0.65, "csf": 0.97}
T1 = {"gm": 1.331, "wm": 0.832, "csf": 3.817}
T2 = {"gm": 0.110, "wm": 0.0792, "csf": 0.503}
LEFT = {t: attenuation(0.030, 2.0, T1[t], T2[t]) for t in FRACTIONS}


def test_attenuation_by_hand():
    # (1 - exp(-2/1.331)) exp(-0.030/0.110): exp(-1.502630) = 0.222544, exp(-0.272727) = 0.761300
    assert LEFT["gm"] == pytest.approx(0.777456 * 0.761300, abs=1e-6)
    # exp(-2/0.832) = exp(-2.403846) = 0.090370; exp(-0.030/0.0792) = exp(-0.378788) = 0.684691
    assert LEFT["wm"] == pytest.approx(0.909630 * 0.684691, abs=1e-6)
    # exp(-2/3.817) = exp(-0.523972) = 0.592164; exp(-0.030/0.503) = exp(-0.059642) = 0.942102
    assert LEFT["csf"] == pytest.approx(0.407836 * 0.942102, abs=1e-6)


def test_mole_fractions_by_hand():
    # water: 0.55*0.78 = 0.4290, 0.35*0.65 = 0.2275, 0.10*0.97 = 0.0970; together 0.7535
    x = mole_fractions(FRACTIONS, CONTENT)
    assert x["gm"] == pytest.approx(0.4290 / 0.7535, rel=1e-12)
    assert x["wm"] == pytest.approx(0.2275 / 0.7535, rel=1e-12)
    assert x["csf"] == pytest.approx(0.0970 / 0.7535, rel=1e-12)


def test_molality_and_molarity_by_hand():
    """Near 2021's two equations with three tissues, each step written out."""
    metabolite_left = attenuation(0.030, 2.0, 1.41, 0.3005)  # NAA
    # 1 - exp(-2/1.41) = 1 - exp(-1.418440) = 1 - 0.242091 = 0.757909; exp(-0.030/0.3005) = exp(-0.0998336) = 0.904988
    assert metabolite_left == pytest.approx(0.757909 * 0.904988, abs=1e-6)
    # water seen, per pure water: 0.4290*0.5918773 + 0.2275*0.6228158 + 0.0970*0.3842229
    #   = 0.2539154 + 0.1416906 + 0.0372696 = 0.4328756
    seen = 0.4290 * 0.5918773 + 0.2275 * 0.6228158 + 0.0970 * 0.3842229
    assert seen == pytest.approx(0.4328756, abs=1e-6)
    # molality: 2.0e-4 * (0.4328756 / 0.7535) / (0.6858981 * 0.6565 / 0.7535) * 55510 mmol/kg
    #   = 2.0e-4 * 0.5744865 / (0.6858981 * 0.8712674) * 55510 = 2.0e-4 * 0.9613217 * 55510 = 10.6726
    assert molality(2.0e-4, FRACTIONS, CONTENT, LEFT, metabolite_left, 55.51) == pytest.approx(10.672593, rel=1e-6)
    # molarity: 2.0e-4 * 0.4328756 / (0.6858981 * (0.55 + 0.35)) * 55510 mmol/l = 2.0e-4 * 0.7012307 * 55510 = 7.78506
    assert molarity(2.0e-4, FRACTIONS, CONTENT, LEFT, metabolite_left, 55.51) == pytest.approx(7.7850637, rel=1e-6)


def test_volume_fraction_in_place_of_mole_fraction_is_the_known_mistake():
    """At 10 % CSF dividing by 1 - volume fraction is about 3 % low, at 25 % about 7 %."""
    for csf, mistake in ((0.10, 0.031), (0.25, 0.077)):
        fractions = {"gm": (1 - csf) * 0.6, "wm": (1 - csf) * 0.4, "csf": csf}
        x = mole_fractions(fractions, CONTENT)
        assert 1 - (1 - x["csf"]) / (1 - csf) == pytest.approx(mistake, abs=0.005)


@given(csf=st.floats(0.0, 0.9), share=st.floats(0.05, 0.95))
def test_molality_does_not_depend_on_csf(csf: float, share: float):
    """A voxel whose tissue water holds 8 mmol/kg gives 8 whatever its CSF."""
    fractions = {"gm": (1 - csf) * share, "wm": (1 - csf) * (1 - share), "csf": csf}
    kilograms = fractions["gm"] * CONTENT["gm"] + fractions["wm"] * CONTENT["wm"]
    metabolite = 8.0e-3 * kilograms * 0.7
    water = 55.51 * sum(fractions[t] * CONTENT[t] * LEFT[t] for t in fractions)
    assert molality(metabolite / water, fractions, CONTENT, LEFT, 0.7, 55.51) == pytest.approx(8.0, rel=1e-9)


@given(csf=st.floats(0.0, 0.9), share=st.floats(0.05, 0.95), alpha=st.floats(0.1, 2.0))
def test_alpha_correction_gives_the_concentration_of_grey_matter(csf: float, share: float, alpha: float):
    fractions = {"gm": (1 - csf) * share, "wm": (1 - csf) * (1 - share), "csf": csf}
    metabolite = 2.0e-3 * (fractions["gm"] + alpha * fractions["wm"]) * 0.7
    water = 55.51 * sum(fractions[t] * CONTENT[t] * LEFT[t] for t in fractions)
    found = alpha_corrected(metabolite / water, fractions, CONTENT, LEFT, 0.7, 55.51, alpha)
    assert found == pytest.approx(2.0, rel=1e-9)


def test_attenuation_without_relaxation_is_one():
    assert attenuation(1e-9, 1e6, 1.0, 1.0) == pytest.approx(1.0)
    assert math.isclose(attenuation(0.0, 1.0, 1.0, 1.0), 1 - math.exp(-1))
