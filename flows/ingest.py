"""Ingest: the library's source, decode step and sink, for dataflows that users write themselves.

::

    your source ─► your operators ─► block_of ─► ingest.decode(stream) ─► ingest.sink
    ingest.source(stream, uri) ─► your operators ─► ingest.decode(stream) ─► ingest.sink

Events count once under the rules of `flows.sources.source`, which are then the dataflow's to keep:

1. Each event has an offset that rises strictly within its partition, and that it has again in every
   run. An operator that makes several events of one leaves room between offsets.
2. Operators keep the events of a partition in order and on their worker: `op.map`, `op.flat_map`,
   `op.filter`, not what exchanges or delays items (keyed and windowed operators).
3. Your source resumes behind `ingest.after(stream, partition)`, or earlier: what is in the store
   already is passed over. Without Bytewax's own recovery: the positions stand beside the rows.
4. Your source ends once `ingest.stopping` says so: a signal came, or a commit failed, and what
   follows is not taken any more.
5. One process, one worker, writes a partition; one that another flow takes over ends with `Fenced`.

`flows.example_dataflow` has one of each kind.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from types import TracebackType
from typing import Self

from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from featurestore.contracts.block import Block, Documents
from featurestore.definitions.catalog import Catalog
from featurestore.errors import UnknownName
from flows.dataflow import BlockPartition, BlockSource, CommitSink, Feed, Guarded
from flows.decoding import Decode
from flows.look_ups import LookUps
from flows.sources.standard_input import let_go
from flows.sources.uri import parse_source
from flows.stop import Stop, stop_on_signal
from flows.summary import Summary
from flows.watermarks import Positions
from flows.writer import Writer

_MOST_OFFSETS = 2**63


def now_us() -> int:
    """Return the wall clock in microseconds UTC."""
    return time.time_ns() // 1000


def block_of(stream: str, partition: str, events: Sequence[tuple[int, bytes]]) -> Block:
    """Return neighbouring events of one partition as what the decode step takes.

    Args:
        stream: The stream's name.
        partition: The partition's name.
        events: One or more: offset and JSON document.

    Raises:
        ValueError: There are none, or their offsets do not rise; they are from 0 to 2**63 - 1.

    >>> block_of("clicks", "log", [(7, b'{"user": "u1"}')]).end
    7
    >>> block_of("clicks", "log", [(7, b'{"user": "u1"}'), (7, b'{"user": "u2"}')])
    Traceback (most recent call last):
      ...
    ValueError: offsets of 'clicks' in 'log' must rise, from 0 to 2**63 - 1, got 7 behind 7
    """
    if not events:
        msg = f"a block of {stream!r} in {partition!r} must have events; leave it out"
        raise ValueError(msg)
    offsets = [offset for offset, _ in events]
    for before, offset in pairwise([-1, *offsets]):
        if not before < offset < _MOST_OFFSETS:
            behind = f" behind {before}" if before >= 0 else ""
            msg = (
                f"offsets of {stream!r} in {partition!r} must rise, from 0 to 2**63 - 1, got "
                f"{offset}{behind}"
            )
            raise ValueError(msg)
    documents = Documents([document for _, document in events], offsets)
    return Block(stream, partition, documents, offsets[-1], now_us())


@dataclass
class Ingest:
    """Writes what a dataflow brings; use it as a context, and run the dataflow in it.

    Args:
        catalog: The definitions.
        url: The store.
        partitions: The partitions that the dataflow brings, by stream; those of `source` come by
            themselves.
    """

    catalog: Catalog
    url: str
    partitions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    positions: Positions = field(init=False)
    _writer: Writer = field(init=False)
    _stop: Stop = field(default_factory=Stop)
    _feeds: dict[str, Feed] = field(default_factory=dict)
    _reading: list[BlockPartition] = field(default_factory=list)

    @classmethod
    def reading(cls, catalog: Catalog, url: str, sources: Mapping[str, str]) -> "Ingest":
        """Read streams from where `featurestore run --source` would.

        Args:
            catalog: The definitions.
            url: The store.
            sources: A URI for each stream.

        Raises:
            UnknownName: There is no such stream.
            SourceError: There is no such source.
        """
        feeds = {}
        for name, uri in sources.items():
            stream = catalog.stream(name)
            source = parse_source(stream, uri, url)
            feeds[name] = Feed(stream, source, source.partitions())
        partitions = {name: feed.partitions for name, feed in feeds.items()}
        return cls(catalog, url, partitions, _feeds=feeds)

    @property
    def sink(self) -> CommitSink:
        """Where the dataflow ends: it commits chunks."""
        return CommitSink(self._writer, self._stop)

    @property
    def summary(self) -> Summary:
        """What became of the events so far."""
        return self._writer.summary

    @property
    def stopping(self) -> bool:
        """Whether sources must end now."""
        return self._stop.requested

    def source(self, stream: str) -> BlockSource:
        """Return the source of a stream given to `reading`: it brings blocks.

        Raises:
            UnknownName: None was given for it.
        """
        if stream not in self._feeds:
            raise UnknownName("source", stream, self._feeds)  # noqa: EM101 - it is no message
        return BlockSource(self._feeds[stream], self.positions, self._stop, self._reading)

    def decode(self, stream: str) -> Guarded:
        """Return the step that makes chunks of blocks: decodes, checks, shapes, judges.

        What goes wrong in it ends the dataflow, and is raised by `run`.

        Raises:
            UnknownName: There is no such stream.
        """
        of = self.catalog.stream(stream)
        look_ups = LookUps.of(of, self._writer.rows)
        step = Decode.of(self.catalog, of, self.positions, self._writer.pasts, look_ups)
        return Guarded(step, self._stop)

    def after(self, stream: str, partition: str) -> int | None:
        """Return the offset that a source resumes behind; None: at its beginning.

        Raises:
            UnknownName: It is none of the partitions that were named.
        """
        known = [name for of, name in self.positions if of == stream]
        if partition not in known:
            raise UnknownName("partition", partition, known)  # noqa: EM101 - it is no message
        return self.positions[stream, partition][0]

    def run(self, flow: Dataflow) -> Summary:
        """Run a dataflow to its end, and wait until all is committed.

        SIGTERM and SIGINT end it cleanly: what was read is committed.

        Raises:
            StoreError: The store could not do it; nothing was lost: run it again.
            Fenced: Another flow took a partition over.
            UnknownName: A block came of a stream or a partition that was not named.
            Fault: A step of the library or code of the definitions broke.
        """
        with stop_on_signal(self._stop):
            cli_main(flow)  # type: ignore[no-untyped-call]
        self._stop.raise_failure()
        self._writer.finish()
        return self.summary

    def __enter__(self) -> Self:
        sources = [feed.source for feed in self._feeds.values()]
        committed = partial(let_go, sources)
        self._writer = Writer(self.catalog, self.url, now_us, committed=committed)
        self.positions = self._writer.take_over(self.partitions)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
