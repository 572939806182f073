"""A package that is upgraded while a run works: the run ends with the code that it began with."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from snakemrs import __version__

from .conftest import SNAKEMRS, only
from .test_incremental import GROUP, jobs_with, other_checkout, pages, stem

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

SESSIONS = [("01", "01"), ("01", "02")]


def upgrade(checkout: Path) -> None:
    """Another version of the package in the same place, which quantifies otherwise."""
    for name, old, new in (
        ("snakemrs/__init__.py", f'"{__version__}"', '"9.9.9"'),
        ("snakemrs/study/steps.py", '"quantify": ', '"quantify": 9'),
        ("snakemrs/_workflow/rules/quantify.smk", "mem_mb=growing(500)", "mem_mb=growing(600)"),
    ):
        path = checkout / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        fresh = path.with_suffix(".new")
        fresh.write_text(text.replace(old, new), encoding="utf-8")
        os.replace(fresh, path)


def results_with(study: Path, word: str) -> set[str]:
    """Names of the text results of a study that hold a word."""
    files = [path for top in ("bids", "derivatives") for path in (study / top).rglob("*") if path.is_file()]
    texts = [path for path in files if path.suffix in (".json", ".md", ".cff", ".html", ".tsv")]
    return {path.name for path in texts if word in path.read_text(encoding="utf-8")}


def test_a_run_ends_with_the_code_that_it_began_with(study: Path) -> None:
    only(study, "01")
    checkout = other_checkout(study)
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.Popen(
        [*SNAKEMRS, "run", str(study), "--cores", "1"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while run.poll() is None and not list(study.glob("derivatives/snakemrs/sub-*/ses-*/mrs/*_concentrations.tsv")):
        time.sleep(0.1)
    assert run.poll() is None
    upgrade(checkout)
    said, _ = run.communicate()
    assert run.returncode == 0, said
    assert results_with(study, "9.9.9") == set()
    assert {"index.html", "CITATION.cff"} <= results_with(study, __version__)
    # What the run left is not taken for finished: the next plan looks again, with the code that is there now.
    assert not (study / "work" / "state.json").exists()
    expected = [(rule, stem(*s)) for s in SESSIONS for rule in ("quantify",) * 3]
    assert jobs_with(study, checkout) == sorted([*expected, *pages("01"), *GROUP])
