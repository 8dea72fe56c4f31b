"""Redis Streams, on a real server."""

import socket
import time
from itertools import pairwise
from pathlib import Path

import pytest
import redis

from featurestore.errors import SourceError, StoreUnreachable
from featurestore.storage.wire import Wire
from flows.sources.redis_stream import ENTRIES, Outage, RedisStream, id_of, offset_of
from tests.conftest import Server


@pytest.fixture
def log(redis_url: str):
    with redis.Redis.from_url(redis_url) as client:
        yield client


def documents(source: RedisStream, after: int | None = None, blocks: int = 3) -> list[bytes]:
    partition, found = source.open("log", after), []
    for _ in range(blocks):
        block = partition.next_block(20)
        found += block.events.documents if block.events is not None else []  # type: ignore[union-attr]
    partition.close()
    return found


def test_an_id_is_an_offset_and_back_in_the_order_of_the_log() -> None:
    ids = [b"0-1", b"1-0", b"1-18446744073709551615", b"1767225600000-7"]
    offsets = [offset_of(name) for name in ids]
    assert [id_of(offset) for offset in offsets] == ids
    assert sorted(offsets) == offsets


def test_the_event_is_the_field_of_that_name_wherever_it_stands(redis_url: str, log) -> None:
    log.xadd("log", {"event": '{"a": 1}'})
    log.xadd("log", {"trace": "t", "event": '{"a": 2}'})
    assert documents(RedisStream("s", redis_url, "log")) == [b'{"a": 1}', b'{"a": 2}']


def test_without_such_a_field_the_fields_are_the_event(redis_url: str, log) -> None:
    log.xadd("log", {"user": 'u"1', "amount": "12.5"})
    assert documents(RedisStream("s", redis_url, "log")) == [b'{"user":"u\\"1","amount":"12.5"}']


def test_fields_that_are_no_utf8_are_handed_on_as_they_are_to_be_refused(
    redis_url: str, log
) -> None:
    log.xadd("log", {"user": b"\xff\xfe"})
    assert documents(RedisStream("s", redis_url, "log")) == [b"user \xff\xfe"]


def test_a_full_block_says_that_there_are_more(redis_url: str, log) -> None:
    with log.pipeline(transaction=False) as pipe:
        for n in range(ENTRIES + 1):
            pipe.xadd("log", {"event": b"%d" % n})
        pipe.execute()
    partition = RedisStream("s", redis_url, "log").open("log", None)
    full, rest = partition.next_block(5000), partition.next_block(5000)
    partition.close()
    assert (full.behind, rest.behind) == (True, False)
    read = [*full.events.documents, *rest.events.documents]  # type: ignore[union-attr]
    assert read == [b"%d" % n for n in range(ENTRIES + 1)]
    assert full.end == full.events.end < rest.end  # type: ignore[union-attr]


def test_what_came_is_not_lost_when_the_next_cannot_be_asked_for(
    redis_url: str, log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.sources.redis_stream.ENTRIES", 1)
    partition = RedisStream("s", redis_url, "log").open("log", None)
    assert partition.next_block(100).events is None
    log.xadd("log", {"event": "1"})
    with monkeypatch.context() as patch:
        patch.setattr(Wire, "send", broken)
        came = partition.next_block(5000)
    assert came.events is not None
    assert came.events.documents == [b"1"]  # type: ignore[union-attr]
    log.xadd("log", {"event": "2"})
    following = [partition.next_block(1000) for _ in range(3)]
    partition.close()
    assert [e for b in following if b.events for e in b.events.documents] == [b"2"]  # type: ignore[union-attr]


def test_what_comes_while_a_block_is_worked_on_is_one_block(redis_url: str, log) -> None:
    partition = RedisStream("s", redis_url, "log").open("log", None)
    partition.next_block(100)
    log.xadd("log", {"event": "1"})
    assert partition.next_block(5000).events.documents == [b"1"]  # type: ignore[union-attr]
    for n in range(2, 5):
        log.xadd("log", {"event": str(n)})
    assert partition.next_block(5000).events.documents == [b"2", b"3", b"4"]  # type: ignore[union-attr]
    partition.close()


def broken(wire: Wire, _: object) -> None:
    raise StoreUnreachable(wire.url, "broken pipe")


def test_a_key_that_is_not_there_yet_is_waited_for(redis_url: str, log) -> None:
    partition = RedisStream("s", redis_url, "log").open("log", None)
    assert partition.next_block(20).events is None
    log.xadd("log", {"event": "{}"})
    assert partition.next_block(1000).events.documents == [b"{}"]  # type: ignore[union-attr]
    partition.close()


def test_an_event_ends_the_waiting(redis_url: str, log) -> None:
    partition = RedisStream("s", redis_url, "log").open("log", None)
    partition.next_block(0)
    log.xadd("log", {"event": "{}"})
    start = time.monotonic()
    while partition.next_block(5000).events is None:
        pass
    assert time.monotonic() - start < 2
    partition.close()


def test_waiting_takes_no_longer_than_asked_and_next_to_no_cpu(redis_url: str, log) -> None:
    partition = RedisStream("s", redis_url, "log").open("log", None)
    partition.next_block(0)
    start, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - start < 1:
        asked = time.monotonic()
        assert partition.next_block(20).events is None
        assert time.monotonic() - asked < 0.5
    assert time.process_time() - cpu < 0.1
    partition.close()


def test_deleted_entries_are_passed_over_in_silence(redis_url: str, log, capsys) -> None:
    ids = [log.xadd("log", {"event": str(n)}) for n in range(5)]
    log.xdel("log", ids[1], ids[3])
    assert documents(RedisStream("s", redis_url, "log"), offset_of(ids[0])) == [b"2", b"4"]
    assert capsys.readouterr().err == ""


def test_entries_trimmed_behind_our_position_are_reported_once(redis_url: str, log, capsys) -> None:
    ids = [log.xadd("log", {"event": str(n)}) for n in range(6)]
    log.xtrim("log", maxlen=2, approximate=False)
    source = RedisStream("s", redis_url, "log")
    assert documents(source, offset_of(ids[1]), blocks=5) == [b"4", b"5"]
    said = capsys.readouterr().err
    assert said.count("was trimmed up to " + ids[4].decode()) == 1
    assert ids[1].decode() in said


def test_entries_trimmed_while_nobody_asked_are_reported(redis_url: str, log, capsys) -> None:
    partition = RedisStream("s", redis_url, "log").open("log", None)
    log.xadd("log", {"event": "0"})
    assert partition.next_block(1000).events.documents == [b"0"]  # type: ignore[union-attr]
    for n in range(1, 9):
        log.xadd("log", {"event": str(n)}, maxlen=2, approximate=False)
    time.sleep(0.3)  # as while a flush waits for the store
    assert partition.next_block(1000).events.documents == [b"7", b"8"]  # type: ignore[union-attr]
    partition.close()
    assert "was trimmed up to" in capsys.readouterr().err


def test_trimming_what_was_read_is_no_loss(redis_url: str, log, capsys) -> None:
    ids = [log.xadd("log", {"event": str(n)}) for n in range(6)]
    log.xtrim("log", maxlen=2, approximate=False)
    assert documents(RedisStream("s", redis_url, "log"), offset_of(ids[4])) == [b"5"]
    log.xtrim("log", maxlen=0, approximate=False)
    assert documents(RedisStream("s", redis_url, "log"), offset_of(ids[5])) == []
    assert capsys.readouterr().err == ""


def test_a_log_that_was_replaced_by_an_older_one_is_reported(redis_url: str, log, capsys) -> None:
    log.xadd("log", {"event": "{}"}, id="5-1")
    documents(RedisStream("s", redis_url, "log"), offset_of(b"9-1"))
    assert "was replaced" in capsys.readouterr().err


def test_a_key_of_another_type_is_an_error_that_names_it(redis_url: str, log) -> None:
    log.set("log", "text")
    with pytest.raises(SourceError, match=r"Redis Stream 'log' at redis://127.*WRONGTYPE"):
        documents(RedisStream("s", redis_url, "log"))


def test_a_server_away_for_a_moment_costs_a_line_and_no_event(tmp_path: Path, capsys) -> None:
    server = Server(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    try:
        with redis.Redis.from_url(server.url) as log:
            log.xadd("log", {"event": "1"})
        partition = RedisStream("s", server.url, "log").open("log", None)
        assert partition.next_block(1000).events.documents == [b"1"]  # type: ignore[union-attr]
        server.kill()
        for _ in range(5):
            assert partition.next_block(20).events is None
        server.start()
        with redis.Redis.from_url(server.url) as log:
            log.xadd("log", {"event": "2"})
        deadline = time.monotonic() + 20
        while (block := partition.next_block(50)).events is None:
            assert time.monotonic() < deadline
        partition.close()
    finally:
        server.kill()
    assert block.events.documents == [b"2"]  # type: ignore[union-attr]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert f"{server.url} is away" in said[0]
    assert "is back" in said[1]


def test_a_server_away_for_too_long_is_an_error_without_the_password(capsys) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://ann:secret@127.0.0.1:{unused.getsockname()[1]}/0"
        partition = RedisStream("s", url, "log", patience_seconds=0.3).open("log", None)
        partition.next_block(20)
        time.sleep(0.4)
        with pytest.raises(SourceError, match=r"has been away for") as raised:
            partition.next_block(20)
    assert "secret" not in str(raised.value) + capsys.readouterr().err


def test_a_server_is_asked_less_and_less_often_while_it_is_away() -> None:
    outage, tries, now = Outage("redis://db", 1000), [], 0.0
    while now < 20:
        if outage.is_over(now):
            tries.append(now)
            outage.go_on(ConnectionError("refused"), now)
        now += 0.05
    pauses = [b - a for a, b in pairwise(tries)]
    assert len(tries) < 20
    assert max(pauses) <= 2.1
    assert pauses == sorted(pauses) or pauses[-1] > pauses[0]
