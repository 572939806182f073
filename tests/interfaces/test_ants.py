"""ANTsPy without the parts that nobody here calls."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from snakemrs.interfaces.ants import UNUSED, load_ants
ants = load_ants()
assert callable(ants.registration) and callable(ants.atropos) and callable(ants.n4_bias_field_correction)
loaded = {"statsmodels", "sklearn", "matplotlib", "scipy.stats", *UNUSED} & set(sys.modules)
assert not loaded, loaded
try:
    ants.quantile(None, 0.5)
except NotImplementedError as error:
    assert "left out" in str(error)
else:
    raise SystemExit("a part that is left out was called")
"""


def test_ants_starts_without_what_nobody_calls_and_says_so_where_somebody_does() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
