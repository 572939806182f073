"""Choices of the sensitivity analysis that need a refit: only the steps that differ run, once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from snakemrs.io.tables import read_table

from .conftest import jobs, snakemrs, with_anatomy, write_maps

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

SESSIONS = [f"sub-{p}_ses-{s}" for p in ("01", "02", "03") for s in ("01", "02")]
GROUP = [("group", "study"), ("report_group", "study"), ("report_methods", "study")]
STIFF = {"fit": {"baseline": "fixed", "baseline_ed_per_ppm": 1}}
SURVEY = {"quantify": {"metabolite_set": "survey", "water_set": "survey"}}


def choose(study: Path, **variants: Any) -> None:
    """Declare variants in study.yaml."""
    path = study / "study.yaml"
    text = path.read_text(encoding="utf-8").split("group:")[0]
    path.write_text(f"{text}group: {json.dumps({'sensitivity': {'variants': variants}})}\n", encoding="utf-8")


def of_choice(name: str, *rules: str) -> list[tuple[str, str]]:
    """The jobs of a choice in every session."""
    return [(rule, f"{session}_task-infusion_acq-press_voi-acc {name}") for session in SESSIONS for rule in rules]


@pytest.fixture
def ran(finished: Path, tmp_path: Path) -> Path:
    study = tmp_path / "study"
    shutil.copytree(finished, study, symlinks=True)
    return study


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        (SURVEY, ("quantify",)),
        (STIFF, ("fit", "quantify")),
        ({"spectra": {"frame_duration": 40}}, ("preprocess", "fit", "quantify")),
        ({"anatomy": {"backend": "hmrf"}}, ()),
    ],
    ids=["constants", "baseline", "frames", "segmentation without a T1w"],
)
def test_a_choice_runs_the_steps_that_differ_and_the_group(
    ran: Path, changes: dict[str, Any], rules: tuple[str, ...]
) -> None:
    choose(ran, other=changes)
    assert jobs(ran) == sorted([*of_choice("other", *rules), *GROUP])


@pytest.mark.parametrize("backend", ["hmrf", "fast"])  # in the image of the study's own, and in another
def test_another_segmentation_runs_from_the_t1w_on(
    scanner_files: Path, tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "fast").touch(mode=0o755)  # plan only looks whether it is there
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    study = tmp_path / "study"
    shutil.copytree(scanner_files, study)
    before = jobs(study)
    choose(study, other={"anatomy": {"backend": backend}})
    added = sorted(set(jobs(study)) - set(before))
    segmented = [("segment", f"{session} other") for session in SESSIONS]
    assert added == sorted([*segmented, *of_choice("other", "voxel", "quantify")])


def test_a_choice_of_other_tissue_maps_is_made_from_these_maps(ran: Path, scanner_files: Path) -> None:
    """The study takes one program's maps, the choice those of another, in which more counts as grey matter."""
    study = ran
    with_anatomy(study, scanner_files)
    write_maps(study, "maps")
    write_maps(study, "other", (0.05, 0.45, 0.9))
    of = "sub-{participant}/ses-{session}"
    with (study / "study.yaml").open("a") as stream:
        stream.write(f"anatomy: {json.dumps({'backend': 'precomputed', 'precomputed': f'maps/{of}'})}\n")
    choose(study, other={"anatomy": {"precomputed": f"other/{of}"}})
    outcome = snakemrs("run", study, "--cores", "2", "--json")
    assert outcome.code == 0, outcome.out + outcome.err
    assert jobs(study) == []
    made = study / "derivatives" / "snakemrs"
    for place in sorted(made.glob("sub-*/ses-*/mrs")):
        (own,) = read_table(next(place.glob("*_tissue.tsv")))
        (another,) = read_table(next((made / "variants" / "other" / place.relative_to(made)).glob("*_tissue.tsv")))
        assert float(another["gm"]) > float(own["gm"])
        assert float(another["wm"]) < float(own["wm"])
        assert float(another["csf"]) == pytest.approx(float(own["csf"]), abs=1e-6)
    rows = read_table(made / "group" / "sensitivity" / "specifications.tsv")
    (row,) = [row for row in rows if row["choice"] == "other"]
    # A ratio of amplitudes knows nothing of tissue: the choice is shown for the concentration that it moves.
    assert row["group"] == "segmentation"
    assert row["outcome"] == "log(glx_molal)"
    assert float(row["ci_low"]) < float(row["estimate"]) < float(row["ci_high"])
    write_maps(study, "other", (0.05, 0.45, 0.85))
    assert {name for rule, name in jobs(study) if rule == "segment"} == {f"{s} other" for s in SESSIONS}


def test_a_choice_of_a_second_segmentation_is_refused(ran: Path) -> None:
    choose(ran, two={"anatomy": {"second_backend": "hmrf"}})
    outcome = snakemrs("plan", ran)
    assert outcome.code == 2
    assert "changes anatomy.second_backend" in outcome.err


def test_choices_stand_in_the_curve_and_a_second_run_does_nothing(ran: Path) -> None:
    own = sorted((ran / "derivatives" / "snakemrs").glob("sub-*/ses-*/mrs/*"))
    before = [(path, path.stat().st_mtime_ns) for path in own]
    choose(ran, stiff=STIFF, survey=SURVEY)
    outcome = snakemrs("run", ran, "--cores", "2", "--json")
    assert outcome.code == 0, outcome.out + outcome.err
    expected = [*of_choice("stiff", "fit", "quantify"), *of_choice("survey", "quantify"), *GROUP]
    assert outcome.json["jobs"] == len(expected)
    assert jobs(ran) == []
    assert [(path, path.stat().st_mtime_ns) for path in own] == before
    rows = read_table(ran / "derivatives" / "snakemrs" / "group" / "sensitivity" / "specifications.tsv")
    curve = {(row["group"], row["choice"]): row for row in rows}
    stiff, survey, primary = curve["fit", "stiff"], curve["constants", "survey"], curve["primary", "as declared"]
    assert stiff["estimate"] != primary["estimate"]
    assert float(stiff["ci_low"]) < float(stiff["estimate"]) < float(stiff["ci_high"])
    # A ratio of amplitudes knows no constants: they are shown for the concentration (without a T1w, not corrected).
    assert survey["outcome"] == "log(glx_uncorrected)"
    choose(ran, stiff={"fit": {"baseline": "fixed", "baseline_ed_per_ppm": 2}}, survey=SURVEY)
    assert jobs(ran) == sorted([*of_choice("stiff", "fit", "quantify"), *GROUP])


def test_a_choice_that_fails_is_named_and_holds_up_nothing(ran: Path) -> None:
    choose(ran, empty={"fit": {"include": ["NotThere"]}})
    outcome = snakemrs("run", ran, "--cores", "2", "--json")
    assert outcome.code == 1, outcome.out + outcome.err
    failed = {failure["unit"] for failure in outcome.json["failures"]}
    assert failed == {name.removesuffix(" empty").join(("empty/", "")) for _, name in of_choice("empty", "fit")}
    group = ran / "derivatives" / "snakemrs" / "group"
    assert {row["participant"] for row in read_table(group / "frames.tsv")} == {"01", "02", "03"}
    said = [row["text"] for row in read_table(group / "statistics" / "statements.tsv")]
    assert "fit, empty: no session has concentrations under this choice" in said
