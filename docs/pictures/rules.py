"""Draw the rules and what each needs as a Mermaid graph, from Snakemake itself; CONTRIBUTING.md holds it.

    python docs/pictures/rules.py STUDY

STUDY is one that `snakemrs plan` has checked, with T1w images and a water reference.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from snakemrs.cli.snakemake import STAGE_OF_RULE
from snakemrs.study.resources import workflow_root

ORDER = ("ingest", "anatomy", "spectra", "voxel", "fit", "quantify", "group", "report")


def rule_graph(study: Path) -> tuple[set[str], set[tuple[str, str]]]:
    """Ask Snakemake which rules a study needs, and which needs which."""
    words = ["--snakefile", workflow_root() / "Snakefile", "--directory", study, "--rulegraph", "--forceall"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *map(str, words)], capture_output=True, text=True, check=True
    )
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', done.stdout))
    arrows = re.findall(r"(\d+) -> (\d+)", done.stdout)
    return set(names.values()), {(names[one], names[other]) for one, other in arrows}


def mermaid(rules: set[str], arrows: set[tuple[str, str]]) -> str:
    """Write rules and arrows as a Mermaid graph, a box a stage; the target `all` is left out."""
    lines = ["flowchart LR"]
    for stage in ORDER:
        members = sorted(rule for rule in rules if STAGE_OF_RULE.get(rule) == stage)
        lines += [f"  subgraph {stage}_stage [{stage}]", *(f"    {rule}" for rule in members), "  end"]
    lines += [f"  {one} --> {other}" for one, other in sorted(arrows) if other in STAGE_OF_RULE]
    return "\n".join(lines)


def main() -> None:
    """Print the graph."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    print(mermaid(*rule_graph(parser.parse_args().study)))


if __name__ == "__main__":
    main()
