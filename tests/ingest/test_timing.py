"""Echo and repetition times: mended where only a unit can be wrong, refused where anything else could be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemrs.errors import DataError
from snakemrs.ingest.timing import mend
from snakemrs.study.settings.ingest import IngestSettings

FILE = Path("scan.dat")


def times(
    echo: float | None, repetition: float | None, inversion: float | None = None, **settings: float
) -> tuple[float, float | None, float | None]:
    found = mend(echo, repetition, inversion, IngestSettings(**settings), file=FILE)  # type: ignore[arg-type]
    return found.echo_time, found.repetition_time, found.inversion_time


@given(st.floats(0.005, 0.29), st.floats(0.8, 9.9), st.sampled_from([1.0, 1e3, 1e-3, 1e6]))
def test_a_wrong_unit_of_both_times_is_mended(echo: float, repetition: float, unit: float) -> None:
    if unit == 1e-3 and (repetition * unit >= 0.1 or echo * unit >= 0.001):
        return
    assert times(echo * unit, repetition * unit)[:2] == pytest.approx((echo, repetition))


def test_an_echo_time_of_seconds_with_a_right_repetition_time_is_refused() -> None:
    with pytest.raises(DataError, match="echo time is impossible") as problem:
        times(4.2, 5.0)
    assert "study.yaml" in str(problem.value)
    assert times(4.2, 5.0, echo_time=0.042)[0] == 0.042


def test_a_missing_echo_time_is_asked_for_by_name() -> None:
    with pytest.raises(DataError, match="echo time is missing") as problem:
        times(None, 2.0)
    assert "echo_time" in str(problem.value)
    assert times(None, None, echo_time=0.03, repetition_time=2.0) == (0.03, 2.0, None)


def test_settings_against_a_plausible_header_are_refused_unless_trusted() -> None:
    with pytest.raises(DataError, match="disagree"):
        times(0.030, 2.0, echo_time=0.068)
    assert times(0.030, 2.0, echo_time=0.068, trust_settings=True)[0] == 0.068
    assert times(0.030, 2.0, echo_time=0.0301)[0] == 0.030


def test_an_inversion_time_of_milliseconds_is_mended_and_zero_is_none() -> None:
    assert times(0.03, 2.0, 600.0)[2] == pytest.approx(0.6)
    assert times(0.03, 2.0, 0.0)[2] is None


def test_a_repetition_time_under_the_echo_time_is_refused() -> None:
    with pytest.raises(DataError, match="shorter than the echo time"):
        times(0.4, 0.2)


def test_a_missing_repetition_time_is_asked_for_by_name_and_stops_nothing() -> None:
    found = mend(0.03, None, None, IngestSettings(), file=FILE)
    assert found.repetition_time is None
    assert "repetition_time" in found.notes[0]
    assert mend(0.03, None, None, IngestSettings(repetition_time=2.0), file=FILE).repetition_time == 2.0
