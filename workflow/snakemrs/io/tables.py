"""Tables: TSV with a JSON dictionary beside it, ``n/a`` for what is missing (BIDS)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from snakemrs.errors import RequestError
from snakemrs.io.atomic import write_json, write_text

MISSING = "n/a"
Row = dict[str, str]


def format_cell(value: Any) -> str:
    """Write a value as a cell: ``n/a`` for None and not-a-number, nine significant digits for floats."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.9g}" if math.isfinite(value) else MISSING
    return " ".join(str(value).split()) or MISSING


def parse_number(cell: str) -> float | None:
    """Read a cell as a number; None where it is missing."""
    return None if cell == MISSING or not cell.strip() else float(cell)


def read_table(path: str | Path) -> list[Row]:
    """Read a TSV file as a list of rows (all cells are text).

    Raises
    ------
    RequestError
        If the file is absent, empty, not UTF-8, has a duplicate column or a row of another length than the header.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RequestError("the table does not exist", file=path) from None
    except UnicodeDecodeError as error:
        raise RequestError("the table is not UTF-8 text", file=path, found=str(error)) from None
    reader = csv.reader(io.StringIO(text.rstrip("\n")), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(reader, None)
    if not header or header == [""]:
        raise RequestError("the table is empty", file=path, expected="a header line with column names")
    repeated = {name for name in header if header.count(name) > 1}
    if repeated:
        raise RequestError("a column occurs twice", file=path, line=1, found=", ".join(sorted(repeated)))
    rows = []
    for cells in reader:
        if len(cells) != len(header):
            raise RequestError(
                "the row does not fit the header",
                file=path,
                line=reader.line_num,
                found=f"{len(cells)} cells",
                expected=f"{len(header)} cells separated by tabs ({', '.join(header)})",
            )
        rows.append(dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    return rows


def write_table(
    path: str | Path,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    dictionary: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write `rows` as TSV and, where given, the `dictionary` of columns as JSON beside it.

    Parameters
    ----------
    path : path
        Ends in ``.tsv``.
    rows : iterable of mappings
        Values by column; a column absent from a row is ``n/a``.
    columns : sequence of str
        The columns in order. A key of a row that is no column is an error of the caller.
    dictionary : mapping, optional
        By column: ``Description`` and, where there is one, ``Units``. Must cover all columns. Keys that are no
        column (such as ``Notes``) are kept: they say things about the whole table.
    """
    path = Path(path)
    lines = ["\t".join(columns)]
    for row in rows:
        stray = set(row) - set(columns)
        if stray:
            raise ValueError(f"{path.name}: not among the columns: {sorted(stray)}")
        lines.append("\t".join(format_cell(row.get(column)) for column in columns))
    if dictionary is not None:
        missing = [column for column in columns if column not in dictionary]
        if missing:
            raise ValueError(f"{path.name}: columns without description: {missing}")
        write_json(path.with_suffix("").with_suffix(".json"), dictionary)
    write_text(path, "\n".join(lines) + "\n")
