"""What tests of sources share."""

from collections.abc import Callable
from datetime import datetime

import pytest
from pydantic import BaseModel

from featurestore import Stream
from featurestore.contracts.block import Block, Rows
from flows.sources.source import Source

Read = Callable[..., list[tuple[int, object]]]


class Click(BaseModel):
    user: str
    n: int
    at: datetime


@pytest.fixture
def clicks() -> Stream:
    return Stream("clicks", contract=Click, event_time="at")


def events_of(block: Block) -> list[tuple[int, object]]:
    """The events of a block, with their offsets; broken rows are events too."""
    events = block.events
    if events is None:
        return []
    if isinstance(events, Rows):
        rows = zip(events.offsets, events.batch.to_pylist(), strict=True)
        broken = ((row, (text, fault)) for row, text, fault in events.broken)
        return sorted([*rows, *broken], key=lambda pair: pair[0])
    return list(zip(events.offsets, events.documents, strict=True))


@pytest.fixture
def read() -> Read:
    """Reads one partition to its end; an endless one until nothing comes."""

    def read(source: Source, partition: str, after: int | None = None) -> list[tuple[int, object]]:
        opened = source.open(partition, after)
        events: list[tuple[int, object]] = []
        last = -1 if after is None else after
        while True:
            block = opened.next_block(10)
            found = events_of(block)
            events += found
            if found:
                assert block.end >= found[-1][0]
                assert found[0][0] > last, "the position must lie before the next event"
                last = block.end
            if block.finished or (block.events is None and not source.bounded):
                opened.close()
                return events

    return read


@pytest.fixture
def read_all(read: Read) -> Read:
    """Reads all partitions, one behind the other."""

    def read_all(source: Source) -> list[object]:
        return [event for name in source.partitions() for _, event in read(source, name)]

    return read_all  # type: ignore[return-value]
