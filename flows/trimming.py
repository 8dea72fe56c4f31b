"""Trimming: letting go of what was sent over HTTP and is committed, so that it does not grow.

1. Nothing goes that any view of the flow, or the ledger, has not committed as configured: only
   what lies before the lowest watermark.
2. The newest entries stay whatever was committed, so that a view that is new finds some past.
3. The last entry committed stays too: the source sees by it that nothing behind it is missing.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from featurestore.storage.commands import pack
from featurestore.storage.keys import events_key
from featurestore.storage.wire import Wire

EVENTS_KEPT = 1_000_000
EVERY_US = 1_000_000
_LOW = (1 << 64) - 1


@dataclass
class Trimming:
    """Trims the Redis Streams of events sent over HTTP.

    Attributes:
        streams: The streams that are read from there.
        kept: How many of the newest events of each stay.
    """

    streams: Collection[str] = ()
    kept: int = EVENTS_KEPT
    _trimmed_us: dict[str, int] = field(default_factory=dict)

    def trim(self, wire: Wire, stream: str, committed: int, steady_us: int) -> None:
        """Trim a stream, at most once a second.

        Args:
            wire: A connection to where the stream is.
            stream: Its name.
            committed: The offset up to which all have committed it.
            steady_us: A clock that never jumps.

        Cost: one or two round trips a second; whole nodes (100 entries) go at a time.
        """
        if stream not in self.streams or committed < 0:
            return
        if steady_us - self._trimmed_us.get(stream, -EVERY_US) < EVERY_US:
            return
        self._trimmed_us[stream] = steady_us
        key = events_key(stream)
        length = wire.ask(b"XLEN", key)
        assert isinstance(length, int), length
        if length > self.kept:
            # LIMIT is how many may go at most
            first, limit = _id(committed), b"%d" % (length - self.kept)
            wire.send([pack(b"XTRIM", key, b"MINID", b"~", first, b"LIMIT", limit)])
            wire.read()


def _id(offset: int) -> bytes:
    return b"%d-%d" % (offset >> 64, offset & _LOW)
