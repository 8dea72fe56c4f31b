"""An event that its producer sent twice counts once."""

import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import redis
from pydantic import BaseModel

from featurestore import Catalog, Entity, FeatureService, FeatureView, Stream, count, total
from featurestore.client import Client
from tests.hand_flow import SECOND, HandFlow

NOON = 1_700_000_000 * SECOND
BOTH = {"taps": ["p0", "p1"]}


class Tap(BaseModel):
    id: str | None
    user: str
    cents: int
    at: datetime


def catalog(dedupe: str = "24h") -> Catalog:
    stream = Stream("taps", contract=Tap, event_time="at", event_id="id", dedupe=dedupe)
    by_user = FeatureView(
        "by_user",
        stream=stream,
        entity=Entity("user", keys=["user"]),
        windows=["10d"],
        features={"taps": count(), "cents": total("cents")},
        shards=1,
    )
    return Catalog.of([FeatureService("users", features=[by_user])])


def started(url: str, *partitions: str, dedupe: str = "24h") -> HandFlow:
    flow = HandFlow(url, catalog(dedupe), now_us=NOON)
    flow.take_over({"taps": list(partitions) or ["p0"]})
    return flow


def tap(name: str | None, user: str = "u") -> dict[str, Any]:
    return {"id": name, "user": user, "cents": 7, "at": NOON / SECOND}


def taps_of(url: str, user: str = "u") -> Any:
    with Client(catalog(), url) as client:
        return client.get("users", {"user": user}, as_of=NOON + SECOND)["taps_10d"]


def ledger(url: str) -> dict[str, int]:
    with redis.Redis.from_url(url, decode_responses=True) as store:
        counts = store.hgetall("{fs:taps}!counts")
    return {name: int(n) for name, n in counts.items() if name != "newest_us"}


def test_within_a_block_and_across_blocks_and_restarts(redis_url: str) -> None:
    flow = started(redis_url)
    flow.feed("taps", "p0", {0: tap("a"), 1: tap("a"), 2: tap("b")})
    flow.feed("taps", "p0", {3: tap("b"), 4: tap("c")})
    flow.commit()
    restarted = started(redis_url)
    restarted.feed("taps", "p0", {5: tap("a"), 6: tap("d")})
    restarted.commit()
    assert taps_of(redis_url) == 4
    assert ledger(redis_url) == {"read": 7, "applied": 4, "duplicate": 3}
    counts = flow.writer.summary.counts + restarted.writer.summary.counts
    assert dict(counts) == {"read": 7, "applied": 4, "duplicate": 3}


def test_on_another_partition_and_under_another_flow(redis_url: str) -> None:
    first, second = started(redis_url, "p0"), started(redis_url, "p1")
    first.feed("taps", "p0", {0: tap("a")})
    first.commit()
    second.feed("taps", "p1", {0: tap("a"), 1: tap("b")})
    second.commit()
    first.feed("taps", "p0", {1: tap("b")})
    first.commit()
    assert taps_of(redis_url) == 2


@pytest.mark.parametrize("units", [0, 1, 2])
def test_a_claim_whose_flush_was_not_committed_counts_when_it_is_read_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, units: int
) -> None:
    flow = started(redis_url)
    events = {0: tap("a"), 1: tap("b"), 2: tap("a")}
    flow.feed("taps", "p0", events)
    flow.die_after_units(units, monkeypatch)
    elsewhere = started(redis_url, "p1")
    elsewhere.feed("taps", "p1", {0: tap("b")})
    elsewhere.commit()
    restarted = started(redis_url)
    restarted.feed("taps", "p0", events)
    restarted.commit()
    assert taps_of(redis_url) == 2
    assert ledger(redis_url) == {"read": 4, "applied": 2, "duplicate": 2}


def test_beyond_the_horizon_it_is_a_new_event(redis_url: str) -> None:
    flow = started(redis_url, dedupe="100ms")
    flow.feed("taps", "p0", {0: tap("a")})
    flow.commit()
    time.sleep(0.15)
    flow.feed("taps", "p0", {1: tap("a")})
    flow.commit()
    assert taps_of(redis_url) == 2


def test_an_event_without_an_id_has_no_duplicates(redis_url: str) -> None:
    flow = started(redis_url)
    flow.feed("taps", "p0", {0: tap(None), 1: tap(None)})
    flow.commit()
    assert taps_of(redis_url) == 2


def test_ids_of_any_length_and_offsets_of_any_size(redis_url: str) -> None:
    flow = started(redis_url)
    long, large = "x" * 500, 2**100
    events = [tap(long), tap(long + "y"), tap(long), tap("ä\r\n"), tap("ä\r\n")]
    flow.feed("taps", "p0", {large + n: event for n, event in enumerate(events)})
    flow.commit()
    assert taps_of(redis_url) == 3


def test_a_rejected_event_claims_nothing(redis_url: str) -> None:
    flow = started(redis_url)
    flow.feed("taps", "p0", {0: {**tap("a"), "cents": "many"}, 1: tap("a")})
    flow.commit()
    assert taps_of(redis_url) == 1
    assert ledger(redis_url) == {"read": 2, "applied": 1, "invalid": 1}


def test_streams_do_not_share_ids(redis_url: str) -> None:
    flow = started(redis_url)
    flow.feed("taps", "p0", {0: tap("a")})
    flow.commit()
    other = replace(catalog().stream("taps"), name="other_taps")
    both = HandFlow(redis_url, Catalog.of([other]), now_us=NOON)
    both.take_over({"other_taps": ["p0"]})
    both.feed("other_taps", "p0", {9: tap("a")})
    both.commit()
    assert dict(both.writer.summary.counts) == {"read": 1, "applied": 1}
