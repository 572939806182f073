"""What a run does beside its jobs: seldom enough that it costs little."""

from __future__ import annotations

import pytest

from snakemrs.cli import run
from snakemrs.cli.run import Spaced


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(run, "time", clock)
    return clock


@pytest.mark.parametrize("takes", [0.001, 0.1, 4.0])
def test_what_is_done_again_and_again_takes_a_twentieth_of_the_time_at_most(clock: Clock, takes: float) -> None:
    spent = []

    def action() -> None:
        clock.now += takes
        spent.append(takes)

    spaced = Spaced(action)
    begun = clock.now
    while clock.now < begun + 1000:
        spaced()
        clock.now += 0.2
    assert sum(spent) <= 0.05 * 1000 + takes
    assert len(spent) > 10


def test_what_takes_no_time_is_done_every_so_many_seconds(clock: Clock) -> None:
    done = []
    spaced = Spaced(lambda: done.append(clock.now), seconds=15)
    for _ in range(250):
        spaced()
        clock.now += 0.25
    assert [round(when - 100) for when in done] == [15, 30, 45, 60]
