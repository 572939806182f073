"""Writes the joined tables and the statistics of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemrs.group.collect import Joined
from snakemrs.group.functional import MOLAL, SUMMARY
from snakemrs.group.results import RESULT_COLUMNS, RESULT_DESCRIPTIONS, Results
from snakemrs.io.tables import write_table

IDENTITY: dict[str, dict[str, str]] = {
    "participant": {"Description": "Participant"},
    "session": {"Description": "Session"},
    "task": {"Description": "Task"},
    "acq": {"Description": "Acquisition"},
    "voi": {"Description": "Voxel"},
    "run": {"Description": "Run"},
    "kind": {"Description": "static: the mean spectrum; frames: spectra over time; dynamic: fitted over time"},
    "frame": {"Description": "Number of the frame in its session"},
    "onset": {"Description": "Start of the frame from the first transient", "Units": "s"},
    "duration": {"Description": "Length of the frame", "Units": "s"},
    "metabolite": {"Description": "Metabolite or sum"},
    "period": {"Description": "Period of the crossover"},
    "condition": {"Description": "Masked code of the treatment"},
    "sequence": {"Description": "Order of the conditions (masked codes)"},
    "sex": {"Description": "Sex"},
    "age": {"Description": "Age", "Units": "year"},
    "phase": {"Description": "Phase of the session by the middle of the frame (group.design)"},
    "regressor": {"Description": "Mean of 1 - exp(-t/tau) over the frame, t from the onset of the event"},
    "time_bin": {"Description": "Number of the frame in its phase, by time"},
    "verdict": {"Description": "Quality: pass, warn, fail"},
}
NUMBERS: dict[str, dict[str, str]] = {
    "amplitude": {"Description": "Signal at t = 0 by number of protons", "Units": "of the data"},
    "amplitude_sd": {"Description": "Its standard deviation", "Units": "of the data"},
    "crlb_percent": {"Description": "Cramer-Rao bound relative to the amplitude", "Units": "percent"},
    "ratio_tcr": {"Description": "Ratio to total creatine"},
    "ratio_tcr_sd": {"Description": "Its standard deviation"},
    "ratio_tnaa": {"Description": "Ratio to total NAA"},
    "ratio_tnaa_sd": {"Description": "Its standard deviation"},
    "molar": {"Description": "Concentration", "Units": "mmol/L"},
    "molar_sd": {"Description": "Its standard deviation", "Units": "mmol/L"},
    "molal": {"Description": "Concentration", "Units": "mmol/kg"},
    "molal_sd": {"Description": "Its standard deviation", "Units": "mmol/kg"},
}
QUALITY: dict[str, dict[str, str]] = {
    "source": {"Description": "Stage that measured it: spectra, anatomy, voxel"},
    "metric": {"Description": "Quality figure"},
    "before": {"Description": "Before preprocessing, in its unit"},
    "value": {"Description": "After preprocessing, in its unit"},
    "unit": {"Description": "Unit"},
    "verdict": {"Description": "pass, warn, fail or n/a"},
    "rule": {"Description": "The rule behind the verdict, or a flag"},
}
CLINICAL: dict[str, dict[str, str]] = {
    "instrument": {"Description": "Instrument (config/constants/instruments.yaml)"},
    "visit": {"Description": "Visit of the session"},
    "total": {"Description": "Total", "Units": "points"},
    "baseline": {"Description": "Total at the visit before treatment of the same session", "Units": "points"},
    "change": {"Description": "total minus baseline", "Units": "points"},
    "response": {"Description": "1: better by the instrument's share of baseline or more"},
    "remission": {"Description": "1: total at the cut-off or better"},
    "how": {"Description": "How the total was made: complete, prorated, or why it is missing"},
    "day": {"Description": "Days from the session", "Units": "day"},
    "rater": {"Description": "Who rated"},
    "flags": {"Description": "What is unusual: a visit outside its window, another rater"},
}
PROBLEMS: dict[str, dict[str, str]] = {
    "severity": {"Description": "refused: the row is in no analysis; flagged: kept"},
    "file": {"Description": "Table under phenotype/"},
    "row": {"Description": "Line of the table, the header is line 1"},
    "column": {"Description": "Column"},
    "participant": {"Description": "Participant"},
    "message": {"Description": "What is wrong"},
}
FLOW: dict[str, dict[str, str]] = {
    "sequence": {"Description": "Order of the conditions (masked codes)"},
    "period": {"Description": "Period; all: participants who got there in every period"},
    "condition": {"Description": "Masked code given in this period"},
    "allocated": {"Description": "Participants of this sequence"},
    "attended": {"Description": "Participants who were scanned or scored in this session"},
    "measured": {"Description": "Participants with a spectrum in this session"},
    "analysed": {"Description": "Participants with a value of the primary outcome in this session (2x2 test: in all)"},
}
FLOW_LINES: dict[str, dict[str, str]] = {
    "sequence": {"Description": "Order of the conditions (masked codes)"},
    "allocated": {"Description": "Whether the participant was allocated"},
    "attended": {"Description": "Whether anything was scanned or scored in this session"},
    "measured": {"Description": "Whether there is a spectrum"},
    "analysed": {"Description": "Whether there is a value of the primary outcome: at baseline and in the active phase"},
    "reason": {"Description": "Why what is false was not reached"},
}


def _table(
    path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str], *known: dict[str, dict[str, str]]
) -> None:
    about: dict[str, Any] = {}
    for column in columns:
        about[column] = next(
            (d[column] for d in known if column in d), {"Description": f"As in the study's tables: {column}"}
        )
    write_table(path, ({c: row.get(c) for c in columns} for row in rows), columns, about)


def write_joined(folder: Path, joined: Joined) -> None:
    """Write the tables of ``group/``."""
    entities = ("participant", "session", "task", "acq", "voi", "run")
    design = [c for c in joined.design_columns if c not in IDENTITY or c not in entities]
    design = [c for c in design if c not in (*entities, "kind", "frame", "onset", "duration", "metabolite")]
    numbers = list(NUMBERS)
    stray = {c for row in joined.concentrations for c in row} - {*entities, *design, *IDENTITY, *numbers}
    columns = [*entities, "kind", "frame", "onset", "duration", "metabolite", *numbers, *sorted(stray), *design]
    _table(folder / "concentrations.tsv", joined.concentrations, columns, IDENTITY, NUMBERS)
    measures = [c for c in (*SUMMARY, *MOLAL) if c not in design]
    _table(folder / "functional.tsv", joined.functional, (*entities, *design, *measures), SUMMARY, MOLAL, IDENTITY)
    _table(folder / "quality.tsv", joined.quality, (*entities, *QUALITY), IDENTITY, QUALITY)
    columns = ["participant", "session", *design, *CLINICAL]
    _table(folder / "clinical.tsv", joined.clinical, columns, IDENTITY, CLINICAL)
    stages = {
        "spectrum": {"Description": "The spectrum"},
        "stage": {"Description": "Stage"},
        "status": {"Description": "done, failed, missing, excluded, or n/a where the stage does not apply"},
        "reason": {"Description": "Why it is not done"},
    }
    _table(folder / "completeness.tsv", joined.completeness, ("participant", "session", *stages), IDENTITY, stages)
    _write_flow(folder, joined)
    rules = {"rule": {"Description": "The rule that left it out"}}
    columns = ["participant", "session", "kind", "frame", "verdict", "rule"]
    _table(folder / "excluded.tsv", joined.excluded, columns, IDENTITY, rules)
    outcomes = sorted({c for row in joined.frames for c in row} - {*IDENTITY, *design})
    columns = ["participant", "session", "task", "acq", "voi", "run", "kind", "frame", "onset", "duration"]
    columns += [*design, "phase", "time_bin", "regressor", "verdict", *outcomes]
    about = {c: {"Description": "Outcome: {metabolite}_{reference or unit}"} for c in outcomes}
    _table(folder / "frames.tsv", joined.frames, columns, IDENTITY, about)
    problems = [{c: vars(p)[c] or None for c in PROBLEMS} for p in joined.problems]
    _table(folder / "clinical_problems.tsv", problems, tuple(PROBLEMS), PROBLEMS)


def _write_flow(folder: Path, joined: Joined) -> None:
    """Write flow.tsv and, a line a participant and session, flow_participants.tsv."""
    usual = ["sequence", "period", "condition", "allocated", "attended", "measured", "analysed"]
    scored = list(dict.fromkeys(c for row in joined.flow for c in row if c.startswith("scored_")))
    about = FLOW | {c: {"Description": "Participants with a score at this visit"} for c in scored}
    _table(folder / "flow.tsv", joined.flow, [*usual, *scored], about)
    about = FLOW_LINES | {c: {"Description": "Whether there is a score at this visit"} for c in scored}
    columns = ["participant", "session", *usual, *scored, "reason"]
    _table(folder / "flow_participants.tsv", joined.flow_participants, columns, about, IDENTITY)


def write_results(folder: Path, results: Results) -> None:
    """Write ``group/statistics/``: results.tsv, statements.tsv and the tables of single analyses."""
    write_table(folder / "results.tsv", results.rows, RESULT_COLUMNS, RESULT_DESCRIPTIONS)
    about = {
        "analysis": {"Description": "Which analysis"},
        "kind": {"Description": "note, warning, left out, override"},
        "text": {"Description": "What was done, left out or overridden, and why"},
    }
    write_table(folder / "statements.tsv", results.statements, tuple(about), about)
    for name, (rows, columns, descriptions) in results.tables.items():
        write_table(folder / f"{name}.tsv", rows, columns, descriptions)
