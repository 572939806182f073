"""A citation file of the study (Citation File Format 1.2.0): the data set, the software, what the methods cite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snakemrs.report.methods.text import _fields, library


def citation(title: str, authors: Sequence[str], keys: Sequence[str], version: str) -> str:
    """Give CITATION.cff as text.

    Parameters
    ----------
    title : str
        Name of the study.
    authors : sequence of str
        Of the data set, as study.yaml has them; where there are none the file says so.
    keys : sequence of str
        Entries of references.bib that the methods text cites.
    version : str
        Version of SnakeMRS.
    """
    import yaml

    content: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use these results, please cite the data set and what its methods cite.",
        "type": "dataset",
        "title": title,
        "authors": [_person(author) for author in authors] or [{"name": "not given (key `authors` of study.yaml)"}],
        "references": [
            {
                "type": "software",
                "title": "SnakeMRS",
                "version": version,
                "authors": [{"name": "The SnakeMRS developers"}],
                "license": "Apache-2.0",
            },
            *(_reference(_fields(library()[key])) for key in keys),
        ],
    }
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return text


def _person(name: str) -> dict[str, str]:
    """Family and given names where a comma tells them apart, the name as it is where not."""
    family, comma, given = name.partition(",")
    if comma and given.strip():
        return {"family-names": family.strip(), "given-names": given.strip()}
    return {"name": name.strip()}


def _reference(fields: Mapping[str, str]) -> dict[str, Any]:
    plain = {key: value.replace("{", "").replace("}", "") for key, value in fields.items()}
    entry: dict[str, Any] = {
        "type": "article",
        "title": plain["title"],
        "authors": [_person(author) for author in plain["author"].split(" and ")],
        "journal": plain["journal"],
        "year": int(plain["year"]),
        "volume": plain["volume"],
        "start": plain["pages"].split("--")[0],
    }
    return entry | ({"doi": plain["doi"]} if plain.get("doi") else {})
