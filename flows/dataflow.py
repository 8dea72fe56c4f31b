"""The dataflow, in Bytewax: one block of events is one item; it reads top to bottom.

::

    sources ─► decode ─► commit        one line per stream; blocks in, transactions out

Each process runs one worker on its own partitions; nothing is exchanged between them. Bytewax's
recovery is not used: positions stand beside the rows in the store, in the same transaction.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from featurestore.contracts.block import Block
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.stream import Stream
from flows.decoding import Decode, Item
from flows.look_ups import LookUps
from flows.sources.source import Partition, Source
from flows.stop import Stop
from flows.watermarks import Positions
from flows.writer import Writer

SHORT_PAUSE_MS = 4  # while the last events still wait for their flush
SHORT_PAUSES = 6
LONGEST_PAUSE_MS = 20


@dataclass(frozen=True)
class Feed:
    """A stream and where its events come from.

    Attributes:
        stream: The stream.
        source: Its source.
        partitions: Those of its partitions that this process reads.
    """

    stream: Stream
    source: Source
    partitions: list[str]

    @property
    def runs(self) -> list[list[str]]:
        """Its partitions, by what is read one behind the other."""
        if self.source.bounded:
            return [self.partitions]
        return [[partition] for partition in self.partitions]


def build(
    catalog: Catalog,
    feeds: list[Feed],
    positions: Positions,
    writer: Writer,
    stop: Stop,
) -> Dataflow:
    """Return the dataflow that reads feeds and commits what they bring.

    Args:
        catalog: The definitions.
        feeds: What this process reads.
        positions: Where each partition resumes, as `Writer.take_over` said.
        writer: Commits.
        stop: Says whether sources must end now, and keeps what went wrong.
    """
    flow = Dataflow("featurestore")
    chunks = []
    reading: list[BlockPartition] = []
    for number, feed in enumerate(feeds):
        name = f"{feed.stream.name}_{number}"
        blocks = op.input(f"read_{name}", flow, BlockSource(feed, positions, stop, reading))
        look_ups = LookUps.of(feed.stream, writer.rows)
        step = Decode.of(catalog, feed.stream, positions, writer.pasts, look_ups)
        chunks.append(op.map(f"decode_{name}", blocks, Guarded(step, stop)))
    together = op.merge("all_streams", *chunks) if len(chunks) > 1 else chunks[0]
    op.output("commit", together, CommitSink(writer, stop))
    return flow


@dataclass(frozen=True)
class Guarded:
    """A decode step as Bytewax calls it: once one has failed, nothing that follows is let through.

    A block that is left out must not be passed by those behind it: the position would move past it.
    """

    step: Decode
    stop: Stop

    def __call__(self, block: Block) -> Item:
        """Decode a block; None once a step has failed."""
        if self.stop.broken:
            return None
        with self.stop.on_failure(lambda: f"decoding {_of_block(block)}", breaks=True):
            return self.step(block)
        return None


def _of_block(block: Block) -> str:
    first = min(block.events.offsets, default=block.end) if block.events else block.end
    return f"stream {block.stream!r}, partition {block.partition!r}, offsets {first} to {block.end}"


@dataclass(frozen=True)
class BlockSource(FixedPartitionedSource[Block, None]):
    """A source of blocks, as Bytewax reads it.

    Bounded partitions are read one behind the other, as one to Bytewax; the others side by side.
    """

    feed: Feed
    positions: Positions
    stop: Stop
    reading: "list[BlockPartition]"

    def list_parts(self) -> list[str]:
        """Name the runs of partitions."""
        return [run[0] for run in self.feed.runs]

    def build_part(
        self,
        step_id: str,  # noqa: ARG002 - Bytewax's signature
        for_part: str,
        resume_state: None,  # noqa: ARG002 - positions stand in the store
    ) -> "BlockPartition":
        """Return a run that starts where it was left; partitions are opened when they are read."""
        run = next(run for run in self.feed.runs if run[0] == for_part)
        stream = self.feed.stream.name
        after = [(name, self.positions[stream, name][0]) for name in run]
        partition = BlockPartition(self.feed.source, after, self.stop, self.reading)
        self.reading.append(partition)
        return partition


@dataclass(eq=False)
class BlockPartition(StatefulSourcePartition[Block, None]):
    """A run of partitions of a source, as Bytewax reads it.

    The longer nothing comes, the longer it waits. Once nothing comes anywhere in the process, the
    first partition waits inside its read, which lets the process sleep; the others must not keep
    it waiting, and ask to be called again a little later.

    An exception that crosses Bytewax prints a Rust backtrace: faults are kept in `stop` instead.

    Attributes:
        source: The source.
        left: The partitions still to be read, with where each resumes.
        stop: Says whether to end now, and keeps what went wrong.
        reading: What this process reads.
    """

    source: Source
    left: list[tuple[str, int | None]]
    stop: Stop
    reading: "list[BlockPartition]"
    _partition: Partition | None = None
    _idle: int = 0  # how many reads in a row brought nothing

    def next_batch(self) -> list[Block]:
        """Return the next block; one without events when nothing is there now.

        None between partitions: what has been gathered need not be flushed there.
        """
        if not self.stop.requested and self.left:
            with self.stop.on_failure(lambda: f"reading partition {self.left[0][0]!r}"):
                block = self._next_block()
                ended = block.events is None and block.finished
                return [] if ended and self.left else [block]
        self.reading.remove(self)
        raise StopIteration

    def next_awake(self) -> datetime | None:
        """Ask to be called again: at once, or after a pause where others are to be read."""
        if not self._pause_ms or self._may_wait:
            return None
        return datetime.now(UTC) + timedelta(milliseconds=self._pause_ms)

    def snapshot(self) -> None:
        """Keep nothing: positions stand in the store."""

    def close(self) -> None:
        """Close the partition that is open."""
        if self._partition is not None:
            self._partition.close()
            self._partition = None

    @property
    def _pause_ms(self) -> int:
        if not self._idle:
            return 0
        return SHORT_PAUSE_MS if self._idle <= SHORT_PAUSES else LONGEST_PAUSE_MS

    @property
    def _may_wait(self) -> bool:
        return self is self.reading[0] and all(other._pause_ms for other in self.reading)  # noqa: SLF001

    def _next_block(self) -> Block:
        block = self._opened().next_block(self._pause_ms if self._may_wait else 0)
        idle = block.events is None and not block.finished
        self._idle = self._idle + 1 if idle else 0
        if block.finished:
            self.close()
            del self.left[0]
        return block

    def _opened(self) -> Partition:
        if self._partition is None:
            name, after = self.left[0]
            self._partition = self.source.open(name, after)
        return self._partition


@dataclass(frozen=True)
class CommitSink(DynamicSink[Item]):
    """Commits chunks, as Bytewax writes them."""

    writer: Writer
    stop: Stop

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "CommitPartition":  # noqa: ARG002
        """Return the one writer of this process."""
        return CommitPartition(self.writer, self.stop)


@dataclass(frozen=True)
class CommitPartition(StatelessSinkPartition[Item]):
    """The sink of one worker."""

    writer: Writer
    stop: Stop

    def write_batch(self, items: list[Item]) -> None:
        """Hand chunks to the writer, and let it know that time passes; nothing once it failed."""
        for item in items:
            if not self.stop.broken:
                self._take(item)

    def _take(self, item: Item) -> None:
        with self.stop.on_failure(lambda: f"committing {_of_chunk(item)}", breaks=True):
            self.writer.idle() if item is None else self.writer.add(item)


def _of_chunk(item: Item) -> str:
    if item is None:
        return "what was read last"
    return f"stream {item.stream!r}, partition {item.partition!r}, up to offset {item.end}"
