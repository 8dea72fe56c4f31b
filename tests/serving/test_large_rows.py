"""Requests for rows of many bytes: read part by part, with the same answers."""

import tracemalloc
from datetime import datetime
from itertools import chain

import pytest
from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    count,
    distinct,
    last,
    last_n,
    total,
)
from featurestore.serving import readers
from featurestore.serving.vector import Vectors
from featurestore.testing import Store


class Note(BaseModel):
    user: str
    text: str
    size: int
    at: datetime


VIEW = FeatureView(
    "notes",
    stream=Stream("notes", contract=Note, event_time="at"),
    entity=Entity("user", keys=["user"]),
    windows=["1h", "1d"],
    features={
        "n": count(),
        "size": total("size"),
        "texts": distinct("text"),
        "text": last("text"),
        "newest": last_n("text", 2),
    },
    record_budget=1000,
)
USERS = [{"user": f"u{n}"} for n in range(100)]


@pytest.fixture(scope="module")
def store() -> Store:
    """Users with up to 200 events each, and some with none."""
    store = Store(FeatureService("s", features=[VIEW]))
    at = [f"2026-01-31T1{n % 3}:{n % 60:02}:00Z" for n in range(200)]
    store.feed(
        "notes",
        [
            {"user": f"u{user}", "text": f"note {n} of {user}", "size": n, "at": at[n]}
            for user in range(0, 100, 3)
            for n in range(user * 2)
        ],
    )
    return store


def told(vectors: Vectors) -> object:
    return vectors.values, vectors.statuses, vectors.event_times, vectors.exact


@pytest.mark.parametrize("at_once", [1, 1000, 20_000])
def test_in_parts_or_at_once_the_answers_are_the_same(
    at_once: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = told(store.vectors("s", USERS))
    monkeypatch.setattr(readers, "AT_ONCE", at_once)
    assert told(store.vectors("s", USERS)) == whole
    texts = store.vectors("s", USERS).series[-4]
    assert texts.arrow().to_pylist() == texts.plain()


def test_parts_are_all_rows_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "AT_ONCE", 10)
    for rows in ([], [None], [b"x" * 11], [b"x" * 4, None, b"y" * 9, b"z" * 30, b"", b"a", b"b"]):
        parts = readers.in_parts(rows)
        assert [*chain.from_iterable(parts)] == rows
        for part in parts:
            sizes = [len(row or b"") for row in part]
            assert sum(sizes) - max(sizes, default=0) <= 10


def test_memory_follows_what_is_read_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def peak() -> int:
        tracemalloc.start()
        try:
            store.vectors("s", USERS * 4)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak()
    at_once = peak()
    monkeypatch.setattr(readers, "AT_ONCE", 50_000)
    assert peak() < at_once / 2
