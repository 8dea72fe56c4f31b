"""Changes: what a flush of events changes in each unit of commit. Pure; no I/O."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.aggregation.arrays import BytesArray, Ints
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import Assigned, Numbered, Touched, assign, number, partial
from featurestore.contracts.offsets import Offsets, up_to
from featurestore.contracts.rejection import Reason, Rejection
from featurestore.definitions.entity import Entity
from featurestore.storage.commands import Commands, pack, pack_all
from featurestore.storage.keys import (
    counts_key,
    dead_key,
    judged_key,
    shards_of,
    source_field,
)
from flows.past import among
from flows.steps import Chunk

LETTERS_KEPT = 100_000

# Where in the flow an event is rejected.
_STEPS = {
    Reason.MALFORMED: b"decode",
    Reason.INVALID: b"decode",
    Reason.LATE: b"judge",
    Reason.FUTURE: b"judge",
}
_TRIM = b"""
local gone = redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
if gone > 0 then redis.call('HINCRBY', KEYS[2], 'trimmed', gone) end
return gone
"""
_NEWEST = b"""
local known = redis.call('HGET', KEYS[1], 'newest_us')
if not known or tonumber(known) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'newest_us', ARGV[1])
end
return 1
"""

# (unit's tag, source field) -> last offset the unit holds
Held = Callable[[bytes, bytes], int]
Mask = npt.NDArray[np.bool_]
# entity keys -> which of their rows must be told how long they live
Due = Callable[[Sequence[bytes]], Mask]


@dataclass
class Change:
    """What one transaction changes in one unit.

    Attributes:
        commands: The commands.
        rows: The rows appended to, an array of bytes; the first commands are their APPENDs.
        sizes: How many bytes each of them gets.
        expiring: Which of them have their expiry set.
    """

    commands: Commands = field(default_factory=Commands)
    rows: BytesArray = field(default_factory=lambda: pa.array([], pa.large_binary()))
    sizes: Ints = field(default_factory=lambda: np.array([], dtype=np.int64))
    expiring: Mask = field(default_factory=lambda: np.array([], dtype=bool))

    @property
    def new_rows(self) -> BytesArray:
        """The rows that the flow writes to for the first time, or for the first time in long."""
        return self.rows.filter(pa.array(self.expiring))

    def those(self, chosen: Mask) -> list[bytes]:
        """Return some of the rows."""
        rows: list[bytes] = self.rows.filter(pa.array(chosen)).to_pylist() if chosen.any() else []
        return rows


@dataclass
class Gathered:
    """Chunks of a stream that are flushed together, with what several of its views ask of them.

    Attributes:
        chunks: The chunks.
    """

    chunks: Sequence[Chunk]
    _numbered: dict[tuple[str, ...], Numbered] = field(default_factory=dict)

    @cached_property
    def events(self) -> pa.RecordBatch:
        """Their events."""
        events: pa.RecordBatch = pa.concat_batches([c.events for c in self.chunks])  # type: ignore[attr-defined] # not in the stubs
        return events

    def numbered(self, entity: Entity) -> Numbered:
        """Return which entity each event belongs to."""
        keys = tuple(entity.keys)
        if keys not in self._numbered:
            self._numbered[keys] = number(entity, self.events)
        return self._numbered[keys]


@dataclass(frozen=True)
class ViewChanges:
    """Works out what chunks of a stream change in the rows of one view.

    Attributes:
        layout: The view's layout.
        tags: The tags of its shards.
        due: Tells by their entities which rows must be told how long they live.
        lifetime_ms: How long that is.
        replayed: By partition, the offsets of events that are in the rows already because their
            dead letter was replayed.
    """

    layout: Layout
    tags: Sequence[bytes]
    due: Due
    lifetime_ms: int
    replayed: Mapping[str, set[int]]

    def of(self, gathered: Gathered, held: Held) -> dict[bytes, Change]:
        """Return the changes by unit; events that a unit holds already are left out of it."""
        events = gathered.events
        if not events.num_rows:
            return {}
        assigned = assign(self.layout, events, gathered.numbered(self.layout.view.entity))
        seen = self._seen(gathered.chunks, assigned, held)
        if seen is not None:
            assigned = assigned.without(seen)
        return self._appends(partial(self.layout, events, assigned))

    def _appends(self, touched: Touched) -> dict[bytes, Change]:
        keys: list[bytes] = touched.keys.to_pylist()
        shards = shards_of(keys, len(self.tags))
        order = np.argsort(shards.astype(np.int16), kind="stable")
        rows, frames = self._rows(touched.keys, shards).take(order), touched.frames.take(order)
        packed = _Packed.of(rows, frames, self.due(keys)[order], self.lifetime_ms)
        bounds = np.searchsorted(shards[order], np.arange(len(self.tags) + 1)).tolist()
        return {
            tag: packed.change(start, end)
            for tag, start, end in zip(self.tags, bounds, bounds[1:], strict=False)
            if start < end
        }

    def _rows(self, keys: BytesArray, shards: Ints) -> BytesArray:
        tags = pa.array([tag + b":" for tag in self.tags], pa.large_binary()).take(shards)
        return pc.binary_join_element_wise(tags, keys, pa.scalar(b"", pa.large_binary()))

    def _seen(self, chunks: Sequence[Chunk], assigned: Assigned, held: Held) -> Mask | None:
        """Tell which events their unit holds already; None when this is no replay."""
        sources = [source_field(chunk.stream, chunk.partition) for chunk in chunks]
        limits = [[held(tag, source) for tag in self.tags] for source in sources]
        again = [
            bool(len(chunk.offsets)) and int(chunk.offsets[0]) <= max(limit)
            for chunk, limit in zip(chunks, limits, strict=True)
        ]
        counted = [
            among(chunk.offsets, self.replayed.get(chunk.partition, set())) for chunk in chunks
        ]
        if not any(again) and not any(mask.any() for mask in counted):
            return None
        shards = np.append(shards_of(assigned.keys.to_pylist(), len(self.tags)), 0)
        shards = shards[assigned.entities]
        seen, start = [], 0
        for chunk, limit, mask in zip(chunks, limits, counted, strict=True):
            mine = shards[start : start + len(chunk.offsets)]
            first = np.array([up_to(chunk.offsets, end) for end in limit])
            seen.append((np.arange(len(mine)) < first[mine]) | mask)
            start += len(chunk.offsets)
        return np.concatenate(seen)


def ledger_change(
    stream: str,
    chunks: Sequence[Chunk],
    held: Mapping[str, int],
    now_us: int,
    letters_kept: int = LETTERS_KEPT,
) -> Change:
    """Return what chunks change in their stream's ledger: dead letters and counts.

    Args:
        stream: The stream's name.
        chunks: Its chunks.
        held: Up to which offset the ledger holds each partition.
        now_us: When, for the dead letters.
        letters_kept: How many dead letters are kept; how many were let go is counted.
    """
    change, key = Change(), counts_key(stream)
    counts = Counter[str]()
    newest = [chunk.newest_us for chunk in chunks if chunk.newest_us is not None]
    clocks: dict[str, int] = {}
    for chunk in chunks:
        limit = held[chunk.partition]
        letters = [r for r in chunk.rejected if r.offset > limit]
        change.commands.add(*(_dead_letter(chunk, letter, now_us) for letter in letters))
        counts += counted(chunk, limit)
        if chunk.end > limit:
            clocks[chunk.partition] = max(clocks.get(chunk.partition, 0), chunk.read_us)
    if change.commands.count:
        kept = b"%d" % letters_kept
        change.commands.add(pack(b"EVAL", _TRIM, b"2", dead_key(stream), key, kept))
    change.commands.add(
        *(pack(b"HINCRBY", key, name.encode(), b"%d" % count) for name, count in counts.items())
    )
    if newest:
        change.commands.add(pack(b"EVAL", _NEWEST, b"1", key, b"%d" % max(newest)))
    if clocks:
        words = [word for p, us in clocks.items() for word in (p.encode(), b"%d" % us)]
        change.commands.add(pack(b"HSET", judged_key(stream), *words))
    return change


def counted(chunk: Chunk, limit: int) -> Counter[str]:
    """Count what became of the events of a chunk that stand behind an offset.

    A dead letter that is replayed was read when it was rejected.
    """
    counts = Counter(r.reason.value for r in chunk.rejected if r.offset > limit)
    counts["applied"] = _beyond(chunk.offsets, limit)
    counts["filtered"] = _beyond(chunk.filtered, limit)
    counts["duplicate"] = _beyond(chunk.duplicates, limit)
    counts["read"] = 0 if chunk.places else counts.total()
    return +counts


def _dead_letter(chunk: Chunk, rejection: Rejection, now_us: int) -> bytes:
    """Return what keeps a rejected event; one that was replayed keeps the place it first had."""
    partition, offset, again = chunk.partition, rejection.offset, []
    if chunk.places:
        again = [b"replay", f"{chunk.partition}:{offset}".encode()]
        partition, offset = chunk.places[offset]
    # fmt: off
    return pack(
        b"XADD", dead_key(chunk.stream), b"*",
        b"partition", partition.encode(), b"offset", b"%d" % offset,
        b"reason", rejection.reason.encode(), b"detail", rejection.detail.encode(),
        b"raw", rejection.raw, b"at", b"%d" % now_us, b"step", _STEPS[rejection.reason], *again,
    )
    # fmt: on


@dataclass(frozen=True, slots=True)
class _Packed:
    """What a flush appends to rows, packed all at once and then cut unit by unit."""

    rows: BytesArray
    sizes: Ints
    expiring: Mask
    appends: BytesArray
    expiries: BytesArray  # of those that are expiring

    @classmethod
    def of(
        cls, rows: BytesArray, frames: BytesArray, expiring: Mask, lifetime_ms: int
    ) -> "_Packed":
        """Pack a frame for each row, and its lifetime where it is to be told."""
        mortal = rows.filter(pa.array(expiring))
        lifetimes = pa.repeat(pa.scalar(b"%d" % lifetime_ms, pa.large_binary()), len(mortal))
        sizes = np.asarray(pc.binary_length(frames))
        expiries = pack_all(b"PEXPIRE", mortal, lifetimes)
        return cls(rows, sizes, expiring, pack_all(b"APPEND", rows, frames), expiries)

    def change(self, start: int, end: int) -> Change:
        """Return the change of one unit: of the rows from `start` to `end`."""
        expiring = self.expiring[start:end]
        change = Change(rows=self.rows[start:end], sizes=self.sizes[start:end], expiring=expiring)
        change.commands.add_all(self.appends[start:end])
        first = int(np.count_nonzero(self.expiring[:start]))
        last = first + int(np.count_nonzero(expiring))
        if first < last:
            change.commands.add_all(self.expiries[first:last])
        return change


def _beyond(offsets: Offsets, limit: int) -> int:
    return len(offsets) - up_to(offsets, limit)
