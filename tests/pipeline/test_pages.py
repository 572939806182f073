"""The pages of a virtual study that ran from raw files, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from report.browsing import check_pages
from report.webdriver import available

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


@pytest.mark.skipif(not available(), reason="chromium and chromedriver are not installed (Debian: chromium-driver)")
@pytest.mark.parametrize(("width", "height"), [(1366, 900), (390, 844)], ids=["laptop", "phone"])
def test_the_pages_of_a_functional_study_open(finished: Path, tmp_path: Path, width: int, height: int) -> None:
    check_pages(finished / "derivatives" / "snakemrs", tmp_path / "profile", width, height)


def test_each_page_shows_its_quality_among_the_study_s(finished: Path) -> None:
    for page in (finished / "derivatives" / "snakemrs").glob("sub-*.html"):
        assert 'id="s1-distribution"' in page.read_text(encoding="utf-8")
