"""The clinical scores of a study joined with its design: the thin layer between phenotype/ and `clinical`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemrs.group.clinical import check_visits, clinical_rows, read_phenotype
from snakemrs.group.instruments import CutOff, load_instruments
from snakemrs.io.tables import Row

if TYPE_CHECKING:
    from snakemrs.group.collect import Joined
    from snakemrs.study.settings.group import GroupSettings


def collect_scores(
    joined: Joined,
    study: Path,
    settings: GroupSettings,
    participants: Iterable[Row],
    design: Mapping[tuple[str, str], Mapping[str, Any]],
    dates: Mapping[tuple[str, str], str],
) -> None:
    """Read the scores of ``phenotype/``, check them and add them with their problems to the joined tables.

    Parameters
    ----------
    design : mapping
        (participant, session) -> row with ``period condition sequence``.
    dates : mapping
        Date of each session, from which the days of the visits are counted.
    """
    folder, clinical = study / "phenotype", settings.clinical
    if not folder.is_dir():
        return
    instruments = load_instruments(study / clinical.instruments if clinical.instruments else None)
    known = {row["participant_id"].removeprefix("sub-") for row in participants} | {p for p, _ in design}
    periods = {(p, str(row["period"])): s for (p, s), row in design.items() if row.get("period")}
    order = [v for v in (clinical.baseline, *clinical.windows, clinical.followup) if v]
    order = list(dict.fromkeys(["baseline", "pre", *order] if not clinical.baseline else order))
    visits, problems = read_phenotype(folder, instruments, order, periods)
    found = list(dict.fromkeys(v.visit for v in visits))
    order += [v for v in found if v not in order]
    scores, more = check_visits(visits, instruments, known, clinical.windows, dates, order, design)
    joined.problems = problems + more
    scored = {v.instrument for v in visits}
    for name in sorted(set(instruments) - set(load_instruments()) - scored):
        joined.statements.append(
            f"the instrument {name} of {clinical.instruments} is left out: no table has its scores"
        )
    for name in clinical.windows:
        if name not in found:
            joined.statements.append(f"clinical.windows names the visit {name}, which no table of scores has")
    base = clinical.baseline or next((v for v in ("baseline", "pre") if v in found), "baseline")
    cut = {clinical.primary: clinical.remission} if clinical.remission is not None else {}
    if (primary := instruments.get(clinical.primary)) is not None:
        own_cut = cut.get(clinical.primary, primary.remission)
        others = (other for other in primary.remission_also if other != own_cut)
        joined.remission_also = tuple(CutOff(other, primary.worse) for other in others)
    for row in clinical_rows(scores, instruments, base, cut):
        place = (str(row["participant"]), str(row["session"]))
        joined.clinical.append({**design.get(place, {}), **row})
