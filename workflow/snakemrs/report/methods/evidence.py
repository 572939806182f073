"""What really ran: read from headers, sidecars and records of the steps, never from what was meant to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.report.inputs import Reader, SpectrumInputs, Table, number


@dataclass(frozen=True)
class Acquired:
    """What the headers say of one spectrum and its water reference.

    Attributes
    ----------
    stem : str
        BIDS name of the spectrum.
    header : dict
        NIfTI-MRS header of the preprocessed spectrum, with the BIDS sidecar's keys where the header lacks them.
    size : tuple of float
        Voxel, mm.
    points : int
    bandwidth : float
        Hz.
    water : dict or None
        Header of the water reference.
    """

    stem: str
    header: Mapping[str, Any]
    size: tuple[float, ...]
    points: int
    bandwidth: float
    water: Mapping[str, Any] | None = None


@dataclass
class Evidence:
    """All that the methods text and the checklists are filled from.

    Attributes
    ----------
    spectra : list of Acquired
        Those that were preprocessed.
    steps : Counter
        Name of a processing step and how many spectra it was applied to.
    fits : list of dict
        fit.json of every static fit.
    frames : int
        Spectra that have frames.
    quality, concentrations : list of Table
        By spectrum.
    statistics : dict
        Name and table of each result of the stage group.
    settings : dict
        Settings of the study, by stage.
    versions : dict
        Program and version.
    anatomies : list of dict
        Sidecars of the segmented T1w images.
    planned : int
        Spectra that the study planned to fit.
    participants, sessions : int
        That have at least one preprocessed spectrum.
    completeness : Table or None
    sites : list of str
        Labels of the voxels' places.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    spectra: list[Acquired] = field(default_factory=list)
    steps: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)
    fits: list[dict[str, Any]] = field(default_factory=list)
    dynamic: list[dict[str, Any]] = field(default_factory=list)
    frames: list[Table] = field(default_factory=list)
    quality: list[Table] = field(default_factory=list)
    tissue: list[Table] = field(default_factory=list)
    concentrations: list[Table] = field(default_factory=list)
    anatomies: list[dict[str, Any]] = field(default_factory=list)
    anatomy_notes: list[str] = field(default_factory=list)
    statistics: dict[str, Table] = field(default_factory=dict)
    statements: Table | None = None
    specifications: Table | None = None
    unblinded: bool | None = None
    completeness: Table | None = None
    flow: Table | None = None
    programs: list[str] = field(default_factory=list)
    nulled: int = 0
    planned: int = 0
    participants: int = 0
    sessions: int = 0
    sites: list[str] = field(default_factory=list)

    def stage(self, name: str) -> Mapping[str, Any]:
        """Settings of a stage."""
        found = self.settings.get(name, {})
        return found if isinstance(found, Mapping) else {}

    def version(self, program: str) -> str:
        """``name version`` of a program, the name alone where the version is not known."""
        known = self.versions.get(program)
        return f"{program} {known}" if known else program

    def header_values(self, key: str, *, water: bool = False) -> list[Any]:
        """Give the values of a header's key over all spectra, without those that lack it."""
        headers = [s.water if water else s.header for s in self.spectra]
        values = [h.get(key) for h in headers if h is not None]
        return [v[0] if isinstance(v, list) and v else v for v in values if v not in (None, "", [])]

    def kinds_of_values(self) -> list[str]:
        """Columns of concentrations that have at least one value: ``ratio_tcr ratio_tnaa molar molal``."""
        columns = ("ratio_tcr", "ratio_tnaa", "molar", "molal")
        return [c for c in columns if any(np.isfinite(t.numbers(c)).any() for t in self.concentrations)]


def gather(
    spectra: Sequence[tuple[str, SpectrumInputs]],
    group: Path,
    settings: Mapping[str, Any],
    versions: Mapping[str, str],
    reader: Reader,
) -> Evidence:
    """Read the records of all spectra, given as (participant, spectrum)."""
    evidence = Evidence(settings=settings, versions=versions)
    people, sessions, seen = set(), set(), set()
    for participant, spectrum in spectra:
        image = reader.image(spectrum.path("desc-preproc_svs.nii.gz"))
        if not spectrum.fitted:
            evidence.nulled += image is not None
            continue
        evidence.planned += 1
        if image is None:
            continue
        people.add(participant)
        sessions.add((participant, spectrum.session))
        sidecar = reader.json(_sidecar(spectrum.raw)) or {}
        water = reader.image(spectrum.path("desc-preproc_mrsref.nii.gz"))
        size = tuple(float(s) for s in np.sqrt((image.affine[:3, :3] ** 2).sum(axis=0)))
        header = {**sidecar, **image.header}
        evidence.spectra.append(
            Acquired(spectrum.stem, header, size, image.points, image.bandwidth, water.header if water else None)
        )
        applied = [a for a in image.header.get("ProcessingApplied", []) if isinstance(a, Mapping)]
        for name in dict.fromkeys(str(a.get("Method", "")) for a in applied):
            evidence.steps[name] += 1
        for a in applied:
            evidence.programs.append(f"{a.get('Program', '')} {a.get('Version', '')}".strip())
            evidence.details.setdefault(str(a.get("Method", "")), str(a.get("Details", "")))
        fit = reader.json(spectrum.path("desc-static_fit.json"))
        if fit is not None:
            evidence.fits.append(fit)
        joint = reader.json(spectrum.path("desc-dynamic_fit.json"))
        if joint is not None:
            evidence.dynamic.append(joint)
        for ending, into in (
            ("desc-preproc_quality.tsv", evidence.quality),
            ("desc-frames_quality.tsv", evidence.frames),
            ("tissue.tsv", evidence.tissue),
            ("desc-static_concentrations.tsv", evidence.concentrations),
        ):
            table = reader.table(spectrum.path(ending))
            if table is not None and table.rows:
                into.append(table)
        if spectrum.anatomy is not None and spectrum.anatomy not in seen:
            seen.add(spectrum.anatomy)
            record = reader.json(spectrum.of_anatomy("desc-preproc_T1w.json"))
            if record is not None or spectrum.of_anatomy("desc-preproc_T1w.nii.gz") is not None:
                evidence.anatomies.append(record or {})
                judged = reader.table(spectrum.of_anatomy("desc-anatomy_quality.tsv"))
                evidence.anatomy_notes += judged.notes() if judged is not None else []
        if spectrum.entities.get("voi") and spectrum.entities["voi"] not in evidence.sites:
            evidence.sites.append(spectrum.entities["voi"])
    evidence.participants, evidence.sessions = len(people), len(sessions)
    evidence.completeness = reader.table(group / "completeness.tsv")
    evidence.flow = reader.table(group / "flow.tsv")
    evidence.specifications = _filled(reader.table(group / "sensitivity" / "specifications.tsv"))
    evidence.statements = reader.table(group / "statistics" / "statements.tsv")
    if evidence.completeness is not None:
        evidence.unblinded = (group / "unblinded.json").exists()
    for path in sorted((group / "statistics").rglob("*.tsv")):
        table = reader.table(path)
        if table is not None and table.rows:
            evidence.statistics[str(path.relative_to(group / "statistics")).removesuffix(".tsv")] = table
    return evidence


def _filled(table: Table | None) -> Table | None:
    return table if table is not None and table.rows else None


def _sidecar(raw: Path | None) -> Path | None:
    return None if raw is None else raw.with_name(raw.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def span(values: Iterable[Any], unit: str = "", scale: float = 1.0, digits: int = 4) -> str | None:
    """Say one value, or the range of several, with its unit; None where there are none."""
    numbers = []
    for value in values:
        try:
            numbers.append(float(value) * scale)
        except (TypeError, ValueError):
            continue
    if not numbers:
        return None
    low, high = min(numbers), max(numbers)
    text = (
        f"{low:.{digits}g}"
        if abs(high - low) <= 1e-6 * max(abs(high), 1e-12)
        else f"{low:.{digits}g} to {high:.{digits}g}"
    )
    return f"{text} {unit}".strip()


def several(values: Iterable[Any]) -> str | None:
    """Say the different values there are, the commonest first; None where there are none."""
    counted = Counter(" ".join(str(v).split()) for v in values if str(v).strip())
    return ", ".join(value for value, _ in counted.most_common()) or None


def mean_and_sd(tables: Sequence[Table], metric: str) -> str | None:
    """Say mean and standard deviation of a quality metric over spectra, as it is after preprocessing."""
    found = [number(row.get("after", "n/a")) for t in tables for row in t.rows if row.get("metric") == metric]
    finite = np.array([v for v in found if np.isfinite(v)])
    if finite.size == 0:
        return None
    if finite.size == 1:
        return f"{finite[0]:.3g} (n = 1)"
    return f"{finite.mean():.3g} ± {finite.std(ddof=1):.2g} (n = {finite.size})"
