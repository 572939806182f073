"""Settings of the stages: one pydantic model a stage, one module each.

`StudyConfig` (study/config.py) is made of them; a stage's command takes its own section as ``--settings``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from snakemrs.errors import RequestError


class Settings(BaseModel):
    """Base of all settings: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Model = TypeVar("Model", bound=Settings)


def load_settings(model: type[Model], source: str | None) -> Model:
    """Read settings of a stage from JSON text, or from a YAML or JSON file; defaults where `source` is None."""
    if source is None:
        return model()
    text = source
    if not source.lstrip().startswith("{"):
        path = Path(source)
        if not path.exists():
            raise RequestError("the settings file does not exist", file=path)
        text = path.read_text(encoding="utf-8")
    try:
        if source.lstrip().startswith("{"):
            content = json.loads(text)
        else:
            import yaml

            content = yaml.safe_load(text) or {}
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(
            f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}", found=first.get("input")
        ) from None
    except ValueError as error:
        raise RequestError("the settings cannot be read", found=str(error)) from None
