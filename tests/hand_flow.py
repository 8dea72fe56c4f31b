"""A flow without an engine: a plain loop that tests can stop wherever they like."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from featurestore.contracts.block import Block, Documents
from featurestore.definitions.catalog import Catalog
from featurestore.storage.commit import Unit
from flows.decoding import Decode
from flows.look_ups import LookUps
from flows.watermarks import Positions
from flows.writer import Writer

SECOND = 1_000_000


class HandFlow:
    """Feeds blocks to a writer by hand; its wall clock stands where it is put."""

    def __init__(self, url: str, catalog: Catalog, *, now_us: int, **options: Any) -> None:
        self.now_us, self.catalog = now_us, catalog
        self.writer = Writer(catalog, url, lambda: self.now_us, **options)

    def take_over(self, sources: Mapping[str, Sequence[str]]) -> Positions:
        positions = self.writer.take_over(sources)
        self.decoders = {
            name: Decode.of(
                self.catalog,
                stream,
                positions,
                self.writer.pasts,
                LookUps.of(stream, self.writer.rows),
            )
            for name in sources
            for stream in [self.catalog.stream(name)]
        }
        return positions

    def feed(self, stream: str, partition: str, events: Mapping[int, dict[str, Any]]) -> None:
        """Hand over one block of events by offset; it is committed by `commit`."""
        offsets = list(events)
        documents = [orjson.dumps(event) for event in events.values()]
        block = Block(stream, partition, Documents(documents, offsets), offsets[-1], self.now_us)
        chunk = self.decoders[stream](block)
        assert chunk is not None
        self.writer._waiting.append(chunk)

    def commit(self) -> None:
        self.writer.finish()

    def die_after_units(self, count: int, monkeypatch: Any) -> None:
        """Commit what was fed in the first `count` units only, as a flow that is killed then."""
        send, sent = Unit.send, []

        def some(unit: Unit, *arguments: Any) -> None:
            sent.append(unit)
            if len(sent) <= count:
                send(unit, *arguments)
                unit.settle()

        with monkeypatch.context() as patch:
            patch.setattr(Unit, "send", some)
            self.writer.flush()
        self.writer.close()
