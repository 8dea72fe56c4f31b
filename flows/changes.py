"""Changes: what a flush of events changes in each unit of commit. Pure; no I/O."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import Touched, assign, partial
from featurestore.contracts.rejection import Rejection
from featurestore.storage.keys import counts_key, dead_key, row_key, shard_of, source_field
from featurestore.storage.wire import pack
from flows.steps import Chunk, Offsets

DEAD_LETTERS_KEPT = b"100000"

# (unit's tag, source field) -> last offset the unit holds
Held = Callable[[bytes, bytes], int]


@dataclass
class Change:
    """What one transaction changes in one unit.

    Attributes:
        rows: The rows appended to; the first commands are their APPENDs, in this order.
        commands: Packed commands.
    """

    rows: list[bytes] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class ViewChanges:
    """Works out what chunks of a stream change in the rows of one view.

    Attributes:
        layout: The view's layout.
        tags: The tags of its shards.
        expire_at: Returns when each touched row must expire (wall clock ms), None where its expiry
            need not move; takes row keys and newest event times.
    """

    layout: Layout
    tags: Sequence[bytes]
    expire_at: Callable[[Sequence[bytes], Ints], Iterable[int | None]]

    def of(self, chunks: Sequence[Chunk], held: Held) -> dict[bytes, Change]:
        """Return the changes by unit; events that a unit holds already are left out of it."""
        events = pa.concat_batches([chunk.events for chunk in chunks])
        if not events.num_rows:
            return {}
        assigned = assign(self.layout, events)
        seen = self._seen(chunks, assigned.keys, assigned.entities, held)
        if seen is not None:
            assigned = assigned.without(seen)
        return self._appends(partial(self.layout, events, assigned))

    def _appends(self, touched: Touched) -> dict[bytes, Change]:
        changes: dict[bytes, Change] = {}
        rows = [row_key(self.tags, key) for key in touched.keys]
        for row, frame in zip(rows, touched.frames, strict=True):
            change = changes.setdefault(row[: row.index(b"}") + 1], Change())
            change.rows.append(row)
            change.commands.append(
                b"*3\r\n$6\r\nAPPEND\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
                % (len(row), row, len(frame), frame)
            )
        for row, at in zip(rows, self.expire_at(rows, touched.newest_us), strict=True):
            if at is not None:
                expiry = pack(b"PEXPIREAT", row, b"%d" % at)
                changes[row[: row.index(b"}") + 1]].commands.append(expiry)
        return changes

    def _seen(
        self, chunks: Sequence[Chunk], keys: Sequence[bytes], entities: Ints, held: Held
    ) -> npt.NDArray[np.bool_] | None:
        """Tell which events their unit holds already; None when this is no replay."""
        sources = [source_field(chunk.stream, chunk.partition) for chunk in chunks]
        limits = [[held(tag, source) for tag in self.tags] for source in sources]
        replayed = [
            bool(len(chunk.offsets)) and int(chunk.offsets[0]) <= max(limit)
            for chunk, limit in zip(chunks, limits, strict=True)
        ]
        if not any(replayed):
            return None
        shards = np.array([*(shard_of(key, len(self.tags)) for key in keys), 0])[entities]
        seen, start = [], 0
        for chunk, limit in zip(chunks, limits, strict=True):
            mine = shards[start : start + len(chunk.offsets)]
            seen.append(chunk.offsets <= _like(chunk.offsets, limit)[mine])
            start += len(chunk.offsets)
        return np.concatenate(seen).astype(bool)


def ledger_change(
    stream: str, chunks: Sequence[Chunk], held: Mapping[str, int], now_us: int
) -> Change:
    """Return what chunks change in their stream's ledger: dead letters and counts.

    Args:
        stream: The stream's name.
        chunks: Its chunks.
        held: Up to which offset the ledger holds each partition.
        now_us: When, for the dead letters.
    """
    change, counts = Change(), dict.fromkeys(("read", "applied"), 0)
    newest = [chunk.newest_us for chunk in chunks if chunk.newest_us is not None]
    for chunk in chunks:
        limit = held[chunk.partition]
        new = [rejection for rejection in chunk.rejected if rejection.offset > limit]
        change.commands += (_dead_letter(chunk, rejection, now_us) for rejection in new)
        applied = int(np.count_nonzero(chunk.offsets > limit))
        counts["applied"] += applied
        counts["read"] += applied + len(new)
        for rejection in new:
            counts[rejection.reason.value] = counts.get(rejection.reason.value, 0) + 1
    key = counts_key(stream)
    change.commands += (
        pack(b"HINCRBY", key, name.encode(), b"%d" % count)
        for name, count in counts.items()
        if count
    )
    if newest:
        change.commands.append(pack(b"HSET", key, b"newest_us", b"%d" % max(newest)))
    return change


def _dead_letter(chunk: Chunk, rejection: Rejection, now_us: int) -> bytes:
    # fmt: off
    return pack(
        b"XADD", dead_key(chunk.stream), b"MAXLEN", b"~", DEAD_LETTERS_KEPT, b"*",
        b"partition", chunk.partition.encode(), b"offset", b"%d" % rejection.offset,
        b"reason", rejection.reason.encode(), b"detail", rejection.detail.encode(),
        b"raw", rejection.raw, b"at", b"%d" % now_us,
    )
    # fmt: on


def _like(offsets: Offsets, limits: Sequence[int]) -> Offsets:
    return np.array(limits, dtype=offsets.dtype)
