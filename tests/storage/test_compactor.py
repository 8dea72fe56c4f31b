"""Rows are shortened in the store, and have room until they are due again."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest
import redis

from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.packing import compacted_bytes
from featurestore.aggregation.partial import partial
from featurestore.storage import compactor
from featurestore.storage.compactor import Compactor
from featurestore.storage.wires import Wires
from tests.serving.test_gathering import LAYOUT as FEW
from tests.serving.test_gathering import VIEW

LAYOUT = Layout.of(replace(VIEW, windows=["1m", "1h"], record_budget=64))
KEY = b"a row"
LIFETIME_MS = 100_000


@pytest.fixture
def store(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        client.delete(KEY)
        yield client


@pytest.fixture
def wires(redis_url: str) -> Iterator[Wires]:
    found = Wires(redis_url)
    yield found
    found.close()


def event(second: int, layout: Layout = LAYOUT) -> bytes:
    columns = {
        "sensor": pa.array(["s"]),
        "value": pa.array([second * 0.618 % 1], pa.float64()),
        "level": pa.array([second * 7919 % 2**31], pa.int64()),
        "at": pa.array([second * 1_000_000], pa.timestamp("us", "UTC")),
    }
    (frame,) = partial(layout, pa.RecordBatch.from_pydict(columns)).frames.to_pylist()
    assert isinstance(frame, bytes)
    return frame


def is_due(row: bytes, layout: Layout = LAYOUT) -> bool:
    return len(row) >= layout.levels.due(compacted_bytes(row))


def compacted(wires: Wires, layout: Layout, rows: list[bytes]) -> int:
    of = Compactor(wires, layout)
    assert of.step(rows) == 0
    return of.finish()


def test_a_compacted_row_needs_no_more_room_until_it_is_due_again(
    store: "redis.Redis", wires: Wires
) -> None:
    taken, dues = [], 0
    for second in range(1200):
        store.append(KEY, event(second))
        if second == 0:
            store.pexpire(KEY, LIFETIME_MS)
        row = store.get(KEY)
        if is_due(row):
            assert compacted(wires, LAYOUT, [KEY]) == 1
            assert store.get(KEY) == compact(LAYOUT, [row])[0]
            dues += 1
            taken = []
        taken.append(store.memory_usage(KEY))
        if dues > 1:
            assert max(taken) <= LAYOUT.levels.due(compacted_bytes(store.get(KEY))) + 400
    assert dues > 4
    assert 0 < store.pttl(KEY) <= LIFETIME_MS


@pytest.mark.parametrize("layout", [FEW, LAYOUT])
@pytest.mark.parametrize("appended", [1, 5, 20, 100, 500])
def test_what_was_appended_meanwhile_stands_behind_what_was_compacted(
    store: "redis.Redis",
    wires: Wires,
    monkeypatch: pytest.MonkeyPatch,
    layout: Layout,
    appended: int,
) -> None:
    row = b"".join(event(second, layout) for second in range(200))
    meanwhile = b"".join(event(second, layout) for second in range(200, 200 + appended))
    store.set(KEY, row)

    def late(layout: Layout, rows: list[bytes]) -> list[bytes]:
        store.append(KEY, meanwhile)
        return compact(layout, rows)

    monkeypatch.setattr(compactor, "compact", late)
    of = Compactor(wires, layout)
    assert [of.step(due) for due in ([KEY], [], [])] == [0, 0, 1]
    assert store.get(KEY) == compact(layout, [row])[0] + meanwhile


def test_a_row_that_was_changed_meanwhile_is_left_alone(
    store: "redis.Redis", wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set(KEY, b"".join(event(second, FEW) for second in range(9)))
    other = b"".join(event(second, FEW) for second in range(20, 30))

    def late(layout: Layout, rows: list[bytes]) -> list[bytes]:
        store.set(KEY, other)
        return compact(layout, rows)

    monkeypatch.setattr(compactor, "compact", late)
    assert compacted(wires, FEW, [KEY, b"none"]) == 0
    assert store.get(KEY) == other


def test_a_row_under_way_is_not_begun_again(store: "redis.Redis", wires: Wires) -> None:
    row = b"".join(event(second) for second in range(100))
    store.set(KEY, row)
    store.config_resetstat()
    of = Compactor(wires, LAYOUT)
    assert of.step([KEY]) == 0  # asked for
    store.append(KEY, event(100))
    assert of.step([KEY]) == 0  # being replaced
    assert of.step([KEY]) == 1
    assert store.get(KEY) == compact(LAYOUT, [row])[0] + event(100)
    assert of.finish() == 0
    stats = store.info("commandstats")
    assert stats["cmdstat_eval"]["calls"] == 1


def test_a_row_that_became_due_again_under_way_is_shortened_at_the_end(
    store: "redis.Redis", wires: Wires
) -> None:
    store.set(KEY, b"".join(event(second) for second in range(100)))
    of = Compactor(wires, LAYOUT)
    assert of.step([KEY]) == 0
    store.append(KEY, b"".join(event(second) for second in range(100, 400)))
    assert is_due(store.get(KEY))
    assert of.step([KEY]) == 0
    assert of.finish() == 2
    assert not is_due(store.get(KEY))


def test_a_row_that_grew_too_long_while_it_was_replaced_is_shortened_again(
    store: "redis.Redis", wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set(KEY, b"".join(event(second) for second in range(100)))
    more = [b"".join(event(second) for second in range(100, 400))]

    def late(layout: Layout, rows: list[bytes]) -> list[bytes]:
        store.append(KEY, more.pop() if more else b"")
        return compact(layout, rows)

    monkeypatch.setattr(compactor, "compact", late)
    assert compacted(wires, LAYOUT, [KEY]) == 2
    assert not is_due(store.get(KEY))


def test_a_row_that_another_flow_has_shortened_is_left_alone(
    store: "redis.Redis", wires: Wires
) -> None:
    row = b"".join(event(second) for second in range(100))
    store.set(KEY, compact(LAYOUT, [row])[0])
    assert compacted(wires, LAYOUT, [KEY]) == 0


def test_rows_are_asked_for_as_many_at_once_as_the_store_can_keep(
    store: "redis.Redis", wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compactor, "_UNDER_WAY", 2 * LAYOUT.view.row_size.bytes)
    row = b"".join(event(second) for second in range(100))
    keys = [KEY + b"%d" % n for n in range(5)]
    store.mset(dict.fromkeys(keys, row))
    of = Compactor(wires, LAYOUT)
    assert [of.step(due) for due in (keys, [], keys[3:], [])] == [0, 0, 2, 2]
    assert of.finish() == 1
    assert store.mget(keys) == compact(LAYOUT, [row]) * 5
    store.delete(*keys)
