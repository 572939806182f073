"""The stage from plan to files: join, analyse, write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemrs.errors import RequestError
from snakemrs.group.collect import Collector, Joined
from snakemrs.study.settings.group import GroupSettings

if TYPE_CHECKING:
    import pandas as pd

    from snakemrs.group.models import Effect
    from snakemrs.group.results import Results


def read_plan(path: Path) -> tuple[Path, dict[str, Any]]:
    """Read a plan; give the study's folder (its paths are relative to that) and its content."""
    if not path.exists():
        raise RequestError("there is no plan", file=path, remedy="`snakemrs plan STUDY` makes one")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RequestError("the plan cannot be read", file=path, found=str(error)) from None
    return path.absolute().parent.parent, content


def frame_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Make a DataFrame of joined rows; labels stay text."""
    import pandas as pd

    from snakemrs.group.output import numeric

    frame = pd.DataFrame(rows, dtype=object)
    for name in ("participant", "session"):
        if name not in frame:
            frame[name] = pd.Series(dtype=object)
    return numeric(frame.where(frame.notna(), None)) if len(frame) else frame


def analyse(joined: Joined, settings: GroupSettings) -> tuple[Results, Effect | None]:
    """Run all analyses on joined tables."""
    from snakemrs.group.analyses import adjust_families, analyse_spectra, analysed_frames, dynamic_test
    from snakemrs.group.clinic import analyse_clinic
    from snakemrs.group.results import Results

    frames, clinical = frame_table(joined.frames), frame_table(joined.clinical)
    results, primary = (Results(), None) if frames.empty else analyse_spectra(frames, settings)
    if joined.functional and not frames.empty:
        dynamic_test(results, frame_table(joined.functional), analysed_frames(frames, settings), settings)
    for text in joined.statements:
        results.say("join", "left out" if "left out" in text or "in no analysis" in text else "note", text)
    if frames.empty:
        results.say("mixed model", "left out", "there are no concentrations: nothing can be analysed")
    if joined.excluded:
        results.say("join", "left out", f"{len(joined.excluded)} frames or spectra by quality: see excluded.tsv")
    refused = [p for p in joined.problems if p.severity == "refused"]
    if refused:
        results.say("clinical", "left out", f"{len(refused)} problems refused rows: see clinical_problems.tsv")
    if len(clinical):
        spectra = analysed_frames(frames, settings) if len(frames) else None
        people = list(dict.fromkeys(str(line["participant"]) for line in joined.flow_participants))
        analyse_clinic(results, clinical, spectra, settings, joined.remission_also, people)
    else:
        results.say("clinical", "left out", "there are no clinical scores")
    adjust_families(results)
    for name in settings.allow:
        results.say("all models", "override", f"the refusal '{name}' is overridden in study.yaml")
    return results, primary


def run_group(plan_path: Path, output: Path, settings: GroupSettings) -> list[str]:
    """Join and analyse a study; give the lines to print."""
    from snakemrs.group.figures import draw_figures
    from snakemrs.group.made_from import record, write_record
    from snakemrs.group.output import describe, write_anova, write_estimates
    from snakemrs.group.sensitivity import specification_curve, write_curve
    from snakemrs.group.writing import write_joined, write_results

    study, plan = read_plan(plan_path)
    made_from = record(study, plan, settings)
    joined = Collector(study, plan, settings).collect()
    write_joined(output, joined)
    results, primary = analyse(joined, settings)
    statistics = output / "statistics"
    if statistics.is_dir():
        shutil.rmtree(statistics)
    statistics.mkdir(parents=True)
    lines = [f"{len({r['participant'] for r in joined.completeness})} participants, {len(joined.frames)} rows analysed"]
    if primary is not None:
        write_estimates(statistics / "primary_model.tsv", primary.model)
        write_anova(statistics / "primary_anova.tsv", primary.model)
        draw_figures(statistics / "figures", primary.model)
        lines += ["", describe(primary.model, anova=True)]
    curve = specification_curve(joined, settings, results, primary, study, plan)
    write_results(statistics, results)
    write_record(output, made_from)
    write_curve(output / "sensitivity", curve)
    incomplete = [row for row in joined.completeness if row["status"] in ("failed", "missing")]
    lines += [""] + [
        f"sub-{r['participant']} ses-{r['session']} {r['stage']}: {r['status']}, {r['reason']}" for r in incomplete
    ]
    lines += [str(problem) for problem in joined.problems]
    lines += [f"{row['analysis']}: {row['kind']}: {row['text']}" for row in results.statements]
    return lines
