"""The page of a participant: what is shown of each spectrum, and what could not be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup

from snakemrs.errors import SnakeMRSError
from snakemrs.io.events import concerns
from snakemrs.report import functional, words
from snakemrs.report import lights as judged
from snakemrs.report.distribution import placeholder
from snakemrs.report.figures import effects, transients, values
from snakemrs.report.figures import spectrum as spectrum_figures
from snakemrs.report.figures.functional import course_chart
from snakemrs.report.grids import concentrations_grid, plain_grid, quality_grid, tissue_grid
from snakemrs.report.inputs import ParticipantInputs, Reader, SpectrumInputs, Table, flatten_notes, unique
from snakemrs.report.page import render
from snakemrs.report.provenance import Step, processing_steps
from snakemrs.report.tables import Download, Grid, download
from snakemrs.study.settings.report import ReportSettings


@dataclass
class Section:
    """A spectrum's part of the page."""

    name: str
    title: str
    stem: str
    lights: list[judged.Light]
    verdict: str
    figures: dict[str, Markup] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)
    not_done: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)


def participant_page(inputs: ParticipantInputs, settings: ReportSettings) -> str:
    """Make the page of a participant.

    A figure that cannot be made leaves a sentence that says why; only the page as a whole can fail.

    Returns
    -------
    str
        HTML, complete in itself.
    """
    reader = Reader()
    shown = [spectrum for spectrum in inputs.spectra if spectrum.fitted]
    sections = [_section(f"s{n + 1}", spectrum, inputs, settings, reader) for n, spectrum in enumerate(shown)]
    others = [spectrum.stem for spectrum in inputs.spectra if not spectrum.fitted]
    failures = [(unit, reason) for unit, reason in inputs.failures.items()]
    verdict = words.worst([section.verdict for section in sections] + ["fail"] * bool(failures))
    return render(
        "participant.html.j2",
        participant=f"sub-{inputs.participant.removeprefix('sub-')}",
        study=settings.title or inputs.study,
        sections=sections,
        others=others,
        failures=failures,
        problems=reader.problems,
        verdict=verdict if sections else "fail",
        changed=inputs.changed,
        raw=inputs.raw,
        versions=list(inputs.versions.items()),
        command=inputs.command,
        images=list(inputs.images.items()),
    )


def _section(
    name: str, spectrum: SpectrumInputs, inputs: ParticipantInputs, settings: ReportSettings, reader: Reader
) -> Section:
    window = (settings.ppm_low, settings.ppm_high)
    read = reader.table
    quality = read(spectrum.path("desc-preproc_quality.tsv"))
    anatomy = read(spectrum.of_anatomy("desc-anatomy_quality.tsv"))
    tissue = read(spectrum.path("tissue.tsv"))
    static = read(spectrum.path("desc-static_concentrations.tsv"))
    amplitudes = read(spectrum.path("desc-static_amplitudes.tsv"))
    fit = reader.json(spectrum.path("desc-static_fit.json"))
    events = spans_of(read(spectrum.events), spectrum.stem)
    lights = [
        judged.quality_light("spectrum", quality, "there is no preprocessed spectrum"),
        judged.fit_light(fit),
        judged.tissue_light(tissue, spectrum.anatomy is not None),
        judged.quality_light("anatomy", anatomy, "there is no T1w image or it was not judged"),
        judged.concentrations_light(static),
    ]
    section = Section(
        name,
        spectrum.title,
        spectrum.stem,
        lights,
        words.worst([light.verdict for light in lights if light.verdict != "n/a"]),
    )

    def add(key: str, what: str, make: Callable[[], Any], missing: str = "") -> None:
        """Make a figure; say why where it cannot be made."""
        try:
            made = make()
        except (SnakeMRSError, ValueError, KeyError, OSError, IndexError) as error:
            text = error.message if isinstance(error, SnakeMRSError) else f"{type(error).__name__}: {error}"
            section.not_done.append(f"{what}: {text}")
            return
        if made is None:
            if missing:
                section.not_done.append(f"{what}: {missing}")
            return
        section.figures[key] = made.html() if hasattr(made, "html") else made

    curves = read(spectrum.path("desc-static_curves.tsv"))
    add(
        "spectrum",
        "Spectrum and fit",
        lambda: spectrum_figures.spectrum_chart(curves, f"{name}-spectrum", window) if curves else None,
        "the fit left no curves",
    )
    add("voxel", "Voxel on the T1w image", lambda: _voxel(spectrum, f"{name}-voxel"), _why_no_voxel(spectrum))
    per_transient = read(spectrum.path("desc-transients_quality.tsv"))
    if per_transient is not None and len(per_transient.rows) > 1:
        image = reader.image(spectrum.path("desc-transients_svs.nii.gz"))
        if image is not None:
            add(
                "transients",
                "Transients before and after",
                lambda: transients.transients_image(image, per_transient, f"{name}-transients", window),
                "the image and the table have different numbers of transients",
            )
        add("traces", "Traces", lambda: transients.traces_chart(per_transient, f"{name}-traces", events))
    elif quality is not None:
        section.not_done.append("Transients and frames: the scanner had averaged them already")
    frames_quality = read(spectrum.path("desc-frames_quality.tsv"))
    frames = read(spectrum.path("desc-frames_concentrations.tsv"))
    if frames_quality is not None and len(frames_quality.rows) < 2:
        frames_quality = None  # one frame is the mean spectrum again
    if frames_quality is not None or frames is not None:
        add(
            "frames",
            "Frames over time",
            lambda: values.time_chart(
                frames,
                frames_quality,
                f"{name}-frames",
                settings.numerator,
                settings.denominator,
                events,
                settings.interval,
            ),
            "no frame has a known time and value",
        )
    betas = read(spectrum.path("desc-dynamic_betas.tsv"))
    if betas is not None and betas.rows:
        add(
            "dynamic",
            "Dynamic fit",
            lambda: effects.dynamic_forest(betas, f"{name}-dynamic", settings.metabolites),
            "no regressor but drift has an effect to show",
        )
        section.grids["dynamic"] = plain_grid(betas, "Change per unit of each regressor")
        section.not_done += functional.doubts(reader.json(spectrum.path("desc-dynamic_fit.json")) or {})
    course = read(spectrum.path("desc-dynamic_course.tsv"))
    if course is not None and course.rows:
        followed = settings.numerator if course.where(metabolite=settings.numerator).rows else "Glu"
        add(
            "course",
            "Response over time",
            lambda: course_chart(course, frames, f"{name}-course", followed, ("tNAA", "tCr"), events),
            "no course was fitted",
        )
    summary = read(spectrum.path("desc-dynamic_summary.tsv"))
    if summary is not None and summary.rows:
        shown = functional.summary_grid(summary, settings.metabolites)
        if shown is not None:
            section.grids["functional"] = shown
    frame_curves = read(spectrum.path("desc-frames_curves.tsv")) if frames is not None else None
    if frame_curves is not None:
        add(
            "framespectra",
            "Spectra of the frames",
            lambda: spectrum_figures.frames_chart(frame_curves, f"{name}-framespectra", window),
        )
    if static is not None:
        add(
            "concentrations",
            "Concentrations",
            lambda: values.concentrations_chart(
                static, f"{name}-concentrations", settings.metabolites, settings.interval
            ),
        )
        section.grids["short"] = concentrations_grid(static, settings.metabolites, "The chosen few")
        section.grids["all"] = concentrations_grid(static, None, "All metabolites and sums")
        section.not_done += static.notes()
    elif amplitudes is not None:
        section.not_done += [
            "Concentrations: not computed, the amplitudes of the fit stand in the tables",
            *amplitudes.notes(),
        ]
    covariance = read(spectrum.path("desc-static_covariance.tsv"))
    if covariance is not None:
        add("correlation", "Correlation", lambda: values.correlation_figure(covariance, f"{name}-correlation"))
    section.figures["distribution"] = placeholder(name, spectrum.stem, inputs.participant)
    if quality is not None:
        section.grids["quality"] = quality_grid(quality)
    if tissue is not None and tissue.rows:
        section.grids["tissue"] = tissue_grid(tissue)
        section.not_done += tissue.notes()
    if frames_quality is not None and frames_quality.rows:
        section.grids["frames"] = plain_grid(frames_quality, "Quality of each frame")
    if quality is not None:
        section.not_done += quality.notes()
    section.not_done += flatten_notes((fit or {}).get("notes")) + flatten_notes((fit or {}).get("Notes"))
    section.not_done = unique(section.not_done)
    section.steps = processing_steps(reader, spectrum, fit)
    section.facts = _facts(reader, spectrum, fit)
    tables = (per_transient, amplitudes, frames, covariance)  # the others can be downloaded where they stand
    section.downloads = [d for d in (download(t.path, t.rows) for t in tables if t is not None) if d]
    return section


def _voxel(spectrum: SpectrumInputs, name: str) -> Markup | None:
    from snakemrs.report.figures.voxel import voxel_figure

    t1w = spectrum.of_anatomy("desc-preproc_T1w.nii.gz")
    if t1w is None or spectrum.mask is None or not spectrum.mask.exists():
        return None
    maps = {tissue: spectrum.of_anatomy(f"label-{tissue}_probseg.nii.gz") for tissue in ("GM", "WM", "CSF")}
    return voxel_figure(t1w, spectrum.mask, {k: v for k, v in maps.items() if v is not None}, name)


def _why_no_voxel(spectrum: SpectrumInputs) -> str:
    if spectrum.anatomy is None:
        return "the study has no T1w image of this participant"
    if spectrum.of_anatomy("desc-preproc_T1w.nii.gz") is None:
        return "the T1w image was not segmented"
    return "the voxel has no mask in T1w space"


def spans_of(table: Table | None, stem: str) -> list[tuple[float, float, str]]:
    """Give the events of a spectrum as (start, end, name) in seconds; those without duration are left out."""
    if table is None:
        return []
    mine = [concerns(row, stem) for row in table.rows]
    onset, length = table.numbers("onset"), table.numbers("duration")
    names = [row.get("trial_type", "event") for row in table.rows]
    cells = zip(mine, onset, length, names, strict=True)
    return [(a, a + d, n) for own, a, d, n in cells if own and np.isfinite(a) and d > 0]


def _facts(reader: Reader, spectrum: SpectrumInputs, fit: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What was measured: from the header of the preprocessed image."""
    image = reader.image(spectrum.path("desc-preproc_svs.nii.gz"))
    if image is None:
        return []
    header = image.header
    facts = [
        ("Nucleus", image.nucleus),
        ("Spectrometer", f"{image.spectrometer_frequency:.3f} MHz"),
        ("Sequence", str(header.get("SequenceName") or header.get("PulseSequenceType") or "n/a")),
        ("TE", f"{1e3 * image.echo_time:g} ms" if image.echo_time is not None else "n/a"),
        ("TR", f"{1e3 * image.repetition_time:g} ms" if image.repetition_time is not None else "n/a"),
        ("Points", f"{image.points} at {image.bandwidth:g} Hz"),
        ("Transients", str(header.get("NumberOfTransients", "n/a"))),
    ]
    size = np.sqrt((image.affine[:3, :3] ** 2).sum(axis=0))
    facts.append(("Voxel", " × ".join(f"{s:.1f}" for s in size) + " mm"))
    return facts
