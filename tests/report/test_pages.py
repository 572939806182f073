"""Pages: complete in themselves, honest about what is missing, the same bytes for the same study."""

from __future__ import annotations

import json
import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from report.virtual_study import make_study, write
from snakemrs.errors import RequestError
from snakemrs.report.command import report
from snakemrs.report.distribution import with_distribution
from snakemrs.report.from_plan import group_inputs, open_plan, participant_inputs
from snakemrs.report.group import group_page
from snakemrs.report.inputs import Reader
from snakemrs.report.page import script_hash
from snakemrs.report.participant import participant_page
from snakemrs.study.settings.report import ReportSettings

SETTINGS = ReportSettings()
HOSTILE = "<script>alert(1)</script>\"' =cmd|x ../../up"


class Elements(HTMLParser):
    """Elements of a page and their attributes; text by element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def page_of(plan: Path, participant: str = "01") -> str:
    study, loaded = open_plan(plan)
    return participant_page(participant_inputs(study, loaded, participant), SETTINGS)


def group_of(plan: Path) -> str:
    study, loaded = open_plan(plan)
    return group_page(group_inputs(study, loaded, study / "index.html"), SETTINGS)


@pytest.fixture(scope="module")
def page(plan: Path) -> str:
    """Page of the first participant, placed among the others."""
    return among_all(page_of(plan), plan)


def among_all(page: str, plan: Path) -> str:
    """The page, after the step that makes the page of the group."""
    study, loaded = open_plan(plan)
    table = Reader().table(study / "derivatives" / "snakemrs" / "group" / "quality.tsv")
    assert table is not None
    entities = {spectrum.stem: spectrum.entities for spectrum in participant_inputs(study, loaded, "01").spectra}
    return with_distribution(page, table, "01", entities)


@pytest.fixture(scope="module")
def group(plan: Path) -> str:
    """Page of the group."""
    return group_of(plan)


@pytest.fixture(params=["page", "group"])
def either(request: pytest.FixtureRequest) -> str:
    """One page and the other."""
    return request.getfixturevalue(request.param)


def test_the_page_of_a_participant_shows_all_its_parts(page: str) -> None:
    for part in (
        "spectrum",
        "voxel",
        "concentrations",
        "transients",
        "traces",
        "frames",
        "correlation",
        "distribution",
    ):
        assert f'id="s1-{part}"' in page
        assert f'id="s2-{part}"' in page


def test_a_page_needs_nothing_from_outside(either: str) -> None:
    elements = Elements(either)
    for tag, attributes in elements.found:
        for key in ("src", "href", "data", "action"):
            value = attributes.get(key) or ""
            assert not re.match(r"(https?:)?//", value), f"<{tag} {key}={value}>"
    assert "@import" not in either
    assert not re.search(r"url\((?!data:)", either)
    assert len(elements.all("script")) == 1


def test_only_the_page_s_own_script_may_run(either: str) -> None:
    script = either.split("<script>")[1].split("</script>")[0]
    policy = next(
        m["content"] for m in Elements(either).all("meta") if m.get("http-equiv") == "Content-Security-Policy"
    )
    assert f"script-src '{script_hash(script)}'" in str(policy)
    assert "default-src 'none'" in str(policy)


def test_identifiers_are_unique_and_links_within_the_page_arrive(either: str) -> None:
    elements = Elements(either)
    names = [attributes["id"] for _, attributes in elements.found if attributes.get("id")]
    assert len(names) == len(set(names))
    targets = [a["href"] for a in elements.all("a") if str(a.get("href")).startswith("#")]
    assert targets
    assert {str(t)[1:] for t in targets} <= set(names)


def test_the_same_study_gives_the_same_bytes(plan: Path) -> None:
    assert page_of(plan) == page_of(plan)


def test_what_failed_stands_on_the_page_with_its_reason(plan: Path, group: str) -> None:
    html = page_of(plan, "03")
    assert "What failed" in html
    assert "no water reference" in html
    assert "1 with a failed step" in group
    assert "no water reference" in group


def test_every_light_gives_its_rule(page: str) -> None:
    assert "Line width of NAA 5.40 Hz (rule: line_width_naa_warn: &gt; 0.04 ppm)" in page
    assert "the optimum is sound" in page
    assert "1000 to 1900 ml" in page


def test_missing_concentrations_are_said_with_their_reason(page: str) -> None:
    assert "molal: there is no water reference" in page
    assert "not: mmol/l, mmol/kg" in page


def test_every_figure_of_the_group_says_n(group: str) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", group, flags=re.DOTALL)
    assert len(captions) > 3
    assert all("n = " in caption or "Dot: estimate" in caption for caption in captions)


def test_a_participant_without_any_result_gets_a_page_that_says_so(tmp_path: Path) -> None:
    plan = make_study(tmp_path, participants=1)
    shutil.rmtree(tmp_path / "derivatives")
    html = page_of(plan)
    assert "there is no preprocessed spectrum" in html
    assert "the fit left no curves" in html
    assert "completeness.tsv is not there" in group_of(plan)


def test_a_damaged_table_costs_its_figure_not_the_page(tmp_path: Path) -> None:
    plan = make_study(tmp_path, participants=1)
    mrs = tmp_path / "derivatives/snakemrs/sub-01/ses-01/mrs"
    stem = "sub-01_ses-01_acq-press_voi-acc"
    (mrs / f"{stem}_desc-static_curves.tsv").write_text("frame\tppm\n0\t1\t2\n")
    (mrs / f"{stem}_desc-static_fit.json").write_text("{")
    (mrs / f"{stem}_desc-transients_svs.nii.gz").write_bytes(b"no image")
    html = page_of(plan)
    assert "Files that could not be read" in html
    assert "the row does not fit the header" in html
    assert 'id="s1-concentrations"' in html
    assert 'id="s1-spectrum"' not in html
    assert 'id="s2-spectrum"' in html


def test_hostile_labels_show_as_text(tmp_path: Path) -> None:
    plan = make_study(tmp_path, participants=2, name=HOSTILE)
    derivatives = tmp_path / "derivatives/snakemrs"
    for table in derivatives.rglob("*.tsv"):
        lines = table.read_text().split("\n")
        cells = [line.split("\t") for line in lines[1:] if line]
        for row in cells:
            for n, head in enumerate(lines[0].split("\t")):
                if head in ("rule", "reason", "condition", "unit", "term", "status", "acq", "flag"):
                    row[n] = HOSTILE
        table.write_text("\n".join([lines[0], *("\t".join(row) for row in cells)]) + "\n")
        sidecar = json.loads(table.with_suffix(".json").read_text())
        table.with_suffix(".json").write_text(
            json.dumps({**sidecar, "Notes": [HOSTILE], "Model": {"formula": HOSTILE}})
        )
    for html in (page_of(plan), group_of(plan)):
        elements = Elements(html)
        assert len(elements.all("script")) == 1
        assert any(HOSTILE in text for text in elements.text)
        assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)
        assert not any(".." in str(a.get("href")) for a in elements.all("a"))


def test_an_unknown_participant_is_refused_with_the_nearest(plan: Path) -> None:
    with pytest.raises(RequestError, match="did you mean 01"):
        page_of(plan, "011")


def test_pages_are_small_and_quick(plan: Path, group: str) -> None:
    start = time.process_time()  # a busy machine makes no page slow
    html = page_of(plan)
    assert time.process_time() - start < 3
    assert len(html.encode()) < 3_000_000
    assert len(group.encode()) < 5_000_000


def test_the_commands_write_the_pages(plan: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    first, second = tmp_path / "sub-01.html", tmp_path / "index.html"
    arguments = ["participant", "--plan", str(plan), "--participant", "sub-01", "--output", str(first)]
    assert runner.invoke(report, arguments, catch_exceptions=False).exit_code == 0
    arguments = ["group", "--plan", str(plan), "--output", str(second), "--settings", '{"title": "Another title"}']
    assert runner.invoke(report, arguments, catch_exceptions=False).exit_code == 0
    assert "<title>sub-01" in first.read_text()
    assert "Another title" in second.read_text()


def test_conditions_stay_masked_until_the_key_is_open(tmp_path: Path) -> None:
    plan = make_study(tmp_path, participants=2)
    folder = tmp_path / "derivatives/snakemrs/group"
    key = {"A": "placebo", "B": "naltrexone"}
    shutil.copytree(folder / "statistics", folder / "unblinded" / "statistics")
    masked = group_of(plan)
    assert "Masked: conditions are codes" in masked
    assert not any(name in masked for name in key.values())
    record = {
        "time": "2026-01-02",
        "hash": "abc",
        "frozen": "2026-01-01",
        "key": key,
        "changed": ["results: x changed"],
    }
    (folder / "unblinded.json").write_text(json.dumps(record))
    opened = group_of(plan)
    assert "Masked: conditions are codes" not in opened
    assert "Unblinded 2026-01-02" in opened
    assert "results: x" in opened
    assert "placebo: n = 2 participants" in opened


def test_a_dynamic_fit_shows_changes_in_per_cent_and_its_line_width(tmp_path: Path) -> None:
    plan = make_study(tmp_path, participants=1)
    mrs = tmp_path / "derivatives/snakemrs/sub-01/ses-01/mrs"
    rows = [
        {"regressor": "constant", "metabolite": "Glx", "beta": 1.0},
        {"regressor": "infusion", "metabolite": "Glx", "beta": 0.05, "percent": 5.0, "ci_low": 1.0, "ci_high": 9.0},
        {"regressor": "drift", "metabolite": "Glx", "beta": 0.01, "percent": 1.0, "ci_low": 0.0, "ci_high": 2.0},
        {"regressor": "infusion", "metabolite": "line_width", "beta": -0.2, "beta_sd": 0.1},
    ]
    write(mrs / "sub-01_ses-01_acq-press_voi-acc_desc-dynamic_betas.tsv", rows)
    html = page_of(plan)
    assert "infusion · Glx" in html
    assert "5.0 % (1.0 to 9.0)" in html
    assert "drift · Glx" not in html
    assert "line width −0.200 ± 0.10 Hz per unit of infusion" in html


def test_the_course_of_a_session_is_drawn_with_frames_controls_and_line_width(tmp_path: Path) -> None:
    plan = make_study(tmp_path, participants=1)
    start = tmp_path / "derivatives/snakemrs/sub-01/ses-01/mrs/sub-01_ses-01_acq-press_voi-acc_desc-dynamic"
    course = [
        {"onset": 40.0 * n, "duration": 40.0, "phase": "baseline" if n < 2 else "infusion", "metabolite": name,
         "value": 10.0 + n, "sd": 0.5, "percent": 10.0 * n, "smooth": 9.0 * n, "smooth_low": 8.0 * n,
         "smooth_high": 11.0 * n, "model": 10.0}
        for name in ("Glx", "tNAA", "tCr", "line_width")
        for n in range(6)
    ]  # fmt: skip
    write(Path(f"{start}_course.tsv"), course)
    row = {"percent": 5.0, "ci_low": 1.0, "ci_high": 9.0, "frames_agree": False, "control": False}
    write(Path(f"{start}_summary.tsv"), [{"metabolite": "Glx", **row, **SUMMARY_REST}])
    write(Path(f"{start}_betas.tsv"), [{"regressor": "infusion", "metabolite": "Glx", "beta": 1.0, **row}])
    record = {"dynamic": {"status": "ok", "warnings": ["Glx: frames and dynamic fit do not agree"], "left_out": [3]}}
    Path(f"{start}_fit.json").write_text(json.dumps(record))
    html = page_of(plan)
    assert 'id="s1-course"' in html
    assert "Glx (% of baseline)" in html
    assert "controls (%)" in html
    assert "Dynamic fit: Glx: frames and dynamic fit do not agree" in html
    assert "5.0 % (1.0 to 9.0)" in html


SUMMARY_REST = dict.fromkeys(
    (
        *("change", "change_sd", "percent_tnaa", "percent_tnaa_sd", "frames_percent", "frames_sd"),
        *(f"{key}{end}" for key in ("auc", "peak", "time_to_peak") for end in ("", "_low", "_high")),
    ),
    1.0,
)


def test_p_values_stand_in_their_own_column_whatever_columns_are_empty(tmp_path: Path) -> None:
    plan = make_study(tmp_path, participants=1)
    folder = tmp_path / "derivatives/snakemrs/group/statistics"
    rows = [
        {"analysis": "mixed model", "outcome": "log(glx_tnaa)", "family": "primary", "term": "c:p", "n_participants": 5,
         "se": None, "estimate": 0.1, "p": 0.0001, "p_adjusted": None, "ci_low": 0.05, "ci_high": 0.15, "percent": 10.5,
         "percent_low": 5.1, "percent_high": 16.2, "note": None}
    ]  # fmt: skip
    write(folder / "results.tsv", rows)
    html = group_of(plan)
    table = html.split("Primary outcome: each test")[-1].split("</table>")[0]
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", table)
    heads, values = cells[: len(cells) // 2], cells[len(cells) // 2 :]
    assert dict(zip(heads, values, strict=True))["p"] == "&lt; 0.001"
    assert "se" not in heads
    assert "10.5 % (5.1 to 16.2), p &lt; 0.001" in html


def test_until_the_group_is_known_a_page_links_to_it_and_then_shows_the_distribution_anew(plan: Path) -> None:
    alone = page_of(plan)
    assert 'href="index.html#sub-01"' in alone
    assert "s1-distribution" not in alone
    once = among_all(alone, plan)
    assert once.count('id="s1-distribution"') == once.count('id="s2-distribution"') == 1
    assert among_all(once, plan) == once, "the figure takes its own place"
    assert re.sub(r"<!--distribution.*?<!--/distribution-->", "", once, flags=re.DOTALL) == re.sub(
        r"<!--distribution.*?<!--/distribution-->", "", alone, flags=re.DOTALL
    )


def test_the_step_of_the_group_marks_the_pages_that_are_there(plan: Path, tmp_path: Path) -> None:
    page, words = tmp_path / "sub-02.html", ["--plan", str(plan)]
    CliRunner().invoke(report, ["participant", *words, "--participant", "02", "--output", str(page)])
    CliRunner().invoke(
        report, ["group", *words, "--with-pages", "--output", str(tmp_path / "index.html")], catch_exceptions=False
    )
    assert 'id="s1-distribution"' in page.read_text()
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["index.html", "sub-02.html"]
    assert page.stat().st_mtime_ns <= (tmp_path / "index.html").stat().st_mtime_ns, "or it would be made again"
