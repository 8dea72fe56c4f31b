"""Events that undo an earlier one."""

import random
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from featurestore import (
    Catalog,
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    column,
    count,
    maximum,
    mean,
    std,
    total,
)
from featurestore.client import Client
from featurestore.errors import DefinitionError
from featurestore.storage.dead_letters import DeadLetters
from tests.hand_flow import SECOND, HandFlow

NOON = 1_700_000_000 * SECOND
MINUTE = 60 * SECOND
SOURCES = {"payments": ["p0"]}


class Payment(BaseModel):
    id: str
    user: str
    cents: int
    tip: float | None = None
    kind: str = "paid"
    at: datetime
    paid_at: datetime | None = None


STREAM = Stream(
    "payments",
    contract=Payment,
    event_time="at",
    event_id="id",
    dedupe="24h",
    reverses=column("kind") == "refunded",
    reverses_time="paid_at",
)
MEASURES = {"n": count(), "cents": total("cents"), "mean": mean("cents"), "tips": count("tip")}


def catalog(budget: int = 128) -> Catalog:
    view = FeatureView(
        "spend",
        stream=STREAM,
        entity=Entity("user", keys=["user"]),
        windows=["10m", "10d"],
        features=MEASURES,
        shards=1,
        record_budget=budget,
    )
    return Catalog.of([FeatureService("users", features=[view])])


def paid(name: str, cents: int, at_us: int = NOON, tip: float | None = None) -> dict[str, Any]:
    return {"id": name, "user": "u", "cents": cents, "tip": tip, "at": at_us / SECOND}


def refund(of: dict[str, Any], at_us: int = NOON) -> dict[str, Any]:
    return {**of, "kind": "refunded", "paid_at": of["at"], "at": at_us / SECOND}


def fed(url: str, *blocks: list[dict[str, Any]], budget: int = 128) -> HandFlow:
    flow = HandFlow(url, catalog(budget), now_us=NOON)
    flow.take_over(SOURCES)
    offset = 0
    for block in blocks:
        flow.feed("payments", "p0", dict(enumerate(block, offset)))
        flow.commit()
        offset += len(block)
    return flow


def features(url: str, window: str = "10d") -> tuple[Any, ...]:
    with Client(catalog(), url) as client:
        vector = client.get("users", {"user": "u"}, as_of=NOON)
    return tuple(vector[f"{name}_{window}"] for name in MEASURES)


def test_it_is_as_if_it_had_never_been(redis_url: str) -> None:
    first, second = paid("a", 100, tip=5.0), paid("b", 50)
    fed(redis_url, [first, second, refund(first)])
    assert features(redis_url) == (1, 50, 50.0, 0)


def test_it_is_undone_when_it_happened_and_not_when_it_was_undone(redis_url: str) -> None:
    old, new = paid("a", 100, NOON - 60 * MINUTE), paid("b", 50, NOON - MINUTE)
    fed(redis_url, [old, new, refund(old)])
    assert features(redis_url, "10m") == (1, 50, 50.0, 0)
    assert features(redis_url) == (1, 50, 50.0, 0)


def test_undone_before_it_arrives(redis_url: str) -> None:
    first = paid("a", 100)
    flow = fed(redis_url, [refund(first)])
    assert features(redis_url) == (-1, -100, None, 0)
    flow.feed("payments", "p0", {1: first})
    flow.commit()
    assert features(redis_url) == (0, None, None, 0)


def test_undone_twice_counts_once_and_the_same_id_both_ways_is_no_duplicate(redis_url: str) -> None:
    first, second = paid("a", 100), paid("b", 50)
    flow = fed(redis_url, [first, second, refund(first), refund(first)], [refund(first), first])
    assert features(redis_url) == (1, 50, 50.0, 0)
    assert dict(flow.writer.summary.counts) == {"read": 6, "applied": 3, "duplicate": 3}


def test_a_reversal_that_does_not_say_of_when_is_a_dead_letter(redis_url: str) -> None:
    fed(redis_url, [paid("a", 100), {**refund(paid("a", 100)), "paid_at": None}])
    assert features(redis_url)[0] == 1
    (letter,) = DeadLetters(redis_url).newest("payments", 9)
    assert letter.reason == "invalid"
    assert letter.detail.startswith("paid_at: it is missing in an event that reverses another")


def test_a_reversal_of_something_older_than_every_window_is_late(redis_url: str) -> None:
    ancient = paid("z", 1, NOON - 60 * 24 * 11 * MINUTE)
    fed(redis_url, [paid(str(n), 1) for n in range(5)], [refund(ancient)])
    assert features(redis_url)[0] == 5
    assert [letter.reason for letter in DeadLetters(redis_url).newest("payments", 9)] == ["late"]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), budget=st.sampled_from([1, 4, 128]))
def test_in_any_order_and_compacted_what_is_left_counts(
    redis_url: str, seed: int, budget: int
) -> None:
    with redis.Redis.from_url(redis_url) as store:
        store.flushall()
    draw = random.Random(seed)
    made = [
        paid(
            str(n),
            draw.randrange(1000),
            NOON - draw.randrange(60) * MINUTE,
            draw.choice([None, 1.0]),
        )
        for n in range(draw.randrange(1, 60))
    ]
    undone = draw.sample(made, draw.randrange(len(made)))
    events = made + [refund(event) for event in undone]
    draw.shuffle(events)
    third = len(events) // 3
    flow = fed(redis_url, *filter(None, [events[:third], events[third:]]), budget=budget)
    flow.writer.close()
    left = [event for event in made if event not in undone]
    cents = [event["cents"] for event in left]
    with Client(catalog(budget), redis_url) as client:
        vector = client.get("users", {"user": "u"}, as_of=NOON)
    assert vector["n_10d"] == len(left)
    assert vector["cents_10d"] == (sum(cents) if left else None)
    assert vector["mean_10d"] == (pytest.approx(sum(cents) / len(cents)) if left else None)
    assert vector["tips_10d"] == sum(event["tip"] is not None for event in left)


def test_what_cannot_be_undone_is_refused_when_it_is_defined() -> None:
    with pytest.raises(DefinitionError) as refused:
        FeatureView(
            "v",
            stream=STREAM,
            entity=Entity("user", keys=["user"]),
            windows=["1h"],
            features={"largest": maximum("cents"), "spread": std("cents"), "n": count()},
        )
    assert len(refused.value.problems) == 2
    assert "feature 'largest': maximum cannot undo an event" in str(refused.value)
    assert "take count, total or mean" in str(refused.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"reverses": "refunded"}, "column 'refunded' is not in stream"),
        ({"reverses": "cents"}, "is int, but must be true or false"),
        ({"reverses": None}, "reverses_time needs reverses"),
        ({"reverses_time": "cents"}, "must be a column of datetimes"),
    ],
)
def test_a_stream_says_what_is_wrong_with_its_reversals(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DefinitionError, match=problem):
        replace(STREAM, **options)


def test_a_stream_with_reversals_makes_another_version_of_its_views() -> None:
    plain = replace(STREAM, reverses=None, reverses_time=None)
    (view,) = catalog().views.values()
    assert replace(view, stream=plain).version != view.version
