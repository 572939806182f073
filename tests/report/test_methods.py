"""Methods text and checklists: only what left a record, every citation known, missing items listed as such."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from report.virtual_study import make_study
from snakemrs.io.tables import read_table
from snakemrs.report.command import report
from snakemrs.report.from_plan import evidence_of, open_plan
from snakemrs.report.methods import checklists, text
from snakemrs.report.methods.evidence import Evidence, several, span
from snakemrs.report.methods.sentences import SECTIONS


def evidence(plan: Path) -> Evidence:
    return evidence_of(*open_plan(plan))


def words(plan: Path) -> dict[str, str]:
    return dict(text.sections(evidence(plan)))


def test_the_text_says_what_the_headers_say(plan: Path) -> None:
    told = words(plan)
    assert "3 participants in 6 sessions (n = 6 spectra)" in told["Acquisition"]
    assert "PRESS (TE 30 ms, TR 2000 ms, 16 transients, 1024 points at 2000 Hz)" in told["Acquisition"]
    assert "20×20×20 mm³ in acc" in told["Acquisition"]
    assert "There was no unsuppressed water reference" in told["Acquisition"]


def test_a_step_without_record_is_not_claimed(plan: Path) -> None:
    told = words(plan)
    assert "frequency axis" in told["Preprocessing"]
    for absent in ("coils", "Eddy", "eddy", "HLSVD"):
        assert absent not in told["Preprocessing"]
    assert "mmol" not in told["Quantification"].replace("mmol/l, mmol/kg", "")


def test_a_step_of_some_spectra_says_of_how_many(plan: Path) -> None:
    known = evidence(plan)
    known.steps["Eddy current correction"] = 2
    told = dict(text.sections(known))
    assert "phase of the water reference [@klose1990] (in 2 of 6 spectra)" in told["Preprocessing"]


def test_nothing_ran_gives_a_text_that_says_so(tmp_path: Path) -> None:
    plan = make_study(tmp_path, participants=1)
    shutil.rmtree(tmp_path / "derivatives")
    told = words(plan)
    assert told["Acquisition"] == "No spectrum was preprocessed."
    assert told["Fitting"] == "No spectrum was fitted."
    assert told["Statistics"] == "No statistical test was made."


def test_every_citation_of_every_sentence_is_in_the_library() -> None:
    source = Path(text.__file__).with_name("sentences.py").read_text(encoding="utf-8")
    keys = set(re.findall(r"@([a-z]+[0-9]{4})", source))
    assert keys
    assert keys <= set(text.library())


def test_every_entry_of_the_library_has_what_a_reference_needs() -> None:
    for key, entry in text.library().items():
        fields = text._fields(entry)
        assert {"author", "title", "journal", "year", "volume", "pages"} <= set(fields), key
        assert key.endswith(fields["year"]), key
        assert entry.count("{") == entry.count("}"), key


def test_latex_and_markdown_escape_the_study_s_name() -> None:
    nasty = r"50% of A_B & <b> \input{x}"
    parts = [("Head", "Text with 5 % [@near2021]. Model: `y ~ a_b`.")]
    latex = text.latex(parts, nasty)
    assert r"50\% of A\_B \& \textless{}b\textgreater{} \textbackslash{}input\{x\}" in latex
    assert r"5 \%~\cite{near2021}" in latex
    assert r"\texttt{y \textasciitilde{} a\_b}" in latex
    assert r"\<b\>" in text.markdown(parts, nasty, True)


def test_markdown_cites_by_author_and_year_and_lists_the_references() -> None:
    made = text.markdown([("Head", "Fit [@golub1973; @wilson2021].")], "x", True)
    assert "Fit (Golub and Pereyra 1973; Wilson 2021)." in made
    assert "https://doi.org/10.1137/0710036" in made


def test_mrsinmrs_lists_what_is_missing(plan: Path) -> None:
    rows = {str(row["item"]): row for row in checklists.mrsinmrs(evidence(plan))}
    assert rows["d. TE"]["value"] == "30 ms"
    assert rows["b. Manufacturer"]["status"] == "missing"
    assert rows["b. Manufacturer"]["value"] is None
    assert rows["f. Mixing time"]["status"] == "not applicable"
    sections = {str(row["section"])[0] for row in rows.values()}
    assert sections == {"1", "2", "3", "4"}


def test_the_command_writes_all_and_the_same_bytes(plan: Path, tmp_path: Path) -> None:
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        arguments = ["methods", "--plan", str(plan), "--output", str(folder)]
        assert CliRunner().invoke(report, arguments, catch_exceptions=False).exit_code == 0
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert found[0] == found[1]
    assert {"methods.md", "methods.tex", "references.bib", "mrsinmrs.tsv", "consort.tsv"} <= set(found[0])
    cited = set(re.findall(r"\\cite\{([^}]*)\}", found[0]["methods.tex"].decode()))
    keys = {key for group in cited for key in group.split(",")}
    assert keys <= set(re.findall(r"@article\{(\w+),", found[0]["references.bib"].decode()))
    cff = yaml.safe_load(found[0]["CITATION.cff"])
    assert cff["cff-version"] == "1.2.0"
    assert cff["title"] == "Virtual trial"
    assert cff["authors"] == [{"name": "not given (key `authors` of study.yaml)"}]
    assert {"type", "title", "authors"} <= set.intersection(*(set(entry) for entry in cff["references"]))
    assert {row["status"] for row in read_table(tmp_path / "a" / "consort.tsv")} == {"filled", "missing"}


@pytest.mark.parametrize(
    ("values", "said"), [([0.03, 0.03], "30 ms"), ([0.03, 0.035], "30 to 35 ms"), ([], None), (["x"], None)]
)
def test_one_value_or_a_range(values: list, said: str | None) -> None:
    assert span(values, "ms", 1e3) == said


def test_the_commonest_value_comes_first() -> None:
    assert several(["PRESS", "sLASER", "sLASER"]) == "sLASER, PRESS"
    assert several([]) is None


def test_every_stage_has_its_section() -> None:
    assert len(SECTIONS) == len({title for title, _ in SECTIONS}) == 8
