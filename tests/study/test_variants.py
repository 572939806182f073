"""Variants of the settings: what they make again, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from snakemrs.errors import RequestError
from snakemrs.study.config import load_config
from snakemrs.study.variants import UPSTREAM, in_words, made_again, merged, needs_anatomy


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("anatomy", {"anatomy", "voxel", "quantify"}),
        ("voxel", {"voxel", "quantify"}),
        ("spectra", {"spectra", "fit", "quantify"}),
        ("fit", {"fit", "quantify"}),
        ("quantify", {"quantify"}),
    ],
)
def test_a_variant_makes_again_what_follows_from_its_settings(changed: str, again: set[str]) -> None:
    assert {stage for stage in UPSTREAM if made_again(stage, {changed})} == again


def test_a_variant_of_the_segmentation_concerns_sessions_with_a_t1w() -> None:
    assert needs_anatomy({"anatomy", "voxel"})
    assert not needs_anatomy({"anatomy", "fit"})
    assert not needs_anatomy({"quantify"})


def test_settings_are_changed_in_sections_within_sections() -> None:
    own = {"baseline": "auto", "tissue": {"gm": 0.6, "wm": 0.4}}
    assert merged(own, {"tissue": {"gm": 0.5}}) == {"baseline": "auto", "tissue": {"gm": 0.5, "wm": 0.4}}
    assert own["tissue"] == {"gm": 0.6, "wm": 0.4}


def test_a_variant_is_told_in_words() -> None:
    assert in_words({"fit": {"baseline": "fixed", "baseline_ed_per_ppm": 1}}) == (
        "fit.baseline fixed, fit.baseline_ed_per_ppm 1"
    )


HEAD = "name: Study\ngroup:\n  sensitivity:\n    variants:\n"


@pytest.mark.parametrize(
    ("variant", "line", "message"),
    [
        ("stiff: {fit: {base_line: fixed}}", 5, "did you mean 'baseline'?"),
        ("stiff: {fit: {baseline_ed_per_ppm: 20}}", 5, "less than or equal to 7"),
        ("stiff: {ingest: {echo_time: 0.03}}", 5, "'anatomy', 'spectra', 'voxel', 'fit' or 'quantify'"),
        ("stiff: {}", 5, "at least 1 item"),
        ("two words: {fit: {baseline: none}}", 5, "should match pattern"),
    ],
)
def test_a_variant_that_its_stage_would_refuse_is_refused_with_its_line(
    tmp_path: Path, variant: str, line: int, message: str
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"{HEAD}      {variant}\n", encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        load_config(path)
    assert f"study.yaml:{line}" in str(caught.value)
    assert message in str(caught.value)
