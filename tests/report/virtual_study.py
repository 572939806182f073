"""A small study as the stages would leave it, by docs/reference/files.md, without running them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import nibabel as nib
import numpy as np

from snakemrs.io import nifti_mrs, tables
from snakemrs.spins.axis import ppm_axis, to_spectrum
from snakemrs.study.config import StudyConfig
from snakemrs.study.plan import Failure, Plan, PlannedAnatomy, PlannedScan, PlannedSpectrum

DWELL, FREQUENCY, POINTS = 1 / 2000.0, 127.75, 1024
LINES = {
    "NAA": [(2.01, 3.0)],
    "Cr": [(3.03, 3.0), (3.91, 2.0)],
    "GPC": [(3.21, 9.0)],
    "Ins": [(3.52, 4.0), (3.62, 2.0)],
    "Glu": [(2.34, 2.0), (2.1, 2.0), (3.74, 1.0)],
    "Gln": [(2.45, 2.0), (2.12, 2.0)],
    "MM20": [(2.05, 6.0)],
}
AMOUNT = {"NAA": 10.0, "Cr": 8.0, "GPC": 1.5, "Ins": 6.0, "Glu": 9.0, "Gln": 2.5, "MM20": 1.0}
SUMS = {"tNAA": ("NAA",), "tCr": ("Cr",), "tCho": ("GPC",), "Glx": ("Glu", "Gln")}


def time_signal(name: str, width: float = 5.0) -> np.ndarray:
    time = np.arange(POINTS) * DWELL
    broad = 8 * width if name.startswith("MM") else width
    total = sum(p * np.exp(-2j * np.pi * (ppm - 4.65) * FREQUENCY * time) for ppm, p in LINES[name])
    return AMOUNT[name] * total * np.exp(-np.pi * broad * time)


def image(signal: np.ndarray, *tags: str, transients: int = 1) -> nifti_mrs.NiftiMrs:
    header = {
        "SpectrometerFrequency": [FREQUENCY], "ResonantNucleus": ["1H"], "EchoTime": 0.03, "RepetitionTime": 2.0,
        "NumberOfTransients": transients, "SequenceName": "PRESS",
    }  # fmt: skip
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    empty = nifti_mrs.NiftiMrs(np.zeros((1, 1, 1, POINTS), complex), affine, DWELL, header)
    return empty.with_signal(signal, *tags).processed("Frequency and phase correction", "NAA at 2.01 ppm")


def describe(columns: list[str], **notes: object) -> dict:
    return {**{column: {"Description": column} for column in columns}, **notes}


def write(path: Path, rows: list[dict], **notes: object) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    tables.write_table(path, rows, columns, describe(columns, **notes))


def write_anatomy(prefix: Path, mask: Path) -> None:
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in (44, 52, 40)), indexing="ij"), -1).astype(float)
    radius = np.linalg.norm((grid - [22, 26, 20]) / [18, 22, 17], axis=-1)
    wm, gm, csf = radius < 0.6, (radius >= 0.6) & (radius < 0.9), (radius >= 0.9) & (radius < 1.0)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [-88, -104, -80]
    noise = np.random.default_rng(1).normal(0, 12, radius.shape)
    pictures = {
        "desc-preproc_T1w": np.clip(700 * wm + 480 * gm + 200 * csf + noise, 0, None),
        "desc-brain_mask": (radius < 1).astype(float),
        "label-WM_probseg": wm.astype(float),
        "label-GM_probseg": gm.astype(float),
        "label-CSF_probseg": csf.astype(float),
    }
    voxel = np.zeros(radius.shape)
    voxel[19:26, 34:41, 22:28] = 1
    for name, data in pictures.items():
        path = prefix.with_name(f"{prefix.name}_{name}.nii.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(data.astype(np.float32), affine), path)
    nib.save(nib.Nifti1Image(voxel.astype(np.float32), affine), mask)
    write(
        prefix.with_name(f"{prefix.name}_desc-anatomy_quality.tsv"),
        [{"metric": "brain_volume", "value": 1350.0, "unit": "ml", "verdict": "pass", "rule": "1000 to 1900 ml"}],
    )


def write_spectra(folder: Path, stem: str, seed: int, transients: int, level: float = 1.0, rise: float = 0.02) -> None:
    """All files of one spectrum, from preprocessing to concentrations; Glu is `level` times itself and rises."""
    rng = np.random.default_rng(seed)
    place = folder / stem
    clean = sum(time_signal(name) for name in LINES)
    singles = clean + 6 * (rng.normal(size=(transients, POINTS)) + 1j * rng.normal(size=(transients, POINTS)))
    mean = singles.mean(axis=0)

    def path(ending: str) -> Path:
        return place.with_name(f"{place.name}_{ending}")

    nifti_mrs.write(image(mean, transients=transients), path("desc-preproc_svs.nii.gz"))
    water = {"metric": "line_width_water", "before": None, "after": None, "unit": "Hz", "verdict": "n/a", "rule": "n/a"}
    quality = [
        {"metric": "snr", "before": 40.0, "after": 62.0 + seed, "unit": "1", "verdict": "pass", "rule": "n/a"},
        {"metric": "line_width_naa", "before": 7.0, "after": 5.4 + 0.1 * seed, "unit": "Hz", "verdict": "warn",
         "rule": "line_width_naa_warn: > 0.04 ppm"},
        water,
        {"metric": "overall", "before": None, "after": None, "unit": "n/a", "verdict": "warn", "rule": "line_width"},
    ]  # fmt: skip
    write(path("desc-preproc_quality.tsv"), quality, Notes=["No eddy-current correction: there is no water reference."])
    if transients > 1:
        nifti_mrs.write(image(singles, "DIM_DYN"), path("desc-transients_svs.nii.gz"))
        drift = np.linspace(-3, 3, transients)
        rows = [
            {"transient": k, "onset": 2.0 * k, "duration": 2.0, "frequency_shift": drift[k] + rng.normal(0, 0.2),
             "phase_shift": rng.normal(0, 5), "snr": 12 + rng.normal(), "line_width": 5.4, "weight": float(k != 5),
             "rejected": k == 5, "rule": "residual > 3" if k == 5 else "n/a"}
            for k in range(transients)
        ]  # fmt: skip
        write(path("desc-transients_quality.tsv"), rows)
    frames = 4 if transients > 1 else 0
    length = 2.0 * transients / max(frames, 1)
    if frames:
        rows = [
            {"frame": k, "onset": length * k, "duration": length, "transients": transients // frames, "snr": 30.0,
             "line_width_naa": 5.4 - 0.05 * k, "line_width_water": None, "frequency_shift": 0.0, "verdict": "pass",
             "rule": "n/a"}
            for k in range(frames)
        ]  # fmt: skip
        write(path("desc-frames_quality.tsv"), rows)
    ppm = ppm_axis(POINTS, DWELL, FREQUENCY)
    inside = (ppm > 0.2) & (ppm < 4.2)
    data, fit = to_spectrum(mean)[inside], to_spectrum(clean)[inside]
    baseline = 40 * np.exp(-((ppm[inside] - 2.2) ** 2))
    parts = {f"fit_{n}": to_spectrum(time_signal(n))[inside].real for n in LINES}
    rows = [
        {"frame": 0, "ppm": p, "data_re": d.real + b, "data_im": d.imag, "fit_re": f.real + b, "fit_im": f.imag,
         "baseline_re": b, "baseline_im": 0.0, **{n: v[k] for n, v in parts.items()}}
        for k, (p, d, f, b) in enumerate(zip(ppm[inside], data, fit, baseline, strict=True))
    ]  # fmt: skip
    write(path("desc-static_curves.tsv"), rows)
    names = [n for n in LINES if not n.startswith("MM")]
    covariance = 0.04 * np.eye(len(names))
    covariance[names.index("Glu"), names.index("Gln")] = covariance[names.index("Gln"), names.index("Glu")] = -0.026
    write(
        path("desc-static_covariance.tsv"),
        [{"frame": 0, "metabolite": n, **dict(zip(names, covariance[k], strict=True))} for k, n in enumerate(names)],
    )
    for label, count in (("static", 1), ("frames", frames)):
        rows = []
        for frame in range(count):
            now = level * (1 + rise * frame)
            amounts = {n: AMOUNT[n] * (now if n == "Glu" else 1) * (1 + rng.normal(0, 0.02)) for n in names}
            amounts |= {s: sum(amounts[m] for m in members) for s, members in SUMS.items()}
            for metabolite, amount in amounts.items():
                rows.append(
                    {"frame": frame, "onset": length * frame if count > 1 else 0.0, "duration": length,
                     "metabolite": metabolite, "amplitude": amount, "amplitude_sd": 0.2, "crlb_percent": 20 / amount,
                     "ratio_tcr": amount / amounts["tCr"], "ratio_tcr_sd": 0.03, "ratio_tnaa": amount / amounts["tNAA"],
                     "ratio_tnaa_sd": 0.02, "molar": None, "molar_sd": None, "molal": None, "molal_sd": None}
                )  # fmt: skip
        if rows:
            write(path(f"desc-{label}_concentrations.tsv"), rows, Notes={"molal": "there is no water reference"})
    write(path("desc-static_amplitudes.tsv"), [{"frame": 0, "metabolite": n, "amplitude": AMOUNT[n]} for n in names])
    write(
        path("tissue.tsv"),
        [{"gm": 0.55, "wm": 0.33, "csf": 0.11, "outside": 0.01, "volume_mm3": 8000.0, "gm_sd": 0.02, "wm_sd": 0.02,
          "csf_sd": 0.01, "flag": None}],
    )  # fmt: skip
    fit_record = {"settings": {}, "basis": {"name": "press-te30"}, "version": "0.1.0", "water": None,
                  "frames": [{"frame": 0, "status": "ok", "reason": None, "line_width": 5.1, "snr": 60.0}]}  # fmt: skip
    path("desc-static_fit.json").write_text(json.dumps(fit_record))


def make_study(study: Path, participants: int = 3, transients: int = 16, name: str = "Virtual trial") -> Path:
    """Write a study of `participants` with two sessions each; give the path of its plan."""
    derivatives = "derivatives/snakemrs"
    scans, anatomies, spectra, quality, concentrations, completeness = [], [], [], [], [], []
    chance = np.random.default_rng(3)
    for n in range(participants):
        person_level = chance.normal(0, 0.08)
        for m, condition in enumerate(("A", "B") if n % 2 else ("B", "A")):
            person, session = f"{n + 1:02d}", f"{m + 1:02d}"
            stem = f"sub-{person}_ses-{session}_acq-press_voi-acc"
            place = f"{derivatives}/sub-{person}/ses-{session}"
            prefix = f"{place}/anat/sub-{person}_ses-{session}"
            mask = f"{prefix}_acq-press_space-T1w_desc-acc_mask.nii.gz"
            write_anatomy(study / prefix, study / mask)
            level = 1 + chance.normal(0, 0.03) + person_level
            write_spectra(
                study / place / "mrs", stem, 10 * n + m, transients, level, 0.02 if condition == "A" else 0.01
            )
            svs = f"bids/sub-{person}/ses-{session}/mrs/{stem}_svs.nii.gz"
            (study / svs).parent.mkdir(parents=True, exist_ok=True)
            (study / svs).touch()
            scans.append(PlannedScan(f"{person}/raw{m}.SDAT", f"{n}{m}" * 32, svs, person, session, "svs"))
            anatomies.append(PlannedAnatomy(person, session, f"bids/sub-{person}_T1w.nii.gz", prefix))
            spectra.append(
                PlannedSpectrum(person, session, None, "press", "acc", None, stem, f"{place}/mrs", svs, None,
                                prefix, mask, None, None, frames=True, dynamic=True, fitted=True)
            )  # fmt: skip
            here = {"participant": person, "session": session, "acq": "press", "voi": "acc"}
            mrs = study / place / "mrs"
            quality += [{**here, **row} for row in tables.read_table(mrs / f"{stem}_desc-preproc_quality.tsv")]
            for kind in ("static", "frames"):
                rows = tables.read_table(mrs / f"{stem}_desc-{kind}_concentrations.tsv")
                concentrations += [{**here, "kind": kind, **row, "condition": condition} for row in rows]
            failed = n == participants - 1 and m == 1
            for stage in ("ingest", "spectra", "fit", "quantify"):
                bad = failed and stage == "quantify"
                completeness.append(
                    {"participant": person, "session": session, "stage": stage, "status": "failed" if bad else "done",
                     "reason": "no water reference" if bad else None}
                )  # fmt: skip
    _write_study_tables(study, participants, 2.0 * transients)
    group = study / derivatives / "group"
    write(group / "quality.tsv", quality)
    write(group / "concentrations.tsv", concentrations)
    write(group / "completeness.tsv", completeness)
    effects = [
        {
            "term": t,
            "estimate": e,
            "se": 0.01,
            "df": 20.0,
            "t": e / 0.01,
            "p": p,
            "ci_low": e - 0.02,
            "ci_high": e + 0.02,
        }
        for t, e, p in (
            ("Intercept", 0.3, 1e-9),
            ("condition[T.B]", -0.01, 0.33),
            ("condition[T.B]:phase", -0.03, 0.008),
        )
    ]
    write(
        group / "statistics" / "primary.tsv", effects, Model={"Formula": "log(y) ~ condition*phase", "Confidence": 0.95}
    )
    last = f"{participants:02d}"
    plan = Plan(
        name=name, raw="raw", created=1, settings=StudyConfig(name=name).model_dump(mode="json"), scans=scans,
        anatomies=anatomies, spectra=spectra, bases={}, tables={},
        failed=[Failure(f"sub-{last}_ses-02_acq-press_voi-acc", last, "02", "quantify", "no water reference", "x.log")],
    )  # fmt: skip
    (study / "work").mkdir(parents=True, exist_ok=True)
    (study / "work" / "plan.json").write_text(json.dumps(asdict(plan)))
    return study / "work" / "plan.json"


def _write_study_tables(study: Path, participants: int, length: float) -> None:
    """What the people of the study write: who, which session when, which masked condition, scores, the infusion."""
    rng = np.random.default_rng(7)
    people, sessions, scores = [], [], []
    for n in range(participants):
        person = f"sub-{n + 1:02d}"
        people.append({"participant_id": person, "sex": "F" if n % 4 < 2 else "M", "age": 30 + n})
        start = int(rng.integers(24, 36))
        for m, condition in enumerate(("A", "B") if n % 2 else ("B", "A")):
            here = {"participant_id": person, "session_id": f"ses-{m + 1:02d}"}
            sessions.append({**here, "period": m + 1, "condition": condition})
            fall = int(rng.integers(6, 18))
            for visit, total in (("baseline", start), ("day1", start - fall)):
                scores.append({**here, "visit": visit, "total": total})
    write(study / "participants.tsv", people)
    write(study / "sessions.tsv", sessions)
    write(study / "phenotype" / "madrs.tsv", scores)
    write(study / "events.tsv", [{"onset": 0.25 * length, "duration": 0.75 * length, "trial_type": "infusion"}])
