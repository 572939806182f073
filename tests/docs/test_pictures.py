"""The pictures of README and CONTRIBUTING show what is there."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from docs.commands import ROOT
from ingest import raw_files as raw

PICTURES = ROOT / "docs" / "pictures"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PICTURES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planned study with frames, water, T1w and an event: it needs every rule of the picture."""
    folder = tmp_path_factory.mktemp("rules")
    for session in ("sub-01", "sub-02"):
        raw.write_sdat(folder / "raw" / session, raw.signal(64), "act")
        raw.write_sdat(folder / "raw" / session, raw.water_signal(), "ref")
        raw.write_image(folder / "raw" / session / "T1w.nii.gz", *raw.head_image())
    for words in (("init", folder / "raw", folder / "study"), ("plan", folder / "study")):
        if words[0] == "plan":
            scans = folder / "study" / "scans.tsv"
            text = scans.read_text().replace("\tsvs\tn/a\tpress\tn/a", "\tsvs\tinfusion\tpress\tacc")
            scans.write_text(text.replace("\tmrsref\tn/a\tpress\tn/a", "\tmrsref\tn/a\tpress\tacc"))
            (folder / "study" / "events.tsv").write_text("onset\tduration\ttrial_type\n40\t60\tinfusion\n")
        done = subprocess.run(
            [sys.executable, "-m", "snakemrs.cli.main", *map(str, words)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "study"


def test_the_graph_of_the_rules_is_that_of_snakemake(study: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"```mermaid\n(.*?)\n```", text, flags=re.DOTALL)
    rules = load("rules")
    assert drawn == rules.mermaid(*rules.rule_graph(study)), "make it anew: python docs/pictures/rules.py STUDY"


def test_the_pictures_of_readme_are_small_and_need_no_network() -> None:
    named = re.findall(r"docs/pictures/(\w+\.(?:svg|png))", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) == {"terminal.svg", "page.png"}
    assert sum((PICTURES / name).stat().st_size for name in named) < 300_000
    svg = (PICTURES / "terminal.svg").read_text(encoding="utf-8")
    assert not re.search(r"url\((?!#)|@import|<script|href=\"http", svg)
    for command in ("simulate", "plan", "run", "status"):
        assert f"snakemrs&#160;{command}" in svg
