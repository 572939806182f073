"""What any page must stand in a real browser, whatever study it is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from report.webdriver import Browser

MEGABYTES = {"index": 5.0, "sub": 3.0}
"""Largest size of the group's and of a participant's page."""


def check_pages(folder: Path, profile: Path, width: int, height: int) -> None:
    """Open every page of a folder offline: no error, no sideways scrolling, spectra that zoom, links that arrive."""
    browser = Browser(profile, width, height)
    try:
        pages = sorted(folder.glob("*.html"))
        assert folder / "index.html" in pages
        for page in pages:
            assert page.stat().st_size < 1e6 * MEGABYTES[page.name.split(".")[0].split("-")[0]]
            browser.open(page)
            wide, window = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
            assert wide <= window, f"{page.name} scrolls sideways at {window} pixels"
            _check_links(browser, page)
            if browser.run("return document.getElementById('s1-spectrum') !== null"):
                _check_zoom(browser)
            assert browser.console() == [], page.name
    finally:
        browser.close()


def _check_links(browser: Browser, page: Path) -> None:
    links = browser.run("return Array.from(document.querySelectorAll('a[href]')).map(a => a.getAttribute('href'))")
    for link in links:
        place, _, anchor = link.partition("#")
        if link.startswith("data:"):
            continue
        assert not place or (page.parent / place).exists(), f"{page.name}: {link}"
        if anchor and not place:
            assert browser.run(f"return document.getElementById({anchor!r}) !== null"), f"{page.name}: {link}"


def _check_zoom(browser: Browser) -> None:
    view = "return document.getElementById('s1-spectrum').dataset.view.split(' ').map(Number)"
    before = browser.run(view)
    browser.run("document.getElementById('s1-spectrum').focus()")
    browser.press("+")
    after = browser.run(view)
    assert before[0] > before[1], "the ppm axis falls to the right"
    assert after[0] - after[1] == pytest.approx((before[0] - before[1]) / 1.5, rel=0.01)
    browser.press("0")
