"""Transients are grouped into frames; none reaches over an event's edge."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snakemrs.io.events import Event
from snakemrs.spectra.frames import event_frames, fixed_frames, segments, sliding_frames

ONSETS = np.arange(100) * 2.0


def sizes(frames: list) -> list[int]:
    return [len(frame.members) for frame in frames]


def test_fixed_blocks_follow_each_other() -> None:
    frames = fixed_frames(ONSETS, 2.0, 32, None, [])
    assert sizes(frames) == [32, 32, 36]  # four are too few for a frame of their own
    assert (frames[1].onset, frames[1].duration) == (64.0, 64.0)


def test_a_length_in_seconds_is_turned_into_transients() -> None:
    assert sizes(fixed_frames(ONSETS, 2.0, 32, 50.0, [])) == [25, 25, 25, 25]


def test_no_frame_reaches_over_the_start_or_end_of_the_infusion() -> None:
    frames = fixed_frames(ONSETS, 2.0, 32, None, [Event(60.0, 90.0, "infusion")])
    assert [frame.label for frame in frames] == ["baseline", "infusion", "after"]
    assert sizes(frames) == [30, 45, 25]
    for frame in frames:
        times = ONSETS[frame.members]
        assert (times < 60).all() or ((times >= 60) & (times < 150)).all() or (times >= 150).all()


@given(
    st.integers(1, 60),
    st.lists(st.tuples(st.floats(-10, 250), st.floats(0, 120)), max_size=4),
)
def test_every_transient_is_in_exactly_one_fixed_frame(length: int, spans: list[tuple[float, float]]) -> None:
    events = [Event(onset, duration, f"e{k}") for k, (onset, duration) in enumerate(spans)]
    frames = fixed_frames(ONSETS, 2.0, length, None, events)
    assert sorted(k for frame in frames for k in frame.members) == list(range(100))
    edges = [e.onset for e in events] + [e.onset + e.duration for e in events if e.duration > 0]
    for frame in frames:
        first, last = ONSETS[frame.members[0]] + 1e-6, ONSETS[frame.members[-1]] + 1e-6
        assert not any(first < edge <= last for edge in edges)


def test_an_event_without_duration_starts_a_phase() -> None:
    labels = [label for label, _ in segments(ONSETS, [Event(20.0, 0.0, "drug"), Event(100.0, 0.0, "antidote")])]
    assert labels == ["baseline", "drug", "antidote"]


def test_a_boundary_that_falls_on_an_onset_belongs_to_the_new_phase() -> None:
    onsets = np.arange(10) * 1.5
    (_, before), (_, after) = segments(onsets, [Event(6.0, 100.0, "on")])
    assert before.tolist() == [0, 1, 2, 3]
    assert after.tolist() == [4, 5, 6, 7, 8, 9]


def test_sliding_frames_overlap_within_a_phase_only() -> None:
    frames = sliding_frames(ONSETS, 2.0, 20, None, 10, [Event(100.0, 0.0, "on")])
    assert sizes(frames) == [20] * 8
    assert max(frames[3].members) == 49
    assert min(frames[4].members) == 50


def test_event_frames_gather_the_repeats_of_a_trial_type() -> None:
    events = [Event(20.0 + 60 * k, 20.0, "flash") for k in range(3)]
    frames = event_frames(ONSETS, 2.0, 10.0, None, events)
    assert [(frame.label, frame.onset, len(frame.members)) for frame in frames] == [
        ("baseline", 0.0, 70),
        ("flash", 0.0, 15),
        ("flash", 10.0, 15),
    ]
    assert frames[1].members.tolist() == [10, 11, 12, 13, 14, 40, 41, 42, 43, 44, 70, 71, 72, 73, 74]


def test_a_transient_in_the_window_of_two_events_belongs_to_the_later_one() -> None:
    events = [Event(0.0, 10.0, "a"), Event(20.0, 10.0, "a")]
    frames = event_frames(ONSETS, 2.0, None, (0.0, 40.0), events)
    members = np.concatenate([frame.members for frame in frames])
    assert len(members) == len(set(members.tolist())) == 100
