"""study.yaml is refused with line, expectation and the nearest valid key."""

from __future__ import annotations

from pathlib import Path

import pytest

from snakemrs.errors import RequestError
from snakemrs.study import reference
from snakemrs.study.config import load_config
from snakemrs.study.resources import workflow_root


def refused(tmp_path: Path, text: str) -> RequestError:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        load_config(path)
    return caught.value


def test_the_shortest_study_has_only_a_name(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("name: Ketamine\n", encoding="utf-8")
    assert load_config(tmp_path / "study.yaml").raw == "raw"


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    error = refused(tmp_path, "name: x\n\nqauntify: {}\n")
    assert error.line == 3
    assert error.remedy == "did you mean 'quantify'?"


def test_an_unknown_key_in_a_section_is_refused_with_its_line(tmp_path: Path) -> None:
    error = refused(tmp_path, "name: x\nfit:\n  ppm_rnage: [0.2, 4.2]\n")
    assert error.line == 3
    assert "fit.ppm_rnage" in error.message


def test_a_wrong_type_is_refused_with_its_line(tmp_path: Path) -> None:
    error = refused(tmp_path, "name: x\nraw: [1, 2]\n")
    assert (error.line, error.found) == (2, [1, 2])


def test_a_key_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, "name: x\nraw: a\nraw: b\n")
    assert error.line == 3
    assert "line 2" in str(error.found)


def test_broken_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refused(tmp_path, "name: x\nfit: {a: 1\n").line is not None


def test_a_missing_name_is_refused(tmp_path: Path) -> None:
    assert "name" in refused(tmp_path, "raw: here\n").message


def test_the_annotated_default_is_a_valid_study_with_all_defaults() -> None:
    config = load_config(workflow_root() / "config" / "study.yaml")
    assert config == type(config)(name=config.name)


@pytest.mark.parametrize("path", reference.files())
def test_generated_files_are_those_of_the_models(path: str) -> None:
    made = (workflow_root() / path).read_text(encoding="utf-8")
    assert made == reference.files()[path], "run: python -m snakemrs.study.reference"
