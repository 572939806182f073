"""From figures and tables to one HTML file that needs nothing else.

The page carries a content security policy: no network, no script but its own (named by its hash). All values are
escaped by the templates; a label that looks like HTML shows as text.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from snakemrs import __version__


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("snakemrs.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    from snakemrs.report import words
    from snakemrs.report.tables import badge

    environment.filters["badge"] = badge
    environment.globals["spoken"] = words.SPOKEN
    return environment


@cache
def _asset(name: str) -> str:
    environment = _environment()
    source: str = environment.loader.get_source(environment, name)[0]
    return source


def script_hash(script: str) -> str:
    """Hash of an inline script as a content security policy wants it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def render(template: str, **context: Any) -> str:
    """Fill a template of the folder ``templates``."""
    from markupsafe import Markup

    script = _asset("page.js")
    html: str = (
        _environment()
        .get_template(template)
        .render(
            style=Markup(_asset("page.css")),
            script=Markup(script),
            script_hash=script_hash(script),
            version=__version__,
            **context,
        )
    )
    return html
