"""What a run has to make: the last files of each spectrum, participant, and of the study."""

from __future__ import annotations

import json
from typing import Any

from snakemrs.study.plan import DERIVATIVES, Plan, PlannedSpectrum, by_participant
from snakemrs.study.variants import in_variant, needs_anatomy

Wildcards = Any


class Goals:
    """What a plan asks for, without what failed in this run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._of_participant = by_participant(plan.spectra)
        self._failed: set[str] = {failure.unit for failure in plan.failed}
        self._variants: dict[str, dict[str, Any]] = plan.settings["group"]["sensitivity"]["variants"]

    def labels(self, spectrum: PlannedSpectrum) -> tuple[str, ...]:
        """The fits of a spectrum."""
        if not spectrum.fitted:
            return ()
        if not spectrum.frames:
            return ("static",)
        return ("static", "frames", "dynamic") if spectrum.dynamic else ("static", "frames")

    def of_spectrum(self, spectrum: PlannedSpectrum) -> list[str]:
        """The last files of a spectrum; whoever reads the others (quality, tissue) has them with these.

        Each input that a rule names costs Snakemake time in every dry run.
        """
        stem = f"{spectrum.folder}/{spectrum.stem}"
        files = [f"{stem}_desc-{label}_concentrations.tsv" for label in self.labels(spectrum)]
        return files or [f"{stem}_desc-preproc_quality.tsv"]

    def of_sessions(self, participant: str | None = None) -> list[str]:
        """The last files of all spectra (of one participant), without those whose steps failed in this run."""
        spectra = self.plan.spectra if participant is None else self._of_participant.get(participant, [])
        return [path for s in spectra if s.stem not in self._failed for path in self.of_spectrum(s)]

    def of_variants(self) -> list[str]:
        """The concentrations that the variants are compared by, without those whose steps failed in this run.

        Variants are made of frames where the study has any, as its analyses are.
        """
        label = "frames" if any(spectrum.frames for spectrum in self.plan.spectra) else "static"
        files = []
        for variant, changes in self._variants.items():
            for s in self.plan.spectra:
                if label not in self.labels(s) or (needs_anatomy(changes) and not s.anatomy):
                    continue
                if not self._failed & {s.stem, f"{variant}/{s.stem}"}:
                    path = f"{s.folder}/{s.stem}_desc-{label}_concentrations.tsv"
                    files.append(in_variant(path, DERIVATIVES, variant))
        return files

    def of_participant(self, wildcards: Wildcards) -> list[str]:
        """What a participant's page is made from."""
        return self.of_sessions(wildcards.participant)

    def pages(self) -> list[str]:
        """The pages of all participants."""
        return [f"{DERIVATIVES}/sub-{label}.html" for label in self.plan.participants]

    def pages_made(self) -> list[str]:
        """The pages of all participants, without those whose page itself failed in this run."""
        failed = {failure.participant for failure in self.plan.failed if failure.stage == "report"}
        return [f"{DERIVATIVES}/sub-{label}.html" for label in self.plan.participants if label not in failed]

    def failures(self, participant: str | None = None) -> str:
        """The failures of this run as JSON text: a page that names them is made again when they change."""
        rows = [[f.unit, f.stage, f.reason] for f in self.plan.failed if participant in (None, f.participant)]
        return json.dumps(rows)

    def failures_of_participant(self, wildcards: Wildcards) -> str:
        """The failures of one participant."""
        return self.failures(wildcards.participant)
