"""Virtual cohorts: a balanced crossover with the effects and variances that its preset says."""

from __future__ import annotations

import numpy as np
import pytest

from snakemrs.errors import RequestError
from snakemrs.scanner.cohort import draw_cohort, draw_items, rise, simulate_table
from snakemrs.scanner.presets import load_preset, load_protocol, preset_names


def log_change(table, treatment: str) -> float:
    """Mean over sessions of log Glx/tNAA in the infusion over the baseline."""
    own = table[table.treatment == treatment].assign(y=lambda d: np.log(d.glx_tnaa))
    means = own.groupby(["participant", "session", "phase"]).y.mean().unstack()
    return float((means.infusion - means.baseline).mean())


def test_orders_and_sexes_are_balanced() -> None:
    people = draw_cohort(load_preset("realistic"), 24, seed=3).people
    first = [(person.sex, person.visits[0].condition) for person in people]
    assert {pair: first.count(pair) for pair in set(first)} == {(s, c): 6 for s in "FM" for c in "AB"}
    assert all({visit.condition for visit in person.visits} == {"A", "B"} for person in people)


def test_the_first_people_stay_the_same_when_more_are_asked_for() -> None:
    preset = load_preset("realistic")
    assert draw_cohort(preset, 30, seed=5).people[:8] == draw_cohort(preset, 8, seed=5).people


def test_the_key_names_both_treatments_and_depends_on_the_seed() -> None:
    keys = [draw_cohort(load_preset("null"), 1, seed).key for seed in range(8)]
    assert all(sorted(key.values()) == ["naltrexone", "placebo"] for key in keys)
    assert len({tuple(key.items()) for key in keys}) == 2


@pytest.mark.parametrize(
    ("preset", "placebo", "naltrexone"), [("null", 0, 0), ("realistic", 0.05, 0.025), ("large", 0.38, 0.19)]
)
def test_tables_have_the_effect_of_their_preset(preset: str, placebo: float, naltrexone: float) -> None:
    table = simulate_table(preset, 600, seed=11)
    protocol, chosen = load_protocol(), load_preset(preset)
    time = np.linspace(0, protocol.infusion_duration, 5000)
    for treatment, final in (("placebo", placebo), ("naltrexone", naltrexone)):
        expected = np.log1p(final * rise(time, chosen)).mean()
        # Standard error of the mean change: frame noise of 2 and 6 frames over 600 sessions.
        error = chosen.glx_sd_frame * np.sqrt(1 / 2 + 1 / 6) / np.sqrt(600)
        assert log_change(table, treatment) == pytest.approx(expected, abs=4 * error + 0.002)


def test_variances_are_those_of_the_preset() -> None:
    preset = load_preset("null")
    table = simulate_table(preset, 800, seed=2).assign(y=lambda d: np.log(d.glx_tnaa))
    within = table.groupby(["participant", "session"]).y.std().pow(2).mean() ** 0.5
    sessions = table.groupby(["participant", "session"]).y.mean().unstack()
    between_sessions = (sessions["01"] - sessions["02"]).std() / np.sqrt(2)
    assert within == pytest.approx(preset.glx_sd_frame, rel=0.03)
    assert between_sessions == pytest.approx(np.hypot(preset.glx_sd_session, preset.glx_sd_frame / np.sqrt(8)), rel=0.1)
    persons = sessions.mean(axis=1).std()
    expected = np.sqrt(preset.glx_sd_participant**2 + between_sessions**2 / 2)
    assert persons == pytest.approx(expected, rel=0.1)


def test_scores_fall_more_under_placebo_and_stay_in_range() -> None:
    visits = simulate_table("realistic", 500, seed=4).drop_duplicates(["participant", "session"])
    change = (visits.madrs_post - visits.madrs_pre).groupby(visits.treatment).mean()
    assert change["placebo"] == pytest.approx(-15, abs=0.8)
    assert change["naltrexone"] == pytest.approx(-10.8, abs=0.8)
    baseline = visits.groupby("period").madrs_pre.mean()
    assert 3 <= baseline[1] - baseline[2] <= 5
    assert visits[["madrs_pre", "madrs_post"]].min().min() >= 0
    assert visits[["madrs_pre", "madrs_post"]].max().max() <= 60


def test_scores_scatter_so_that_a_trial_has_the_published_power() -> None:
    """26 people: t of condition × time about √5.39, from a residual of 4.6 in each of four scores a person."""
    visits = simulate_table("realistic", 1000, seed=6).drop_duplicates(["participant", "session"])
    change = visits.assign(d=visits.madrs_post - visits.madrs_pre).pivot(
        index="participant", columns="treatment", values="d"
    )
    difference = change.naltrexone - change.placebo
    assert difference.std() == pytest.approx(2 * 4.6, rel=0.06)
    assert difference.mean() / (difference.std() / np.sqrt(26)) == pytest.approx(np.sqrt(5.39), abs=0.3)
    first = visits[visits.period == 1].madrs_pre
    assert first.std() == pytest.approx(5.5, rel=0.08)


def test_numerator_and_denominator_make_the_ratio() -> None:
    table = simulate_table("realistic", 4, seed=1)
    np.testing.assert_allclose(table.glx / table.tnaa, table.glx_tnaa)


def test_the_same_seed_gives_the_same_table() -> None:
    assert simulate_table("realistic", 5, seed=9).equals(simulate_table("realistic", 5, seed=9))
    assert not simulate_table("realistic", 5, seed=9).equals(simulate_table("realistic", 5, seed=10))


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"realistik(.|\n)*realistic"):
        load_preset("realistik")
    assert set(preset_names()) == {"realistic", "null", "large", "drift-only", "bold-only"}


@pytest.mark.parametrize("total", [0, 1, 29, 59, 60])
def test_items_make_their_total(total: int) -> None:
    items = draw_items(total, np.random.default_rng(3))
    assert items.sum() == total
    assert len(items) == 10
    assert items.min() >= 0
    assert items.max() <= 6


def test_a_session_can_be_shortened_in_whole_frames() -> None:
    short = load_protocol("philips", 80)
    assert short.transients == 80
    assert short.frame_duration == pytest.approx(40)
    assert short.infusion_duration / short.baseline_duration == pytest.approx(3)
    with pytest.raises(RequestError, match="whole frames"):
        load_protocol("philips", 81)
