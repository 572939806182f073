"""A study from the tables of its sessions to results: joined, analysed, nothing left out in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from group.example import write_study
from snakemrs.errors import RequestError
from snakemrs.group import join
from snakemrs.group.collect import Joined
from snakemrs.group.command import group
from snakemrs.group.run import analyse, run_group
from snakemrs.group.sensitivity import specification_curve
from snakemrs.io.events import Event
from snakemrs.io.tables import Row, read_table
from snakemrs.scanner.cohort import simulate_table
from snakemrs.study.settings.group import DesignSettings, GroupSettings, OutcomeSettings

FEW = OutcomeSettings(secondary=("log(glx_tcr)",), parts=("log(tnaa_amplitude)",), exploratory=())


SHORT = '{"bootstrap": 100, "outcomes": {"secondary": [], "parts": [], "exploratory": []}}'
QUICK = {"leave_one_out": False, "autoregression": False, "permutations": 50}


def run(folder: Path, **changed: object) -> Path:
    settings = GroupSettings.model_validate({"outcomes": FEW, "bootstrap": 200, "sensitivity": QUICK, **changed})
    run_group(folder / "work" / "plan.json", folder / "group", settings)
    return folder / "group"


def result(output: Path, analysis: str) -> Row:
    return next(r for r in read_table(output / "statistics" / "results.tsv") if r["analysis"] == analysis)


def said(output: Path) -> str:
    return "\n".join(row["text"] for row in read_table(output / "statistics" / "statements.tsv"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    write_study(folder, "large", participants=10, failed={"sub-02_ses-02": "truncated SDAT"})
    return run(folder, sensitivity={})


def test_the_planted_effect_is_found(large: Path) -> None:
    row = result(large, "mixed model")
    assert row["term"] == "condition[T.B]:phase[T.infusion]"
    # +38 % and +19 %: log(1.19 / 1.38) once risen, less while rising. A is the code of either treatment.
    assert 0.08 < abs(float(row["estimate"])) < 0.16
    assert float(row["p"]) < 1e-4
    assert np.sign(float(result(large, "2x2 test")["estimate"])) == np.sign(float(row["estimate"]))


def test_the_denominator_alone_shows_no_effect(large: Path) -> None:
    rows = read_table(large / "statistics" / "results.tsv")
    row = next(r for r in rows if r["outcome"] == "log(tnaa_amplitude)" and r["analysis"] == "mixed model")
    assert float(row["p"]) > 0.01


def test_the_tables_are_joined_with_the_design(large: Path) -> None:
    rows = read_table(large / "concentrations.tsv")
    assert {"participant", "session", "kind", "metabolite", "ratio_tnaa", "period", "condition", "sex"} <= set(rows[0])
    assert {row["kind"] for row in rows} == {"frames", "static"}
    assert {row["sequence"] for row in rows} == {"AB", "BA"}
    frames = read_table(large / "frames.tsv")
    assert {row["phase"] for row in frames} == {"baseline", "infusion"}
    assert all(float(row["regressor"]) == 0 for row in frames if row["phase"] == "baseline")
    assert read_table(large / "quality.tsv")[0]["metric"] == "snr"


def test_an_incomplete_participant_is_kept_and_said(large: Path) -> None:
    rows = [r for r in read_table(large / "completeness.tsv") if r["participant"] == "02" and r["session"] == "02"]
    assert {(r["stage"], r["status"], r["reason"]) for r in rows} >= {("fit", "failed", "truncated SDAT")}
    assert any(r["participant"] == "02" and r["session"] == "01" for r in read_table(large / "frames.tsv"))
    assert "sub-02 ses-02 is in no analysis of spectra: fit failed: truncated SDAT" in said(large)
    assert result(large, "mixed model")["n_participants"] == "10"
    assert result(large, "2x2 test")["n_participants"] == "9"


def test_the_flow_counts_everyone(large: Path) -> None:
    rows = read_table(large / "flow.tsv")
    by_period = [r for r in rows if r["period"] == "2"]
    assert sum(int(r["measured"]) for r in by_period) == 10
    assert sum(int(r["analysed"]) for r in by_period) == 9
    assert sum(int(r["scored_day1"]) for r in by_period) == 10


def test_the_specification_curve_has_every_kind_of_choice(large: Path) -> None:
    rows = read_table(large / "sensitivity" / "specifications.tsv")
    kinds = {row["group"] for row in rows}
    assert kinds == {
        "primary",
        "reference",
        "model",
        "frames",
        "participants",
        "leave one out",
        "missing not at random",
    }
    assert all(row["same_sign"] == "true" for row in rows)
    share = read_table(large / "sensitivity" / "agreement.tsv")[0]
    assert share["group"] == "all"
    singly = [row for row in rows if row["group"] == "leave one out"]
    assert int(share["choices"]) == len(rows) - len(singly)  # without the primary, with all of them as one


def test_the_change_that_the_dynamic_fit_gave_is_tested_by_session(tmp_path: Path) -> None:
    write_study(tmp_path, participants=6)
    sessions = read_table(tmp_path / "sessions.tsv")
    scatter = np.random.default_rng(1).normal(0, 0.3, len(sessions))
    for row, error in zip(sessions, scatter, strict=True):
        folder = tmp_path / "derivatives" / "snakemrs" / row["participant_id"] / row["session_id"] / "mrs"
        change = 5 + error - (2 if row["condition"] == "B" else 0)
        text = f"kind\tmetabolite\tpercent\tpercent_tnaa\nsum\tGlx\t99\t{change}\nsum\ttNAA\t99\t99\n"
        (folder / f"{row['participant_id']}_{row['session_id']}_desc-dynamic_summary.tsv").write_text(text)
    row = result(run(tmp_path), "dynamic fit")
    assert (row["outcome"], row["term"], row["n_participants"]) == ("glx_tnaa", "B - A", "6")
    assert float(row["ci_low"]) < -2 < float(row["ci_high"]) < 0


def make_again(folder: Path, variant: str, without: str | None = None, **scale: float) -> None:
    """Write the frames of all sessions again for a variant, columns of every other frame times a number."""
    derivatives = folder / "derivatives" / "snakemrs"
    for path in derivatives.glob("sub-*/ses-*/mrs/*_desc-frames_concentrations.tsv"):
        if without is None or without not in path.name:
            table = pd.read_csv(path, sep="\t", float_precision="round_trip")
            for column, factor in scale.items():
                table[column] = table[column].fillna(1.0) * np.where(table["frame"] % 2, factor, 1)
            other = derivatives / "variants" / variant / path.relative_to(derivatives)
            other.parent.mkdir(parents=True, exist_ok=True)
            table.to_csv(other, sep="\t", index=False, na_rep="n/a")


def test_sessions_made_again_stand_in_the_curve(tmp_path: Path) -> None:
    write_study(tmp_path, participants=6)
    make_again(tmp_path, "stiff", without="sub-03_ses-02", ratio_tnaa=1.02)
    make_again(tmp_path, "survey", molal=1.1)
    variants = {"stiff": {"fit": {"baseline": "fixed"}}, "survey": {"quantify": {"water_set": "survey"}}}
    variants |= {"third": {"fit": {"window": [0, 4]}}}
    output = run(tmp_path, sensitivity={**QUICK, "variants": variants})
    rows = {(r["group"], r["choice"]): r for r in read_table(output / "sensitivity" / "specifications.tsv")}
    assert rows["fit", "stiff"]["outcome"] == "log(glx_tnaa)"
    assert rows["fit", "stiff"]["note"] == "without sub-03 ses-02"
    assert rows["fit", "stiff"]["estimate"] != rows["primary", "as declared"]["estimate"]
    assert rows["constants", "survey"]["outcome"] == "log(glx_molal)"
    assert rows["constants", "survey"]["note"].startswith("the primary outcome does not depend on it")
    assert "fit, third: no session has concentrations under this choice" in said(output)


def test_the_clinical_analyses_are_there(large: Path) -> None:
    rows = read_table(large / "statistics" / "results.tsv")
    assert {row["analysis"] for row in rows} >= {
        "mixed model", "2x2 test", "effect size", "time course", "by sex", "power", "clinical", "clinical 2x2 test",
        "paired outcome", "association", "mediation",
    }  # fmt: skip


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    write_study(tmp_path, "realistic", participants=5)
    first = {p.name: p.read_bytes() for p in run(tmp_path).rglob("*") if p.is_file()}
    second = {p.name: p.read_bytes() for p in run(tmp_path).rglob("*") if p.is_file()}
    assert first == second


def test_frames_that_fail_are_left_out_and_listed_by_rule(tmp_path: Path) -> None:
    write_study(tmp_path, "realistic", participants=4)
    path = next((tmp_path / "derivatives").rglob("sub-03_ses-01_desc-frames_quality.tsv"))
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace("pass\tn/a", "fail\tsnr below 15")
    path.write_text("\n".join(lines) + "\n")
    output = run(tmp_path)
    rows = read_table(output / "excluded.tsv")
    assert [(r["participant"], r["session"], r["frame"], r["rule"]) for r in rows] == [
        ("03", "01", "2", "snr below 15")
    ]
    assert len(read_table(output / "frames.tsv")) == 4 * 2 * 8 - 1
    assert len(read_table(run(tmp_path, exclude="none") / "frames.tsv")) == 4 * 2 * 8


def test_sliding_windows_are_no_rows_of_a_model(tmp_path: Path) -> None:
    write_study(tmp_path, participants=4)
    for path in tmp_path.rglob("*_desc-frames_quality.tsv"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([f"{lines[0]}\tkind", *(f"{line}\tsliding" for line in lines[1:])]) + "\n")
    output = run(tmp_path)
    assert all(row["kind"] == "static" for row in read_table(output / "frames.tsv"))
    assert "its frames overlap" in said(output)


def test_the_dynamic_summaries_stand_in_one_table(tmp_path: Path) -> None:
    write_study(tmp_path, participants=3)
    mrs = tmp_path / "derivatives/snakemrs/sub-01/ses-01/mrs"
    (mrs / "sub-01_ses-01_desc-dynamic_summary.tsv").write_text(
        "metabolite\tkind\tcontrol\tpercent\tci_low\tci_high\tframes_agree\nGlx\tsum\tfalse\t5\t1\t9\ttrue\n"
    )
    (mrs / "sub-01_ses-01_desc-dynamic_concentrations.tsv").write_text(
        "frame\tmetabolite\tmolal\tmolal_sd\nbaseline\tGlx\t12\t1\ninfusion-baseline\tGlx\t0.6\t0.2\n"
    )
    (row,) = read_table(run(tmp_path) / "functional.tsv")
    assert (row["participant"], row["metabolite"], row["percent"], row["molal_change"]) == ("01", "Glx", "5", "0.6")
    assert row["condition"] in ("A", "B")


def test_two_participants_get_a_statement_not_a_crash(tmp_path: Path) -> None:
    write_study(tmp_path, "realistic", participants=2)
    output = run(tmp_path)
    assert "2 participants: means only" in said(output)
    assert read_table(output / "statistics" / "summary.tsv")[0]["n_participants"] == "2"
    assert read_table(output / "sensitivity" / "specifications.tsv") == []


def test_a_study_without_design_or_scores_is_described(tmp_path: Path) -> None:
    write_study(tmp_path, "realistic", participants=4)
    for name in ("participants.tsv", "sessions.tsv", "events.tsv", "phenotype/madrs.tsv"):
        (tmp_path / name).unlink()
    output = run(tmp_path)
    text = said(output)
    assert "'condition' is left out" in text
    assert "there are no clinical scores" in text
    assert read_table(output / "statistics" / "primary_model.tsv")[0]["term"] == "Intercept"


def test_nothing_but_failures_is_said(tmp_path: Path) -> None:
    write_study(tmp_path, participants=2, failed={f"sub-0{p}_ses-0{s}": "x" for p in (1, 2) for s in (1, 2)})
    output = run(tmp_path)
    assert "nothing can be analysed" in said(output)


def test_conditions_that_tell_the_treatment_are_refused(tmp_path: Path) -> None:
    write_study(tmp_path, participants=3)
    path = tmp_path / "sessions.tsv"
    path.write_text(path.read_text().replace("\tA\n", "\tplacebo\n"))
    with pytest.raises(RequestError, match="tells the treatment"):
        run(tmp_path)
    run(tmp_path, design=DesignSettings(blinded=False))


def test_a_refused_score_holds_up_nobody(tmp_path: Path) -> None:
    write_study(tmp_path, participants=4)
    path = tmp_path / "phenotype" / "madrs.tsv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1].replace("sub-01", "sub-99")]) + "\n")
    output = run(tmp_path)
    problems = read_table(output / "clinical_problems.tsv")
    assert {(p["severity"], p["participant"]) for p in problems} == {("refused", "99")}
    assert {r["participant"] for r in read_table(output / "clinical.tsv")} == {"01", "02", "03", "04"}


def test_who_is_in_no_clinical_analysis_is_named(tmp_path: Path) -> None:
    write_study(tmp_path, participants=10)
    path = tmp_path / "phenotype" / "madrs.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table.loc[0, table.columns[1:]] = "n/a"
    table.loc[1, [c for c in table if "_day1_" in c]] = "n/a"
    table.loc[2, [c for c in table if "ses-02_day1_" in c]] = "n/a"
    table.loc[3, [f"ses-02_day1_{c}" for c in ("item_1", "item_2", "total")]] = "n/a"
    table.to_csv(path, sep="\t", index=False)
    text = said(run(tmp_path))
    assert "madrs: no score before or after treatment: 01" in text
    assert "madrs: no change in either period: 02" in text
    assert "madrs: change in one period only: 03, 04" in text
    assert "madrs, model of the total: participant 04" in text


def test_what_is_scored_and_not_analysed_is_said(tmp_path: Path) -> None:
    write_study(tmp_path, participants=4)
    head = "participant_id\tsession_id\tvisit\ttotal\n"
    (tmp_path / "phenotype" / "hamd17.tsv").write_text(head + "sub-01\tses-01\tbaseline\t20\n", encoding="utf-8")
    madrs = tmp_path / "phenotype" / "madrs.tsv"
    table = pd.read_csv(madrs, sep="\t", dtype=str, keep_default_na=False)
    table.assign(**{"ses-01_day7_total": "12"}).to_csv(madrs, sep="\t", index=False)
    (tmp_path / "own.yaml").write_text("vas: {items: {count: 1, range: [0, 9]}, total: [0, 9]}\n", encoding="utf-8")
    clinical = {"followup": "Day1", "instruments": "own.yaml", "windows": {"day30": [29, 31]}}
    text = said(run(tmp_path, clinical=clinical))
    assert "hamd17: scored (baseline) and in clinical.tsv, but in no analysis" in text
    assert "madrs: the visit day7 is in no analysis: the change is from baseline to day1" in text
    assert "the instrument vas of own.yaml is left out" in text
    assert "clinical.windows names the visit day30, which no table of scores has" in text


def test_who_has_no_value_in_any_period_is_named_beside_the_2x2_test(virtual: Joined) -> None:
    rows = [{**row, "glx_tnaa": None} if row["participant"] == "02" else row for row in virtual.frames]
    results, _ = analyse(Joined(frames=rows, every_frame=rows), GroupSettings(outcomes=FEW))
    texts = [row["text"] for row in results.statements if row["analysis"] == "2x2 test"]
    assert "log(glx_tnaa): participants without a value in any period: 02" in texts


def test_items_are_scored_from_the_table_to_the_results(tmp_path: Path) -> None:
    write_study(tmp_path, participants=4)
    path = tmp_path / "phenotype" / "madrs.tsv"
    head, *lines = (line.split("\t") for line in path.read_text().splitlines())
    place = {name: column for column, name in enumerate(head)}
    whole = [int(lines[0][place[f"ses-01_day1_item_{i}"]]) for i in range(1, 11)]
    for row, items in ((0, (3,)), (1, (3, 4))):
        for item in items:
            lines[row][place[f"ses-01_day1_item_{item}"]] = "n/a"
        lines[row][place["ses-01_day1_total"]] = "n/a"
    lines[2][place["ses-01_day1_total"]] = "59"
    path.write_text("\n".join("\t".join(cells) for cells in [head, *lines]) + "\n")
    output = run(tmp_path)
    rows = {
        r["participant"]: r for r in read_table(output / "clinical.tsv") if (r["session"], r["visit"]) == ("01", "day1")
    }
    assert float(rows["01"]["total"]) == pytest.approx((sum(whole) - whole[2]) * 10 / 9)
    assert rows["01"]["how"].startswith("prorated")
    assert rows["02"]["total"] == "n/a"
    assert rows["02"]["how"] == "2 of 10 items missing, at most 1 may be"
    assert "03" not in rows
    problem = next(p for p in read_table(output / "clinical_problems.tsv") if p["participant"] == "03")
    assert (problem["row"], problem["column"]) == ("4", "ses-01_day1_total")
    assert "is not the sum of the items" in problem["message"]


def test_remission_is_shown_at_the_other_cut_off_too(large: Path) -> None:
    rows = [r for r in read_table(large / "statistics" / "results.tsv") if r["analysis"] == "paired outcome"]
    assert [r["outcome"] for r in rows] == ["madrs response", "madrs remission", "madrs remission at 12 or below"]
    count = [int(r["note"].split(" of ")[0]) for r in rows]
    assert count[2] >= count[1]


def test_one_kind_of_spectrum_is_analysed_and_said(tmp_path: Path) -> None:
    write_study(tmp_path, participants=3)
    plan_path = tmp_path / "work" / "plan.json"
    plan = json.loads(plan_path.read_text())
    for spectrum in plan["spectra"]:
        spectrum["acq"] = "press"
    plan["spectra"].append({**plan["spectra"][0], "acq": "slaser", "stem": "sub-01_ses-01_acq-slaser"})
    plan_path.write_text(json.dumps(plan))
    assert "analysed: acq press" in said(run(tmp_path))
    with pytest.raises(RequestError, match="no spectrum has what"):
        run(tmp_path, design=DesignSettings(select={"acq": "steam"}))


def test_the_command_says_what_it_left_out(tmp_path: Path) -> None:
    write_study(tmp_path, participants=4, failed={"sub-01_ses-01": "no water"})
    plan, output = str(tmp_path / "work" / "plan.json"), str(tmp_path / "group")
    found = CliRunner().invoke(group, ["--plan", plan, "--output", output, "--settings", SHORT])
    assert found.exit_code == 0, found.output
    assert "sub-01 ses-01 fit: failed, no water" in found.output


@pytest.mark.parametrize(
    ("onset", "phase"),
    [(0.0, "baseline"), (500.0, "baseline"), (600.0, "infusion"), (2900.0, "infusion"), (3000.0, "washout")],
)
def test_the_phase_of_a_frame_is_that_of_its_middle(onset: float, phase: str) -> None:
    events = [Event(600.0, 2400.0, "infusion")]
    assert join.phase_of(onset, 100.0, events, DesignSettings()) == phase


def test_the_regressor_is_the_mean_of_the_rise_over_the_frame() -> None:
    events = [Event(600.0, 2400.0, "infusion")]
    t = np.linspace(900, 1300, 100001) - 600
    expected = np.mean(1 - np.exp(-t / 600))
    assert join.regressor_of(900.0, 400.0, events, DesignSettings()) == pytest.approx(expected, rel=1e-6)
    assert join.regressor_of(0.0, 600.0, events, DesignSettings()) == 0


def test_masked_codes_carry_no_meaning(tmp_path: Path) -> None:
    write_study(tmp_path, "large", participants=6)
    first = result(run(tmp_path), "mixed model")
    excluded = (tmp_path / "group" / "excluded.tsv").read_text()
    path = tmp_path / "sessions.tsv"
    swapped = path.read_text().replace("\tA\n", "\t?\n").replace("\tB\n", "\tA\n").replace("\t?\n", "\tB\n")
    path.write_text(swapped)
    second = result(run(tmp_path), "mixed model")
    assert float(second["estimate"]) == pytest.approx(-float(first["estimate"]))
    assert second["p"] == first["p"]
    assert (tmp_path / "group" / "excluded.tsv").read_text() == excluded


def test_quality_never_sees_condition_or_outcome(tmp_path: Path) -> None:
    write_study(tmp_path, "realistic", participants=3)
    kept = [(r["participant"], r["session"], r["frame"]) for r in read_table(run(tmp_path) / "frames.tsv")]
    for path in (tmp_path / "derivatives").rglob("*_desc-frames_concentrations.tsv"):
        lines = path.read_text().splitlines()
        head = lines[0].split("\t")
        column = head.index("ratio_tnaa")
        rows = [line.split("\t") for line in lines[1:]]
        for row in rows:
            row[column] = str(10 * float(row[column]))
        path.write_text("\n".join("\t".join(row) for row in [head, *rows]) + "\n")
    assert [(r["participant"], r["session"], r["frame"]) for r in read_table(run(tmp_path) / "frames.tsv")] == kept


def test_single_spectra_of_few_participants_are_analysed(tmp_path: Path) -> None:
    # The demonstration: four participants, two sessions, one spectrum each. Period 1 alone has one row a participant.
    write_study(tmp_path, "realistic", participants=4, seed=3)
    for path in tmp_path.rglob("*_desc-frames_*"):
        path.unlink()
    output = run(tmp_path, sensitivity={})
    row = result(output, "mixed model")
    assert (row["term"], row["n_participants"], row["n_rows"]) == ("condition[T.B]", "4", "8")
    assert float(row["p"]) == pytest.approx(float(result(output, "2x2 test")["p"]))
    assert "the effect is that of condition" in said(output)
    assert "period 1 only" in {r["choice"] for r in read_table(output / "sensitivity" / "specifications.tsv")}


@pytest.fixture(scope="module")
def virtual() -> Joined:
    """Joined tables of six participants, without files."""
    frames = simulate_table("realistic", 6, 5, baseline_frames=1, infusion_frames=3)
    frames["time_bin"] = frames["frame"]
    frames["regressor"] = (frames["phase"] == "infusion") * 0.5
    rows = frames.drop(columns=["treatment", "madrs_pre", "madrs_post"]).to_dict("records")
    return Joined(frames=rows, every_frame=rows)


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("one session each", lambda row: row if row["session"] == "01" else None),
        ("no baseline", lambda row: row if row["phase"] == "infusion" else None),
        ("one frame a session", lambda row: row if row["frame"] == 1 else None),
        ("three conditions", lambda row: {**row, "condition": "ABC"[(int(row["participant"]) + row["period"]) % 3]}),
        ("one order", lambda row: {**row, "condition": "AB"[row["period"] - 1]}),
        ("no phases", lambda row: {**row, "phase": None}),
        ("no times", lambda row: {**row, "onset": None, "regressor": None, "time_bin": None}),
        (
            "every second follow-up missing",
            lambda row: row if row["period"] == 1 or int(row["participant"]) % 2 else None,
        ),
        ("an outcome that does not vary", lambda row: {**row, "glx_tnaa": 1.0}),
    ],
)
def test_odd_studies_are_analysed_or_said(virtual: Joined, name: str, edit: Callable[[dict], dict | None]) -> None:
    rows = [new for row in virtual.frames if (new := edit(row)) is not None]
    settings = GroupSettings.model_validate({"outcomes": {**FEW.model_dump(), "secondary": [], "parts": []}})
    joined = Joined(frames=rows, every_frame=rows)
    results, primary = analyse(joined, settings)
    curve = specification_curve(joined, settings, results, primary, Path())
    found = results.find("mixed model")
    assert found is not None or any(row["kind"] == "left out" for row in results.statements), name
    assert found is None or np.isfinite(found["p"])
    assert curve is None or curve.rows[0]["choice"] == "as declared"


def test_a_ratio_of_zero_is_missing_and_said(virtual: Joined) -> None:
    rows = [{**row, "glx_tnaa": 0.0} if n == 4 else row for n, row in enumerate(virtual.frames)]
    results, primary = analyse(Joined(frames=rows, every_frame=rows), GroupSettings(outcomes=FEW))
    assert primary is not None
    assert len(primary.model.y) == len(rows) - 1
    assert any("have no logarithm" in row["text"] for row in results.statements)
