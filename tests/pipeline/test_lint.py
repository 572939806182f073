"""The workflow is clean under `snakemake --lint`, and each rule runs in a container and keeps a log."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from snakemrs.study.resolve import build_plan
from snakemrs.study.resources import workflow_root

ROOT = workflow_root()
RULES = [
    (path.name, match.group(2), match.group(3))
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for match in re.finditer(r"^(use )?rule (\w+)(.*?)(?=^\S|\Z)", path.read_text(encoding="utf-8"), re.M | re.S)
    if not match.group(1)
]


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a").write_text("a")
    (tmp_path / "study.yaml").write_text("name: skeleton\n")
    (tmp_path / "scans.tsv").write_text("path\tparticipant\tsession\tsuffix\na\t01\t01\tsvs\n")
    build_plan(tmp_path, lambda path: {}).save(tmp_path)
    return tmp_path


def test_lint_finds_nothing(skeleton: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(skeleton)]
    result = subprocess.run([*command, "--lint"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Congratulations" in result.stderr + result.stdout


@pytest.mark.parametrize(("file", "rule", "body"), RULES, ids=[rule for _, rule, _ in RULES])
def test_each_rule_has_an_image_a_log_and_one_public_command(file: str, rule: str, body: str) -> None:
    for directive in ("container:", "log:", "resources:"):
        assert directive in body, f"{file}: rule {rule} lacks {directive}"
    assert len(re.findall(r"\bsnakemrs ", body)) == 1
