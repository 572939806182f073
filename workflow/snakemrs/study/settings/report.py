"""Settings of the stage report."""

from __future__ import annotations

from snakemrs.study.settings import Settings


class ReportSettings(Settings):
    """Settings of the stage report (section ``report`` of study.yaml)."""

    title: str | None = None
    """Title of the pages; the name of the study where none is given."""
    ppm_low: float = 0.2
    """Lowest chemical shift in the figures of spectra, ppm."""
    ppm_high: float = 4.2
    """Highest chemical shift in the figures of spectra, ppm."""
    metabolites: tuple[str, ...] = ("tNAA", "tCr", "tCho", "Ins", "Glu", "Gln", "Glx", "GSH", "GABA")
    """Metabolites and sums that stand in the short tables; the full tables have all."""
    numerator: str = "Glx"
    """Metabolite or sum whose time course is drawn."""
    denominator: str = "tNAA"
    """What it is divided by (`tNAA` or `tCr`)."""
    interval: float = 0.95
    """Level of the confidence intervals in figures of concentrations, between 0 and 1."""
    bibliography: bool = True
    """Whether methods.md lists the references at its end (references.bib has them in any case)."""
