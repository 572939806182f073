"""What the rules ask of the plan: inputs, parameters and targets, by the wildcards of a file name.

Rule files stay declarative; whatever must be looked up is looked up here. Snakemake calls each function that a rule
names for every job of every dry run, at a cost of its own: so a rule names one for its inputs and one for its options.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import shlex
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snakemrs.io.events import EVENTS, owner_of, owners
from snakemrs.io.tables import Row, read_table
from snakemrs.study.goals import Goals, Wildcards
from snakemrs.study.hashes import hash_file
from snakemrs.study.needs import sign
from snakemrs.study.plan import (
    DERIVATIVES,
    PlannedAnatomy,
    PlannedScan,
    PlannedSpectrum,
    load_plan,
)
from snakemrs.study.steps import STEP_VERSIONS
from snakemrs.study.variants import in_variant, made_again, merged, variant_of

ANATOMY_FILES = (
    "desc-preproc_T1w.nii.gz",
    "desc-brain_mask.nii.gz",
    "label-GM_probseg.nii.gz",
    "label-WM_probseg.nii.gz",
    "label-CSF_probseg.nii.gz",
)
SECOND_FILES = tuple(f"desc-second_{name}" for name in ANATOMY_FILES if name.startswith("label-"))
FIT_FILES = ("amplitudes.tsv", "covariance.tsv", "curves.tsv", "fit.json")
DYNAMIC_FILES = (
    *FIT_FILES,
    "design.tsv",
    "betas.tsv",
    "betacovariance.tsv",
    "contrasts.tsv",
    "course.tsv",
    "summary.tsv",
)


def _words(*options: str) -> str:
    """Options of a command line, without those that are empty."""
    return " ".join(option for option in options if option)


def _given(**inputs: str | list[str]) -> dict[str, str | list[str]]:
    """Inputs by name: without those that a job has none of, a single file as text.

    Snakemake makes an object of its own for each list of each job.
    """
    several = {name: [files] if isinstance(files, str) else files for name, files in inputs.items()}
    return {name: files[0] if len(files) == 1 else files for name, files in several.items() if files}


def _output(wildcards: Wildcards) -> str:
    """``--output …`` of a step that works on a spectrum: what the names of its files begin with."""
    return f"--output {DERIVATIVES}/{wildcards.place}/mrs/{wildcards.name}"


class Targets(Goals):
    """The plan, indexed by file names.

    Parameters
    ----------
    plan_path : path
        ``work/plan.json``; other paths are relative to the study, Snakemake's working directory.
    """

    def __init__(self, plan_path: str | Path) -> None:
        super().__init__(load_plan(plan_path, headers=False))
        self.path = str(plan_path)
        self._scans: dict[str, PlannedScan] = {scan.bids: scan for scan in self.plan.scans}
        self._spectra: dict[str, PlannedSpectrum] = {s.stem: s for s in self.plan.spectra}
        self._anatomies: dict[str, dict[str, PlannedAnatomy]] = {
            variant: {anatomy.prefix: anatomy for anatomy in anatomies}
            for variant, anatomies in {"": self.plan.anatomies, **self.plan.variant_anatomies}.items()
        }
        self._megabytes: dict[str, int] = {}  # of raw files, by path

    # ---- parameters
    def settings(self, stage: str) -> str:
        """Settings of a stage as JSON text, the same text for the same settings."""
        return json.dumps(self.plan.settings[stage], sort_keys=True)

    def settings_of(self, stage: str) -> str | Callable[[Wildcards], str]:
        """Settings of a stage as the study has them, or the variant that a file belongs to; what a rule passes on."""
        own = self.settings(stage)
        changed = {
            name: json.dumps(merged(self.plan.settings[stage], changes[stage]), sort_keys=True)
            for name, changes in self._variants.items()
            if stage in changes
        }
        # In a text of its own Snakemake would take {participant} for a wildcard; what a function gives it leaves alone.
        if not changed and not re.search(r"\{\w+\}", own):
            return own

        def text(wildcards: Wildcards) -> str:
            return changed.get(variant_of(wildcards.get("place", "")), own)

        sign(text)
        return text

    def _at(self, path: str, stage: str, place: str) -> str:
        """A file of a stage as a job at `place` reads it: the variant's where it makes that stage again."""
        variant = variant_of(place)
        if not variant or not made_again(stage, self._variants[variant]):
            return path
        return in_variant(path, DERIVATIVES, variant)

    @staticmethod
    def version(step: str) -> int:
        """Version of a step."""
        return STEP_VERSIONS[step]

    @staticmethod
    def folder(wildcards: Wildcards, output: list[str]) -> str:
        """Folder of a step's first output."""
        return str(Path(output[0]).parent)

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

    def memory(self, wildcards: Wildcards, attempt: int) -> int:
        """Megabytes for a step that holds a raw file: a thousand and eight times its size, twice that when tried again.

        Measured peaks: a Philips file of 6.5 MB, 388 MB to convert and 247 MB to preprocess; a Siemens file of 51 MB
        (32 coils, 96 transients), 345 MB and 178 MB.
        """
        scan = self._scans.get(f"bids/{wildcards.place}/{wildcards.name}.nii.gz")
        if scan is None:
            scan = self._scans[self.spectrum(wildcards).svs]
        if scan.path not in self._megabytes:
            path = Path(self.plan.raw) / scan.path
            files = path.iterdir() if path.is_dir() else [path] if path.exists() else []
            self._megabytes[scan.path] = sum(file.stat().st_size for file in files) // 1_000_000
        return (1000 + 8 * self._megabytes[scan.path]) * attempt

    def tables_hash(self, *_: Wildcards) -> str:
        """Hashes of the study's tables."""
        return json.dumps(self.plan.tables, sort_keys=True)

    # ---- one session's spectra
    def spectrum(self, wildcards: Wildcards) -> PlannedSpectrum:
        """The spectrum of a file under derivatives."""
        return self._spectra[wildcards.name]

    def _segmented(self, wildcards: Wildcards) -> PlannedAnatomy:
        """The T1w behind a file under ``anat``, as the study or a variant segments it."""
        variant = variant_of(wildcards.place)
        place = wildcards.place.removeprefix(f"variants/{variant}/")
        return self._anatomies[variant][f"{DERIVATIVES}/{place}/anat/{wildcards.name}"]

    def segmentations(self) -> dict[str, dict[str, Any]]:
        """Settings of the stage anatomy of the study (under an empty text) and of the variants that segment anew."""
        own = self.plan.settings["anatomy"]
        changed = {name: changes["anatomy"] for name, changes in self._variants.items() if "anatomy" in changes}
        return {"": own, **{name: merged(own, changes) for name, changes in changed.items()}}

    def raw_t1w(self, wildcards: Wildcards) -> Path:
        """The raw file of the T1w that is segmented."""
        return Path(self.plan.raw) / self._scans[self.t1w(wildcards)].path

    def t1w(self, wildcards: Wildcards) -> str:
        """The T1w image to segment."""
        return self._segmented(wildcards).t1w

    def source_maps(self, wildcards: Wildcards) -> list[str]:
        """The segmentation of another session, where that is brought over."""
        return self._maps_at(self._segmented(wildcards).source, wildcards.place)

    def reuse_option(self, wildcards: Wildcards) -> str:
        """``--from …`` for `snakemrs segment`."""
        source = self._segmented(wildcards).source
        return f"--from {self._at(source, 'anatomy', wildcards.place)}" if source else ""

    def existing_option(self, wildcards: Wildcards) -> str:
        """``--existing …`` for `snakemrs segment`.

        Not among the settings: Snakemake would take ``{participant}`` there for a wildcard.
        """
        existing = self._segmented(wildcards).existing
        return f"--existing {shlex.quote(existing)}" if existing else ""

    def segment_inputs(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """What a segmentation reads."""
        return _given(t1w=self.t1w(wildcards), source=self.source_maps(wildcards))

    def segment_options(self, wildcards: Wildcards) -> str:
        """Options of `snakemrs segment` that name files."""
        output = f"--output {DERIVATIVES}/{wildcards.place}/anat/{wildcards.name}"
        return _words(self.reuse_option(wildcards), self.existing_option(wildcards), output)

    def existing_hash(self, wildcards: Wildcards) -> str:
        """Hash of the maps that exist already."""
        return self._segmented(wildcards).existing_sha256

    @property
    def segmentation_files(self) -> tuple[str, ...]:
        """Endings of the images of a segmentation; with a second backend, those of its maps come last."""
        return ANATOMY_FILES + (SECOND_FILES if self.plan.settings["anatomy"]["second_backend"] else ())

    def _maps_at(self, prefix: str | None, place: str) -> list[str]:
        """The images of a segmentation, for a job at `place`."""
        if prefix is None:
            return []
        return [f"{self._at(prefix, 'anatomy', place)}_{name}" for name in self.segmentation_files]

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

    def preprocess_inputs(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """The BIDS images that are preprocessed."""
        return _given(svs=self.svs(wildcards), water=self.water(wildcards))

    def preprocess_options(self, wildcards: Wildcards) -> str:
        """Options of `snakemrs preprocess` that name files."""
        return _words(self.water_option(wildcards), _output(wildcards))

    def processed_water_option(self, wildcards: Wildcards) -> str:
        """``--water …`` for `snakemrs fit` and `quantify`."""
        path = self._file(wildcards, "spectra", "desc-preproc_mrsref.nii.gz")
        return f"--water {path}" if self.spectrum(wildcards).water else ""

    def _file(self, wildcards: Wildcards, stage: str, ending: str) -> str:
        """A file of an earlier stage of the same spectrum."""
        spectrum = self.spectrum(wildcards)
        return self._at(f"{spectrum.folder}/{spectrum.stem}_{ending}", stage, wildcards.place)

    def mean(self, wildcards: Wildcards) -> str:
        """The mean spectrum."""
        return self._file(wildcards, "spectra", "desc-preproc_svs.nii.gz")

    def processed(self, wildcards: Wildcards) -> str:
        """The data of a fit: the mean spectrum, or the frames."""
        label = "preproc" if wildcards.label == "static" else wildcards.label
        return self._file(wildcards, "spectra", f"desc-{label}_svs.nii.gz")

    def amplitudes(self, wildcards: Wildcards) -> str:
        """The amplitudes that a fit gave."""
        return self._file(wildcards, "fit", f"desc-{wildcards.label}_amplitudes.tsv")

    def events_option(self, *_: Wildcards) -> str:
        """``--events …`` where the study has a table of events."""
        return f"--events {EVENTS}" if EVENTS in self.plan.tables else ""

    def events_hash(self) -> str | Callable[[Wildcards], str]:
        """Hash of the table of events, or of those of its rows that concern a spectrum where they say whom."""
        whole = self.plan.tables.get(EVENTS, "")
        rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in read_table(EVENTS) if whole else []:
            rows[owner_of(row)].append(row)
        if rows.keys() <= {("", "")}:
            return whole

        def digest(wildcards: Wildcards) -> str:
            spectrum = self.spectrum(wildcards)
            mine = [row for owner in owners(spectrum.participant, spectrum.session) for row in rows.get(owner, [])]
            return hashlib.sha256(json.dumps(mine).encode()).hexdigest()

        sign(digest)
        return digest

    def anatomy(self, wildcards: Wildcards) -> list[str]:
        """The segmented anatomy that serves a spectrum."""
        return self.anatomy_of(wildcards.name, wildcards.place)

    def anatomy_of(self, stem: str, place: str) -> list[str]:
        """The segmented anatomy that serves a spectrum, for a job at `place`."""
        return self._maps_at(self._spectra[stem].anatomy, place)

    def compared(self, wildcards: Wildcards) -> list[str]:
        """The voxel of the participant's first session, with which that of a later one is compared."""
        return self.compared_of(wildcards.name, wildcards.place)

    def compared_of(self, stem: str, place: str) -> list[str]:
        """The voxel of the first session of a spectrum of the same name but for the session; none for the first."""
        mine = self._spectra[stem]
        for other in self._of_participant[mine.participant]:
            same = all(getattr(other, k) == getattr(mine, k) for k in ("task", "acq", "voi", "run"))
            if same and other.anatomy and other.stem not in self._failed:
                path = self._at(f"{other.folder}/{other.stem}_voxel.json", "voxel", place)
                return [] if other.stem == stem else [path]
        return []

    def voxel_inputs(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """What a spectrum's voxel is made from; one with a ``voi`` is named by its parts (`rules/voxel.smk`)."""
        stem = wildcards.get("name") or f"{wildcards.front}_voi-{wildcards.voi}{wildcards.run_part}"
        return _given(
            svs=self.svs_of(stem),
            anatomy=self.anatomy_of(stem, wildcards.place),
            compared=self.compared_of(stem, wildcards.place),
        )

    @staticmethod
    def compare_option(wildcards: Wildcards, input: Any) -> str:
        """``--compare …`` for `snakemrs voxel`."""
        path = input.get("compared")
        return f"--compare {path}" if path else ""

    def tissue(self, wildcards: Wildcards) -> list[str]:
        """The tissue fractions of a spectrum's voxel, where there is a T1w."""
        return [self._file(wildcards, "voxel", "tissue.tsv")] if self.spectrum(wildcards).anatomy else []

    def tissue_option(self, wildcards: Wildcards) -> str:
        """``--tissue …`` for `snakemrs quantify`."""
        return " ".join(f"--tissue {path}" for path in self.tissue(wildcards))

    def quantify_inputs(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """What concentrations are made from."""
        return _given(amplitudes=self.amplitudes(wildcards), svs=self.mean(wildcards), tissue=self.tissue(wildcards))

    def quantify_options(self, wildcards: Wildcards) -> str:
        """Options of `snakemrs quantify` that name files."""
        return _words(self.tissue_option(wildcards), self.processed_water_option(wildcards), _output(wildcards))

    def constants_hash(self) -> str | Callable[[Wildcards], str]:
        """Hash of the study's own relaxation times and water contents, or of the variant's."""

        def digest_of(own: str | None) -> str:
            return hash_file(Path(own)) if own and Path(own).exists() else ""

        quantify = self.plan.settings["quantify"]["constants"]
        changed = {
            name: changes["quantify"]["constants"]
            for name, changes in self._variants.items()
            if "constants" in changes.get("quantify", {})
        }
        if not changed:
            return digest_of(quantify)

        def digest(wildcards: Wildcards) -> str:
            return digest_of(changed.get(variant_of(wildcards.place), quantify))

        sign(digest)
        return digest

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
        return _words(*words, f"--output {DERIVATIVES}/basis/{wildcards.key}")

    def macromolecules(self, wildcards: Wildcards) -> list[str]:
        """The measured macromolecule spectrum, where the study asks for it."""
        measured = self.spectrum(wildcards).macromolecules
        return [self._at(measured, "spectra", wildcards.place)] if measured else []

    def macromolecules_option(self, wildcards: Wildcards) -> str:
        """``--macromolecules …`` for `snakemrs fit`."""
        return " ".join(f"--macromolecules {path}" for path in self.macromolecules(wildcards))

    def models(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """What a fit reads beside its data."""
        return _given(basis=self.basis(wildcards), macromolecules=self.macromolecules(wildcards))

    def fit_inputs(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """What a fit reads."""
        return {"data": self.processed(wildcards), **self.models(wildcards)}

    def fit_options(self, wildcards: Wildcards) -> str:
        """Options of `snakemrs fit` that name files."""
        return _words(
            self.basis_option(wildcards),
            self.processed_water_option(wildcards),
            self.macromolecules_option(wildcards),
            _output(wildcards),
        )

    def regressors(self, wildcards: Wildcards) -> str | None:
        """The study's own regressors of a session."""
        table: str | None = self.plan.settings["functional"]["table"]
        spectrum = self.spectrum(wildcards)
        return table and table.format(participant=spectrum.participant, session=spectrum.session)

    def regressors_option(self, wildcards: Wildcards) -> str:
        """``--regressors …`` for `snakemrs fit`."""
        table = self.regressors(wildcards)
        return f"--regressors {table}" if table else ""

    def regressors_hash(self, wildcards: Wildcards) -> str:
        """Hash of the study's own regressors of a session."""
        table = self.regressors(wildcards)
        return hash_file(Path(table)) if table and Path(table).exists() else ""


for _lookup in (*vars(Goals).values(), *vars(Targets).values()):
    _function = getattr(_lookup, "__func__", _lookup)  # of a static method
    if inspect.isfunction(_function):
        sign(_function)
