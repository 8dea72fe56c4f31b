"""The frontier of a source partition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.frontier import UNKNOWN, Frontier

times = st.lists(st.integers(0, 10**6), max_size=40)


def naive(events: list[int]) -> list[int]:
    """The largest median of five so far, before each event, event by event."""
    known, reached, before = [UNKNOWN] * 4, UNKNOWN, []
    for time in events:
        before.append(reached)
        known.append(time)
        reached = max(reached, sorted(known[-5:])[2])
    return [*before, reached]


@given(times)
def test_it_is_the_largest_median_of_five_so_far(events: list[int]) -> None:
    before, after = Frontier().advance(np.array(events, dtype=np.int64))
    assert [*before.tolist(), after.reached_us] == naive(events)


@given(times, st.integers(0, 40))
def test_where_blocks_are_cut_changes_nothing(events: list[int], cut: int) -> None:
    whole = Frontier().advance(np.array(events, dtype=np.int64))[1]
    _, first = Frontier().advance(np.array(events[:cut], dtype=np.int64))
    _, second = Frontier.decode(first.encode()).advance(np.array(events[cut:], dtype=np.int64))
    assert second == whole


def test_a_rogue_timestamp_does_not_move_it() -> None:
    _, frontier = Frontier().advance(np.array([100, 101, 10**15, 102, 10**15, 103, 104]))
    assert frontier.reached_us == 104 or frontier.reached_us < 200
