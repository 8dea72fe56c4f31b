"""Rows: reading the rows of entities."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, cast

from featurestore.errors import StoreError, StoreUnreachable
from featurestore.storage.commands import pack
from featurestore.storage.multiplex import DEADLINE_SECONDS, Multiplex, Outcome
from featurestore.storage.wire import Reply, Wire

Row: TypeAlias = bytes | None
Found: TypeAlias = list[Row] | StoreError

_MGET_ONE = b"*2\r\n$4\r\nMGET\r\n$%d\r\n%b\r\n"
_CHUNK = 100  # keys a command: a long one keeps the store from everything else


class Rows:
    """Reads rows over one blocking connection; used by one thread at a time.

    Args:
        url: The store.

    Cost: one round trip per call. A connection that broke since the last call is opened again once.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._wire: Wire | None = None

    def fetch(self, keys: Sequence[bytes]) -> list[Row]:
        """Return the row under each key, None where there is none.

        Raises:
            StoreUnreachable: There is no connection, or it broke twice.
            StoreRefused: The store answered with an error.
        """
        if self._wire is not None:
            try:
                return self._fetched(self._wire, keys)
            except StoreUnreachable:
                self.close()
        self._wire = Wire(self._url)
        return self._fetched(self._wire, keys)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _fetched(self, wire: Wire, keys: Sequence[bytes]) -> list[Row]:
        chunks = _chunks(keys)
        wire.send(pack(b"MGET", *chunk) for chunk in chunks)
        replies = [wire.read() for _ in chunks]
        return _rows(replies)


class AsyncRows:
    """Reads rows for all callers of an event loop, over two shared connections.

    Requests for many rows have one of their own: an answer of megabytes must not stand before one
    of a few hundred bytes.

    Args:
        url: The store.
        deadline: How many seconds an answer may take.
    """

    def __init__(self, url: str, deadline: float = DEADLINE_SECONDS) -> None:
        self._few, self._many = Multiplex(url, deadline), Multiplex(url, deadline)

    async def start(self) -> None:
        """Connect; a store that is not there yet is tried again in the background."""
        await self._few.start()
        await self._many.start()

    async def stop(self) -> None:
        """Close the connections; what is in flight fails."""
        await self._few.stop()
        await self._many.stop()

    def fetch_soon(self, keys: Sequence[bytes], done: Callable[[Found], None]) -> None:
        """Call `done` with the row under each key, or with what went wrong.

        Cost: about 6 µs for one key at 64 requests a tick; all of a tick share one write.
        """
        if len(keys) == 1:
            self._few.ask(_MGET_ONE % (len(keys[0]), keys[0]), 1, lambda out: done(_found(out)))
        elif len(keys) <= _CHUNK:
            self._few.ask(pack(b"MGET", *keys), 1, lambda out: done(_found(out)))
        else:
            chunks = _chunks(keys)
            commands = b"".join(pack(b"MGET", *chunk) for chunk in chunks)
            self._many.ask(commands, len(chunks), lambda out: done(_found(out)))

    async def fetch(self, keys: Sequence[bytes]) -> list[Row]:
        """Return the row under each key, None where there is none.

        Raises:
            StoreUnreachable: There is no connection, or it broke.
            StoreRefused: The store answered with an error.
        """
        chunks = _chunks(keys)
        wire = self._few if len(chunks) == 1 else self._many
        commands = b"".join(pack(b"MGET", *chunk) for chunk in chunks)
        return _rows(await wire.call(commands, len(chunks)))

    async def ping(self) -> None:
        """Raise `StoreError` unless the store answers."""
        await self._few.call(pack(b"PING"), 1)


def _chunks(keys: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [keys[at : at + _CHUNK] for at in range(0, len(keys), _CHUNK)]


def _found(outcome: Outcome) -> Found:
    return outcome if isinstance(outcome, StoreError) else _rows(outcome)


def _rows(replies: Iterable[Reply]) -> list[Row]:
    arrays = cast("list[list[Row]]", replies)
    if len(arrays) == 1:
        return arrays[0]
    return [row for array in arrays for row in array]
