"""Redis Streams: a log in Redis, one event an entry; unbounded.

1. An entry's id ``ms-seq`` is one whole number as an offset: ``ms << 64 | seq``.
2. The field ``event`` holds the JSON document; an entry without it is an object of strings itself.
3. The partition is named by the key alone: the server may move, or be known by another name.
4. The server answers an XREAD as soon as there is an entry, so waiting costs neither side anything.
   Behind a full answer the next is asked for at once, and sent while the last is decoded; else
   once this one is flushed, so that what came meanwhile is one block and not many.
5. The log may be trimmed by its producer. If entries behind our position may be gone, that is said
   once on stderr; entries deleted one by one (XDEL) were meant to be.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import orjson

from featurestore.contracts.block import Block, Documents, Packed
from featurestore.errors import (
    SourceError,
    StoreBusy,
    StoreRefused,
    StoreUnreachable,
    without_password,
)
from featurestore.instants import MILLISECOND, instant_text
from featurestore.storage.commands import pack
from featurestore.storage.topology import Topology
from featurestore.storage.wire import MARK, Reply, Wire
from featurestore.storage.wires import Wires
from flows.sources.entries import are_many, packed
from flows.sources.source import now_us, say

ENTRIES = 5_000
PATIENCE_SECONDS = 60.0
_BLOCK_MS = 10_000
_SILENCE_SECONDS = 2 * _BLOCK_MS / 1000
_CHECK_SECONDS = 10.0
_STALLED_SECONDS = 0.2  # nothing was asked for; meanwhile much may have been trimmed
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_LOW = (1 << 64) - 1


@dataclass(frozen=True)
class RedisStream:
    """A Redis Stream.

    Args:
        stream: The stream's name.
        url: The server.
        key: The key.
        patience_seconds: How long the server may be away.
    """

    stream: str
    url: str
    key: str
    patience_seconds: float = PATIENCE_SECONDS
    bounded: bool = False

    def partitions(self) -> list[str]:
        """Name the one partition."""
        return [self.key]

    def open(self, partition: str, after: int | None) -> "RedisStreamPartition":
        """Return the partition; the server is asked when it is read."""
        assert partition == self.key
        return RedisStreamPartition(self, 0 if after is None else max(after, 0))


class RedisStreamPartition:
    """The entries of a Redis Stream, block by block.

    Args:
        source: The Redis Stream.
        after: The last offset that is not wanted; 0 is in front of any.
        clock: Returns seconds that only ever grow.
    """

    def __init__(
        self, source: RedisStream, after: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source, self._at, self._clock = source, after, clock
        self._server = without_password(source.url)
        self._wires: Wires | None = None
        self._known: Topology | None = None
        self._outage = Outage(self._server, source.patience_seconds)
        self._checked = self._answered = -inf
        self._asked: float | None = None  # since when an answer is awaited
        self._checking = self._warned = False

    def next_block(self, wait_ms: int) -> Block:
        """Return the entries that are there, or arrive in time.

        Raises:
            SourceError: The server has been away for too long, or refuses.
        """
        events = None
        try:
            events = self._events(wait_ms)
        except StoreUnreachable as error:
            self.close()
            self._outage.go_on(error, self._clock())
        except StoreRefused as error:
            if not isinstance(error, StoreBusy):
                msg = f"cannot read Redis Stream {self._source.key!r} at {self._server}: {error}"
                raise SourceError(msg) from error
            self.close()
            self._outage.go_on(error, self._clock())
        behind = events is not None and len(events.offsets) == ENTRIES
        return Block(
            self._source.stream, self._source.key, events, self._at, now_us(), behind=behind
        )

    def close(self) -> None:
        """Close the connection."""
        if self._wires is not None:
            self._wires.close()
            self._wires = None

    def _events(self, wait_ms: int) -> Documents | Packed | None:
        if self._wires is None:
            if not self._outage.is_over(self._clock()):
                time.sleep(wait_ms / 1000)
                return None
            self._wires = Wires(self._source.url, self._known)
            self._known, self._asked = self._wires.topology, None
        wire = self._wire(self._wires)
        asked = self._asked = self._asked or self._ask(wire)
        if self._checking and wire.ready(wait_ms / 1000):
            self._checking = False
            self._check(_state(wire))
        if self._checking or not wire.ready(wait_ms / 1000):
            if self._clock() - asked > _SILENCE_SECONDS:
                raise StoreUnreachable(self._server, "it does not answer")
            return None
        return self._answer(wire)

    def _wire(self, wires: Wires) -> Wire:
        return wires.of(self._source.key.encode())

    def _ask(self, wire: Wire) -> float:
        """Ask for what follows; return when that was."""
        key = self._source.key.encode()
        read = pack(
            b"XREAD", b"COUNT", b"%d" % ENTRIES, b"BLOCK", b"%d" % _BLOCK_MS, b"STREAMS", key,
            id_of(self._at),
        )  # fmt: skip
        now = self._clock()
        is_stalled = now - self._answered >= _STALLED_SECONDS
        self._checking = is_stalled or now - self._checked >= _CHECK_SECONDS
        if self._checking:
            self._checked = now
        wire.send([pack(b"XINFO", b"STREAM", key)] * self._checking + [read, MARK])
        return now

    def _answer(self, wire: Wire) -> Documents | Packed | None:
        answer = wire.whole(are_many, packed)
        self._answered = self._clock()
        self._outage.end(self._answered)
        events = answer if isinstance(answer, Packed) else _documents(answer)
        self._asked = None
        if events is not None:
            self._at = events.end
            if len(events.offsets) == ENTRIES:
                self._ask_ahead(wire)
        return events

    def _ask_ahead(self, wire: Wire) -> None:
        try:
            self._asked = self._ask(wire)
        except StoreUnreachable:  # what came is not lost with the connection
            self.close()

    def _check(self, state: dict[bytes, Any]) -> None:
        """Say so if entries behind our position may have been trimmed."""
        if not state or not self._at or self._warned:
            return
        newest = offset_of(state[b"last-generated-id"])
        first = state.get(b"first-entry")
        oldest = offset_of(first[0]) if first else newest
        if newest < self._at:
            self._warn("was replaced: its newest entry is older than the last one read")
        elif newest > self._at and (oldest > self._at or not first):
            self._warn(
                f"was trimmed up to {_name(oldest)}; entries that followed {_name(self._at)} may "
                "have been lost before they were read: keep more of it (MAXLEN, MINID)"
            )

    def _warn(self, what: str) -> None:
        self._warned = True
        say(f"Redis Stream {self._source.key!r} at {self._server} {what}")


@dataclass
class Outage:
    """A time in which a server is away: how long it is borne, and when to try again.

    Attributes:
        server: Its URL, as it may be shown.
        patience_seconds: How long it may last.
    """

    server: str
    patience_seconds: float
    _since: float | None = None
    _again_at: float = 0.0
    _pause: float = _FIRST_PAUSE_SECONDS

    def is_over(self, now: float) -> bool:
        """Whether it is time to try (again)."""
        return now >= self._again_at

    def go_on(self, cause: Exception, now: float) -> None:
        """Take note that the server is away; the first time, say so.

        Raises:
            SourceError: It has been for too long.
        """
        reason = str(cause.__cause__ or cause)
        if self._since is None:
            self._since = now
            say(f"{self.server} is away ({reason}); trying again for {self.patience_seconds:g} s")
        if now - self._since >= self.patience_seconds:
            msg = f"{self.server} has been away for {now - self._since:.0f} s: {reason}"
            raise SourceError(msg)
        self._again_at = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def end(self, now: float) -> None:
        """Take note that the server answers."""
        if self._since is not None:
            say(f"{self.server} is back after {now - self._since:.0f} s")
        self._since, self._pause = None, _FIRST_PAUSE_SECONDS


def offset_of(entry_id: bytes) -> int:
    """Return an entry's id as an offset.

    >>> offset_of(b"1-2") == (1 << 64) + 2
    True
    """
    ms, _, seq = entry_id.partition(b"-")
    return int(ms) << 64 | int(seq)


def id_of(offset: int) -> bytes:
    """Return an offset as an entry's id.

    >>> id_of((1 << 64) + 2)
    b'1-2'
    """
    return b"%d-%d" % (offset >> 64, offset & _LOW)


def _documents(answer: Reply) -> Documents | None:
    """Return the entries in an answer to XREAD, whatever their fields; None without any."""
    if not isinstance(answer, list):
        return None
    entries: list[Any] = answer[0][1]
    offsets = [offset_of(name) for name, _ in entries]
    return Documents([_document(fields) for _, fields in entries], offsets)


def _document(fields: list[bytes]) -> bytes:
    """Return an entry's document; one that is not UTF-8 is handed on to be refused."""
    if fields[0] == b"event":
        return fields[1]
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    if b"event" in pairs:
        return pairs[b"event"]
    try:
        return orjson.dumps({name.decode(): value.decode() for name, value in pairs.items()})
    except UnicodeDecodeError:
        return b" ".join(fields)


def _state(wire: Wire) -> dict[bytes, Any]:
    """Read the answer to XINFO STREAM; nothing when there is no such key, or we may not ask."""
    try:
        answer: Reply = wire.read()
    except StoreRefused:
        return {}
    assert isinstance(answer, list), answer
    return dict(zip(answer[::2], answer[1::2], strict=True))


def _name(offset: int) -> str:
    """Name an entry, with its time where the id tells it."""
    at_us = (offset >> 64) * MILLISECOND
    when = f" ({instant_text(at_us)})" if offset >> 64 < 1 << 42 else ""
    return id_of(offset).decode() + when
