"""The writer: gathers chunks, and commits them to the store flush by flush.

A flush is sent before the replies to the one before it are read, so that the store works while
the next events are decoded; a partition's watermark moves once every unit of a flush has answered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial as bound

from featurestore.aggregation.layout import Layout
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.view import FeatureView
from featurestore.instants import MILLISECOND
from featurestore.storage.commit import Durability, Unit
from featurestore.storage.compactor import Compactor
from featurestore.storage.keys import (
    source_field,
    stream_tag,
    view_tag,
    watermark_field,
    watermarks_key,
)
from featurestore.storage.wire import Wire, pack
from flows.changes import Change, ViewChanges, ledger_change
from flows.expiry import Expiry
from flows.frontier import UNKNOWN, Frontier
from flows.steps import Chunk
from flows.summary import Summary

Positions = Mapping[tuple[str, str], tuple[int | None, Frontier]]


@dataclass
class Writer:
    """Commits the chunks of some source partitions; there is one per process.

    Args:
        catalog: The definitions.
        url: The store.
        clock: Returns the wall clock in microseconds UTC.
        durability: What a commit must survive.
        flush_events: How many events are gathered at most.
        flush_ms: How long events are gathered at most.
    """

    catalog: Catalog
    url: str
    clock: Callable[[], int]
    durability: Durability = Durability.NONE
    flush_events: int = 50_000
    flush_ms: int = 20
    summary: Summary = field(default_factory=Summary)
    _units: dict[bytes, Unit] = field(default_factory=dict)
    _views: dict[str, "_View"] = field(default_factory=dict)
    _waiting: list[Chunk] = field(default_factory=list)
    _since_us: int = 0
    _in_flight: "_Flush | None" = None

    def take_over(self, sources: Mapping[str, Sequence[str]]) -> Positions:
        """Become the writer of partitions, by stream; return where each of them resumes.

        Raises:
            StoreUnreachable: There is no connection.
        """
        self._control = Wire(self.url)
        positions: dict[tuple[str, str], tuple[int | None, Frontier]] = {}
        for stream, partitions in sources.items():
            fields = [source_field(stream, partition) for partition in partitions]
            for view in self.catalog.views_of(stream):
                self._views[view.name] = _View.of(view, self)
            for tag in self._tags(stream):
                unit = Unit(Wire(self.url), tag, self.durability)
                unit.take_over(fields)
                self._units[tag] = unit
            for partition in partitions:
                positions[stream, partition] = self._resume(stream, partition)
        return positions

    def add(self, chunk: Chunk) -> None:
        """Take a chunk; flushes when enough has been gathered."""
        if not self._waiting:
            self._since_us = self.clock()
        self._waiting.append(chunk)
        if chunk.finished or self._gathered() >= self.flush_events:
            self.flush()
        else:
            self.tick()

    def tick(self) -> None:
        """Let time pass: flush what has waited long enough, finish what is in flight."""
        if not self._waiting:
            self._finish()
        elif self.clock() - self._since_us >= self.flush_ms * MILLISECOND:
            self.flush()

    def flush(self) -> None:
        """Send all that waits."""
        chunks, self._waiting = self._waiting, []
        by_stream: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            by_stream.setdefault(chunk.stream, []).append(chunk)
        changes = [(s, of, self._changes(s, of)) for s, of in by_stream.items()]
        self._finish()
        sent: dict[bytes, list[bytes]] = {}
        for stream, of, units in changes:
            progress = {source_field(stream, c.partition): c.end for c in of}
            for tag, change in units.items():
                self._units[tag].send(change.commands, progress)
                sent[tag] = change.rows
        self._in_flight = _Flush(chunks, sent)

    def finish(self) -> None:
        """Flush, and wait until all is committed."""
        if self._waiting:
            self.flush()
        self._finish()

    def close(self) -> None:
        """Close the connections; what is in flight is committed or not, a replay finds out."""
        for unit in self._units.values():
            unit.wire.close()
        self._control.close()

    def _gathered(self) -> int:
        return sum(chunk.events.num_rows + len(chunk.rejected) for chunk in self._waiting)

    def _tags(self, stream: str) -> list[bytes]:
        views = self.catalog.views_of(stream)
        return [stream_tag(stream), *(tag for view in views for tag in self._views[view.name].tags)]

    def _held(self, tag: bytes, source: bytes) -> int:
        return self._units[tag].progress.get(source, -1)

    def _resume(self, stream: str, partition: str) -> tuple[int | None, Frontier]:
        """Where the view that is furthest behind resumes; a view that is new starts over."""
        views = self.catalog.views_of(stream)
        fields = [watermark_field(view, partition) for view in views] or [partition.encode()]
        found = self._control.ask(b"HMGET", watermarks_key(stream), *fields)
        assert isinstance(found, list)
        marks = [mark.decode().split(" ") for mark in found if isinstance(mark, bytes)]
        if len(marks) < len(fields):
            return None, Frontier()
        offset, frontier = min((int(offset), frontier) for offset, frontier in marks)
        return offset, Frontier.decode(frontier)

    def _changes(self, stream: str, chunks: Sequence[Chunk]) -> dict[bytes, Change]:
        now_us, tag = self.clock(), stream_tag(stream)
        partitions = {chunk.partition for chunk in chunks}
        held = {p: self._held(tag, source_field(stream, p)) for p in partitions}
        changes = {tag: ledger_change(stream, chunks, held, now_us)}
        reached = [c.frontier.reached_us for c in chunks if c.frontier.reached_us > UNKNOWN]
        newest = [c.newest_us for c in chunks if c.newest_us is not None]
        for view in self.catalog.views_of(stream):
            if newest:
                of = self._views[view.name]
                changes |= of.changes(chunks, self._held, max(reached or newest), now_us)
        self.summary.add(chunks, held)
        return changes

    def _finish(self) -> None:
        """Wait for the flush in flight, move the watermarks, compact what became too long."""
        flush, self._in_flight = self._in_flight, None
        if flush is None:
            return
        long: list[bytes] = []
        for tag, rows in flush.sent.items():
            replies = self._units[tag].settle()
            long += _due(self._layouts.get(tag), rows, replies)
        self._move_watermarks(flush.chunks)
        for view in self._views.values():
            rows = [row for row in long if row[: row.index(b"}") + 1] in view.tags]
            if rows:
                view.compactor.compact(rows)

    @property
    def _layouts(self) -> dict[bytes, Layout]:
        return {tag: view.layout for view in self._views.values() for tag in view.tags}

    def _move_watermarks(self, chunks: Sequence[Chunk]) -> None:
        last = {(chunk.stream, chunk.partition): chunk for chunk in chunks}
        for (stream, partition), chunk in last.items():
            mark = f"{chunk.end} {chunk.frontier.encode()}".encode()
            views = self.catalog.views_of(stream)
            fields = [watermark_field(view, partition) for view in views] or [partition.encode()]
            words = [word for name in fields for word in (name, mark)]
            self._control.send([pack(b"HSET", watermarks_key(stream), *words)])
        for _ in last:
            self._control.read()


@dataclass(frozen=True)
class _Flush:
    """A flush in flight: its chunks, and by unit the rows appended to."""

    chunks: Sequence[Chunk]
    sent: Mapping[bytes, list[bytes]]


@dataclass(frozen=True)
class _View:
    """A view as the writer sees it."""

    layout: Layout
    tags: list[bytes]
    expiry: Expiry
    compactor: Compactor

    @classmethod
    def of(cls, view: FeatureView, writer: Writer) -> "_View":
        layout = Layout.of(view)
        tags = [view_tag(view, shard) for shard in range(view.shards)]
        return cls(layout, tags, Expiry(view.horizon_us), Compactor(writer._control, layout))  # noqa: SLF001

    def changes(
        self,
        chunks: Sequence[Chunk],
        held: Callable[[bytes, bytes], int],
        frontier_us: int,
        now_us: int,
    ) -> dict[bytes, Change]:
        expire_at = bound(self.expiry.move, frontier_us=frontier_us, now_us=now_us)
        return ViewChanges(self.layout, self.tags, expire_at).of(chunks, held)


def _due(layout: Layout | None, rows: Sequence[bytes], replies: Sequence[object]) -> list[bytes]:
    if layout is None:
        return []
    return [
        row
        for row, length in zip(rows, replies, strict=False)
        if isinstance(length, int) and layout.is_due(length)
    ]
