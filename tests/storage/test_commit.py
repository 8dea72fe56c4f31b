"""One unit of commit against a real store."""

import pytest
import redis

from featurestore.errors import Fenced, StoreRefused
from featurestore.storage.commit import Durability, Unit
from featurestore.storage.wire import Wire, pack

TAG = b"{fs:spend@1:0}"
SOURCE = b"payments/p0"


def unit(url: str, *sources: bytes, durability: Durability = Durability.NONE) -> Unit:
    taken = Unit(Wire(url), TAG, durability)
    taken.take_over(sources or (SOURCE,))
    return taken


def append(key: bytes, value: bytes) -> bytes:
    return pack(b"APPEND", TAG + b":" + key, value)


def test_changes_and_position_are_written_together(redis_url: str) -> None:
    writer = unit(redis_url)
    writer.send([append(b"u1", b"abc"), append(b"u2", b"de")], {SOURCE: 41})
    assert writer.settle() == [3, 2]
    store = redis.Redis.from_url(redis_url)
    assert store.get(TAG + b":u1") == b"abc"
    assert store.hget(TAG + b"!progress", SOURCE) == b"41"


def test_a_new_flow_learns_the_position(redis_url: str) -> None:
    writer = unit(redis_url)
    assert writer.progress == {}
    writer.send([append(b"u1", b"abc")], {SOURCE: 41})
    writer.settle()
    assert unit(redis_url).progress == {SOURCE: 41}


def test_a_flow_whose_partition_was_taken_over_cannot_commit(redis_url: str) -> None:
    old = unit(redis_url)
    new = unit(redis_url)
    old.send([append(b"u1", b"old")], {SOURCE: 1})
    with pytest.raises(Fenced, match="another flow took over partition 'p0' of stream 'payments'"):
        old.settle()
    new.send([append(b"u1", b"new")], {SOURCE: 2})
    new.settle()
    store = redis.Redis.from_url(redis_url)
    assert store.get(TAG + b":u1") == b"new"
    assert store.hget(TAG + b"!progress", SOURCE) == b"2"


def test_another_partition_changing_hands_does_not_stop_a_flow(redis_url: str) -> None:
    mine = unit(redis_url)
    unit(redis_url, b"payments/p1")
    mine.send([append(b"u1", b"mine")], {SOURCE: 1})
    assert mine.settle() == [4]
    assert redis.Redis.from_url(redis_url).get(TAG + b":u1") == b"mine"


def test_an_error_reply_moves_nothing(redis_url: str) -> None:
    writer = unit(redis_url)
    writer.send([append(b"u1", b"abc"), pack(b"NO-SUCH-COMMAND")], {SOURCE: 41})
    with pytest.raises(StoreRefused, match="unknown command"):
        writer.settle()
    store = redis.Redis.from_url(redis_url)
    assert store.get(TAG + b":u1") is None
    assert store.hget(TAG + b"!progress", SOURCE) is None


def test_out_of_memory_moves_nothing(redis_url: str) -> None:
    writer = unit(redis_url)
    store = redis.Redis.from_url(redis_url)
    store.config_set("maxmemory", "1")
    try:
        writer.send([append(b"u1", b"abc")], {SOURCE: 41})
        with pytest.raises(StoreRefused, match="OOM"):
            writer.settle()
    finally:
        store.config_set("maxmemory", "0")
    assert store.hget(TAG + b"!progress", SOURCE) is None


def test_a_replica_that_is_not_there_is_not_waited_for_in_silence(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "featurestore.storage.commit._SURVIVAL", {Durability.REPLICATED: pack(b"WAIT", b"1", b"50")}
    )
    writer = unit(redis_url, durability=Durability.REPLICATED)
    writer.send([append(b"u1", b"abc")], {SOURCE: 41})
    with pytest.raises(StoreRefused, match="replicated: a commit was not confirmed"):
        writer.settle()


def test_an_emptied_store_is_noticed(redis_url: str) -> None:
    writer = unit(redis_url)
    redis.Redis.from_url(redis_url).flushall()
    writer.send([append(b"u1", b"abc")], {SOURCE: 1})
    with pytest.raises(StoreRefused, match="emptied"):
        writer.settle()
