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
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


@cache
def image(name: str) -> str:
    """Name of the container image of a tool family, from ``containers/images.lock.yaml``."""
    import yaml

    path = workflow_root() / "containers" / "images.lock.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return str(content["images"][name]["file"])
