"""The specification curve: what its shares count, and who is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snakemrs.group.collect import Joined
from snakemrs.group.run import analyse
from snakemrs.group.sensitivity import Curve, agreement, specification_curve
from snakemrs.scanner.cohort import simulate_table
from snakemrs.study.settings.group import GroupSettings

SETTINGS = GroupSettings.model_validate(
    {
        "outcomes": {"secondary": [], "parts": [], "exploratory": []},
        "bootstrap": 100,
        "sensitivity": {"autoregression": False, "permutations": 0, "ratios": []},
    }
)


def choice(group: str, same: bool | None, agrees: bool | None) -> dict[str, Any]:
    return {"group": group, "same_sign": same, "agrees": agrees}


def shares(*rows: dict[str, Any]) -> dict[str, tuple[int, float | None, float | None]]:
    curve = Curve.__new__(Curve)
    curve.rows = [choice("primary", True, True), *rows]
    return {row["group"]: (row["choices"], row["same_sign"], row["agree"]) for row in agreement(curve)}


def test_leaving_out_each_participant_is_one_choice_among_all() -> None:
    singly = [choice("leave one out", True, True)] * 20
    others = [choice("reference", True, True), choice("model", False, False), choice("model", True, None)]
    found = shares(*singly, *others)
    assert found["all"] == (4, 0.75, pytest.approx(2 / 3))
    assert found["leave one out"] == (20, 1.0, 1.0)
    assert found["model"] == (2, 0.5, 0.0)


def test_one_participant_on_whom_the_verdict_hangs_makes_that_choice_disagree() -> None:
    singly = [choice("leave one out", True, True)] * 19 + [choice("leave one out", True, False)]
    found = shares(*singly, choice("reference", True, True))
    assert found["all"] == (2, 1.0, 0.5)
    assert found["leave one out"][2] == pytest.approx(0.95)


def test_without_leaving_out_anybody_every_row_counts() -> None:
    assert shares(choice("reference", True, True))["all"] == (1, 1.0, 1.0)


def test_who_has_no_valid_session_counts_among_the_missing() -> None:
    frames = simulate_table("realistic", 8, 5, baseline_frames=1, infusion_frames=3)
    rows = frames.drop(columns=["treatment", "madrs_pre", "madrs_post"]).to_dict("records")
    kept = [r for r in rows if r["participant"] != "02" and (r["participant"], r["session"]) != ("03", "02")]
    joined = Joined(frames=kept, every_frame=kept, flow_participants=[{"participant": f"{i:02d}"} for i in range(1, 9)])
    results, primary = analyse(joined, SETTINGS)
    curve = specification_curve(joined, SETTINGS, results, primary, Path())
    assert curve is not None
    start = curve.rows[0]["estimate"]
    shifted = {r["choice"]: r for r in curve.rows if r["group"] == "missing not at random"}
    up, down = shifted["incomplete participants +0.05"], shifted["incomplete participants -0.05"]
    assert up["estimate"] - start == pytest.approx(2 / 8 * 0.05)
    assert down["estimate"] - start == pytest.approx(-2 / 8 * 0.05)
    assert up["note"].startswith("2 of 8 participants are incomplete, 1 of them without any valid session")
    assert up["n_participants"] == 8
