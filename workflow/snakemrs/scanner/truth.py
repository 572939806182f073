"""The folder truth/: what is true of a virtual study. The pipeline never reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.io.atomic import replacing, write_json
from snakemrs.io.tables import write_table
from snakemrs.scanner.cohort import Cohort, Person, Visit
from snakemrs.scanner.coils import Receive
from snakemrs.scanner.head import Box, Head, Pose
from snakemrs.scanner.personal import Personal
from snakemrs.scanner.presets import Preset, Protocol
from snakemrs.scanner.signal import Truth
from snakemrs.study.resources import constants


@dataclass(frozen=True)
class SessionTruth:
    """What is true of one session."""

    person: Person
    visit: Visit
    tissue: dict[str, float]
    box: Box
    pose: Pose
    head: Head
    transients: Truth
    personal: Personal
    receive: Receive


def write(
    folder: Path,
    cohort: Cohort,
    sessions: Sequence[SessionTruth],
    preset: Preset,
    protocol: Protocol,
    vendor: str,
    seed: int,
) -> None:
    """Write all tables of truth/ (docs/howto/simulate.md says what each holds)."""
    write_json(
        folder / "settings.json",
        {"vendor": vendor, "seed": seed, "preset": preset.model_dump(), "protocol": protocol.model_dump()},
    )
    write_table(
        folder / "key.tsv",
        ({"condition": code, "treatment": treatment} for code, treatment in cohort.key.items()),
        ("condition", "treatment"),
        {
            "condition": {"Description": "Masked code in sessions.tsv"},
            "treatment": {"Description": "What it stands for"},
        },
    )
    _write_sessions(folder, sessions)
    _write_concentrations(folder, sessions, protocol)
    for session in sessions:
        _write_transients(folder, session)
        write_json(
            folder / f"{_name(session)}_geometry.json",
            {
                "voxel_affine": session.box.affine.tolist(),
                "head_to_scanner": session.pose.affine.tolist(),
                "coil_sensitivities": _complex(session.receive.sensitivities),
                "noise_covariance": _complex(session.receive.noise_covariance),
            },
        )
    write_json(
        folder / "personal.json", sorted({string for session in sessions for string in session.personal.strings})
    )
    for session in sessions:
        if session.visit.period == 1:
            _write_deformation(folder / f"sub-{session.person.label}_deformation.npz", session.head)


def _name(session: SessionTruth) -> str:
    return f"sub-{session.person.label}_ses-{session.visit.session}"


def _complex(values: np.ndarray) -> dict[str, Any]:
    return {"real": values.real.tolist(), "imag": values.imag.tolist()}


def _write_deformation(path: Path, head: Head) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, scale=head.scale, field=head.field.astype(np.float32), origin=head.origin)


def _write_sessions(folder: Path, sessions: Sequence[SessionTruth]) -> None:
    columns = {
        "participant": ("Participant", None),
        "session": ("Session", None),
        "treatment": ("What was given", None),
        "gm": ("Grey matter in the voxel, share of its volume", None),
        "wm": ("White matter", None),
        "csf": ("CSF", None),
        "outside": ("Neither", None),
        "glx_factor": ("Glx of the session relative to the nominal one", None),
        "glx_rise": ("Relative rise that the infusion tends to", None),
        "water_signal": ("Unsuppressed water, in the unit of the signal", None),
        "noise": ("Standard deviation of the real part of a point (coils combined)", None),
        "eddy_current": ("Initial frequency offset", "Hz"),
    }
    rows = [
        {
            "participant": s.person.label,
            "session": s.visit.session,
            "treatment": s.visit.treatment,
            **s.tissue,
            "glx_factor": s.visit.glx_factor,
            "glx_rise": s.visit.glx_rise,
            "water_signal": s.transients.water_signal,
            "noise": s.transients.noise,
            "eddy_current": s.transients.eddy_current,
        }
        for s in sessions
    ]
    write_table(folder / "sessions.tsv", rows, tuple(columns), _dictionary(columns))


def _dictionary(columns: dict[str, tuple[str, str | None]]) -> dict[str, dict[str, str]]:
    return {
        name: {"Description": words, **({"Units": unit} if unit else {})} for name, (words, unit) in columns.items()
    }


def _write_concentrations(folder: Path, sessions: Sequence[SessionTruth], protocol: Protocol) -> None:
    """A row a metabolite: over the whole session (frame n/a) and in each frame of the protocol."""
    columns = {
        "participant": ("Participant", None),
        "session": ("Session", None),
        "frame": ("Frame, from 0; n/a: the whole session", None),
        "onset": ("Start", "s"),
        "duration": ("Duration", "s"),
        "metabolite": ("Metabolite, macromolecule, or sum", None),
        "molal": ("Per kilogram of water in brain tissue", "mmol/kg"),
        "molar": ("Per litre of brain tissue (grey and white matter)", "mmol/l"),
        "ratio_tcr": ("Over Cr + PCr", None),
        "ratio_tnaa": ("Over NAA + NAAG", None),
    }
    sums = {
        "tNAA": ("NAA", "NAAG"),
        "tCr": ("Cr", "PCr"),
        "tCho": ("GPC", "PCho"),
        "Glx": ("Glu", "Gln"),
        "Ins+Gly": ("Ins", "Gly"),
    }
    content = constants("water")["content"][constants("water")["default_set"]]
    rows = []
    for session in sessions:
        values, onset = session.transients.concentrations, session.transients.onset
        values = {**values, **{name: np.sum([values[part] for part in parts], axis=0) for name, parts in sums.items()}}
        gm, wm = session.tissue["gm"], session.tissue["wm"]
        water_per_litre = (gm * content["gm"] + wm * content["wm"]) / (gm + wm)
        end = onset[-1] + protocol.repetition_time
        starts = np.arange(0, end - 1e-6, protocol.frame_duration)
        spans: list[tuple[int | None, float, float]] = [(None, 0.0, float(end))]
        spans += [(n, float(start), protocol.frame_duration) for n, start in enumerate(starts)]
        for frame, start, length in spans:
            inside = (onset >= start - 1e-6) & (onset < start + length - 1e-6)
            means = {name: float(np.mean(course[inside])) for name, course in values.items()}
            rows += [
                {
                    "participant": session.person.label,
                    "session": session.visit.session,
                    "frame": frame,
                    "onset": start,
                    "duration": length,
                    "metabolite": name,
                    "molal": mean,
                    "molar": mean * water_per_litre,
                    "ratio_tcr": mean / means["tCr"],
                    "ratio_tnaa": mean / means["tNAA"],
                }
                for name, mean in means.items()
            ]
    write_table(folder / "concentrations.tsv", rows, tuple(columns), _dictionary(columns))


def _write_transients(folder: Path, session: SessionTruth) -> None:
    true = session.transients
    changing = [name for name, course in true.concentrations.items() if np.ptp(course) > 0]
    columns = {
        "transient": ("Number, from 0", None),
        "onset": ("Time from the first transient", "s"),
        "frequency": ("Multiplied by exp(2πi·frequency·t): positive moves lines to lower ppm", "Hz"),
        "phase": ("Multiplied by exp(i·phase)", "degree"),
        "amplitude": ("1, less where motion spoilt it", None),
        "line_width": ("Full width at half maximum of metabolites", "Hz"),
        "fate": ("kept or spoilt (by motion)", None),
        **dict.fromkeys(changing, ("Concentration per kilogram of water in brain tissue", "mmol/kg")),
    }
    rows = [
        {
            "transient": n,
            "onset": true.onset[n],
            "frequency": true.frequency[n],
            "phase": float(np.rad2deg(true.phase[n])),
            "amplitude": true.amplitude[n],
            "line_width": true.line_width[n],
            "fate": "spoilt" if true.spoilt[n] else "kept",
            **{name: true.concentrations[name][n] for name in changing},
        }
        for n in range(true.onset.size)
    ]
    write_table(folder / f"{_name(session)}_transients.tsv", rows, tuple(columns), _dictionary(columns))
