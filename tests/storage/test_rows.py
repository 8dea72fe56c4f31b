"""Reading rows, against real stores and stores that misbehave."""

import asyncio
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from featurestore.errors import StoreRefused, StoreUnreachable
from featurestore.storage.events import Events
from featurestore.storage.keys import events_key
from featurestore.storage.multiplex import Multiplex
from featurestore.storage.rows import AsyncRows, Rows
from featurestore.storage.wire import pack
from tests.conftest import Server

ROWS = {b"k%d" % number: b"row %d" % number for number in range(250)}
KEYS = [*ROWS, b"none", b"\x00\r\n*"]
FOUND = [*ROWS.values(), None, None]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A store that a test may kill."""
    server = Server(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def filled(redis_url: str) -> str:
    with redis.Redis.from_url(redis_url) as store:
        store.mset(ROWS)
    return redis_url


def with_rows(url: str, test: Callable[[AsyncRows], Awaitable[Any]], deadline: float = 5.0) -> Any:
    async def run() -> Any:
        rows = AsyncRows(url, deadline)
        await rows.start()
        try:
            return await test(rows)
        finally:
            await rows.stop()

    return asyncio.run(run())


@pytest.mark.parametrize("count", [1, 2, 100, 101, len(KEYS)])
def test_rows_come_in_the_order_of_their_keys(count: int, filled: str) -> None:
    rows = Rows(filled)
    assert rows.fetch(KEYS[-count:]) == FOUND[-count:]
    rows.close()
    assert with_rows(filled, lambda r: r.fetch(KEYS[-count:])) == FOUND[-count:]


def test_a_closed_connection_is_opened_again(filled: str) -> None:
    rows = Rows(filled)
    assert rows.fetch([b"k1"]) == [b"row 1"]
    with redis.Redis.from_url(filled) as store:
        store.client_kill_filter(_type="normal", skipme=True)
    assert rows.fetch([b"k1"]) == [b"row 1"]
    rows.close()


def test_an_answer_that_nobody_waited_for_is_not_given_to_the_next(filled: str) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    rows = Rows(filled)
    rows.fetch([b"k1"])
    before = signal.signal(signal.SIGALRM, interrupt)
    with redis.Redis.from_url(filled) as store:
        store.client_pause(200)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(KeyboardInterrupt):
        rows.fetch([b"k1"])
    signal.signal(signal.SIGALRM, before)
    assert rows.fetch([b"k2"]) == [b"row 2"]
    rows.close()


def test_a_store_that_is_gone_is_unreachable_until_it_is_back(own: Server) -> None:
    rows = Rows(own.url)
    rows.fetch([b"k"])
    own.kill()
    with pytest.raises(StoreUnreachable, match=own.url):
        rows.fetch([b"k"])
    own.start()
    assert rows.fetch([b"k"]) == [None]
    rows.close()


def test_a_thousand_callers_get_their_own_rows(filled: str) -> None:
    async def many(rows: AsyncRows) -> list[Any]:
        return await asyncio.gather(
            *(rows.fetch([KEYS[n % 250], KEYS[(n + 1) % 250]]) for n in range(1000))
        )

    found = with_rows(filled, many)
    assert found == [[FOUND[n % 250], FOUND[(n + 1) % 250]] for n in range(1000)]


def test_what_is_asked_within_a_tick_leaves_in_one_write(filled: str) -> None:
    async def count(rows: AsyncRows) -> int:
        writes: list[bytes] = []
        real = rows._few.one._transport
        assert real is not None

        class Spy:
            def write(self, data: bytes) -> None:
                writes.append(data)
                real.write(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

        rows._few.one._transport = Spy()  # type: ignore[assignment]
        await asyncio.gather(*(rows.fetch([key]) for key in KEYS[:64]))
        return len(writes)

    assert with_rows(filled, count) == 1


def test_a_caller_that_gave_up_shifts_no_answers(filled: str) -> None:
    async def give_up(rows: AsyncRows) -> Any:
        first = asyncio.ensure_future(rows.fetch([b"k1"]))
        second = asyncio.ensure_future(rows.fetch([b"k2"]))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert with_rows(filled, give_up) == [b"row 2"]


def test_rows_that_met_no_store_are_read_in_another_loop(own: Server) -> None:
    rows = AsyncRows(own.url)

    async def asked() -> Any:
        found = None
        await rows.start()
        with suppress(StoreUnreachable):
            found = await rows.fetch([b"k"])
        await rows.stop()
        return found

    own.kill()
    assert asyncio.run(asked()) is None
    own.start()
    assert asyncio.run(asked()) == [None]


def test_all_in_flight_fail_at_once_when_the_connection_breaks(own: Server) -> None:
    async def broken(rows: AsyncRows) -> list[Any]:
        with redis.Redis.from_url(own.url) as store:
            store.client_pause(10_000)
        asked = [asyncio.ensure_future(rows.fetch([b"k"])) for _ in range(5)]
        await asyncio.sleep(0.1)
        own.kill()
        async with asyncio.timeout(2):
            return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = with_rows(own.url, broken)
    assert [type(outcome) for outcome in outcomes] == [StoreUnreachable] * 5


def test_it_connects_again_by_itself(own: Server) -> None:
    async def again(rows: AsyncRows) -> Any:
        own.kill()
        with pytest.raises(StoreUnreachable):
            await rows.fetch([b"k"])
        own.start()
        async with asyncio.timeout(5):
            while True:
                try:
                    return await rows.fetch([b"k"])
                except StoreUnreachable:
                    await asyncio.sleep(0.02)

    assert with_rows(own.url, again) == [None]


def test_an_overdue_answer_fails_and_does_not_come_to_another(filled: str) -> None:
    async def overdue(rows: AsyncRows) -> Any:
        with redis.Redis.from_url(filled) as store:
            store.client_pause(500)
        with pytest.raises(StoreUnreachable, match=r"no answer for 0\.1 s"):
            await rows.fetch([b"k1"])
        async with asyncio.timeout(5):
            while True:
                try:
                    return await rows.fetch([b"k2"])
                except StoreUnreachable:
                    await asyncio.sleep(0.05)

    assert with_rows(filled, overdue, deadline=0.1) == [b"row 2"]


def test_an_error_of_the_store_is_refused_and_the_next_answer_is_right(filled: str) -> None:
    async def refused() -> Any:
        wire = Multiplex(filled)
        await wire.start()
        with pytest.raises(StoreRefused, match="unknown command"):
            await wire.call(pack(b"NO-SUCH-COMMAND") + pack(b"GET", b"k1"), 2)
        reply = await wire.call(pack(b"GET", b"k2"), 1)
        await wire.stop()
        return reply

    assert asyncio.run(refused()) == [b"row 2"]


def test_nobody_there_is_told_at_once() -> None:
    async def nobody(rows: AsyncRows) -> None:
        with pytest.raises(StoreUnreachable, match="cannot reach the store at redis://127"):
            await rows.fetch([b"k"])

    with_rows("redis://127.0.0.1:1/0", nobody)


def test_what_is_no_store_is_told_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        wire = Multiplex(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await wire.start()
        for _ in range(2):
            with pytest.raises(StoreUnreachable, match='Protocol error, got "H"'):
                await wire.call(pack(b"GET", b"k"), 1)
        await wire.stop()
        server.close()

    asyncio.run(run())
    assert not caplog.records


def test_who_does_not_answer_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featurestore.storage.multiplex._CONNECT_SECONDS", 0.1)

    async def run(port: int) -> None:
        wire = Multiplex(f"rediss://127.0.0.1:{port}")
        await wire.start()
        with pytest.raises(StoreUnreachable, match=r"no connection within 0\.1 s"):
            await wire.call(pack(b"GET", b"k"), 1)
        await wire.stop()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(run(silent.getsockname()[1]))


def test_password_user_and_database_of_the_url_are_used(own: Server) -> None:
    with redis.Redis.from_url(own.url) as store:
        store.acl_setuser("bob", enabled=True, passwords=["+pw"], keys="*", categories=["+@all"])
    url = f"redis://bob:pw@127.0.0.1:{own.port}/3"
    with redis.Redis.from_url(url) as store:
        store.set("k", "in three")
    assert with_rows(url, lambda rows: rows.fetch([b"k"])) == [b"in three"]
    assert with_rows(own.url, lambda rows: rows.fetch([b"k"])) == [None]

    async def wrong(rows: AsyncRows) -> None:
        with pytest.raises(StoreUnreachable, match="WRONGPASS"):
            await rows.fetch([b"k"])

    with_rows(url.replace(":pw@", ":no@"), wrong)


def test_nothing_is_sent_before_the_store_has_taken_the_password() -> None:
    """Else who comes in between is whoever the store takes for nobody, in another database."""

    async def run() -> tuple[bytes, Any, Any]:
        got, asked, let, gone = bytearray(), asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await reader.read(1000):
                    got.extend(data)
                    asked.set()
                    await let.wait()
                    writer.write(b"+OK\r\n" if b"AUTH" in data else b"$1\r\nv\r\n")
            writer.close()
            gone.set()

        server = await asyncio.start_server(take, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        one = Multiplex(f"redis://bob:pw@127.0.0.1:{port}")
        starting = asyncio.create_task(one.start())
        await asked.wait()
        early: list[Any] = []
        one.ask(pack(b"GET", b"k"), 1, early.append)
        await asyncio.sleep(0)
        before = bytes(got)
        let.set()
        await starting
        late = await one.call(pack(b"GET", b"k"), 1)
        await one.stop()
        await gone.wait()
        server.close()
        return before, early, late

    before, early, late = asyncio.run(run())
    assert before == pack(b"AUTH", b"bob", b"pw")
    assert [type(outcome) for outcome in early] == [StoreUnreachable]
    assert late == [b"v"]


def test_a_unix_socket_is_a_store_too(tmp_path: Path) -> None:
    server = Server(tmp_path, "--unixsocket", str(tmp_path / "s"))
    try:
        url = f"unix://{tmp_path / 's'}"
        assert with_rows(url, lambda rows: rows.fetch([b"k"])) == [None]
        rows = Rows(url)
        assert rows.fetch([b"k"]) == [None]
        rows.close()
    finally:
        server.kill()


def test_an_answer_in_pieces_is_one_answer() -> None:
    """Every reply byte by byte, from a store that is a few lines long."""
    reply = b"*2\r\n$5\r\nab\r\nc\r\n$-1\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            few, _ = listening.accept()
            few.recv(1000)  # whether it is a cluster
            few.sendall(b"$0\r\n\r\n")
            many, _ = listening.accept()
            many.recv(1000)
            many.sendall(b"$0\r\n\r\n")
            with few, many:
                few.recv(1000)
                for place in range(len(reply)):
                    few.sendall(reply[place : place + 1])
                few.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"redis://127.0.0.1:{listening.getsockname()[1]}"
        assert with_rows(url, lambda rows: rows.fetch([b"a", b"b"])) == [b"ab\r\nc", None]
        thread.join()


def test_events_are_appended_all_or_none(redis_url: str) -> None:
    async def append(stream: str, events: list[bytes]) -> None:
        door = Events(redis_url)
        await door.start()
        try:
            await door.append(stream, events)
        finally:
            await door.stop()

    asyncio.run(append("s", [b"1", b"\r\n2"]))
    with redis.Redis.from_url(redis_url) as store:
        kept = [fields[b"event"] for _, fields in store.xrange(events_key("s"))]
        assert kept == [b"1", b"\r\n2"]
        store.set(events_key("t"), "no stream")
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        asyncio.run(append("t", [b"1"]))
