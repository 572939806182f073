"""Writing methods text and checklists."""

from __future__ import annotations

from pathlib import Path

from snakemrs import __version__
from snakemrs.io.atomic import write_text
from snakemrs.io.tables import write_table
from snakemrs.report.methods import checklists, citation, text
from snakemrs.report.methods.evidence import Evidence
from snakemrs.study.settings.report import ReportSettings


def write_methods(folder: Path, evidence: Evidence, title: str, settings: ReportSettings) -> list[Path]:
    """Write methods text, bibliography, checklists and citation file into `folder`; give their paths.

    ``methods.md methods.tex references.bib mrsinmrs.tsv consort.tsv CITATION.cff``.
    """
    parts = text.sections(evidence)
    # The checklists cite their own sources, so that a reader of the folder finds them.
    keys = list(dict.fromkeys([*text.cited(parts), "lin2021", "dwan2019"]))
    names = ("methods.md", "methods.tex", "references.bib", "mrsinmrs.tsv", "consort.tsv", "CITATION.cff")
    paths = [folder / name for name in names]
    write_text(paths[0], text.markdown(parts, settings.title or title, settings.bibliography))
    write_text(paths[1], text.latex(parts, settings.title or title))
    write_text(paths[2], text.bibliography(keys))
    write_table(paths[3], checklists.mrsinmrs(evidence), checklists.COLUMNS, checklists.DICTIONARY)
    write_table(paths[4], checklists.consort(evidence), checklists.CONSORT_COLUMNS, checklists.CONSORT_DICTIONARY)
    authors = [str(author) for author in evidence.settings.get("authors", [])]
    write_text(paths[5], citation.citation(settings.title or title, authors, keys, __version__))
    return paths
