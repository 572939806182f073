"""A study as the stages before the group leave it, made from a table of frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from snakemrs.scanner.cohort import draw_items, simulate_table


def _write(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, sep="\t", index=False, na_rep="n/a")


def write_study(
    folder: Path,
    preset: str = "realistic",
    participants: int = 8,
    seed: int = 1,
    failed: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Write tables of a virtual crossover and its plan; give the frames. `failed`: stem -> reason."""
    failed = failed or {}
    table = simulate_table(preset, participants, seed)
    place = "derivatives/snakemrs/sub-{}/ses-{}/mrs"
    spectra = []
    for (participant, session), rows in table.groupby(["participant", "session"]):
        stem = f"sub-{participant}_ses-{session}"
        mrs = folder / place.format(participant, session)
        spectra.append(
            {
                "participant": participant,
                "session": session,
                "task": None,
                "acq": None,
                "voi": None,
                "run": None,
                "stem": stem,
                "folder": place.format(participant, session),
                "svs": f"bids/sub-{participant}/ses-{session}/mrs/{stem}_svs.nii.gz",
                "anatomy": None,
                "frames": True,
                "fitted": True,
            }
        )
        if stem in failed:
            continue
        for kind, part in (("frames", rows), ("static", rows.iloc[:1])):
            long: list[dict[str, Any]] = []
            for row in part.itertuples():
                for name, amplitude in (("Glx", row.glx), ("tNAA", row.tnaa), ("tCr", 0.7 * row.tnaa)):
                    long.append(
                        {
                            "frame": row.frame,
                            "onset": row.onset,
                            "duration": row.duration,
                            "metabolite": name,
                            "amplitude": amplitude,
                            "ratio_tnaa": amplitude / row.tnaa,
                            "ratio_tcr": amplitude / (0.7 * row.tnaa),
                            "molal": None,
                        }
                    )
            _write(mrs / f"{stem}_desc-{kind}_concentrations.tsv", pd.DataFrame(long))
        quality = {
            "metric": ["snr"],
            "before": [20],
            "after": [30],
            "unit": ["1"],
            "verdict": ["pass"],
            "rule": ["n/a"],
        }
        _write(mrs / f"{stem}_desc-preproc_quality.tsv", pd.DataFrame(quality))
        verdicts = {"frame": rows["frame"], "verdict": "pass", "rule": "n/a"}
        _write(mrs / f"{stem}_desc-frames_quality.tsv", pd.DataFrame(verdicts))
    visits = table.drop_duplicates(["participant", "session"])
    people = visits.drop_duplicates("participant")
    sub = "sub-" + people["participant"]
    _write(
        folder / "participants.tsv", pd.DataFrame({"participant_id": sub, "sex": people["sex"], "age": people["age"]})
    )
    sessions = {
        "participant_id": "sub-" + visits["participant"],
        "session_id": "ses-" + visits["session"],
        "period": visits["period"],
        "condition": visits["condition"],
    }
    _write(folder / "sessions.tsv", pd.DataFrame(sessions))
    scores: dict[str, dict[str, Any]] = {}
    for visit in visits.itertuples():
        row = scores.setdefault(f"sub-{visit.participant}", {"participant_id": f"sub-{visit.participant}"})
        for when, total in (("baseline", visit.madrs_pre), ("day1", visit.madrs_post)):
            row[f"ses-{visit.session}_{when}_total"] = total
            for item, points in enumerate(draw_items(total, np.random.default_rng(total)), start=1):
                row[f"ses-{visit.session}_{when}_item_{item}"] = points
    _write(folder / "phenotype" / "madrs.tsv", pd.DataFrame(list(scores.values())))
    start = table.loc[table["phase"] == "infusion", "onset"].min()
    events = {"onset": [start], "duration": [2400], "trial_type": ["infusion"]}
    _write(folder / "events.tsv", pd.DataFrame(events))
    failures = [
        {"unit": s["stem"], "participant": s["participant"], "session": s["session"], "stage": "fit", "log": "",
         "reason": failed[s["stem"]]}
        for s in spectra
        if s["stem"] in failed
    ]  # fmt: skip
    (folder / "work").mkdir(parents=True, exist_ok=True)
    plan = {"spectra": spectra, "failed": failures}
    (folder / "work" / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return table
