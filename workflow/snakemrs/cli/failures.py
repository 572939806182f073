"""From failed jobs to the spectra that they hold up."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from snakemrs.cli.cluster import culprits
from snakemrs.cli.snakemake import Job, reason_of
from snakemrs.io.atomic import write_json
from snakemrs.study.plan import DERIVATIVES, Failure, Plan, PlannedSpectrum

OUTCOME = Path("work") / "outcome.json"
OF_ALL = ("dataset study", "group study", "report_group study", "report_methods study")
"""Units of the steps that work on the study as a whole."""


def write_outcome(study: Path, jobs: int, failures: list[Failure], plan: Plan, touched: Collection[str] | None) -> None:
    """Note what became of a run: how many jobs ran, and what failed, now or in an earlier run.

    Parameters
    ----------
    study : Path
        The study's folder.
    jobs : int
        Number of jobs.
    failures : list of Failure
        Those of this run.
    plan : Plan
        Its plan; who is no longer in it has no failures.
    touched : collection of str, optional
        The participants that this run was about, ``sub-…``; earlier failures of others still stand, and so do those of
        the study as a whole. None: it was about everything.
    """
    known = {(failure.unit, failure.stage) for failure in failures}
    if touched is not None:
        present = {"", *plan.participants} - {name.removeprefix("sub-") for name in touched}
        earlier = [f for f in read_failures(study) if f.participant in present and (f.unit, f.stage) not in known]
        failures = earlier + failures
    content = {"finished": time.time(), "jobs": jobs, "failures": [asdict(f) for f in failures]}
    write_json(study / OUTCOME, content)


def read_failures(study: Path) -> list[Failure]:
    """Give the failures that runs so far have left."""
    path = study / OUTCOME
    if not path.exists():
        return []
    return [Failure(**row) for row in json.loads(path.read_text(encoding="utf-8"))["failures"]]


def failures_of(jobs: list[Job], plan: Plan, study: Path) -> list[Failure]:
    """Name every spectrum that a failed job holds up, with stage, reason and log; one failure a spectrum and stage."""
    found: dict[tuple[str, str], Failure] = {}
    for job in culprits(jobs, study):
        anatomies = plan.variant_anatomies.get(job.variant, plan.anatomies)
        sources = {anatomy.prefix: anatomy.source for anatomy in anatomies}
        log = job.log or ""
        reason = job.problem or (reason_of(study / log) if log else "no log")
        for spectrum in plan.spectra:
            if _depends(spectrum, job, sources):
                unit = f"{job.variant}/{spectrum.stem}".lstrip("/")
                found[unit, job.stage] = Failure(unit, spectrum.participant, spectrum.session, job.stage, reason, log)
        if job.stage in ("group", "report") or job.rule == "dataset":
            participant = job.wildcards.get("participant", "")
            found[job.rule, job.name] = Failure(f"{job.rule} {job.name}", participant, None, job.stage, reason, log)
    return list(found.values())


def _depends(s: PlannedSpectrum, job: Job, sources: dict[str, str | None]) -> bool:
    """Whether a spectrum needs a job; `sources`: the segmentation that is brought over for another, by prefix."""
    w = job.wildcards
    if job.rule == "ingest":
        image = f"bids/{w['place']}/{w['name']}.nii.gz"
        anatomy = f"{DERIVATIVES}/{w['place']}/{w['name'].removesuffix('_T1w')}"
        return image in (s.svs, s.water) or anatomy == s.anatomy
    if job.rule == "segment":
        place = w["place"].removeprefix(f"variants/{job.variant}/")
        failed = f"{DERIVATIVES}/{place}/anat/{w['name']}"
        return failed in (s.anatomy, sources.get(s.anatomy or ""))
    if job.rule == "basis":
        return s.basis == f"{DERIVATIVES}/basis/{w['key']}"
    if job.rule == "preprocess" and s.macromolecules:
        return job.unit in (s.stem, Path(s.macromolecules).name.removesuffix("_desc-preproc_svs.nii.gz"))
    return job.unit == s.stem
