"""What lets other tools use SnakeMRS: module, catalogue, recipe, citation, editors, completion."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from docs.commands import ROOT
from ingest import raw_files as raw
from snakemrs.cli.main import COMMANDS
from snakemrs.cli.reference import PAGE, command_reference

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    here = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        [*map(str, words)], capture_output=True, text=True, check=False, env={**os.environ, "PATH": here, **environment}
    )


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that `init` proposed and `plan` checked."""
    folder = tmp_path_factory.mktemp("planned")
    for name, signal in (("act", raw.signal(4)), ("ref", raw.water_signal())):
        raw.write_sdat(folder / "raw" / "sub-01", signal, name)
    for words in (("init", folder / "raw", folder / "study"), ("plan", folder / "study")):
        done = run(sys.executable, "-m", "snakemrs.cli.main", *words)
        assert done.returncode == 0, done.stderr
    return folder / "study"


def test_the_workflow_is_a_module_of_another(planned: Path) -> None:
    done = run(
        "snakemake", "--snakefile", ROOT / "examples" / "module" / "Snakefile", "--directory", planned, "--dry-run",
        "--cores", "1", "--config", f"snakemrs={ROOT / 'Snakefile'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"(?m)^(\w+) +(\d+)$", done.stdout + done.stderr))
    assert counts["mrs_ingest"] == "2"
    assert counts["mrs_group"] == counts["glutamate"] == "1"


def test_the_catalogue_of_workflows_is_told_how_to_run_it() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    flags = set(re.findall(r"--[a-z-]+", usage["mandatory-flags"]["flags"]))
    assert flags <= set(re.findall(r"--[a-z-]+", run("snakemake", "--help").stdout))
    assert usage["software-stack-deployment"] == {"conda": False, "apptainer": True, "apptainer+conda": False}
    assert (ROOT / "Snakefile").exists()


def test_recipe_and_citation_name_the_version_and_needs_of_the_project() -> None:
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert recipe["context"]["version"] == citation["version"] == PROJECT["version"]
    assert recipe["requirements"]["run"][1:] == [text.replace(">=", " >=") for text in PROJECT["dependencies"]]
    assert recipe["build"]["python"]["entry_points"] == [f"{k} = {v}" for k, v in PROJECT["scripts"].items()]
    assert {"cff-version", "message", "title", "authors", "license"} <= set(citation)


def test_a_proposed_study_tells_editors_where_its_schema_lies_and_keeps_to_it(planned: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    text = (planned / "study.yaml").read_text(encoding="utf-8")
    place = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert place
    schema = json.loads((planned / place.group(1)).read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(text), schema)
    with pytest.raises(jsonschema.ValidationError, match="bazis"):
        jsonschema.validate({"name": "x", "bazis": "a"}, schema)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/study.yaml")), ids=lambda path: path.parent.name)
def test_the_examples_keep_to_the_schema_that_they_name(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    text = path.read_text(encoding="utf-8")
    place = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert place
    jsonschema.validate(yaml.safe_load(text), json.loads((path.parent / place.group(1)).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("words", "expected"),
    [("snakemrs ", set(COMMANDS)), ("snakemrs st", {"status", "stats"}), ("snakemrs run --cont", {"--containers"})],
)
def test_the_shell_completes_commands_and_options(words: str, expected: set[str]) -> None:
    done = run(
        "snakemrs", _SNAKEMRS_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1)
    )
    assert {line.split(",")[1] for line in done.stdout.splitlines()} == expected


def test_the_line_of_the_howto_switches_completion_on() -> None:
    (line,) = re.findall(r'(?m)^    (eval ".*")$', (ROOT / "docs" / "howto" / "shell.md").read_text(encoding="utf-8"))
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    done = run(bash, "--norc", "-c", f"{line}; complete -p snakemrs")
    assert "_snakemrs_completion" in done.stdout


def test_the_reference_of_the_commands_is_that_of_the_commands() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert text == command_reference(), "make it anew: make reference"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example_whose_options_exist(command: str) -> None:
    text = run("snakemrs", command, "--help").stdout
    assert "Example:" in text
    example = text.split("Example:")[1].split("Options:")[0]
    used = set(re.findall(r"(?<!\w)--[a-z][a-z0-9-]+", example.split("-- --")[0]))
    help_text = text
    for sub in re.findall(rf"snakemrs {command} ([a-z]+) ", example):
        help_text += run("snakemrs", command, sub, "--help").stdout
    if command == "basis":
        help_text += run("snakemrs", "basis", "simulate", "--help").stdout
    assert used <= set(re.findall(r"--[a-z][a-z0-9-]+", help_text.replace(example, "")))
