"""The shell commands of the documentation: found in its code blocks, sorted by what a test can do with them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    *(
        "snakemrs",
        "snakemake",
        "python",
        "python3",
        "pip",
        "make",
        "pytest",
        "mkdocs",
        ".ci/run",
        "apptainer",
        "sbatch",
    ),
    *("cp", "mkdir", "cd", "cat", "git", "bash", "eval", "export", "source", "conda", "rattler-build", "sudo", "."),
    *("podman", "docker", "tests/cluster/setup.sh", "tests/containers/setup.sh", "spec2nii"),
}
NOT_RUN = re.compile(r"#.*\bnot run here\b")
"""What the comment of a command says that no test can run: the convention of the pages."""


@dataclass(frozen=True)
class Command:
    """A command line of a page.

    Attributes
    ----------
    page : str
        Path from the root.
    line : int
        Line in the page, counted from 1.
    text : str
        What a reader types, continued lines joined, without its comment.
    not_run : bool
        Whether its comment says that it is not run by the tests.
    """

    page: str
    line: int
    text: str
    not_run: bool

    @property
    def words(self) -> list[str]:
        return [word for word in shlex.split(self.text) if not re.fullmatch(r"\w+=\S*", word)]

    @property
    def kind(self) -> str:
        """``not run``, ``benchmark`` (checked for script and options), ``whole`` (CI itself runs it) or ``run``."""
        if self.not_run:
            return "not run"
        if any(word.startswith("benchmarks/") for word in self.words):
            return "benchmark"
        if self.words[0] in ("make", ".ci/run", "pytest", "mkdocs"):
            return "whole"
        return "run"

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def pages() -> list[Path]:
    """All pages with commands, as a reader meets them."""
    first = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/index.md", "docs/tutorial.md")]
    generated = ROOT / "docs" / "reference" / "commands.md"  # the examples of the help, which test_ecosystem.py checks
    return first + sorted(path for path in (ROOT / "docs").rglob("*.md") if path not in (*first, generated))


def blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Give the code blocks of a page, fenced or indented: line of the first, and the lines."""
    fence, block, start = "", list[str](), 0
    before_blank = True
    for number, line in enumerate([*text.splitlines(), "end"], start=1):
        mark = re.match(r"(```+|~~~+)", line)
        if fence:
            if line.startswith(fence):
                yield start, block
                fence, block = "", []
            else:
                block.append(line)
        elif mark:
            fence, block, start = mark.group(1), [], number + 1
        elif line.startswith("    ") and (block or before_blank):
            start = start if block else number
            block.append(line[4:])
        elif block and line.strip():
            yield start, block
            block = []
        elif block:
            block.append("")
        before_blank = not line.strip()


def commands_of(path: Path) -> list[Command]:
    """Give the commands of a page: of the blocks that begin with a program."""
    found = []
    for start, lines in blocks(path.read_text(encoding="utf-8")):
        first = next((line.split()[0] for line in lines if line.strip() and not line.startswith("#")), "")
        if first not in PROGRAMS:
            continue
        text, began = "", start
        for number, line in enumerate(lines, start=start):
            began = began if text else number
            text += line.rstrip().removesuffix("\\")
            if line.rstrip().endswith("\\"):
                continue
            command, _, comment = re.sub(r"\s+#", "\0#", text).partition("\0")
            if command.strip() and not command.startswith("#"):
                page = path.relative_to(ROOT).as_posix()
                found.append(Command(page, began, " ".join(command.split()), bool(NOT_RUN.search(comment))))
            text = ""
    return found + list(inline_benchmarks(path))


def inline_benchmarks(path: Path) -> Iterator[Command]:
    """Give the benchmarks that a page names in running text."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for text in re.findall(r"`(python benchmarks/[^`]+)`", line):
            yield Command(path.relative_to(ROOT).as_posix(), number, text, not_run=False)
