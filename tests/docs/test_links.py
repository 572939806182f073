"""Links of the pages arrive, in the site and in the files that a forge shows as they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.commands import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as mkdocs and forges make them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    plain = [re.sub(r"[^\w\s-]", "", re.sub(r"`", "", text)).strip().lower() for text in headings]
    return {re.sub(r"[\s]+", "-", text) for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_arrive(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        place, _, anchor = target.partition("#")
        arrived = (page.parent / place).resolve() if place else page
        assert arrived.exists(), f"{page}: {target}"
        assert arrived.is_relative_to(ROOT), f"{page}: {target} leaves the repository"
        if anchor and arrived.suffix == ".md":
            assert anchor in anchors(arrived), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """Paths in backticks that begin with a folder of the repository."""
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:workflow|rules|config|benchmarks|tests|containers|examples|docs)/[\w./-]+)`", text):
        assert (ROOT / path).exists() or "physio" in path, f"{page}: {path}"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "index.html").exists()


def test_every_page_of_the_docs_is_reached_from_the_front_page() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w./-]+\.md)\)", text)) | {"index.md"}
    assert {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")} <= linked
