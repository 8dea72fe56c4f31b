"""Events on their way into a stream: what was sent over HTTP waits here for the flow."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import cast

from featurestore.definitions.view import FeatureView
from featurestore.storage.commands import pack
from featurestore.storage.keys import counts_key, events_key, watermark_field, watermarks_key
from featurestore.storage.multiplex import DEADLINE_SECONDS
from featurestore.storage.nodes import Nodes
from featurestore.storage.wire import Reply

_MARKS_KEPT = 4096
# As good as a transaction: what may fail, fails before or with the first one. It answers once.
_ADD = b"""
for i = 1, #ARGV do redis.call('XADD', KEYS[1], '*', 'event', ARGV[i]) end
return #ARGV
"""


class Events:
    """Appends events to Redis Streams, over one shared connection to each server.

    Args:
        url: The store.
        deadline: How many seconds an answer may take.
    """

    def __init__(self, url: str, deadline: float = DEADLINE_SECONDS) -> None:
        self._nodes = Nodes(url, deadline)
        self._marks: dict[str, _Marks] = {}

    async def start(self) -> None:
        """Connect; a store that is not there yet is tried again in the background."""
        await self._nodes.start()

    async def stop(self) -> None:
        """Close the connection."""
        await self._nodes.stop()

    async def append(self, stream: str, events: Sequence[bytes]) -> None:
        """Append events, all or none; when it returns, the store has them.

        Raises:
            StoreRefused: The store is out of memory or read-only: none was appended.
            StoreUnreachable: There is no connection: none was appended, or it broke: unknown.

        Cost: one round trip, and about 0.3 µs per event here and 2 µs in the store.
        """
        key = events_key(stream)
        await self._nodes.call(key, pack(b"EVAL", _ADD, b"1", key, *events), 1)

    async def backlog(self, stream: str, views: Sequence[FeatureView]) -> int:
        """Return about how many events of a stream the flow has not committed yet.

        Exact where the flow has committed all or nothing; between, as good as the moments at which
        this was asked before: events are taken to have come evenly between two of them.

        Cost: one round trip.
        """
        key, partition = events_key(stream), events_key(stream).decode()
        fields = [watermark_field(view, partition) for view in views] or [partition.encode()]
        length, info, marks = await self._nodes.call(
            key,
            pack(b"XLEN", key)
            + pack(b"EVAL", _INFO, b"1", key)
            + pack(b"HMGET", watermarks_key(stream), *fields),
            3,
        )
        first_ms, last_ms, added = cast("list[int]", info)
        committed = min(_committed_ms(mark) for mark in cast("list[Reply]", marks))
        known = self._marks.setdefault(stream, _Marks(first_ms - 1, added - cast("int", length)))
        known.add(last_ms, added)
        return min(added - known.at(committed), cast("int", length))

    async def counts(self, stream: str) -> dict[str, int]:
        """Return what the flow has counted of a stream: read, applied, rejected by reason.

        ``newest_us`` among them is the newest event time committed.
        """
        key = counts_key(stream)
        (pairs,) = await self._nodes.call(key, pack(b"HGETALL", key), 1)
        words = cast("list[bytes]", pairs)
        return {
            name.decode(): int(count) for name, count in zip(words[::2], words[1::2], strict=True)
        }


# XINFO answers an error for a stream that is not there, and a map that differs by version.
_INFO = b"""
if redis.call('EXISTS', KEYS[1]) == 0 then return {0, 0, 0} end
local found, info = {}, redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do found[info[i]] = info[i + 1] end
local first = found['first-entry'] and found['first-entry'][1] or '0-0'
return {tonumber(string.match(first, '%d+')),
        tonumber(string.match(found['last-generated-id'], '%d+')), found['entries-added']}
"""


class _Marks:
    """How many events there had been at some moments of the store's clock (ms)."""

    def __init__(self, at_ms: int, added: int) -> None:
        self._at_ms, self._added = [at_ms], [added]

    def add(self, at_ms: int, added: int) -> None:
        if at_ms > self._at_ms[-1]:
            self._at_ms.append(at_ms)
            self._added.append(added)
        else:
            self._added[-1] = max(added, self._added[-1])
        if len(self._at_ms) > _MARKS_KEPT:
            del self._at_ms[1::2], self._added[1::2]

    def at(self, at_ms: int) -> int:
        """Return about how many there had been at a moment."""
        place = bisect_right(self._at_ms, at_ms)
        if place == 0:
            return self._added[0]
        if place == len(self._at_ms):
            return self._added[-1]
        start, end = self._at_ms[place - 1 : place + 1]
        low, high = self._added[place - 1 : place + 1]
        return low + (high - low) * (at_ms - start) // (end - start)


def _committed_ms(mark: Reply) -> int:
    """Return up to when events are committed; the offset in a watermark is a stream id."""
    return int(mark.split(b" ")[0]) >> 64 if isinstance(mark, bytes) else -1
