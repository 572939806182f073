"""Whether the tables of a blinded study tell who got what.

A word tells if some have it and others do not: ketamine that everybody gets is no secret, and a row of events that
concerns all says nothing about one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from snakemrs.errors import RequestError
from snakemrs.group.formula import parse_formula
from snakemrs.io.events import EVENTS, concerns
from snakemrs.io.tables import MISSING, Row, parse_number, read_table
from snakemrs.study.resources import constants

if TYPE_CHECKING:
    from snakemrs.study.settings.group import GroupSettings

_IDENTITY = ("participant_id", "session_id", "onset", "duration")
_YES_OR_NO = {"0", "1", "yes", "no", "y", "n", "true", "false", "x"}
_REMEDY = (
    "move it to the key, outside the study (`snakemrs unblind` opens it at the end); in an open study set "
    "group.design.blinded to false"
)


def words_of(text: str) -> set[str]:
    """Words of a cell or a column's name, in lower case: letters alone, ``drugNTX_2`` gives drug and ntx."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return set(re.findall(r"[a-zäöüß]+", apart.lower()))


def telling(text: str, as_condition: bool = False) -> set[str]:
    """Words of a text that tell a treatment (config/constants/treatments.yaml)."""
    known = constants("treatments")
    return words_of(text) & {*known["anywhere"], *(known["as_condition"] if as_condition else ())}


def check_masked(conditions: Iterable[str], file: Path | None = None, column: str = "condition") -> None:
    """Refuse conditions whose name tells the treatment.

    Raises
    ------
    RequestError
        With the remedy: masked codes, or ``blinded: false`` in a study that is open.
    """
    found = sorted({c for c in conditions if telling(c, as_condition=True)})
    if found:
        raise RequestError(
            f"the {column} tells the treatment, but the study is blinded",
            file=file,
            found=", ".join(found),
            expected="masked codes such as A and B",
            remedy=f"write codes, and {_REMEDY}",
        )


def check_tables(study: Path, sessions: Sequence[tuple[str, str]], innocent: Collection[str] = ()) -> None:
    """Refuse a blinded study whose tables tell who got what.

    Parameters
    ----------
    study : path
        Its folder, with participants.tsv, sessions.tsv, events.tsv and ``phenotype/``, each where there is one.
    sessions : sequence of (participant, session)
        The sessions whose events are compared.
    innocent : collection of str
        Columns that name a drug and yet tell nobody's treatment (``group.design.not_telling``).

    Raises
    ------
    RequestError
        With file, line, column and value.
    """
    everybodys = _check_events(study / EVENTS, sessions, innocent) if (study / EVENTS).exists() else set()
    paths = [study / name for name in ("participants.tsv", "sessions.tsv") if (study / name).exists()]
    for path in [*paths, *sorted((study / "phenotype").glob("*.tsv"))]:
        rows = read_table(path)
        for column in rows[0] if rows else ():
            if column not in innocent and column not in _IDENTITY:
                _check_column(path, column, [row[column] for row in rows], everybodys)


def _check_column(path: Path, column: str, cells: Sequence[str], everybodys: Collection[str]) -> None:
    """Refuse a column where some cells name a treatment that others do not, or whose name asks for one."""
    if column in ("condition", "sequence"):
        check_masked((cell for cell in cells if cell != MISSING), path, column)
    allocation = bool(words_of(column) & set(constants("treatments")["allocation"]))
    found = [telling(cell, allocation) - set(everybodys) for cell in cells]
    for line, (cell, words) in enumerate(zip(cells, found, strict=True), start=2):
        if any(sum(word in other for other in found) < len(cells) for word in words):
            raise _leak(path, line, column, cell)
    if telling(column) - set(everybodys) and _divides(cells):
        raise _leak(path, 1, column, ", ".join(sorted({*cells})[:4]))


def _divides(cells: Sequence[str]) -> bool:
    """Whether the cells say yes of some and no of others, or an amount of some and none of others."""
    known = {cell.lower() for cell in cells}
    if len(known) > 1 and known - {MISSING, ""} <= _YES_OR_NO:
        return True
    try:
        amounts = [parse_number(cell) for cell in cells]
    except ValueError:
        return False
    return 0 in amounts and any(amounts)


def _check_events(path: Path, sessions: Sequence[tuple[str, str]], innocent: Collection[str]) -> set[str]:
    """Refuse events that name a treatment in some sessions alone; give the words that stand in all."""
    rows = read_table(path)
    own = {key: [row for row in rows if concerns(row, f"sub-{key[0]}_ses-{key[1]}")] for key in sessions}
    found = [{word for row in mine for word in _words_of_event(row, innocent)} for mine in own.values() if mine]
    shared = set.intersection(*found) if found else set()
    for line, row in enumerate(rows, start=2):
        for column, cell in row.items():
            if column in innocent or column in _IDENTITY:
                continue
            secret = telling(cell) - shared
            if any(word in words for word in secret for words in found):
                raise _leak(path, line, column, cell)
    return shared


def _words_of_event(row: Mapping[str, str], innocent: Collection[str]) -> set[str]:
    cells = [cell for column, cell in row.items() if column not in innocent and column not in _IDENTITY]
    return set().union(*(telling(cell) for cell in cells))


def _leak(path: Path, line: int, column: str, value: str) -> RequestError:
    return RequestError(
        f"the column '{column}' names a treatment, but the study is blinded",
        file=path,
        line=line,
        found=value,
        expected="nothing that tells who got what before the key is opened",
        remedy=f"{_REMEDY}; a column that tells nobody's treatment (earlier medication, say) is named in "
        "group.design.not_telling",
    )


def named_columns(settings: GroupSettings) -> set[str]:
    """Columns that the settings name: in the formula, the outcomes, and ``group.design.columns``."""
    declared = settings.outcomes
    outcomes = (declared.primary, *declared.secondary, *declared.parts, *declared.exploratory)
    formulas = [parse_formula(f"{outcome} ~ {settings.formula}") for outcome in outcomes]
    return {*settings.design.columns, *(name for formula in formulas for name in formula.variables)}


def carried(columns: Iterable[str], named: Collection[str]) -> tuple[list[str], list[str]]:
    """Divide the columns of participants.tsv and sessions.tsv into those that the joined tables carry, and the rest.

    Carried are the standard ones (sex, age, period, condition, sequence) and those that a formula or setting names.
    """
    known = [c for c in dict.fromkeys(columns) if c not in ("participant_id", "session_id")]
    wanted = {"sex", "age", "period", "condition", "sequence", *named}
    return [c for c in known if c in wanted], [c for c in known if c not in wanted]


def without(rows: Iterable[Row], columns: Collection[str]) -> list[Row]:
    """Rows without some columns."""
    return [{c: cell for c, cell in row.items() if c not in columns} for row in rows]
