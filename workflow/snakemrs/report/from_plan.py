"""From the plan of a study to the inputs of its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from snakemrs.errors import RequestError
from snakemrs.io.events import EVENTS
from snakemrs.report.inputs import GroupInputs, ParticipantInputs, RawFile, Reader, SpectrumInputs
from snakemrs.report.methods.evidence import Evidence, gather
from snakemrs.report.provenance import PACKAGES, changed_settings, versions
from snakemrs.study.images import tool_versions
from snakemrs.study.plan import DERIVATIVES, PLAN_PATH, Plan, PlannedSpectrum, load_plan
from snakemrs.study.settings.report import ReportSettings


def study_of(plan_path: Path) -> Path:
    """Folder of the study whose plan this is: paths in a plan are relative to it."""
    return plan_path.resolve().parents[len(PLAN_PATH.parts) - 1]


def open_plan(plan_path: Path) -> tuple[Path, Plan]:
    """Read a plan; give the study's folder and the plan."""
    return study_of(plan_path), load_plan(plan_path)


def report_settings(plan: Plan, given: ReportSettings | None) -> ReportSettings:
    """Settings of the stage: those given, else those of the plan."""
    return given or ReportSettings.model_validate(plan.settings.get("report", {}))


def changed(plan: Plan) -> tuple[Any, ...]:
    """Settings of the study that differ from their default."""
    from snakemrs.study.config import StudyConfig

    defaults = StudyConfig(name=plan.name).model_dump(mode="json")
    # What the study is called and where its raw files lie is no setting of the analysis, and no reader's business.
    choices = {key: value for key, value in plan.settings.items() if key not in ("name", "authors", "raw")}
    return tuple(changed_settings(choices, defaults))


def images_of(study: Path) -> dict[str, str]:
    """Names of the container images that `snakemrs run --containers` linked to the study."""
    import json

    path = study / "work" / "images" / "images.json"
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return {str(family): Path(str(link)).name for family, link in sorted(content.items())}


def spectrum_inputs(study: Path, spectrum: PlannedSpectrum) -> SpectrumInputs:
    """Give the paths of a planned spectrum."""
    entities = {key: getattr(spectrum, key) for key in ("session", "task", "acq", "voi", "run")}
    raw = study / spectrum.svs
    events = study / EVENTS
    return SpectrumInputs(
        stem=spectrum.stem,
        mrs=study / spectrum.folder,
        anatomy=study / spectrum.anatomy if spectrum.anatomy else None,
        mask=study / spectrum.mask if spectrum.mask else None,
        entities={key: str(value) for key, value in entities.items() if value},
        fitted=spectrum.fitted,
        raw=raw if raw.exists() else None,
        events=events if events.exists() else None,
    )


def participant_inputs(study: Path, plan: Plan, participant: str, command: str = "") -> ParticipantInputs:
    """Give all that the page of a participant is made from.

    Raises
    ------
    RequestError
        If the plan has no such participant.
    """
    import difflib

    label = participant.removeprefix("sub-")
    if label not in plan.participants:
        near = difflib.get_close_matches(label, plan.participants, n=1)
        raise RequestError(
            "the study has no such participant",
            participant=label,
            expected=", ".join(plan.participants[:10]) + (" …" if len(plan.participants) > 10 else ""),
            remedy=f"did you mean {near[0]}?" if near else None,
        )
    failures = {f"{f.unit} ({f.stage})": f.reason for f in plan.failed if f.participant == label}
    for problem in plan.problems:
        if getattr(problem, "participant", None) == label:
            where = str(getattr(problem, "file", None) or "study")
            failures.setdefault(where, str(getattr(problem, "message", getattr(problem, "text", problem))))
    return ParticipantInputs(
        participant=label,
        spectra=tuple(spectrum_inputs(study, s) for s in plan.spectra if s.participant == label),
        failures=failures,
        changed=changed(plan),
        raw=tuple(RawFile(s.path, s.sha256, s.suffix) for s in plan.scans if s.participant == label),
        study=plan.name,
        versions=versions_of(study),
        command=command,
        images=images_of(study),
    )


def group_inputs(study: Path, plan: Plan, output: Path, command: str = "") -> GroupInputs:
    """Give all that the page of the group is made from."""
    return GroupInputs(
        folder=study / DERIVATIVES / "group",
        participants=tuple(plan.participants),
        pages={label: quote(f"sub-{label}.html", safe="") for label in plan.participants},
        failures={f"{f.unit} ({f.stage})": f.reason for f in plan.failed},
        changed=changed(plan),
        study=plan.name,
        versions=versions_of(study),
        command=command,
        images=images_of(study),
        evidence=evidence_of(study, plan),
        phases=_phases(plan),
        unblinded=Reader().json(study / DERIVATIVES / "group" / "unblinded.json"),
    )


def _phases(plan: Plan) -> tuple[str, str]:
    design = plan.settings.get("group", {}).get("design", {})
    return str(design.get("baseline", "baseline")), str(design.get("active", "infusion"))


def versions_of(study: Path) -> dict[str, str]:
    """Versions of what took part: installed here, or held by the images of steps that ran in others than this one."""
    known = {**tool_versions(study), **versions()}
    return {package: known[package] for package in PACKAGES if package in known}


def evidence_of(study: Path, plan: Plan) -> Evidence:
    """Read what really ran, over all spectra of the study."""
    spectra = [(spectrum.participant, spectrum_inputs(study, spectrum)) for spectrum in plan.spectra]
    return gather(spectra, study / DERIVATIVES / "group", plan.settings, versions_of(study), Reader())
