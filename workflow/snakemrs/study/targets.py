"""What the rules ask of the plan: inputs, parameters and targets, by the wildcards of a file name.

Rule files stay declarative; whatever must be looked up is looked up here.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snakemrs.study.plan import (
    DERIVATIVES,
    Plan,
    PlannedAnatomy,
    PlannedScan,
    PlannedSpectrum,
    hash_file,
    load_plan,
)
from snakemrs.study.steps import STEP_VERSIONS

Wildcards = Any
ANATOMY_FILES = (
    "desc-preproc_T1w.nii.gz",
    "desc-brain_mask.nii.gz",
    "label-GM_probseg.nii.gz",
    "label-WM_probseg.nii.gz",
    "label-CSF_probseg.nii.gz",
)
FIT_FILES = ("amplitudes.tsv", "covariance.tsv", "curves.tsv", "fit.json")


def sign(function: Callable[..., Any]) -> None:
    """Store a function's signature.

    Snakemake asks for it several times for each of thousands of jobs, and working it out takes longer than the call.
    """
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]


def growing(amount: int) -> Callable[..., int]:
    """Megabytes or minutes: so many for the first attempt, twice as many for the second."""

    def of_attempt(wildcards: Wildcards, attempt: int) -> int:
        return amount * attempt

    sign(of_attempt)
    return of_attempt


class Targets:
    """The plan, indexed by file names.

    Parameters
    ----------
    plan_path : path
        ``work/plan.json``; other paths are relative to the study, Snakemake's working directory.
    """

    def __init__(self, plan_path: str | Path) -> None:
        self.path = str(plan_path)
        self.plan: Plan = load_plan(plan_path)
        self._scans: dict[str, PlannedScan] = {scan.bids: scan for scan in self.plan.scans}
        self._spectra: dict[str, PlannedSpectrum] = {s.stem: s for s in self.plan.spectra}
        self._anatomies: dict[str, PlannedAnatomy] = {a.prefix: a for a in self.plan.anatomies}
        self._failed: set[str] = {failure.unit for failure in self.plan.failed}

    # ---- parameters
    def settings(self, stage: str) -> str:
        """Settings of a stage as JSON text, the same text for the same settings."""
        return json.dumps(self.plan.settings[stage], sort_keys=True)

    @staticmethod
    def version(step: str) -> int:
        """Version of a step."""
        return STEP_VERSIONS[step]

    # ---- ingest
    def scan(self, wildcards: Wildcards) -> PlannedScan:
        """The raw file of a BIDS image."""
        return self._scans[f"bids/{wildcards.place}/{wildcards.name}.nii.gz"]

    def raw(self, wildcards: Wildcards) -> str:
        """Path of the raw file."""
        return f"{self.plan.raw}/{self.scan(wildcards).path}"

    def raw_present(self, wildcards: Wildcards) -> list[str]:
        """The raw file as an input; none where it is missing, so that only its own job fails."""
        return [] if self.scan(wildcards).sha256 == "missing" else [self.raw(wildcards)]

    def raw_hash(self, wildcards: Wildcards) -> str:
        """SHA-256 of the raw file."""
        return self.scan(wildcards).sha256

    def tables_hash(self, *_: Wildcards) -> str:
        """Hashes of the study's tables."""
        return json.dumps(self.plan.tables, sort_keys=True)

    # ---- one session's spectra
    def spectrum(self, wildcards: Wildcards) -> PlannedSpectrum:
        """The spectrum of a file under derivatives."""
        return self._spectra[wildcards.name]

    def t1w(self, wildcards: Wildcards) -> str:
        """The T1w image to segment."""
        return self._anatomies[f"{DERIVATIVES}/{wildcards.place}/anat/{wildcards.name}"].t1w

    def svs_of(self, stem: str) -> str:
        """The BIDS image of a spectrum."""
        return self._spectra[stem].svs

    def svs(self, wildcards: Wildcards) -> str:
        """The BIDS image of a spectrum."""
        return self.svs_of(wildcards.name)

    def water(self, wildcards: Wildcards) -> list[str]:
        """The BIDS image of the water reference, where there is one of its own."""
        water = self.spectrum(wildcards).water
        return [water] if water and water in self._scans else []

    def water_option(self, wildcards: Wildcards) -> str:
        """``--water …`` for `snakemrs preprocess`."""
        water = self.spectrum(wildcards).water
        return f"--water {water}" if water else ""

    def processed_water_option(self, wildcards: Wildcards) -> str:
        """``--water …`` for `snakemrs fit` and `quantify`."""
        spectrum = self.spectrum(wildcards)
        stem = f"{spectrum.folder}/{spectrum.stem}"
        return f"--water {stem}_desc-preproc_mrsref.nii.gz" if spectrum.water else ""

    def events_option(self, *_: Wildcards) -> str:
        """``--events …`` where the study has a table of events."""
        return "--events events.tsv" if "events.tsv" in self.plan.tables else ""

    def events_hash(self, *_: Wildcards) -> str:
        """Hash of the table of events."""
        return self.plan.tables.get("events.tsv", "")

    def anatomy(self, wildcards: Wildcards) -> list[str]:
        """The segmented anatomy that serves a spectrum."""
        return self.anatomy_of(wildcards.name)

    def anatomy_of(self, stem: str) -> list[str]:
        """The segmented anatomy that serves a spectrum."""
        prefix = self._spectra[stem].anatomy
        return [f"{prefix}_{name}" for name in ANATOMY_FILES]

    def tissue(self, wildcards: Wildcards) -> list[str]:
        """The tissue fractions of a spectrum's voxel, where there is a T1w."""
        spectrum = self.spectrum(wildcards)
        return [f"{spectrum.folder}/{spectrum.stem}_tissue.tsv"] if spectrum.anatomy else []

    def tissue_option(self, wildcards: Wildcards) -> str:
        """``--tissue …`` for `snakemrs quantify`."""
        return " ".join(f"--tissue {path}" for path in self.tissue(wildcards))

    def basis(self, wildcards: Wildcards) -> list[str]:
        """The basis that the workflow makes for a spectrum."""
        basis = self.spectrum(wildcards).basis
        return [f"{basis}/basis.json"] if basis else []

    def basis_option(self, wildcards: Wildcards) -> str:
        """``--basis …`` for `snakemrs fit`: the study's own, the simulated one, or none (the fit simulates)."""
        own = self.plan.settings["basis"]
        path = own or self.spectrum(wildcards).basis
        return f"--basis {path}" if path else ""

    def basis_hash(self, *_: Wildcards) -> str:
        """Hash of the study's own basis."""
        own = self.plan.settings["basis"]
        return hash_file(Path(own)) if own and Path(own).exists() else ""

    def basis_parameters(self, wildcards: Wildcards) -> str:
        """Options of `snakemrs basis simulate`."""
        given = self.plan.bases[wildcards.key]
        words = [f"--{key} {value}" for key, value in given.items() if value is not None]
        return " ".join(words)

    def macromolecules(self, wildcards: Wildcards) -> list[str]:
        """The measured macromolecule spectrum, where the study asks for it."""
        measured = self.spectrum(wildcards).macromolecules
        return [measured] if measured else []

    def macromolecules_option(self, wildcards: Wildcards) -> str:
        """``--macromolecules …`` for `snakemrs fit`."""
        return " ".join(f"--macromolecules {path}" for path in self.macromolecules(wildcards))

    # ---- targets
    def labels(self, spectrum: PlannedSpectrum) -> tuple[str, ...]:
        """The fits of a spectrum."""
        if not spectrum.fitted:
            return ()
        return ("static", "frames") if spectrum.frames else ("static",)

    def of_spectrum(self, spectrum: PlannedSpectrum) -> list[str]:
        """The last files of a spectrum; whoever reads the others (quality, tissue) has them with these.

        Each input that a rule names costs Snakemake time in every dry run.
        """
        stem = f"{spectrum.folder}/{spectrum.stem}"
        files = [f"{stem}_desc-{label}_concentrations.tsv" for label in self.labels(spectrum)]
        return files or [f"{stem}_desc-preproc_quality.tsv"]

    def of_sessions(self, participant: str | None = None) -> list[str]:
        """The last files of all spectra (of one participant), without those whose steps failed in this run."""
        return [
            path
            for spectrum in self.plan.spectra
            if participant in (None, spectrum.participant) and spectrum.stem not in self._failed
            for path in self.of_spectrum(spectrum)
        ]

    def of_participant(self, wildcards: Wildcards) -> list[str]:
        """What a participant's page is made from."""
        return self.of_sessions(wildcards.participant)

    def pages(self) -> list[str]:
        """The pages of all participants."""
        return [f"{DERIVATIVES}/sub-{label}.html" for label in self.plan.participants]

    def failures(self, participant: str | None = None) -> str:
        """The failures of this run as JSON text: a page that names them is made again when they change."""
        rows = [[f.unit, f.stage, f.reason] for f in self.plan.failed if participant in (None, f.participant)]
        return json.dumps(rows)

    def failures_of_participant(self, wildcards: Wildcards) -> str:
        """The failures of one participant."""
        return self.failures(wildcards.participant)


for _lookup in vars(Targets).values():
    if inspect.isfunction(_lookup):
        sign(_lookup)
