"""Rows: reading the rows of entities."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias, cast
from weakref import WeakSet

from featurestore.errors import StoreBusy, StoreError, StoreUnreachable
from featurestore.storage.commands import pack
from featurestore.storage.multiplex import DEADLINE_SECONDS, Outcome
from featurestore.storage.nodes import Nodes
from featurestore.storage.topology import Topology
from featurestore.storage.wire import Reply, Wire
from featurestore.storage.wires import Wires

Row: TypeAlias = bytes | None
Found: TypeAlias = list[Row] | StoreError
Places: TypeAlias = list[int]

_MGET_ONE = b"*2\r\n$4\r\nMGET\r\n$%d\r\n%b\r\n"
_CHUNK = 100  # keys a command: a long one keeps the store from everything else


class Rows:
    """Reads rows over one blocking connection to each server; threads wait for each other.

    Args:
        url: The store.

    Cost: one round trip per call. Connections that broke since the last call are opened again once,
    and the topology of a cluster is asked for again. So are those on which a call was interrupted,
    and those that a fork left in two processes, of which one would read the answers of the other.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._wires: Wires | None = None
        self._known: Topology | None = None
        self._turn = Lock()
        _ALL.add(self)

    def fetch(self, keys: Sequence[bytes], clocks: Sequence[bytes] = ()) -> list[Row]:
        """Return the row under each key, then each event clock; None where there is none.

        Args:
            keys: The rows.
            clocks: Counts of streams (`keys.counts_key`), of which the newest event time is read.

        Raises:
            StoreUnreachable: There is no connection, or it broke twice.
            StoreRefused: The store answered with an error.
        """
        with self._turn:
            return self._fetch(keys, clocks)

    def close(self) -> None:
        """Close the connections; the next call opens others."""
        wires, self._wires = self._wires, None
        if wires is not None:
            wires.close()

    def begin_anew(self) -> None:
        """Leave the connections to the process that this one was forked from."""
        self._turn = Lock()  # a thread that is not here may have it
        self.close()

    def _fetch(self, keys: Sequence[bytes], clocks: Sequence[bytes]) -> list[Row]:
        wires = self._wires  # another thread may close them
        if wires is not None:
            with suppress(StoreUnreachable, StoreBusy):
                return self._whole(wires, keys, clocks)
        wires = self._wires = Wires(self._url, self._known)
        self._known = wires.topology
        return self._whole(wires, keys, clocks)

    def _whole(self, wires: Wires, keys: Sequence[bytes], clocks: Sequence[bytes]) -> list[Row]:
        """Fetch; close connections that answers are left on, which the next call would take."""
        rows = None
        try:
            rows = self._fetched(wires, keys, clocks)
        finally:
            if rows is None:
                self.close()
        return rows

    def _fetched(self, wires: Wires, keys: Sequence[bytes], clocks: Sequence[bytes]) -> list[Row]:
        if wires.topology.is_cluster:
            return self._gathered(wires, keys, clocks)
        commands, wire = _commands(keys, clocks), wires.of(b"")
        wire.send(commands)
        return _rows([wire.read() for _ in commands])

    def _gathered(self, wires: Wires, keys: Sequence[bytes], clocks: Sequence[bytes]) -> list[Row]:
        reads: list[tuple[Wire, list[Places]]] = [
            *((wire, commands) for wire, commands in wires.reads(keys, _CHUNK)),
            *((w, _behind(len(keys), commands)) for w, commands in wires.reads(clocks, 1)),
        ]
        for wire, commands in reads:
            wire.send(_packed(keys, clocks, places) for places in commands)
        rows: list[Row] = [None] * (len(keys) + len(clocks))
        for wire, commands in reads:
            for places in commands:
                _fill(rows, places, wire.read())
        return rows


def _forked() -> None:
    """Begin anew before there is a second thread, of which one would read the other's answers."""
    for rows in _ALL:
        rows.begin_anew()


_ALL = WeakSet[Rows]()
os.register_at_fork(after_in_child=_forked)


class AsyncRows:
    """Reads rows for all callers of an event loop, over two shared connections to each server.

    Requests for many rows have one of their own: an answer of megabytes must not stand before one
    of a few hundred bytes.

    Args:
        url: The store.
        deadline: How many seconds an answer may take.
    """

    def __init__(self, url: str, deadline: float = DEADLINE_SECONDS) -> None:
        self._few, self._many = Nodes(url, deadline), Nodes(url, deadline)

    async def start(self) -> None:
        """Connect; a store that is not there yet is tried again in the background."""
        await self._few.start()
        await self._many.start()

    async def stop(self) -> None:
        """Close the connections; what is in flight fails."""
        await self._few.stop()
        await self._many.stop()

    def fetch_soon(
        self, keys: Sequence[bytes], done: Callable[[Found], None], clocks: Sequence[bytes] = ()
    ) -> None:
        """Call `done` with what `Rows.fetch` returns, or with what went wrong.

        Cost: about 6 µs for one key at 64 requests a tick; all of a tick share one write.
        """
        nodes = self._few if len(keys) <= _CHUNK else self._many
        if nodes.topology.owners:
            _gather(nodes, keys, clocks, done)
        elif len(keys) == 1 and not clocks:
            command = _MGET_ONE % (len(keys[0]), keys[0])
            nodes.one.ask(command, 1, lambda out: done(_found(nodes, out)))
        elif keys or clocks:
            commands = _commands(keys, clocks)
            nodes.one.ask(b"".join(commands), len(commands), lambda out: done(_found(nodes, out)))
        else:
            done([])

    async def fetch(self, keys: Sequence[bytes], clocks: Sequence[bytes] = ()) -> list[Row]:
        """Return the row under each key, then each event clock, as `Rows.fetch` does.

        Raises:
            StoreUnreachable: There is no connection, or it broke.
            StoreRefused: The store answered with an error.
        """
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self.fetch_soon(
            keys, lambda found: None if future.done() else future.set_result(found), clocks
        )
        found = await future
        if isinstance(found, StoreError):
            raise found
        return found

    async def ping(self) -> None:
        """Raise `StoreError` unless the store answers."""
        await self._few.ping()


@dataclass
class _Gathering:
    """Rows on their way from several servers; `done` is called when the last has answered."""

    nodes: Nodes
    rows: list[Row]
    left: int
    done: Callable[[Found], None]
    error: StoreError | None = None

    def take(self, commands: Sequence[Places], outcome: Outcome) -> None:
        """Take what one server answered to its commands."""
        self.left -= 1
        if isinstance(outcome, StoreError):
            self.error = outcome
            self.nodes.failed()
        else:
            for places, reply in zip(commands, outcome, strict=True):
                _fill(self.rows, places, reply)
        if not self.left:
            self.done(self.error or self.rows)


def _gather(
    nodes: Nodes, keys: Sequence[bytes], clocks: Sequence[bytes], done: Callable[[Found], None]
) -> None:
    try:
        of_rows = nodes.topology.reads(keys, _CHUNK)
        of_clocks = nodes.topology.reads(clocks, 1)
    except StoreBusy as error:
        nodes.failed()
        done(error)
        return
    reads: list[tuple[str, list[Places]]] = [
        *((url, commands) for url, commands in of_rows.items()),
        *((url, _behind(len(keys), commands)) for url, commands in of_clocks.items()),
    ]
    gathering = _Gathering(nodes, [None] * (len(keys) + len(clocks)), len(reads), done)
    if not reads:
        done([])
    for url, commands in reads:
        packed = b"".join(_packed(keys, clocks, places) for places in commands)
        nodes.at(url).ask(
            packed,
            len(commands),
            lambda out, of=commands: gathering.take(of, out),  # type: ignore[misc]
        )


def _behind(count: int, commands: Sequence[Places]) -> list[Places]:
    """Put the places of clocks behind those of so many rows."""
    return [[count + place for place in places] for places in commands]


def _packed(keys: Sequence[bytes], clocks: Sequence[bytes], places: Places) -> bytes:
    if places[0] >= len(keys):
        return _hget(clocks[places[0] - len(keys)])
    return pack(b"MGET", *(keys[place] for place in places))


def _hget(clock: bytes) -> bytes:
    return pack(b"HGET", clock, b"newest_us")


def _commands(keys: Sequence[bytes], clocks: Sequence[bytes]) -> list[bytes]:
    chunks = [keys[at : at + _CHUNK] for at in range(0, len(keys), _CHUNK)]
    return [*(pack(b"MGET", *chunk) for chunk in chunks), *map(_hget, clocks)]


def _fill(rows: list[Row], places: Places, reply: Reply) -> None:
    found = reply if isinstance(reply, list) else [cast("Row", reply)]
    for place, row in zip(places, found, strict=True):
        rows[place] = row


def _found(nodes: Nodes, outcome: Outcome) -> Found:
    if isinstance(outcome, StoreError):
        nodes.failed()
        return outcome
    return _rows(outcome)


def _rows(replies: Sequence[Reply]) -> list[Row]:
    """Put replies end to end: of rows many at once, of clocks one by one."""
    if len(replies) == 1 and isinstance(replies[0], list):
        return replies[0]
    parts = (reply if isinstance(reply, list) else [cast("Row", reply)] for reply in replies)
    return [row for part in parts for row in part]
