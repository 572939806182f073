"""A study that has run, for all tests of the pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from report.virtual_study import make_study


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plan of a study that has run: three participants, two sessions each."""
    return make_study(tmp_path_factory.mktemp("study"))
