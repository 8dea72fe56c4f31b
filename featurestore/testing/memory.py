"""Memory: what a test has in the place of the store."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import hiredis
import numpy as np
import pyarrow as pa

from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.definitions.view import FeatureView
from featurestore.instants import MILLISECOND
from featurestore.storage.keys import counts_key, row_key, view_tag
from featurestore.storage.topology import Topology


@dataclass(frozen=True)
class MemoryRows:
    """Rows by key, as `storage.rows.Rows` fetches them; appended to and compacted as the flow does.

    Nothing expires: what a row has beyond its windows is in no answer.
    """

    rows: dict[bytes, bytes] = field(default_factory=dict)
    newest_us: dict[bytes, int] = field(default_factory=dict)

    def fetch(self, keys: Sequence[bytes], clocks: Sequence[bytes] = ()) -> list[bytes | None]:
        """Return the row under each key, then each event clock; None where there is none."""
        times = [self.newest_us.get(clock) for clock in clocks]
        return [
            *map(self.rows.get, keys),
            *(b"%d" % at if at is not None else None for at in times),
        ]

    def see(self, stream: str, at_us: int) -> None:
        """Note that a stream has come as far as this event time."""
        clock = counts_key(stream)
        self.newest_us[clock] = max(at_us, self.newest_us.get(clock, at_us))

    def close(self) -> None:
        """Keep everything: a test may read on."""


@dataclass(frozen=True)
class MemoryView:
    """The rows of one view."""

    layout: Layout
    tags: Sequence[bytes]
    memory: MemoryRows

    @classmethod
    def of(cls, view: FeatureView, memory: MemoryRows) -> "MemoryView":
        """Return the rows of a view in a memory."""
        return cls(Layout.of(view), [view_tag(view, n) for n in range(view.shards)], memory)

    def append(self, events: pa.RecordBatch) -> None:
        """Append a frame to each row that events touch; compact those that became too long."""
        touched, rows = partial(self.layout, events), self.memory.rows
        keys = [row_key(self.tags, name) for name in touched.keys.to_pylist()]
        frames = touched.frames.to_pylist()
        for key, frame in zip(keys, frames, strict=True):
            rows[key] = rows.get(key, b"") + frame
        lengths = np.array([len(rows[key]) for key in keys], dtype=np.int64)
        added = np.array([len(frame) for frame in frames], dtype=np.int64)
        are_due = self.layout.levels.are_due(lengths, added)
        due = [keys[place] for place in np.flatnonzero(are_due).tolist()]
        if due:
            rows |= zip(due, compact(self.layout, [rows[key] for key in due]), strict=True)


@dataclass
class MemoryClaims:
    """Answers ``SET key place NX GET PX ms``, which is all that `flows.claims` asks of a store.

    Attributes:
        clock: Returns the time in microseconds.
    """

    clock: Callable[[], int]
    topology: Topology = field(default_factory=lambda: Topology(["memory"]))
    _held: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    _replies: list[bytes | None] = field(default_factory=list)

    def of(self, key: bytes) -> Self:  # noqa: ARG002 - there is no other
        """Return the one server, which is this."""
        return self

    def send(self, commands: Iterable[bytes | memoryview]) -> None:
        """Take packed commands."""
        reader = hiredis.Reader()
        for command in commands:
            reader.feed(bytes(command))
        while words := reader.gets():
            self._replies.append(self._claim(key=words[1], place=words[2], lifetime_ms=words[6]))

    def read(self) -> bytes | None:
        """Return the reply to the next command."""
        return self._replies.pop(0)

    def _claim(self, key: bytes, place: bytes, lifetime_ms: bytes) -> bytes | None:
        now_us = self.clock()
        held, until_us = self._held.get(key, (None, now_us))
        if until_us > now_us:
            return held
        self._held[key] = place, now_us + int(lifetime_ms) * MILLISECOND
        return None
