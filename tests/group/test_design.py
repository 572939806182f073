"""The design matrix: our own coding of plain terms is that of formulaic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from snakemrs.group import design
from snakemrs.group.design import build_design
from snakemrs.group.formula import parse_formula, prepare
from snakemrs.io.tables import read_table

DATA = Path(__file__).parent / "reference" / "data_threeway.tsv"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.DataFrame(read_table(DATA))


@pytest.mark.parametrize(
    "fixed",
    ["condition*phase + period + sex", "site*phase + frame", "condition*phase*sex + site:frame + site + frame", "1"],
)
def test_plain_terms_are_coded_as_formulaic_codes_them(
    rows: pd.DataFrame, fixed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    formula = parse_formula(f"log(glx_tnaa) ~ {fixed}")
    data = prepare(rows, formula)
    y, ours = build_design(formula, data)
    monkeypatch.setattr(design, "_plain_terms", lambda *_: None)
    again, theirs = build_design(formula, data)
    np.testing.assert_array_equal(y, again)
    assert set(ours.names) == set(theirs.names)
    order = [theirs.names.index(name) for name in ours.names]
    np.testing.assert_array_equal(ours.X, theirs.X[:, order])
    assert ours.terms == theirs.terms
    for term in ours.terms:
        # The same hypothesis: the same rows' space.
        both = np.vstack([ours.contrasts[term], theirs.contrasts[term][:, order]])
        assert np.linalg.matrix_rank(both) == len(ours.contrasts[term])


def test_functions_and_chosen_contrasts_are_left_to_formulaic(rows: pd.DataFrame) -> None:
    formula = parse_formula("glx_tnaa ~ C(condition, contr.treatment('B')) + poly(frame, 2)")
    _, found = build_design(formula, prepare(rows, formula))
    assert found.names[:2] == ("Intercept", "condition[T.A]")
    assert len(found.names) == 4
    assert len(found.terms) == 2


def test_an_outcome_may_be_any_expression(rows: pd.DataFrame) -> None:
    formula = parse_formula("log(glx_tnaa / frame) ~ phase")
    data = prepare(rows, formula)
    y, _ = build_design(formula, data)
    np.testing.assert_allclose(y, np.log(data["glx_tnaa"] / data["frame"]))
