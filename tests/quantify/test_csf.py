"""From the molecules of a voxel to the table: the CSF beside the tissue does not show."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.slow
def test_tissue_molality_does_not_depend_on_the_csf_beside_it(tmp_path: Path):
    """Signals made without the code of quantify (benchmarks/quantify_csf.py), fitted and quantified."""
    script = Path(__file__).parents[2] / "benchmarks" / "quantify_csf.py"
    spec = importlib.util.spec_from_file_location("quantify_csf", script)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    rng = np.random.default_rng(2)
    (none, none_by_tissue), (much, much_by_tissue) = (benchmark.recovered(csf, tmp_path, rng) for csf in (0.0, 0.4))
    for name, amount in benchmark.PUT_IN.items():
        if name in benchmark.SHOWN:
            assert much[name] == pytest.approx(none[name], rel=0.005)
            assert none_by_tissue[name] == pytest.approx(amount, rel=0.005)
            assert much_by_tissue[name] == pytest.approx(amount, rel=0.005)
