"""The flow of participants: everybody is counted, by sequence and period, and who is lost has a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from group.example import write_study
from snakemrs.group.analyses import analysed_frames, session_values
from snakemrs.group.collect import Collector, Joined
from snakemrs.group.crossover import period_differences
from snakemrs.group.flow import flow, sequences
from snakemrs.group.run import frame_table, read_plan
from snakemrs.study.settings.group import GroupSettings

SETTINGS = GroupSettings()


def joined(study: Path) -> Joined:
    folder, plan = read_plan(study / "work" / "plan.json")
    return Collector(folder, plan, SETTINGS).collect()


def counts(found: Joined, period: str, sequence: str | None = None) -> dict[str, int]:
    """Sums over the sequences."""
    rows = [r for r in found.flow if r["period"] == period and sequence in (None, r["sequence"])]
    return {c: sum(r[c] for r in rows) for c in ("allocated", "attended", "measured", "analysed", "scored_day1")}


def line(found: Joined, participant: str, period: str) -> dict[str, Any]:
    (only,) = [r for r in found.flow_participants if (r["participant"], r["period"]) == (participant, period)]
    return only


def edit(path: Path, keep: Any) -> None:
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    keep(table).to_csv(path, sep="\t", index=False)


def unplan(study: Path, stem: str) -> None:
    """Take a session's spectrum out of the plan: it was never scanned."""
    path = study / "work" / "plan.json"
    plan = json.loads(path.read_text())
    plan["spectra"] = [s for s in plan["spectra"] if s["stem"] != stem]
    path.write_text(json.dumps(plan))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_study(tmp_path, participants=6)
    return tmp_path


def two_by_two_participants(found: Joined) -> set[str]:
    frames = analysed_frames(frame_table(found.frames), SETTINGS)
    return set(period_differences(session_values(frames, SETTINGS, SETTINGS.outcomes.primary), "change").participants)


def test_who_leaves_after_period_1_stays_in_the_sequence(study: Path) -> None:
    whole = joined(study)
    sequence = line(whole, "02", "1")["sequence"]
    unplan(study, "sub-02_ses-02")
    edit(study / "sessions.tsv", lambda t: t[(t["participant_id"] != "sub-02") | (t["session_id"] != "ses-02")])
    edit(study / "phenotype/madrs.tsv", lambda t: t.assign(
        **{c: t[c].where(t["participant_id"] != "sub-02", "n/a") for c in t if c.startswith("ses-02")}))  # fmt: skip
    found = joined(study)
    assert {row["sequence"] for row in found.flow} == {"AB", "BA"}
    assert counts(found, "1") == dict.fromkeys(counts(found, "1"), 6)
    assert counts(found, "2") == {"allocated": 6, "attended": 5, "measured": 5, "analysed": 5, "scored_day1": 5}
    assert counts(found, "all") == counts(found, "2")
    assert line(found, "02", "2")["sequence"] == sequence
    assert line(found, "02", "2")["reason"] == "no session of period 2"


def test_a_planned_session_that_nobody_scanned_is_not_attended(study: Path) -> None:
    unplan(study, "sub-03_ses-02")
    edit(study / "phenotype/madrs.tsv", lambda t: t.assign(
        **{c: t[c].where(t["participant_id"] != "sub-03", "n/a") for c in t if c.startswith("ses-02")}))  # fmt: skip
    edit(study / "sessions.tsv", lambda t: t.assign(reason=["moved away" if i == 5 else "n/a" for i in range(len(t))]))
    found = joined(study)
    assert counts(found, "2")["attended"] == 5
    lost = line(found, "03", "2")
    assert not lost["attended"]
    assert lost["reason"] == "planned, neither scanned nor scored (moved away)"


def test_a_session_without_period_leaves_the_others_complete(study: Path) -> None:
    edit(study / "sessions.tsv", lambda t: t.assign(period=["n/a", *t["period"][1:]]))
    found = joined(study)
    assert counts(found, "all")["attended"] == 5
    assert counts(found, "n/a")["attended"] == 1
    assert counts(found, "all")["analysed"] == 5 == len(two_by_two_participants(found))
    (lost,) = [r for r in found.flow_participants if r["period"] is None]
    assert lost["reason"] == "its period is not known"


def test_analysed_is_who_the_2x2_test_takes(study: Path) -> None:
    mrs = study / "derivatives/snakemrs/sub-04/ses-01/mrs"
    table = pd.read_csv(mrs / "sub-04_ses-01_desc-frames_quality.tsv", sep="\t", keep_default_na=False)
    concentrations = pd.read_csv(mrs / "sub-04_ses-01_desc-frames_concentrations.tsv", sep="\t")
    late = table["frame"].isin(concentrations.loc[concentrations["onset"] >= 600, "frame"])
    table.loc[late, ["verdict", "rule"]] = ["fail", "snr below 15"]
    table.to_csv(mrs / "sub-04_ses-01_desc-frames_quality.tsv", sep="\t", index=False)
    found = joined(study)
    assert counts(found, "all")["analysed"] == 5 == len(two_by_two_participants(found))
    lost = line(found, "04", "1")
    assert lost["measured"]
    assert not lost["analysed"]
    assert lost["reason"].startswith("no value of log(glx_tnaa) in the phase infusion")
    assert "snr below 15" in lost["reason"]


def test_who_fails_or_has_no_score_has_a_reason(tmp_path: Path) -> None:
    write_study(tmp_path, participants=4, failed={"sub-01_ses-01": "no water"})
    edit(tmp_path / "phenotype/madrs.tsv", lambda t: t.assign(
        **{"ses-01_day1_total": ["61", *t["ses-01_day1_total"][1:]]}))  # fmt: skip
    found = joined(tmp_path)
    reason = line(found, "01", "1")["reason"]
    assert "fit failed: no water" in reason
    assert "day1: refused: 61 is out of range" in reason
    assert line(found, "02", "1")["reason"] is None


def test_who_never_came_is_counted_in_the_sequence_of_participants_tsv(study: Path) -> None:
    sequence = {f"sub-{r['participant']}": r["sequence"] for r in joined(study).flow_participants}
    edit(study / "participants.tsv", lambda t: pd.concat(
        [t.assign(sequence=t["participant_id"].map(sequence)),
         pd.DataFrame([{"participant_id": "sub-07", "sex": "F", "age": "30", "sequence": "AB"}])]))  # fmt: skip
    found = joined(study)
    assert counts(found, "all")["allocated"] == 7
    assert line(found, "07", "1")["sequence"] == "AB"
    assert line(found, "07", "1")["reason"] == "no session at all"


def test_the_sequence_is_inferred_only_where_nothing_else_is_possible() -> None:
    two = {("1", "a"): {"period": "1", "condition": "A"}, ("1", "b"): {"period": "2", "condition": "B"}}
    assert sequences({**two, ("2", "a"): {"period": "2", "condition": "A"}})["2"] == "BA"
    three = {**two, ("1", "c"): {"period": "3", "condition": "C"}}
    assert sequences({**three, ("2", "a"): {"period": "1", "condition": "A"}}) == {"1": "ABC", "2": None}


def test_a_study_without_periods_counts_sessions() -> None:
    row = {"sequence": None, "period": None, "condition": None, "attended": True, "measured": True, "analysed": False}
    counted = flow([{"participant": "1", **row}, {"participant": "1", **row}])
    assert [(r["period"], r["attended"], r["analysed"]) for r in counted] == [("n/a", 1, 0), ("all", 1, 0)]
