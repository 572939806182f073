"""Has the steps that a run's loaded process forks tell which modules they had to load themselves, in the file TOLD.

Python imports this by itself where it finds it on its path.
"""

from __future__ import annotations

import json
import os
import sys
from multiprocessing import util


def watch(_: object) -> None:
    """In a process that multiprocessing has just forked."""
    before = set(sys.modules)

    def tell() -> None:
        line = json.dumps({"words": sys.argv[1:], "loaded": sorted(set(sys.modules) - before)})
        with open(os.environ["TOLD"], "a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    util.Finalize(None, tell, exitpriority=10)


if "TOLD" in os.environ:
    util.register_after_fork(util, watch)
