"""Where the workflow's own files lie: beside the code when installed, in the checkout when not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[1]


@cache
def workflow_root() -> Path:
    """Folder that holds ``Snakefile``, ``rules/`` and ``config/``."""
    installed = _PACKAGE / "_workflow"
    return installed if installed.is_dir() else _PACKAGE.parents[1]


@cache
def constants(name: str) -> dict[str, Any]:
    """Read ``config/constants/{name}.yaml``: values with units and a reference each."""
    import yaml

    path = workflow_root() / "config" / "constants" / f"{name}.yaml"
    # The reader in C, where PyYAML was built with it, takes an eighth of the time, and every step reads constants.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    return content


@cache
def image(family: str) -> str:
    """Name of the container image of a tool family (`snakemrs.study.images`)."""
    from snakemrs.study.images import image_name

    return image_name(family)
