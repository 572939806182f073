"""Make README's pictures from a real run: the terminal (SVG) and a participant's page (PNG, headless Chromium).

    python docs/pictures/make.py

A virtual study of two participants is simulated, planned and run in a folder of its own (about five minutes); what the
commands print is what is drawn. `--study FOLDER` takes a study that has run, and draws `plan` and `status` only.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MAKE = ("simulate STUDY --participants 2 --sessions 1 --transients 160 --seed 4", "plan STUDY", "run STUDY --cores 2")
COLUMNS = 130


def printed(command: str, folder: Path) -> str:
    """Run a command in a folder; give what it prints, with paths as seen from there."""
    words = [sys.executable, "-m", "snakemrs.cli.main", *shlex.split(command)]
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"snakemrs {command}: exit {done.returncode}\n{done.stdout}")
    return done.stdout.replace(f"{folder}/", "").rstrip()


def draw_terminal(commands: dict[str, str], path: Path) -> None:
    """Draw commands and what they printed as a terminal; the SVG asks for no font from the network."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    for command, output in commands.items():
        console.print(Text("$ ", style="bold green") + Text(f"snakemrs {command}", style="bold"))
        console.print(Text(output))
        console.print()
    svg = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="snakemrs"), flags=re.DOTALL)
    path.write_text(svg.replace("Fira Code", "monospace"), encoding="utf-8")


def draw_page(page: Path, path: Path) -> None:
    """Draw a page down to its voxel, as a browser shows it at the width of a laptop."""
    from PIL import Image

    sys.path.insert(0, str(HERE.parents[1] / "tests"))
    from report.webdriver import Browser

    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(Path(profile), 1200, 900)
        try:
            browser.open(page)
            height = browser.run(
                "return document.querySelector('.voxel').closest('.card').getBoundingClientRect().bottom"
            )
            clip = {"x": 0, "y": 0, "width": 1200, "height": height + 12, "scale": 1}
            shot = browser.tool("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
            path.write_bytes(base64.b64decode(shot["data"]))
        finally:
            browser.close()
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(path, optimize=True)


def main() -> None:
    """Make both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, help="a study that has run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        made = MAKE
        if given.study:
            (folder / "STUDY").symlink_to(given.study.resolve())
            made = ("plan STUDY",)
        commands = {command: printed(command, folder) for command in (*made, "status STUDY")}
        draw_terminal(commands, HERE / "terminal.svg")
        draw_page(folder / "STUDY" / "derivatives" / "snakemrs" / "sub-01.html", HERE / "page.png")
    print(*(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB" for path in sorted(HERE.glob("*.*g"))), sep="\n")


if __name__ == "__main__":
    main()
