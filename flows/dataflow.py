"""The dataflow, in Bytewax: one block of events is one item; it reads top to bottom.

::

    sources ─► decode ─► commit        one line per stream; blocks in, transactions out

Each process runs one worker on its own partitions; nothing is exchanged between them. Bytewax's
recovery is not used: positions stand beside the rows in the store, in the same transaction.
"""

from dataclasses import dataclass
from datetime import datetime

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from featurestore.contracts.block import Block
from featurestore.contracts.decoder import Decoder
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.stream import Stream
from flows.frontier import Frontier
from flows.sources.source import Partition, Source
from flows.steps import Chunk, Judge, decode
from flows.stop import Stop
from flows.writer import Positions, Writer

Item = Chunk | None  # None: nothing came, but time passed


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
    for number, feed in enumerate(feeds):
        name = f"{feed.stream.name}_{number}"
        blocks = op.input(f"read_{name}", flow, BlockSource(feed, positions, stop))
        step = Decode.of(catalog, feed.stream, positions)
        chunks.append(op.map(f"decode_{name}", blocks, step))
    together = op.merge("all_streams", *chunks) if len(chunks) > 1 else chunks[0]
    op.output("commit", together, CommitSink(writer, stop))
    return flow


@dataclass(frozen=True)
class Decode:
    """The decode step of one stream; keeps the frontier of each partition."""

    decoder: Decoder
    judge: Judge
    frontiers: dict[str, Frontier]

    @classmethod
    def of(cls, catalog: Catalog, stream: Stream, positions: Positions) -> "Decode":
        """Make the step for a stream."""
        horizon = max((v.horizon_us for v in catalog.views_of(stream.name)), default=2**60)
        frontiers = {p: frontier for (s, p), (_, frontier) in positions.items() if s == stream.name}
        return cls(Decoder(stream), Judge(stream, horizon), frontiers)

    def __call__(self, block: Block) -> Item:
        """Decode a block."""
        if block.events is None:
            return None
        chunk = decode(block, self.decoder, self.judge, self.frontiers[block.partition])
        self.frontiers[block.partition] = chunk.frontier
        return chunk


@dataclass(frozen=True)
class BlockSource(FixedPartitionedSource[Block, None]):
    """A source of blocks, as Bytewax reads it."""

    feed: Feed
    positions: Positions
    stop: Stop

    def list_parts(self) -> list[str]:
        """Name the partitions."""
        return list(self.feed.partitions)

    def build_part(
        self,
        step_id: str,  # noqa: ARG002 - Bytewax's signature
        for_part: str,
        resume_state: None,  # noqa: ARG002 - positions stand in the store
    ) -> "BlockPartition":
        """Return a partition that starts where it was left; it is opened when it is read."""
        after, _ = self.positions[self.feed.stream.name, for_part]
        return BlockPartition(self.feed.source, for_part, after, self.stop)


@dataclass
class BlockPartition(StatefulSourcePartition[Block, None]):
    """One partition of a source, as Bytewax reads it.

    An exception that crosses Bytewax prints a Rust backtrace: faults are kept in `stop` instead.
    """

    source: Source
    name: str
    after: int | None
    stop: Stop
    _partition: Partition | None = None
    _finished: bool = False

    def next_batch(self) -> list[Block]:
        """Return the next block, if there is one now."""
        if self._finished or self.stop.requested:
            raise StopIteration
        with self.stop.on_failure():
            block = self._opened().next_block()
            self._finished = block.finished
            return [block]
        raise StopIteration

    def next_awake(self) -> datetime | None:
        """Ask to be called again at once: sources wait by themselves."""
        return None

    def snapshot(self) -> None:
        """Keep nothing: positions stand in the store."""

    def close(self) -> None:
        """Close the source."""
        if self._partition is not None:
            self._partition.close()

    def _opened(self) -> Partition:
        if self._partition is None:
            self._partition = self.source.open(self.name, self.after)
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
        """Hand chunks to the writer, and let it know that time passes; nothing after a failure."""
        if self.stop.failure is None:
            with self.stop.on_failure():
                for item in items:
                    self.writer.tick() if item is None else self.writer.add(item)
