"""The configuration's reference, generated from its models: annotated default, JSON schema, page of the docs.

``python -m snakemrs.study.reference`` writes all three; a test holds them against the models.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from snakemrs.io.atomic import write_text
from snakemrs.study.config import StudyConfig
from snakemrs.study.resources import workflow_root

_NEEDED = {"name": "My study"}


def json_schema() -> str:
    """The JSON schema of study.yaml, for editors."""
    schema = StudyConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "SnakeMRS study"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def annotated_default() -> str:
    """A study.yaml with every key, its default and what it means."""
    head = "# Settings of a study. Every key but `name` may be left out: what stands here is the default.\n"
    return head + "\n".join(_lines(StudyConfig, StudyConfig(**_NEEDED), 0)) + "\n"


def reference_page() -> str:
    """The page of the docs: every key, its type, default and meaning."""
    parts = [
        "# study.yaml",
        "Generated from the models by `python -m snakemrs.study.reference`. Unknown keys are refused.",
        *_sections(StudyConfig, StudyConfig(**_NEEDED), "the study"),
    ]
    return "\n\n".join(parts) + "\n"


def _model_of(value: Any) -> type[BaseModel] | None:
    return type(value) if isinstance(value, BaseModel) else None


def _dump(value: Any) -> str:
    """A value in YAML's flow style (JSON is YAML)."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, (list, tuple)):
        value = [v.model_dump(mode="json") if isinstance(v, BaseModel) else v for v in value]
    return json.dumps(value, ensure_ascii=False)


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


def _lines(model: type[BaseModel], values: BaseModel, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        yield from textwrap.wrap(
            _words(field.description), 110, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}# "
        )
        inner = _model_of(value)
        if inner and inner.model_fields:
            yield f"{pad}{name}:"
            yield from _lines(inner, value, depth + 1)
        else:
            yield f"{pad}{name}: {_dump(value)}"


def _type_name(annotation: Any) -> str:
    options = get_args(annotation)
    if options and all(isinstance(option, str) for option in options):
        return " \\| ".join(f"`{option}`" for option in options)
    return getattr(annotation, "__name__", str(annotation)).replace("typing.", "").replace("|", "\\|")


def _sections(model: type[BaseModel], values: BaseModel, title: str) -> Iterator[str]:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    nested: list[tuple[str, BaseModel]] = []
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        meaning = _words(field.description).replace("|", "\\|")
        if _model_of(value):
            nested.append((name, value))
            rows.append(f"| `{name}` | section | | {meaning} |")
            continue
        default = "" if field.default is PydanticUndefined else f"`{_dump(value)}`".replace("|", "\\|")
        shown = default if len(default) < 200 else "see config/study.yaml"
        rows.append(f"| `{name}` | {_type_name(field.annotation)} | {shown} | {meaning} |")
    if len(rows) > 2:
        yield f"## {title}\n\n" + "\n".join(rows)
    for name, value in nested:
        yield from _sections(type(value), value, f"{title}.{name}" if title != "the study" else name)


def files() -> dict[str, str]:
    """All generated files by their path in the checkout."""
    return {
        "config/study.yaml": annotated_default(),
        "config/study.schema.json": json_schema(),
        "docs/reference/study.md": reference_page(),
    }


def main(root: Path | None = None) -> None:
    """Write the generated files."""
    for path, text in files().items():
        write_text((root or workflow_root()) / path, text)


if __name__ == "__main__":
    main()
