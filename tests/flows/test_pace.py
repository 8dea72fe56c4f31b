"""How long events are gathered before a flush."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from flows.frontier import Frontier
from flows.pace import BULK_MS, Pace
from flows.steps import Chunk

LIVE = Chunk(
    stream="s",
    partition="p",
    events=pa.record_batch({"a": [1]}),
    offsets=np.array([1]),
    rejected=(),
    end=1,
    frontier=Frontier(),
    newest_us=None,
    finished=False,
    read_us=0,
)
BEHIND = replace(LIVE, behind=True)


def flushes(pace: Pace, chunks: list[Chunk], every_ms: int) -> list[int]:
    """Return when (ms) something was flushed."""
    times = []
    for n, chunk in enumerate(chunks):
        if pace.is_due(chunk, 1, n * every_ms * 1000):
            pace.flushed()
            times.append(n * every_ms)
    return times


def test_live_events_wait_for_their_time_and_no_longer() -> None:
    assert flushes(Pace(ms=20), [LIVE] * 9, every_ms=10) == [20, 50, 80]


def test_a_flow_that_is_behind_gathers_longer_and_longer_up_to_a_second() -> None:
    times = flushes(Pace(ms=20), [BEHIND] * 500, every_ms=10)
    waits = np.diff([0, *times])
    assert (np.diff(waits) >= 0).all()
    assert waits[0] == 20
    assert waits[-1] == BULK_MS + 10


def test_one_that_has_caught_up_is_live_again() -> None:
    pace = Pace(ms=20)
    flushes(pace, [BEHIND] * 100, every_ms=10)
    pace.flushed()
    later = [replace(LIVE)] * 3
    assert [pace.is_due(chunk, 1, 5_000_000 + n * 10_000) for n, chunk in enumerate(later)][-1]


def test_a_live_stream_beside_one_that_is_behind_does_not_wait() -> None:
    both = [BEHIND, LIVE] * 100
    assert max(np.diff(flushes(Pace(ms=20), both, every_ms=10))) <= 40


def test_so_many_events_are_flushed_at_once_whatever_the_time() -> None:
    assert Pace(events=10).is_due(LIVE, 10, 0)
    assert not Pace(events=10).is_due(BEHIND, 10, 0)
    assert Pace(events=10).is_due(BEHIND, 200_000, 0)
    assert Pace().is_due(replace(LIVE, finished=True), 1, 0)
