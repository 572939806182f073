"""Nothing that the scanner planted of a person is found in anything that SnakeMRS writes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def planted(study: Path) -> set[bytes]:
    """Names, birth dates and identifiers that the virtual scanner wrote into the raw headers."""

    def strings(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for inner in value.values() for text in strings(inner)]
        if isinstance(value, list):
            return [text for inner in value for text in strings(inner)]
        return [value] if isinstance(value, str) else []

    content = json.loads((study / "truth" / "personal.json").read_text(encoding="utf-8"))
    return {text.encode() for text in strings(content) if len(text) >= 5 and not text.startswith(("sub-", "ses-"))}


def test_the_raw_files_hold_personal_strings(finished: Path) -> None:
    raw = b"".join(path.read_bytes() for path in (finished / "raw").rglob("*.SPAR"))
    assert any(text in raw for text in planted(finished))


def test_no_output_holds_a_personal_string(finished: Path) -> None:
    wanted = planted(finished)
    for top in ("bids", "derivatives", "logs", "work"):
        for path in (finished / top).rglob("*"):
            if not path.is_file():
                continue
            content = path.read_bytes()
            if content[:2] == b"\x1f\x8b":
                content += gzip.decompress(content)
            found = [text for text in wanted if text in content]
            assert not found, f"{path.relative_to(finished)}: {found}"
