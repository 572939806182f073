"""The key opens only on a frozen masked result in which nothing changed, and every step is logged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from group.example import write_study
from snakemrs.cli.unblind import unblind
from snakemrs.errors import RequestError
from snakemrs.group.freezing import GROUP, LOG, OPENED, relabel
from snakemrs.group.run import run_group
from snakemrs.io.tables import read_table
from snakemrs.study.settings.group import GroupSettings


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("finished") / "study"
    write_study(study, "large", participants=6)
    (study / "own.yaml").write_text("vas: {items: {count: 1, range: [0, 100]}, total: [0, 100]}\n", encoding="utf-8")
    settings = GroupSettings.model_validate(
        {
            "outcomes": {"secondary": [], "parts": [], "exploratory": []},
            "bootstrap": 100,
            "clinical": {"instruments": "own.yaml"},
        }
    )
    content = {"name": "trial", "group": settings.model_dump(mode="json")}
    (study / "study.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    run_group(study / "work" / "plan.json", study / GROUP, settings)
    return study


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "study")
    return tmp_path / "study"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.tsv"
    path.write_text("condition\ttreatment\nA\tplacebo\nB\tnaltrexone\n", encoding="utf-8")
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(unblind, [str(a) for a in arguments])


def actions(study: Path) -> list[str]:
    return [row["action"] for row in read_table(study / LOG)]


def test_the_key_stays_closed_before_freezing(study: Path, key: Path) -> None:
    result = call(study, "--key", key)
    assert isinstance(result.exception, RequestError)
    assert "not frozen" in str(result.exception)
    assert not (study / OPENED).exists()
    (line,) = read_table(study / LOG)
    assert line["action"] == "refused"
    assert "not frozen" in line["detail"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("study.yaml", lambda text: text.replace("alpha: 0.05", "alpha: 0.01"), "group.alpha is 0.01"),
        ("sessions.tsv", lambda text: text.replace("\tA\n", "\tC\n"), "sessions.tsv changed"),
        ("phenotype/madrs.tsv", lambda text: text + "\n", "phenotype/madrs.tsv changed"),
        ("own.yaml", lambda text: text + "\n", "own.yaml changed"),
    ],
)
def test_results_of_another_configuration_are_not_frozen(
    study: Path, name: str, change: Callable[[str], str], message: str
) -> None:
    before = (study / name).read_text()
    assert change(before) != before
    (study / name).write_text(change(before), encoding="utf-8")
    result = call(study, "--freeze")
    assert "not those of the present configuration" in str(result.exception)
    assert message in str(result.exception)
    assert actions(study) == ["refused"]
    (study / name).write_text(before, encoding="utf-8")
    assert call(study, "--freeze").exit_code == 0


def test_a_comment_in_study_yaml_does_not_hold_up_the_freeze(study: Path) -> None:
    path = study / "study.yaml"
    path.write_text("# reviewed\n" + path.read_text(), encoding="utf-8")
    assert call(study, "--freeze").exit_code == 0


def test_results_that_do_not_say_what_they_were_made_with_are_not_frozen(study: Path) -> None:
    (study / GROUP / "statistics" / "made_from.json").unlink()
    assert "nothing says what the results were made with" in str(call(study, "--freeze").exception)


def test_a_table_that_tells_the_treatment_is_not_frozen(study: Path) -> None:
    path = study / "participants.tsv"
    head, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([f"{head}\tfirst", f"{first}\tplacebo", *(f"{r}\tn/a" for r in rest)]) + "\n")
    assert "names a treatment" in str(call(study, "--freeze").exception)


def test_a_second_key_that_says_otherwise_is_refused(study: Path, key: Path) -> None:
    call(study, "--freeze")
    call(study, "--key", key)
    assert call(study, "--key", key).exit_code == 0
    key.write_text("condition\ttreatment\nA\tnaltrexone\nB\tplacebo\n", encoding="utf-8")
    for options in ((), ("--despite-changes",)):
        result = call(study, "--key", key, *options)
        assert "A = naltrexone, B = placebo" in str(result.exception)
        assert "A = placebo, B = naltrexone, as opened" in str(result.exception)
    assert json.loads((study / OPENED).read_text())["key"] == {"A": "placebo", "B": "naltrexone"}
    assert actions(study) == ["freeze", "unblind", "unblind", "refused", "refused"]


def test_the_key_opens_on_a_frozen_result(study: Path, key: Path) -> None:
    masked = (study / GROUP / "statistics" / "results.tsv").read_bytes()
    assert call(study, "--freeze").exit_code == 0
    result = call(study, "--key", key)
    assert result.exit_code == 0, result.output
    assert "A = placebo" in result.output
    assert "Nothing had changed since." in result.output
    assert (study / GROUP / "statistics" / "results.tsv").read_bytes() == masked
    before = read_table(study / GROUP / "statistics" / "results.tsv")
    after = read_table(study / GROUP / "unblinded" / "statistics" / "results.tsv")
    assert after[0]["term"] == "condition[T.naltrexone]:phase[T.infusion]"
    assert [row["estimate"] for row in after] == [row["estimate"] for row in before]
    assert json.loads((study / OPENED).read_text())["key"] == {"A": "placebo", "B": "naltrexone"}
    assert actions(study) == ["freeze", "unblind"]


@pytest.mark.parametrize(
    "name", ["study.yaml", "own.yaml", "phenotype/madrs.tsv", "derivatives/snakemrs/group/frames.tsv"]
)
def test_a_change_after_freezing_keeps_the_key_closed_and_is_named(study: Path, key: Path, name: str) -> None:
    call(study, "--freeze")
    (study / name).write_text((study / name).read_text() + "\n", encoding="utf-8")
    result = call(study, "--key", key)
    assert isinstance(result.exception, RequestError)
    assert f"{Path(name).name} changed" in str(result.exception)
    assert actions(study) == ["freeze", "refused"]
    result = call(study, "--key", key, "--despite-changes")
    assert result.exit_code == 0
    assert "CHANGED after freezing" in result.output
    assert "DESPITE CHANGES" in read_table(study / LOG)[-1]["detail"]


def test_changes_after_opening_are_shown(study: Path, key: Path) -> None:
    call(study, "--freeze")
    call(study, "--key", key)
    assert call(study).exit_code == 0
    (study / GROUP / "statistics" / "results.tsv").unlink()
    result = call(study)
    assert result.exit_code == 1
    assert "statistics/results.tsv removed" in result.output


def test_nothing_is_frozen_after_the_key_was_opened(study: Path, key: Path) -> None:
    call(study, "--freeze")
    call(study, "--key", key)
    assert "would not be blind" in str(call(study, "--freeze").exception)


def test_a_record_that_was_tampered_with_is_refused(study: Path, key: Path) -> None:
    call(study, "--freeze")
    path = study / GROUP / "frozen.json"
    content = json.loads(path.read_text())
    content["results"].pop("frames.tsv")
    path.write_text(json.dumps(content))
    assert "record of the frozen result was changed" in str(call(study, "--key", key).exception)


def test_conditions_that_tell_the_treatment_are_not_frozen(study: Path) -> None:
    path = study / "sessions.tsv"
    path.write_text(path.read_text().replace("\tA\n", "\tplacebo\n"), encoding="utf-8")
    assert "tells the treatment" in str(call(study, "--freeze").exception)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("condition\ttreatment\nA\tplacebo\n", "leaves out the code 'B'"),
        ("condition\ttreatment\nA\tplacebo\nA\tdrug\nB\tdrug\n", "several treatments"),
        ("condition\ttreatment\nA\tdrug\nB\tdrug\n", "two codes stand for one treatment"),
        ("condition\tmeaning\nA\tdrug\n", "no column 'treatment'"),
        ("participant_id\tsession_id\ttreatment\nsub-99\tses-01\tdrug\n", "does not have"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(study: Path, key: Path, text: str, message: str) -> None:
    call(study, "--freeze")
    key.write_text(text, encoding="utf-8")
    assert message in str(call(study, "--key", key).exception)
    assert actions(study) == ["freeze", "refused"]
    assert "drug" not in (study / LOG).read_text()


def test_a_key_by_session_is_read(study: Path, key: Path) -> None:
    call(study, "--freeze")
    names = {"A": "placebo", "B": "naltrexone"}
    rows = read_table(study / "sessions.tsv")
    lines = [f"{row['participant_id']}\t{row['session_id']}\t{names[row['condition']]}" for row in rows]
    key.write_text("\n".join(["participant_id\tsession_id\ttreatment", *lines]) + "\n", encoding="utf-8")
    assert "B = naltrexone" in call(study, "--key", key).output


def test_a_key_inside_the_study_is_refused(study: Path, key: Path) -> None:
    call(study, "--freeze")
    shutil.copy(key, study / "key.tsv")
    assert "inside the study" in str(call(study, "--key", study / "key.tsv").exception)


def test_only_the_names_of_conditions_are_replaced() -> None:
    key = {"A": "placebo", "B": "drug"}
    assert relabel("condition[T.B]:phase[T.A]", key) == "condition[T.drug]:phase[T.A]"
    assert relabel("B - A", key) == "drug - placebo"
    assert relabel("A clear note: 3 of 9 under B", key) == "A clear note: 3 of 9 under drug"
