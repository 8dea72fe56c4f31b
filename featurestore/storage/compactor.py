"""The compactor: shortens rows in the store once their length says so."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from typing import cast

from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.packing import compacted_bytes
from featurestore.errors import StoreRefused
from featurestore.storage.commands import pack
from featurestore.storage.wire import Wire
from featurestore.storage.wires import Wires

_AHEAD = 64  # half as many bytes as a frame may have that makes a row due
_UNDER_WAY = 64 << 20  # bytes of rows that the store may have to keep until they are read
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
return #short
"""


@dataclass
class Compactor:
    """Shortens rows of a view, without waiting for the store: by and by, step by step.

    It changes no value that anyone reads, so it needs neither the fence nor the commit: it may run
    late, twice, or not at all.

    Attributes:
        wires: Open connections of its own, one to each server, when they are first needed.
        layout: The view's layout.
    """

    wires: Wires
    layout: Layout
    _own: dict[str, Wire] = field(default_factory=dict)
    _asked: dict[str, list[bytes]] = field(default_factory=dict)  # rows to come, by server
    _replacing: dict[str, dict[bytes, int]] = field(default_factory=dict)  # ... and when due again
    _later: list[bytes] = field(default_factory=list)  # due, but under way or too many at once

    def step(self, due: Sequence[bytes]) -> int:
        """Ask for rows that are due, shorten those asked for in the step before; return how many.

        Those counted were replaced in the step before; rows under way are not begun again.

        Cost: where the store has answered meanwhile no wait, and `aggregation.compaction.compact`.
        """
        under_way = self._under_way
        done = self._replaced()
        for url, rows in self._asked.items():
            self._replacing[url] = self._shorten(self._own[url], rows)
        wanted = dict.fromkeys((*self._later, *due))
        most = max(1, _UNDER_WAY // self.layout.view.row_size.bytes)
        begun = [row for row in wanted if row not in under_way][:most]
        for row in begun:
            del wanted[row]
        self._ask(begun)
        self._later = [*wanted]
        return done

    def finish(self) -> int:
        """Wait for all that is under way or due; return how many rows were shortened."""
        done = 0
        while self._asked or self._replacing or self._later:
            done += self.step(())
        return done

    @property
    def _under_way(self) -> set[bytes]:
        under_way = (*self._asked.values(), *self._replacing.values())
        return {row for rows in under_way for row in rows}

    def _ask(self, due: Sequence[bytes]) -> None:
        self._asked = {}
        for url, places in self.wires.topology.split(due).items() if due else ():
            rows = self._asked[url] = [due[place] for place in places]
            if url not in self._own:
                self._own[url] = self.wires.apart(rows[0])
            self._own[url].send(pack(b"GET", row) for row in rows)

    def _replaced(self) -> int:
        """Read what became of rows being replaced; return how many were.

        So much may have been appended meanwhile that they are due again.
        """
        sent, self._replacing = self._replacing, {}
        done = 0
        for url, rows in sent.items():
            for row, due in rows.items():
                length = cast("int", self._own[url].read())
                done += length > 0
                if length >= due:
                    self._later.append(row)
        return done

    def _shorten(self, wire: Wire, asked: Sequence[bytes]) -> dict[bytes, int]:
        """Read rows asked for, and send what those are to be that are due; return when again."""
        rows = [row if isinstance(row := wire.read(), bytes) else b"" for _ in asked]
        found = [
            (key, row)
            for key, row in zip(asked, rows, strict=True)
            if len(row) >= self.layout.levels.due(compacted_bytes(row))
        ]
        short = self._shortened([row for _, row in found])
        wire.send(
            pack(b"EVAL", _SCRIPT, b"1", key, b"%d" % len(row), _digest(row), shorter, *parts)
            for (key, row), shorter in zip(found, short, strict=True)
            for parts in [self._parts(shorter)]
        )
        keys = [key for key, _ in found]
        return {
            key: self.layout.levels.due(len(shorter))
            for key, shorter in zip(keys, short, strict=True)
        }

    def _parts(self, row: bytes) -> list[bytes]:
        """Return where the first and the second part of a row end that is written in parts."""
        half = self.layout.levels.due(len(row)) // 2 + _AHEAD
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
