"""An installed snakemrs runs outside a checkout: the workflow's files are in the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from snakemrs.study.resources import workflow_root

ROOT = workflow_root()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT], check=True, cwd=folder)
    (wheel,) = folder.glob("snakemrs-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_snakefile_rules_config_and_templates(installed: Path) -> None:
    workflow = installed / "snakemrs" / "_workflow"
    for path in ("Snakefile", "rules/fit.smk", "config/constants/relaxation.yaml", "config/profiles/local/config.yaml"):
        assert (workflow / path).is_file(), path
    assert list((installed / "snakemrs" / "report" / "templates").glob("*.html*"))
    assert not list(installed.rglob("__pycache__"))


def test_an_installed_snakemrs_plans_a_study_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a").write_text("no spectrum")
    (tmp_path / "study.yaml").write_text("name: elsewhere\n")
    (tmp_path / "scans.tsv").write_text("path\tparticipant\tsession\tsuffix\na\t01\t01\tsvs\n")
    # -S leaves the checkout's editable install out; the dependencies stay.
    packages = [path for path in sys.path if path.endswith("site-packages")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *packages]), "PYTHONSAFEPATH": "1"}
    code = (
        "from snakemrs.study.resources import workflow_root; print(workflow_root(), flush=True);"
        "from snakemrs.cli.main import main; main()"
    )
    command = [sys.executable, "-S", "-c", code, "plan", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert result.stdout.startswith(str(installed / "snakemrs" / "_workflow")), result.stdout + result.stderr
    assert "jobs would run" in result.stdout, result.stdout + result.stderr
