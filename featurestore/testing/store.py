"""A store for tests: in memory, with a clock that stands where it is put."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

from featurestore.aggregation.windows import Value
from featurestore.client import Client
from featurestore.contracts.block import Block
from featurestore.contracts.rejection import Rejection
from featurestore.definitions.catalog import Catalog, definitions_in, load
from featurestore.definitions.stream import Stream
from featurestore.errors import UnknownName
from featurestore.instants import Moment, duration_us, from_us, moment_us
from featurestore.serving.vector import Vectors
from featurestore.storage.wires import Wires
from featurestore.testing.events import as_events
from featurestore.testing.given_references import GivenReferences
from featurestore.testing.memory import MemoryClaims, MemoryRows, MemoryView
from flows.changes import counted
from flows.claims import Claims
from flows.decoding import Decode
from flows.frontier import Frontier
from flows.look_ups import LookUps
from flows.past import Past
from flows.sources.uri import parse_source
from flows.steps import Chunk

Place: TypeAlias = tuple[str, str]  # a stream and its partition

_FAR_US = 2**62  # so late that no event is from the future


class Store:
    """A feature store in memory: feed events, read vectors.

    Without `now` the clock follows the events: it stands at the newest one fed, and none is from
    the future. Once it was set or moved it stands still, and events ahead of it are rejected.

    Args:
        definitions: The path or dotted name of a module of definitions, the module itself, a
            catalog, one definition or several.
        now: Where the clock stands: a datetime, text as ``2026-01-31T12:00:00Z``, or microseconds.
        references: The rows of references by name, as dicts or a table; the others are read from
            where they are.

    Raises:
        DefinitionError: The definitions are wrong: one error with all their problems.
        UnknownName: There is no reference of a name given.
        SourceError: A reference cannot be read; raised by the first `feed`.

    Cost: some milliseconds for the first events and the first vector, then what flow and API pay.

    >>> from pydantic import BaseModel
    >>> from featurestore import Entity, FeatureService, FeatureView, Stream, count, total
    >>> class Payment(BaseModel):
    ...     user_id: str
    ...     amount: float
    ...     paid_at: datetime
    >>> payments = Stream("payments", contract=Payment, event_time="paid_at")
    >>> spending = FeatureView("spending", stream=payments, entity=Entity("user", keys=["user_id"]),
    ...                        windows=["1h"], features={"n": count(), "spent": total("amount")})
    >>> store = Store(FeatureService("fraud", features=[spending]))
    >>> store.feed("payments", {"user_id": "u1", "amount": 5.0, "paid_at": "2026-01-01T12:00:00Z"})
    {'read': 1, 'applied': 1}
    >>> store.get("fraud", user_id="u1")
    {'n_1h': 1, 'spent_1h': 5.0}
    >>> store.advance("1h")                 # windows are open on the left: the event is out
    >>> store.get("fraud", user_id="u1")
    {'n_1h': 0, 'spent_1h': None}
    >>> store.feed("payments", {"user_id": "u1", "paid_at": "2026-01-01T12:00:00Z"})
    {'read': 1, 'invalid': 1}
    >>> print(store.rejected("payments")[0].detail)
    amount: Field required (has: user_id, paid_at)
    """

    def __init__(
        self,
        definitions: Any,
        *,
        now: Moment | None = None,
        references: Mapping[str, Any] | None = None,
    ) -> None:
        self.catalog = _catalog(definitions)
        self._given = references or {}
        known = [of.name for stream in self.catalog.streams.values() for of in stream.references]
        for name in self._given:
            if name not in known:
                raise UnknownName("reference", name, known)  # noqa: EM101 - it is no message
        self._now_us = None if now is None else moment_us(now)
        self._newest_us = 0
        self._rows = MemoryRows()
        self._ends: dict[Place, int] = {}
        self._decoding: dict[str, Decode] = {}
        self._rejected: dict[str, list[Rejection]] = {}
        self._counts: dict[str, Counter[str]] = {}

    @property
    def now(self) -> datetime:
        """Where the clock stands; 1970 before the first event."""
        return from_us(self._clock())

    def move_to(self, now: Moment) -> None:
        """Put the clock somewhere, forth or back; it stands still from then on."""
        self._now_us = moment_us(now)

    def advance(self, duration: str | timedelta) -> None:
        """Move the clock on, as in ``advance("1h")``; it stands still from then on."""
        self._now_us = self._clock() + duration_us(duration)

    def feed(self, stream: str, events: Any, *, partition: str = "fed") -> dict[str, int]:
        """Feed events, and return what became of them, as `featurestore run` counts it.

        Args:
            stream: The stream's name.
            events: One event or several: dicts, instances of the contract, JSON documents; a text
                of JSON lines; a table of Arrow, pandas or polars; or the `Path` of a file (JSON
                lines, CSV, Parquet). What a file holds counts once, however often it is fed.
            partition: The source partition they come from; each has a frontier of its own, which
                says what is late.

        Raises:
            UnknownName: There is no such stream.
            TypeError: It is nothing of these.
            SourceError: The file cannot be read.
        """
        of, counts = self.catalog.stream(stream), Counter[str]()
        for block in self._blocks(of, events, partition):
            counts += self._take(of, block)
        self._counts[stream] = self._counts.get(stream, Counter()) + counts
        return {name: counts[name] for name in ("read", *sorted(counts)) if counts[name]}

    def get(
        self,
        service: str,
        entity: Mapping[str, object] | None = None,
        /,
        *,
        as_of: Moment | None = None,
        context: Mapping[str, object] | None = None,
        **keys: object,
    ) -> dict[str, Value]:
        """Return the vector of one entity by feature name; `Client.get` says what it raises.

        Args:
            service: The service's name.
            entity: Its keys, here or as keyword arguments.
            as_of: The moment to look back from; if None where the clock stands, and for a view with
                an event clock the newest event of its stream.
            context: What on-demand features need.
            keys: Its keys.
        """
        asked = {**(entity or {}), **keys}
        return self._client.get(service, asked, as_of=as_of, context=context)

    def vectors(
        self,
        service: str,
        entities: Iterable[Mapping[str, object]],
        *,
        as_of: Moment | None = None,
        context: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
    ) -> Vectors:
        """Return the vectors of several entities, as `Client.vectors`: with statuses and all.

        The context is one for all of them, or one for each.
        """
        return self._client.vectors(service, list(entities), as_of=as_of, context=context)

    def rejected(self, stream: str) -> list[Rejection]:
        """Return the events that were rejected, each with its reason, in the order they came."""
        return self._rejected.get(self.catalog.stream(stream).name, []).copy()

    def counts(self, stream: str) -> dict[str, int]:
        """Return what became of all events fed to a stream."""
        return dict(self._counts.get(self.catalog.stream(stream).name, {}))

    @cached_property
    def _client(self) -> Client:
        return Client(self.catalog, "memory", rows=self._rows, clock=self._clock)

    @cached_property
    def _views(self) -> dict[str, list[MemoryView]]:
        return {
            stream: [MemoryView.of(view, self._rows) for view in self.catalog.views_of(stream)]
            for stream in self.catalog.streams
        }

    @cached_property
    def _claims(self) -> dict[str, Claims]:
        wires = cast("Wires", MemoryClaims(self._clock))
        streams = self.catalog.streams.items()
        return {name: Claims(of, wires) for name, of in streams if of.dedupe is not None}

    def _clock(self) -> int:
        return self._newest_us if self._now_us is None else self._now_us

    def _blocks(self, stream: Stream, events: Any, partition: str) -> Iterator[Block]:
        if isinstance(events, Path):
            yield from self._file(stream, events)
            return
        fed = as_events(events, self._ends.get((stream.name, partition), -1) + 1)
        if fed is not None:
            yield Block(stream.name, partition, fed, fed.end, 0)

    def _file(self, stream: Stream, path: Path) -> Iterator[Block]:
        source = parse_source(stream, str(path), "memory")
        for name in source.partitions():
            with closing(source.open(name, self._ends.get((stream.name, name)))) as partition:
                finished = False
                while not finished:
                    block = partition.next_block(0)
                    finished = block.finished
                    if block.events is not None:
                        yield block

    def _take(self, stream: Stream, block: Block) -> Counter[str]:
        """Let a block run through the steps of the flow."""
        read_us = _FAR_US if self._now_us is None else self._now_us
        decode = self._decode(stream, block.partition)
        chunk = decode(replace(block, read_us=read_us))
        assert chunk is not None
        if chunk.newest_us is not None:
            self._newest_us = max(self._newest_us, chunk.newest_us)
            self._rows.see(stream.name, chunk.newest_us)
        if stream.name in self._claims:
            (chunk,) = self._claims[stream.name].sift([chunk])
        return self._keep(chunk)

    def _keep(self, chunk: Chunk) -> Counter[str]:
        for view in self._views[chunk.stream]:
            view.append(chunk.events)
        self._rejected.setdefault(chunk.stream, []).extend(chunk.rejected)
        self._ends[chunk.stream, chunk.partition] = chunk.end
        return counted(chunk, -1)

    def _decode(self, stream: Stream, partition: str) -> Decode:
        if stream.name not in self._decoding:
            pasts: defaultdict[Place, Past] = defaultdict(Past)
            given = GivenReferences.of(stream, self._given)
            look_ups = LookUps.of(stream, self._rows, given)
            self._decoding[stream.name] = Decode.of(self.catalog, stream, {}, pasts, look_ups)
        decode = self._decoding[stream.name]
        decode.frontiers.setdefault(partition, Frontier())
        return decode


def _catalog(definitions: Any) -> Catalog:
    if isinstance(definitions, Catalog):
        return definitions
    if isinstance(definitions, str | Path):
        return load(str(definitions))
    if isinstance(definitions, ModuleType):
        return Catalog.of(definitions_in(definitions))
    return Catalog.of(definitions if isinstance(definitions, Iterable) else [definitions])
