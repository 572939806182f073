"""Where each spectrum's quality stands among the study's: put into pages that are there already.

A participant's page is made from that participant's files alone, so that the next participant makes no other page anew.
The distribution belongs to all; the page of the group, which is made when anything changed, writes it into each page,
between two comments that name the section and the spectrum.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from snakemrs.report.figures.values import distribution_figure
from snakemrs.report.inputs import ParticipantInputs, Reader, Table

_PLACE = re.compile(r"(<!--distribution (\S+) (\S+)-->).*?(<!--/distribution-->)", re.DOTALL)


def placeholder(section: str, stem: str, participant: str) -> Markup:
    """What stands on a page until the group is known: a link to the page of the group."""
    who = f"sub-{participant.removeprefix('sub-')}"
    link = Markup('<p><a href="index.html#{who}">Where {who} stands among all</a></p>').format(who=who)
    return Markup("<!--distribution {} {}-->{}<!--/distribution-->").format(section, stem, link)


def with_distribution(page: str, study: Table, participant: str, entities: Mapping[str, Mapping[str, str]]) -> str:
    """Put the quality of each spectrum of a page among the study's.

    Parameters
    ----------
    page : str
        The page.
    study : Table
        ``group/quality.tsv``.
    participant : str
        Whose page it is.
    entities : dict
        BIDS entities of each spectrum, by stem.

    Returns
    -------
    str
        The page; a spectrum with fewer than three to compare with keeps the link.
    """

    def figure(match: re.Match[str]) -> str:
        opening, section, stem, closing = match.groups()
        chart = distribution_figure(study, participant, f"{section}-distribution", entities.get(stem))
        inner = placeholder(section, stem, participant) if chart is None else f"{opening}{chart.html()}{closing}"
        return str(inner)

    return _PLACE.sub(figure, page)


def refresh_pages(folder: Path, quality: Path, participants: list[ParticipantInputs]) -> list[Path]:
    """Bring the distribution on the pages of a folder up to date; give those that changed."""
    from snakemrs.io.atomic import write_text

    study = Reader().table(quality)
    changed = []
    for inputs in participants if study is not None else []:
        path = folder / f"sub-{inputs.participant}.html"
        if study is None or not path.exists():
            continue
        before = path.read_text(encoding="utf-8")
        entities = {spectrum.stem: spectrum.entities for spectrum in inputs.spectra}
        after = with_distribution(before, study, inputs.participant, entities)
        if after != before:
            write_text(path, after)
            changed.append(path)
    return changed
