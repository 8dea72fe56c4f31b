"""The compactor: shortens rows in the store once their length says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1

from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from featurestore.errors import StoreRefused
from featurestore.storage.commands import pack
from featurestore.storage.wire import Reply, Wire
from featurestore.storage.wires import Wires

_AHEAD = 64  # half as many bytes as a frame may have that makes a row due
# Replaces the first bytes of a row, if they are still what was read, and keeps what was appended
# since; a row shortened by another flow meanwhile, or deleted, is left alone. The server doubles a
# string that APPEND must make larger: written in three parts, the first two half as long as the row
# is when it is due again, it has room for as much as it will hold until then, and no more.
_SCRIPT = b"""
local row = redis.call('GET', KEYS[1])
local read, first, half = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
if not row or #row < read or redis.sha1hex(string.sub(row, 1, read)) ~= ARGV[2] then return 0 end
local short = ARGV[3] .. string.sub(row, read + 1)
redis.call('SET', KEYS[1], string.sub(short, 1, first), 'KEEPTTL')
if first < #short then
  redis.call('APPEND', KEYS[1], string.sub(short, first + 1, half))
  redis.call('APPEND', KEYS[1], string.sub(short, math.max(first, half) + 1))
end
return 1
"""


@dataclass(frozen=True)
class Compactor:
    """Shortens rows of a view.

    It changes no value that anyone reads, so it needs neither the fence nor the commit: it may run
    late, twice, or not at all.
    """

    wires: Wires
    layout: Layout

    def compact(self, rows: Sequence[bytes]) -> int:
        """Shorten the rows under these keys; return how many were.

        Cost: two round trips to each server, and `aggregation.compaction.compact`.
        """
        return sum(
            self._compact(wire, [rows[place] for place in places])
            for wire, places in self.wires.split(rows)
        )

    def _compact(self, wire: Wire, rows: Sequence[bytes]) -> int:
        wire.send(pack(b"GET", row) for row in rows)
        found = [(key, row) for key in rows if isinstance(row := wire.read(), bytes)]
        short = self._shortened([row for _, row in found])
        wire.send(
            pack(b"EVAL", _SCRIPT, b"1", key, b"%d" % len(row), _digest(row), shorter, *parts)
            for (key, row), shorter in zip(found, short, strict=True)
            for parts in [self._parts(shorter)]
        )
        done: list[Reply] = [wire.read() for _ in found]
        return sum(1 for reply in done if reply == 1)

    def _parts(self, row: bytes) -> list[bytes]:
        """Return where the first and the second part of a row end that is written in parts."""
        half = self.layout.due(len(row)) // 2 + _AHEAD
        first = half * 3 // 4 if half < len(row) else 2 * half
        return [b"%d" % first, b"%d" % half]

    def _shortened(self, rows: Sequence[bytes]) -> list[bytes]:
        try:
            return compact(self.layout, rows)
        except ValueError as error:
            msg = f"view {self.layout.view.name!r}: {error}; something else wrote to its rows"
            raise StoreRefused(msg) from error


def _digest(row: bytes) -> bytes:
    return sha1(row, usedforsecurity=False).hexdigest().encode()
