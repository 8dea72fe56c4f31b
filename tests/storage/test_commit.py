"""One unit of commit against a real store."""

import pyarrow as pa
import pytest
import redis

from featurestore.errors import Fenced, StoreBusy, StoreRefused
from featurestore.storage.commands import Commands, pack
from featurestore.storage.commit import Durability, Survival, Unit
from featurestore.storage.wire import Wire

TAG = b"{fs:spend@1:0}"
SOURCE = b"payments/p0"


PLAIN = Survival()


def unit(url: str, *sources: bytes, survival: Survival = PLAIN) -> Unit:
    taken = Unit(Wire(url), TAG, survival)
    taken.take_over(sources or (SOURCE,))
    return taken


def commands(*packed: bytes) -> Commands:
    made = Commands()
    made.add(*packed)
    return made


def append(key: bytes, value: bytes) -> bytes:
    return pack(b"APPEND", TAG + b":" + key, value)


def test_changes_and_position_are_written_together(redis_url: str) -> None:
    writer = unit(redis_url)
    writer.send(commands(append(b"u1", b"abc"), append(b"u2", b"de")), {SOURCE: 41})
    assert writer.settle() == [3, 2]
    store = redis.Redis.from_url(redis_url)
    assert store.get(TAG + b":u1") == b"abc"
    assert store.hget(TAG + b"!progress", SOURCE) == b"41"


def test_a_new_flow_learns_the_position(redis_url: str) -> None:
    writer = unit(redis_url)
    assert writer.progress == {}
    writer.send(commands(append(b"u1", b"abc")), {SOURCE: 41})
    writer.settle()
    assert unit(redis_url).progress == {SOURCE: 41}


def test_a_flow_whose_partition_was_taken_over_cannot_commit(redis_url: str) -> None:
    old = unit(redis_url)
    new = unit(redis_url)
    old.send(commands(append(b"u1", b"old")), {SOURCE: 1})
    with pytest.raises(Fenced, match="another flow took over partition 'p0' of stream 'payments'"):
        old.settle()
    new.send(commands(append(b"u1", b"new")), {SOURCE: 2})
    new.settle()
    store = redis.Redis.from_url(redis_url)
    assert store.get(TAG + b":u1") == b"new"
    assert store.hget(TAG + b"!progress", SOURCE) == b"2"


def test_another_partition_changing_hands_does_not_stop_a_flow(redis_url: str) -> None:
    mine = unit(redis_url)
    unit(redis_url, b"payments/p1")
    mine.send(commands(append(b"u1", b"mine")), {SOURCE: 1})
    assert mine.settle() == [4]
    assert redis.Redis.from_url(redis_url).get(TAG + b":u1") == b"mine"


def test_an_error_reply_moves_nothing(redis_url: str) -> None:
    writer = unit(redis_url)
    writer.send(commands(append(b"u1", b"abc"), pack(b"NO-SUCH-COMMAND")), {SOURCE: 41})
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
        writer.send(commands(append(b"u1", b"abc")), {SOURCE: 41})
        with pytest.raises(StoreRefused, match="OOM"):
            writer.settle()
    finally:
        store.config_set("maxmemory", "0")
    assert store.hget(TAG + b"!progress", SOURCE) is None


def test_a_replica_that_is_not_there_is_not_waited_for_in_silence(redis_url: str) -> None:
    impatient = Survival(Durability.REPLICATED, pack(b"WAIT", b"1", b"50"))
    with pytest.raises(StoreBusy, match="replicated: a commit was not confirmed"):
        unit(redis_url, survival=impatient)


def test_an_emptied_store_is_noticed(redis_url: str) -> None:
    writer = unit(redis_url)
    redis.Redis.from_url(redis_url).flushall()
    writer.send(commands(append(b"u1", b"abc")), {SOURCE: 1})
    with pytest.raises(StoreRefused, match="emptied"):
        writer.settle()


def test_a_flush_that_covers_less_than_the_unit_holds_does_not_move_its_position_back(
    redis_url: str,
) -> None:
    first = unit(redis_url)
    first.send(commands(append(b"u1", b"abc")), {SOURCE: 200})
    first.settle()
    second = unit(redis_url)
    second.send(commands(append(b"u2", b"another partition's")), {SOURCE: 150, b"payments/p1": 7})
    second.settle()
    store = redis.Redis.from_url(redis_url)
    assert store.hgetall(TAG + b"!progress") == {SOURCE: b"200", b"payments/p1": b"7"}


def test_a_transaction_without_changes_still_moves_the_position(redis_url: str) -> None:
    writer = unit(redis_url)
    writer.send(commands(), {SOURCE: 5})
    assert writer.settle() == []
    writer.send(commands(append(b"u1", b"abc")), {SOURCE: 6})
    assert writer.settle() == [3]
    assert redis.Redis.from_url(redis_url).hget(TAG + b"!progress", SOURCE) == b"6"


def test_a_flow_that_lost_its_connection_takes_over_again(redis_url: str) -> None:
    flow = unit(redis_url)
    again = Unit(Wire(redis_url), TAG, owner=flow.owner)
    again.take_over([SOURCE], flow.marks)
    again.send(commands(append(b"u1", b"abc")), {SOURCE: 1})
    assert again.settle() == [3]


def test_a_flow_that_lost_its_connection_does_not_take_back_what_another_took(
    redis_url: str,
) -> None:
    flow = unit(redis_url)
    unit(redis_url)
    again = Unit(Wire(redis_url), TAG, owner=flow.owner)
    with pytest.raises(Fenced):
        again.take_over([SOURCE], flow.marks)


def test_a_store_that_lost_the_fence_with_its_tail_is_no_other_flow(redis_url: str) -> None:
    earlier = unit(redis_url)
    flow = unit(redis_url)
    redis.Redis.from_url(redis_url).hset(TAG + b"!fence", SOURCE, earlier.marks[SOURCE])
    again = Unit(Wire(redis_url), TAG, owner=flow.owner)
    again.take_over([SOURCE], flow.marks)
    assert again.marks[SOURCE].endswith(flow.owner)


def test_a_foreign_value_under_a_row_never_lets_the_position_pass(redis_url: str) -> None:
    store = redis.Redis.from_url(redis_url)
    store.lpush(TAG + b":u2", "what another program keeps here")
    writer, rows = unit(redis_url), [TAG + b":u1", TAG + b":u2"]
    changes = commands(append(b"u1", b"abc"), append(b"u2", b"de"))
    writer.look_at(pa.array(rows, pa.large_binary()))
    with pytest.raises(StoreRefused, match=r"'\{fs:spend@1:0\}:u2' holds no row: another program"):
        writer.send(changes, {SOURCE: 41})
    assert store.get(TAG + b":u1") is None
    assert store.hget(TAG + b"!progress", SOURCE) is None
    store.delete(TAG + b":u2")
    again = unit(redis_url)
    again.look_at(pa.array(rows, pa.large_binary()))
    again.send(changes, {SOURCE: 41})
    assert again.settle() == [3, 2]


@pytest.mark.parametrize("place", [0, 499, 500, 1200])
def test_a_foreign_value_is_found_wherever_it_stands_among_many_rows(
    redis_url: str, place: int
) -> None:
    rows = [TAG + b":u%d" % n for n in range(1201)]
    with redis.Redis.from_url(redis_url) as store:
        store.mset(dict.fromkeys(rows, b"old"))
        store.delete(rows[place])
        store.lpush(rows[place], "what another program keeps here")
        writer = unit(redis_url)
        writer.look_at(pa.array(rows, pa.large_binary()))
        with pytest.raises(StoreRefused, match=f":u{place}' holds no row"):
            writer.send(commands(append(b"u1", b"abc")), {SOURCE: 41})
    writer.wire.close()


def test_rows_are_looked_at_behind_a_transaction_that_must_be_sent_again(redis_url: str) -> None:
    writer = unit(redis_url)
    unit(redis_url, b"payments/p1")  # so that it fails once
    writer.send(commands(append(b"u1", b"abc")), {SOURCE: 1})
    writer.look_at(pa.array([TAG + b":u1", TAG + b":u2"], pa.large_binary()))
    assert writer.settle() == [3]
    writer.send(commands(append(b"u1", b"abc"), append(b"u2", b"d")), {SOURCE: 2})
    assert writer.settle() == [6, 1]


def test_rows_are_looked_at_while_a_flush_is_in_flight(redis_url: str) -> None:
    writer = unit(redis_url)
    for end in (1, 2):
        writer.look_at(pa.array([TAG + b":u1"], pa.large_binary()))
        writer.settle()
        writer.send(commands(append(b"u1", b"abc")), {SOURCE: end})
    assert writer.settle() == [6]
