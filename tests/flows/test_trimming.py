"""Events sent over HTTP are let go of once they are committed everywhere, and not before."""

from typing import Any

import orjson
import pytest
import redis

from featurestore import Catalog
from flows.sources.redis_stream import RedisStream, offset_of
from flows.trimming import Trimming
from tests.flows.test_exactly_once import BOTH, NOON, ONE, counts, ledger, tap
from tests.hand_flow import HandFlow

KEY = "{fs:taps}!events"
SOURCES = {"taps": [KEY]}


@pytest.fixture
def store(redis_url: str) -> Any:
    with redis.Redis.from_url(redis_url) as store:
        yield store


def send(store: Any, count: int) -> dict[int, dict[str, Any]]:
    """Append events as the API does; return them by offset."""
    events = [tap(NOON - n) for n in range(count)]
    with store.pipeline() as all_of_them:
        for event in events:
            all_of_them.xadd(KEY, {"event": orjson.dumps(event)})
        return {
            offset_of(name): event
            for name, event in zip(all_of_them.execute(), events, strict=True)
        }


def flow(url: str, of: Catalog = BOTH, kept: int = 0, streams: Any = ("taps",)) -> HandFlow:
    flow = HandFlow(url, of, now_us=NOON, trimming=Trimming(streams, kept))
    flow.take_over(SOURCES)
    return flow


def test_what_is_committed_goes_but_for_the_newest(redis_url: str, store: Any) -> None:
    events = send(store, 5000)
    writing = flow(redis_url, kept=1000)
    writing.feed("taps", KEY, events)
    writing.commit()
    assert 1000 <= store.xlen(KEY) < 1200
    assert counts(redis_url, user="u")["taps_10d"] == 5000


def test_what_is_not_committed_stays(redis_url: str, store: Any) -> None:
    events = send(store, 5000)
    writing = flow(redis_url)
    writing.feed("taps", KEY, dict(list(events.items())[:2000]))
    writing.commit()
    assert 3000 < store.xlen(KEY) < 3200
    again = flow(redis_url)
    (position,) = again.take_over(SOURCES).values()
    source = RedisStream("taps", redis_url, KEY).open(KEY, position[0])
    block = source.next_block(1000)
    source.close()
    assert block.events is not None
    assert len(block.events.offsets) == 3000
    assert offset_of(store.xrange(KEY, count=1)[0][0]) <= position[0]  # so no loss is suspected


def test_what_another_view_has_yet_to_read_stays(redis_url: str, store: Any) -> None:
    events = send(store, 1000)
    alone = flow(redis_url, ONE, kept=1000)
    alone.feed("taps", KEY, events)
    alone.commit()
    both = flow(redis_url)  # one of its views is new and starts over
    both.feed("taps", KEY, dict(list(events.items())[:500]))
    both.commit()
    assert 500 < store.xlen(KEY) < 700
    both.feed("taps", KEY, dict(list(events.items())[500:]))
    both.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 1000
    assert counts(redis_url, shop="s")["taps_10d"] == 1000
    assert ledger(redis_url) == {"read": 1000, "applied": 1000}


def test_streams_that_others_write_are_never_trimmed(redis_url: str, store: Any) -> None:
    events = send(store, 500)
    writing = flow(redis_url, streams=())
    writing.feed("taps", KEY, events)
    writing.commit()
    assert store.xlen(KEY) == 500
