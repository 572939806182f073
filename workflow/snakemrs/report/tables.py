"""Tables in pages, and tables to download."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

_NUMBER = re.compile(r"[+\-−]?(\d+\.?\d*|\.\d+)([eE][+\-]?\d+)?")


@dataclass
class Grid:
    """A table of a page.

    Attributes
    ----------
    columns : sequence of str
        Heads.
    rows : sequence of sequences
        Cells, text or `Markup`; text is escaped by the template.
    caption : str
        What it shows; n where that matters.
    download : Download or None
        The whole table as a file.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    download: Download | None = None
    numeric: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Download:
    """A file inside the page."""

    name: str
    address: str


def guard(cell: str) -> str:
    """Make a cell harmless for spreadsheet programs.

    A cell that starts with ``= + - @``, a tab or a carriage return would be run as a formula (CWE-1236); it gets an
    apostrophe in front, unless it is a plain number.
    """
    if cell and cell[0] in "=+-@\t\r|%" and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


PLAIN_BYTES = 150_000
"""Tables above this are packed (gzip) into the page."""
MOST_BYTES = 1_800_000
"""A packed table above this is not carried by the page, which names its place beside it instead."""


def download(path: Path, rows: Sequence[Mapping[str, str]], name: str | None = None) -> Download | None:
    """Give `rows` as a TSV to download, every cell harmless for spreadsheet programs.

    Large tables are packed; very large ones become a link to the file, in the folder beside the page.
    """
    if not rows:
        return None
    columns = list(rows[0])
    lines = ["\t".join(guard(_flat(column)) for column in columns)]
    lines += ["\t".join(guard(_flat(row.get(column, ""))) for column in columns) for row in rows]
    payload = ("\n".join(lines) + "\n").encode()
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name or path.name).lstrip(".") or "table.tsv"
    if len(payload) <= PLAIN_BYTES:
        return Download(safe, _address("text/tab-separated-values;charset=utf-8", payload))
    packed = gzip.compress(payload, compresslevel=9, mtime=0)
    if len(packed) <= MOST_BYTES:
        return Download(f"{safe}.gz", _address("application/gzip", packed))
    return Download(safe, f"{quote(path.parent.name, safe='')}/{quote(path.name, safe='')}")


def _address(kind: str, payload: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(payload).decode()}"


def _flat(cell: str) -> str:
    return cell.replace("\t", " ").replace("\n", " ").replace("\r", " ")


def badge(verdict: str, word: str | None = None) -> Markup:
    """Give a verdict as a coloured mark with a sign and a word (`word` or its own), so that colour is not needed."""
    from snakemrs.report.words import SIGNS

    known = {"look": "warn"}.get(verdict, verdict)
    known = known if known in SIGNS else "n/a"
    return Markup('<span class="badge {}"><b aria-hidden="true">{}</b> {}</span>').format(
        {"n/a": "none"}.get(known, known), SIGNS[known], word or verdict or "n/a"
    )
