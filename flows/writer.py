"""The writer: gathers chunks, and commits them to the store flush by flush.

A flush is sent before the replies to the one before it are read, so that the store works while
the next events are decoded; a partition's watermark moves once every unit of a flush has answered.
It keeps two flushes in memory at most, and blocks while the store is slower than the stream.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from featurestore.definitions.catalog import Catalog
from featurestore.definitions.view import FeatureView
from featurestore.storage.commands import pack
from featurestore.storage.commit import Durability, Survival, Unit, new_owner
from featurestore.storage.identity import store_id
from featurestore.storage.keys import (
    STORE_KEY,
    counts_key,
    dead_key,
    events_key,
    fence_key,
    judged_key,
    progress_key,
    source_field,
    stream_tag,
)
from featurestore.storage.rows import Rows
from featurestore.storage.survival import survival
from featurestore.storage.topology import Topology
from featurestore.storage.wire import Wire
from featurestore.storage.wires import Wires
from flows.changes import LETTERS_KEPT, Change, Gathered, counted, ledger_change
from flows.claims import Claims
from flows.frontier import Frontier
from flows.known_stores import KnownStores
from flows.pace import Pace
from flows.past import Past, pasts
from flows.steps import Chunk
from flows.summary import Summary
from flows.trimming import Trimming
from flows.view_rows import ViewRows
from flows.watermarks import Position, Positions, Watermarks

CHECK_US = 1_000_000
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # rows grow old in sleep, too


def steady_us() -> int:
    """Return a clock in microseconds that never jumps; it starts anywhere."""
    return time.clock_gettime_ns(_STEADY) // 1000


@dataclass
class Writer:
    """Commits the chunks of some source partitions; there is one per process.

    After an error it can `take_over` again: what was not committed is read again from the source.

    Args:
        catalog: The definitions.
        url: The store.
        clock: Returns the wall clock in microseconds UTC; it may jump.
        durability: What a commit must survive.
        pace: Says when a flush is due.
        letters_kept: How many dead letters of a stream are kept.
        steady: Returns a clock that never jumps.
        stores: Remembers which store was committed to.
        trimming: Lets go of events that were sent over HTTP and are committed.
        committed: Told, with stream and partition, up to which offset events are committed.

    Attributes:
        summary: Counts what was committed.
        pasts: What was decided about each partition, (stream, name), before it was taken over.
        flushes: How many flushes were committed.
        met: Whether it has taken over anything yet.
        rows: Reads rows, for events that are looked up in them; closed with the writer.
    """

    catalog: Catalog
    url: str
    clock: Callable[[], int]
    durability: Durability = Durability.NONE
    pace: Pace = field(default_factory=Pace)
    letters_kept: int = LETTERS_KEPT
    steady: Callable[[], int] = steady_us
    stores: KnownStores = None  # type: ignore[assignment] # made of the URL below
    trimming: Trimming = field(default_factory=Trimming)
    committed: Callable[[str, str, int], None] = lambda *_: None
    summary: Summary = field(default_factory=Summary)
    pasts: dict[tuple[str, str], Past] = field(default_factory=dict)
    flushes: int = 0
    met: bool = False
    rows: Rows = field(init=False)
    _wires: Wires | None = None
    _known: Topology | None = None
    _store: str = ""
    _owner: bytes = field(default_factory=new_owner)
    _units: dict[bytes, Unit] = field(default_factory=dict)
    _watermarks: dict[str, Watermarks] = field(default_factory=dict)
    _claims: dict[str, Claims] = field(default_factory=dict)
    _views: dict[str, ViewRows] = field(default_factory=dict)
    _waiting: list[Chunk] = field(default_factory=list)
    _checked_us: int = 0
    _in_flight: "_Flush | None" = None
    _counted: dict[bytes, int] = field(default_factory=dict)  # by source, up to which offset

    def __post_init__(self) -> None:
        self.stores = self.stores or KnownStores(self.url)
        self.rows = Rows(self.url)

    def take_over(self, sources: Mapping[str, Sequence[str]]) -> Positions:
        """Become the writer of partitions, by stream; return where each of them resumes.

        Raises:
            StoreUnreachable: There is no connection.
            StoreRefused: The store cannot do what it must.
            Fenced: Another flow took over what this one had.
        """
        self.close()
        wires = self._wires = Wires(self.url, self._known)
        self._known = wires.topology
        self._store = store_id(wires.of(STORE_KEY))
        self.stores.check(self._store, sources)
        survives = {wire.url: survival(wire, self.durability) for wire in wires.every()}
        positions: dict[tuple[str, str], Position] = {}
        for stream, partitions in sources.items():
            views = self.catalog.views_of(stream)
            self._views |= {view.name: ViewRows.of(view, wires) for view in views}
            self._take_over_units(wires, stream, partitions, survives)
            control = wires.of(stream_tag(stream))
            of = self.catalog.stream(stream)
            if of.dedupe is not None:
                apart = survives[control.url] if wires.topology.is_cluster else None
                self._claims[stream] = Claims(of, wires, apart)
            marks = self._watermarks[stream] = Watermarks(stream, views)
            resumes = {p: self._resumes(stream, p, marks.read(control, p)) for p in partitions}
            held = self._ledger(stream, partitions)
            made = pasts(control, stream, {p: at for p, (at, _) in resumes.items()}, held)
            self.pasts |= {(stream, partition): past for partition, past in made.items()}
            positions |= {(stream, partition): at for partition, at in resumes.items()}
        self._begin_anew()
        self.met = True
        return positions

    def add(self, chunk: Chunk) -> None:
        """Take a chunk; flushes when enough has been gathered."""
        self._waiting.append(chunk)
        if self.pace.is_due(chunk, self._gathered(), self.steady()):
            self.flush()

    def idle(self) -> None:
        """Use the time while nothing comes: flush what waits, finish what is in flight."""
        if self._waiting:
            self.flush()
        elif self._in_flight is not None:
            self._finish()
        else:
            self._tidy()
            self._check()

    def flush(self) -> None:
        """Send all that waits."""
        chunks, self._waiting = self._waiting, []
        self.pace.flushed()
        by_stream: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            by_stream.setdefault(chunk.stream, []).append(chunk)
        for stream in by_stream.keys() & self._claims.keys():
            by_stream[stream] = self._claims[stream].sift(by_stream[stream])
        chunks = [chunk for of in by_stream.values() for chunk in of]
        changes = [(s, of, self._changes(s, of)) for s, of in by_stream.items()]
        for _, _, units in changes:
            for tag, change in units.items():
                self._units[tag].look_at(change.new_rows)
        self._finish()
        for _, _, units in changes:
            for tag in units:
                self._units[tag].look_closer()
        held = {_source(chunk): self._ledger_holds(chunk) for chunk in chunks}
        by_unit = {tag: change for _, _, units in changes for tag, change in units.items()}
        self._in_flight = _Flush(chunks, by_unit, held)
        for stream, of, units in changes:
            progress = {source_field(stream, c.partition): c.end for c in of}
            for tag, change in units.items():
                self._units[tag].send(change.commands, progress)

    def finish(self) -> None:
        """Flush, and wait until all is committed."""
        if self._waiting:
            self.flush()
        self._finish()
        self._tidy()

    def close(self) -> None:
        """Close the connections; what is in flight is committed or not, a replay finds out."""
        if self._wires is not None:
            self._wires.close()
        self.rows.close()

    def release(self, stream: str, partition: str) -> None:
        """Let go of a partition that will never be read again, and of what is known about it.

        Cost: one round trip for each unit.
        """
        source = source_field(stream, partition)
        for tag in self._tags(stream):
            dropped = [pack(b"HDEL", key(tag), source) for key in (progress_key, fence_key)]
            self._ask_all(tag, dropped)
        marks = self._watermarks[stream].drop(partition)
        judged = pack(b"HDEL", judged_key(stream), partition.encode())
        self._ask_all(stream_tag(stream), [*marks, judged])

    def _take_over_units(
        self,
        wires: Wires,
        stream: str,
        partitions: Sequence[str],
        survives: Mapping[str, Survival],
    ) -> None:
        fields = [source_field(stream, partition) for partition in partitions]
        for tag in self._tags(stream):
            before, wire = self._units.get(tag), wires.apart(tag)
            unit = self._units[tag] = Unit(wire, tag, survives[wire.url], self._owner)
            unit.take_over(fields, before.marks if before else None)
        # Foreign values under these keys are refused now: in a commit it would be too late.
        ledger = [pack(b"XLEN", dead_key(stream)), pack(b"HLEN", counts_key(stream))]
        self._ask_all(stream_tag(stream), ledger)

    def _control(self, tag: bytes) -> Wire:
        """Return the wire for what is beside the commits, to the server of a unit."""
        assert self._wires is not None
        return self._wires.of(tag)

    def _ask_all(self, tag: bytes, commands: Sequence[bytes]) -> None:
        wire = self._control(tag)
        wire.send(commands)
        for _ in commands:
            wire.read()

    def _check(self) -> None:
        """Look now and then whether another flow took over, or a node lost what was committed.

        Only a commit would tell else, and it may be long until the next.
        """
        if self.steady() - self._checked_us >= CHECK_US:
            self._checked_us = self.steady()
            for stream in self._watermarks:
                units = [self._units[tag] for tag in self._tags(stream)]
                for unit in {unit.wire.url: unit for unit in units}.values():
                    unit.check()

    def _begin_anew(self) -> None:
        """Forget what was not committed, but count what of it was after all."""
        flush, self._in_flight, self._waiting = self._in_flight, None, []
        self.pace.flushed()
        if flush is not None:
            self._count(flush, [c for c in flush.chunks if self._ledger_holds(c) >= c.end])

    def _count(self, flush: "_Flush", chunks: Sequence[Chunk]) -> None:
        """Count what became of events; not again what a store that lost its tail takes again."""
        for chunk in chunks:
            source = _source(chunk)
            limit = max(flush.held[source], self._counted.get(source, -1))
            self.summary.add(counted(chunk, limit))
            self._counted[source] = max(limit, chunk.end)

    def _gathered(self) -> int:
        return sum(chunk.events.num_rows + len(chunk.rejected) for chunk in self._waiting)

    def _tags(self, stream: str) -> list[bytes]:
        views = self.catalog.views_of(stream)
        return [stream_tag(stream), *(tag for view in views for tag in self._views[view.name].tags)]

    def _held(self, tag: bytes, source: bytes) -> int:
        return self._units[tag].progress.get(source, -1)

    def _ledger_holds(self, chunk: Chunk) -> int:
        return self._held(stream_tag(chunk.stream), _source(chunk))

    def _ledger(self, stream: str, partitions: Sequence[str]) -> dict[str, int]:
        tag = stream_tag(stream)
        return {p: self._held(tag, source_field(stream, p)) for p in partitions}

    def _resumes(self, stream: str, partition: str, watermark: Position) -> Position:
        """Return where a partition resumes: in a cluster, where the unit furthest behind stands.

        A node that failed over to a replica may have lost what the watermark, elsewhere, is past.
        """
        if watermark[0] is None or not self._is_cluster:
            return watermark
        held = min(self._held(t, source_field(stream, partition)) for t in self._tags(stream))
        if held >= watermark[0]:
            return watermark
        return None if held < 0 else held, Frontier()

    @property
    def _is_cluster(self) -> bool:
        return self._known is not None and self._known.is_cluster

    def _held_by(self, view: FeatureView, chunks: Sequence[Chunk]) -> Callable[[bytes, bytes], int]:
        """Return up to where units of a view hold sources: what they say, or its watermark."""
        if self._is_cluster:
            return self._held
        marks = self._watermarks[view.stream.name]
        done = {_source(c): marks.of(view, c.partition) for c in chunks}
        return lambda tag, source: max(self._held(tag, source), done[source])

    def _changes(self, stream: str, chunks: Sequence[Chunk]) -> dict[bytes, Change]:
        held = self._ledger(stream, [chunk.partition for chunk in chunks])
        ledger = ledger_change(stream, chunks, held, self.clock(), self.letters_kept)
        changes = {stream_tag(stream): ledger}
        gathered = Gathered(chunks)
        past = {chunk.partition: self.pasts[stream, chunk.partition] for chunk in chunks}
        for view in self.catalog.views_of(stream):
            of, held_by = self._views[view.name], self._held_by(view, chunks)
            changes |= of.changes(gathered, held_by, past, self.steady())
        untouched = self._tags(stream) if self._is_cluster else ()  # they say how far they are
        return {tag: Change() for tag in untouched} | changes

    def _finish(self) -> None:
        """Wait for the flush in flight, move the watermarks, look after the rows it changed."""
        flush = self._in_flight
        if flush is None:
            return
        replies = {tag: self._units[tag].settle() for tag in flush.changes}
        self._move_watermarks(flush.chunks)
        self._in_flight = None
        self.flushes += 1
        self._count(flush, flush.chunks)
        for view in self._views.values():
            view.look_after([(flush.changes[t], replies[t]) for t in view.tags if replies.get(t)])

    def _tidy(self) -> None:
        """Finish what was begun to shorten."""
        for view in self._views.values():
            view.compactor.finish()

    def _move_watermarks(self, chunks: Sequence[Chunk]) -> None:
        last = {(chunk.stream, chunk.partition): chunk for chunk in chunks}
        moved = Counter[str]()
        for (stream, partition), chunk in last.items():
            marks = self._watermarks[stream].move(partition, chunk.end, chunk.frontier)
            self._control(stream_tag(stream)).send(marks)
            moved[stream] += len(marks)
        for stream, count in moved.items():
            for _ in range(count):
                self._control(stream_tag(stream)).read()
        for (stream, partition), chunk in last.items():
            self.stores.remember(self._store, (stream, partition))
            self.committed(stream, partition, chunk.end)
            if partition == events_key(stream).decode():
                wire = self._control(stream_tag(stream))
                # behind the watermark, while a unit that lost its tail takes it again
                committed = min(self._watermarks[stream].lowest(partition), chunk.end)
                self.trimming.trim(wire, stream, committed, self.steady())


@dataclass(frozen=True)
class _Flush:
    """A flush in flight.

    Attributes:
        chunks: Its chunks.
        changes: By unit, what it changes.
        held: By source, up to which offset the ledger held it before.
    """

    chunks: Sequence[Chunk]
    changes: Mapping[bytes, Change]
    held: Mapping[bytes, int]


def _source(chunk: Chunk) -> bytes:
    return source_field(chunk.stream, chunk.partition)
