"""Pages in a real browser, offline: no error, spectra zoom, legends switch, links arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from report.webdriver import Browser, available
from snakemrs.report.command import report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not available(), reason="chromium and chromedriver are not installed (Debian: chromium-driver)"),
]


@pytest.fixture(scope="module")
def pages(plan: Path) -> Path:
    """Folder with all pages of the study."""
    folder = plan.parents[1] / "derivatives" / "snakemrs"
    runner = CliRunner()
    for label in ("01", "02", "03"):
        words = [
            "participant",
            "--plan",
            str(plan),
            "--participant",
            label,
            "--output",
            str(folder / f"sub-{label}.html"),
        ]
        assert runner.invoke(report, words, catch_exceptions=False).exit_code == 0
    words = ["group", "--plan", str(plan), "--output", str(folder / "index.html")]
    assert runner.invoke(report, words, catch_exceptions=False).exit_code == 0
    return folder


@pytest.fixture(scope="module", params=[(1366, 900), (390, 844)], ids=["laptop", "phone"])
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser of the width of a laptop and of a telephone."""
    browser = Browser(tmp_path_factory.mktemp("profile"), *request.param)
    yield browser
    browser.close()


def view(browser: Browser) -> list[float]:
    """Left and right end of the first spectrum, ppm, and its vertical zoom."""
    return [float(v) for v in browser.run("return document.getElementById('s1-spectrum').dataset.view").split()]


def test_pages_open_without_error_and_fit_the_width(browser: Browser, pages: Path) -> None:
    for name in ("sub-01.html", "sub-03.html", "index.html"):
        browser.open(pages / name)
        assert browser.console() == []
        wide, window = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window


def test_every_link_arrives(browser: Browser, pages: Path) -> None:
    browser.open(pages / "index.html")
    links = browser.run("return Array.from(document.querySelectorAll('a[href]')).map(a => a.getAttribute('href'))")
    files = [link for link in links if not link.startswith(("#", "data:"))]
    assert {"sub-01.html", "sub-02.html", "sub-03.html"} <= set(files)
    for link in files:
        browser.open(pages / link)
        assert browser.run("return document.querySelector('h1') !== null")
    inner = "Array.from(document.querySelectorAll('a[href^=\"#\"]'))"
    broken = f"return {inner}.filter(a => !document.querySelector(a.hash)).length"
    assert browser.run(broken) == 0


def test_the_keyboard_zooms_moves_and_resets(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-01.html")
    left, right, _ = view(browser)
    assert left > right, "the ppm axis falls to the right"
    browser.run("document.getElementById('s1-spectrum').focus()")
    browser.press("+", "+")
    near = view(browser)
    assert near[0] - near[1] == pytest.approx((left - right) / 1.5**2, rel=0.01)
    browser.press("\ue012")  # arrow left: towards higher shifts
    assert view(browser)[0] > near[0]
    browser.press("\ue013")  # arrow up: taller
    assert view(browser)[2] > 1
    browser.press("0")
    assert view(browser) == [left, right, 1.0]
    assert browser.console() == []


def test_a_drag_shows_the_part_that_was_marked(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-01.html")
    left, right, _ = view(browser)
    script = (
        "var p = document.querySelector('#s1-spectrum .panel');"
        "p.scrollIntoView({block: 'center', behavior: 'instant'});"
        "var r = p.getBoundingClientRect(); return [r.left, r.width, r.top + r.height / 2]"
    )
    x, width, y = browser.run(script)
    move = {"type": "pointerMove", "y": int(y), "duration": 50}
    browser.actions(
        "pointer",
        {**move, "x": int(x + 0.25 * width)},
        {"type": "pointerDown", "button": 0},
        {**move, "x": int(x + 0.5 * width)},
        {"type": "pointerUp", "button": 0},
    )
    span = left - right
    now = view(browser)
    assert now[0] == pytest.approx(left - 0.25 * span, abs=0.02 * span)
    assert now[1] == pytest.approx(left - 0.5 * span, abs=0.02 * span)


def test_the_legend_hides_and_shows_curves(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-01.html")
    hidden = "return document.querySelector('#s1-spectrum svg [data-series=fit]').classList.contains('off')"
    click = "document.querySelector('#s1-spectrum .key[data-series=fit]').click()"
    assert browser.run(hidden) is False
    browser.run(click)
    assert browser.run(hidden) is True
    browser.run(click)
    assert browser.run(hidden) is False


def test_dark_and_light_differ_and_the_button_overrules(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-01.html")
    colour = "return getComputedStyle(document.body).backgroundColor"
    browser.run("document.documentElement.setAttribute('data-theme', 'light')")
    light = browser.run(colour)
    browser.run("document.getElementById('theme').click()")
    assert browser.run(colour) != light
    assert browser.run("return document.documentElement.dataset.theme") == "dark"


def test_everything_that_can_be_done_can_be_reached_by_keyboard(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-01.html")
    script = (
        "return Array.from(document.querySelectorAll('button, a[href], summary')).filter("
        "e => e.tabIndex < 0 || !(e.textContent.trim() || e.getAttribute('aria-label'))).length"
    )
    assert browser.run(script) == 0
    assert browser.run("return Array.from(document.images).filter(i => !i.alt).length") == 0


def test_printing_opens_what_is_folded(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-01.html")
    assert browser.run("return document.querySelectorAll('details:not([open])').length") > 0
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("return document.querySelectorAll('details:not([open])').length") == 0
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run("return document.querySelectorAll('details:not([open])').length") > 0


def test_the_wheel_scrolls_the_page_until_a_figure_was_clicked(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-01.html")
    whole = view(browser)
    wheel = (
        "var p = document.querySelector('#s1-spectrum .panel');"
        "var e = new WheelEvent('wheel', {deltaY: -120, bubbles: true, cancelable: true});"
        "p.dispatchEvent(e); return e.defaultPrevented"
    )
    assert browser.run(wheel) is False
    assert view(browser) == whole
    browser.run("document.getElementById('s1-spectrum').focus()")
    assert browser.run(wheel) is True
    now = view(browser)
    assert now[0] - now[1] < whole[0] - whole[1]


def test_paper_is_light_even_in_the_dark(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-01.html")
    browser.run("document.documentElement.setAttribute('data-theme', 'dark')")
    browser.tool("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        browser.tool("Emulation.setEmulatedMedia", media="")


def test_downloads_hold_the_table(browser: Browser, pages: Path) -> None:
    browser.open(pages / "index.html")
    script = (
        "var a = document.querySelector('a[download=\"completeness.tsv\"]');"
        "return atob(a.href.split(',')[1]).split('\\n').length"
    )
    assert browser.run(script) == 1 + 3 * 2 * 4 + 1


def test_a_participant_is_marked_in_the_page_of_the_group(browser: Browser, pages: Path) -> None:
    browser.open(pages / "sub-02.html")
    browser.run("Array.from(document.querySelectorAll('a')).find(a => a.hash === '#sub-02').click()")
    titles = "return Array.from(document.querySelectorAll('.me title')).map(t => t.textContent)"
    deadline = time.monotonic() + 20
    while not (marked := browser.run(titles)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert marked
    assert all(text.startswith("sub-02 ") for text in marked)
    assert browser.console() == []
