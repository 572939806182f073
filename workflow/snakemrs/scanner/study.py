"""A whole virtual study on disk: raw files, tables, and the truth that the pipeline never reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.io.atomic import write_text
from snakemrs.io.tables import write_table
from snakemrs.scanner import truth as true_tables
from snakemrs.scanner.cohort import Cohort, Person, Visit, draw_cohort, draw_items
from snakemrs.scanner.head import (
    Head,
    Pose,
    add_skull,
    draw_anatomy,
    draw_head,
    draw_pose,
    fractions,
    place_box,
    scan_t1w,
)
from snakemrs.scanner.personal import Personal, draw_personal
from snakemrs.scanner.presets import Preset, Protocol, load_preset, load_protocol
from snakemrs.scanner.signal import (
    SessionSignal,
    draw_factors,
    make_basis,
    session_signal,
)
from snakemrs.scanner.t1w import MANUFACTURERS, write_dicom_t1w, write_nifti_t1w
from snakemrs.scanner.vendors import Scan, write_raw
from snakemrs.spins.basis import Basis
from snakemrs.study.relaxation import TissueConstants, field_strength, load_constants

VOI, ACQ, TASK = "acc", "press", "infusion"
_HEAD, _LEVELS, _PERSONAL, _SESSION, _POSE, _IMAGE, _RECEIVE, _ITEMS = 10, 11, 12, 13, 14, 15, 16, 17
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be written."""

    study: Path
    vendor: str
    t1w: str
    preset: Preset
    protocol: Protocol
    seed: int
    basis: Basis
    known: TissueConstants


def write_study(
    study: Path,
    vendor: str,
    preset: str,
    participants: int,
    sessions: int,
    seed: int,
    transients: int | None = None,
    t1w: str = "nifti",
    t1w_spacing: float | None = None,
    whole_head: bool = False,
    say: Say = lambda text: None,
) -> None:
    """Write a virtual study.

    Parameters
    ----------
    study : path
        A folder that is absent or empty.
    vendor : str
        ``philips``, ``philips-list``, ``siemens`` or ``ge``.
    preset : str
        Name of a preset.
    participants, sessions : int
    seed : int
        The same seed gives the same bytes.
    transients : int, optional
        Of a session, see `load_protocol`; the time constant of the rise of Glx shrinks with the session.
    t1w : {"nifti", "dicom"}
        Format of the T1w images.
    t1w_spacing : float, optional
        Of the voxels of the T1w images, mm; that of the protocol where not given.
    whole_head : bool
        Whether the T1w images show skull and scalp; brain only where not.
    say : callable
        Called with a line of progress.

    Raises
    ------
    RequestError
        If the folder holds something, or preset or vendor are unknown.
    """
    if study.exists() and (not study.is_dir() or any(study.iterdir())):
        raise RequestError("the folder is not empty", file=study, remedy="name a folder that does not exist yet")
    full, protocol = load_protocol(), load_protocol(vendor, transients)
    chosen = load_preset(preset)
    ratio = protocol.infusion_duration / full.infusion_duration
    chosen = chosen.model_copy(update={"rise_time_constant": chosen.rise_time_constant * ratio})
    cohort = draw_cohort(chosen, participants, seed, sessions)
    known = load_constants(field_strength(protocol.spectrometer_frequency))
    plan = Plan(study, vendor, t1w, chosen, protocol, seed, make_basis(protocol), known)
    scans: list[dict[str, Any]] = []
    done: list[true_tables.SessionTruth] = []
    for index, person in enumerate(cohort.people):
        head = draw_head(np.random.default_rng([seed, _HEAD, index]))
        spacing = t1w_spacing or protocol.t1w_spacing_mm
        image, brain, affine = draw_anatomy(head, spacing)
        anatomy = (*(add_skull(image, brain, spacing) if whole_head else (image, brain)), affine)
        personal = draw_personal(np.random.default_rng([seed, _PERSONAL, index]), person.sex, person.age)
        factors = draw_factors(chosen, np.random.default_rng([seed, _LEVELS, index]))
        for visit in person.visits:
            rows, session = _write_session(plan, index, person, visit, head, anatomy, personal, factors)
            scans += rows
            done.append(session)
            say(f"sub-{person.label} ses-{visit.session}: {protocol.transients} transients")
    _write_tables(plan, cohort, scans)
    true_tables.write(study / "truth", cohort, done, chosen, protocol, vendor, seed)
    # Last: a study without study.yaml is one whose writing was interrupted.
    write_text(study / "study.yaml", _configuration(plan))


def _write_session(
    plan: Plan,
    index: int,
    person: Person,
    visit: Visit,
    head: Head,
    anatomy: tuple[np.ndarray, np.ndarray, np.ndarray],
    personal: Personal,
    factors: dict[str, float],
) -> tuple[list[dict[str, Any]], true_tables.SessionTruth]:
    """Write the raw files of one session; give its rows of scans.tsv and its truth."""

    def random(stream: int) -> np.random.Generator:
        return np.random.default_rng([plan.seed, stream, index, visit.period])

    protocol = plan.protocol
    pose = draw_pose(random(_POSE))
    box = place_box(
        head,
        pose,
        random(_POSE + 100),
        protocol.voxel_centre_mni_mm,
        protocol.voxel_size_mm,
        protocol.voxel_tilt_degrees,
    )
    tissue = fractions(head, pose, box)
    made: SessionSignal = session_signal(
        person, visit, tissue, plan.basis, plan.preset, protocol, plan.known, factors, random(_SESSION)
    )
    raw = plan.study / "raw"
    folder = Path(f"sub-{person.label}") / f"ses-{visit.session}"
    number = (plan.seed * 10000 + index) * 10 + visit.period
    image = _write_t1w(plan, folder, anatomy, pose, personal, number, random(_IMAGE))
    scan = Scan(made, protocol, box, personal, tuple(plan.basis.names))
    files, receive = write_raw(plan.vendor, raw, folder, scan, random(_RECEIVE))
    who = {"participant": person.label, "session": visit.session}
    rows: list[dict[str, Any]] = [{"path": image.as_posix(), **who, "suffix": "T1w"}]
    rows += [
        {
            "path": path.as_posix(),
            **who,
            "suffix": suffix,
            "task": TASK if suffix == "svs" else None,
            "acq": ACQ,
            "voi": VOI,
        }
        for suffix, path in files.items()
    ]
    return rows, true_tables.SessionTruth(person, visit, tissue, box, pose, head, made.truth, personal, receive)


def _write_t1w(
    plan: Plan,
    folder: Path,
    anatomy: tuple[np.ndarray, np.ndarray, np.ndarray],
    pose: Pose,
    personal: Personal,
    number: int,
    random: np.random.Generator,
) -> Path:
    """Write the T1w image of a session, its pose in the affine; give its path in the raw folder."""
    image, kept, affine = anatomy
    values, placed = scan_t1w(image, kept, random), pose.affine @ affine
    raw = plan.study / "raw"
    if plan.t1w == "dicom":
        path = folder / "T1w"
        write_dicom_t1w(raw / path, values, placed, personal, number, MANUFACTURERS[plan.vendor])
        return path
    path = folder / "T1w.nii.gz"
    write_nifti_t1w(raw / path, values, placed)
    return path


def _write_tables(plan: Plan, cohort: Cohort, scans: list[dict[str, Any]]) -> None:
    """Write scans.tsv, participants.tsv, sessions.tsv, phenotype/madrs.tsv and events.tsv."""
    study = plan.study
    write_table(study / "scans.tsv", scans, ("path", "participant", "session", "suffix", "task", "acq", "voi", "run"))
    write_table(
        study / "participants.tsv",
        ({"participant_id": f"sub-{p.label}", "sex": p.sex, "age": p.age} for p in cohort.people),
        ("participant_id", "sex", "age"),
        {
            "participant_id": {"Description": "Participant"},
            "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male"}},
            "age": {"Description": "Age", "Units": "year"},
        },
    )
    write_table(
        study / "sessions.tsv",
        (
            {
                "participant_id": f"sub-{p.label}",
                "session_id": f"ses-{v.session}",
                "period": v.period,
                "condition": v.condition,
            }
            for p in cohort.people
            for v in p.visits
        ),
        ("participant_id", "session_id", "period", "condition"),
        {
            "participant_id": {"Description": "Participant"},
            "session_id": {"Description": "Session"},
            "period": {"Description": "Period of the crossover"},
            "condition": {"Description": "Masked code of what was given before the infusion"},
        },
    )
    columns = ["participant_id"]
    descriptions: dict[str, dict[str, Any]] = {"participant_id": {"Description": "Participant"}}
    rows: list[dict[str, Any]] = []
    for index, person in enumerate(cohort.people):
        row: dict[str, Any] = {"participant_id": f"sub-{person.label}"}
        random = np.random.default_rng([plan.seed, _ITEMS, index])
        for visit in person.visits:
            for when, words, score in (
                ("baseline", "before the infusion", visit.madrs_pre),
                ("day1", "a day after the infusion", visit.madrs_post),
            ):
                column = f"ses-{visit.session}_{when}_total"
                row[column] = score
                descriptions[column] = {"Description": f"MADRS total of ses-{visit.session}, {words} (0-60)"}
                for number, points in enumerate(draw_items(score, random), start=1):
                    column = f"ses-{visit.session}_{when}_item_{number}"
                    row[column] = points
                    descriptions[column] = {"Description": f"MADRS item {number} of ses-{visit.session}, {words} (0-6)"}
        rows.append(row)
    columns += [column for column in descriptions if column not in columns]
    write_table(study / "phenotype" / "madrs.tsv", rows, columns, descriptions)
    write_table(
        study / "events.tsv",
        [
            {
                "onset": plan.protocol.baseline_duration,
                "duration": plan.protocol.infusion_duration,
                "trial_type": "infusion",
            }
        ],
        ("onset", "duration", "trial_type"),
        {
            "onset": {"Description": "Start, from the first transient of a session", "Units": "s"},
            "duration": {"Description": "Duration", "Units": "s"},
            "trial_type": {"Description": "infusion: ketamine 0.5 mg/kg"},
        },
    )


def _configuration(plan: Plan) -> str:
    return (
        "# yaml-language-server: $schema=work/study.schema.json\n"
        f"name: Virtual study ({plan.preset.name}, {plan.vendor})\n"
        "raw: raw\n"
        "ingest:\n"
        "  voi_names:\n"
        f"    {VOI}: anterior cingulate cortex\n"
        "spectra:\n"
        f"  frame_duration: {plan.protocol.frame_duration:g}\n"
    )
