"""Two dataflows of a user's own around the library's parts; `docs/dataflows.md` walks through them.

`orders` has a source and operators of its own, and ends in the library's sink::

    lines of a file ─► parse ─► one event per item ordered ─► blocks ─► decode ─► commit

`masked` starts with the library's source, and changes events before they are decoded::

    blocks ─► hide card numbers ─► decode ─► commit
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from featurestore.contracts.block import Block, Documents, Rows
from flows.ingest import Ingest, block_of

MOST_ITEMS = 1000  # of one order: the room between the offsets of two
BATCH = 500
Line = tuple[int, bytes]  # the number of a line, and the line
_CARD = re.compile(rb"\b[0-9]{12}([0-9]{4})\b")


class OrderLines(StatefulSourcePartition[list[Line], None]):
    """The lines of a file, some at a time, from behind a line."""

    def __init__(self, path: Path, after: int | None, stopping: Callable[[], bool]) -> None:
        lines = enumerate(path.read_bytes().splitlines())
        self._lines = (line for line in lines if after is None or line[0] > after)
        self._stopping = stopping

    def next_batch(self) -> list[list[Line]]:
        """Return the next lines as one item."""
        lines = [line for line, _ in zip(self._lines, range(BATCH), strict=False)]
        if not lines or self._stopping():
            raise StopIteration
        return [lines]

    def snapshot(self) -> None:
        """Keep nothing: where to resume stands in the store."""


@dataclass(frozen=True)
class OrderFile(FixedPartitionedSource[list[Line], None]):
    """A file of orders: one partition."""

    path: Path
    after: int | None
    stopping: Callable[[], bool]

    def list_parts(self) -> list[str]:
        """Name the partition."""
        return ["orders"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> OrderLines:  # noqa: ARG002 - Bytewax's signature
        """Open it."""
        return OrderLines(self.path, self.after, self.stopping)


def items_of(lines: list[Line]) -> list[Line]:
    """Make one event per item of each order; its offset leaves room for the other items.

    >>> items_of([(7, b'{"user": "u1", "at": "2026-01-01", "items": ["pen", "ink"]}')])
    [(7000, b'{"user":"u1","at":"2026-01-01","item":"pen"}'), (7001, b'{"user":"u1",...
    """
    return [(number * MOST_ITEMS + n, item) for number, line in lines for n, item in _items(line)]


def _items(line: bytes) -> Iterator[tuple[int, bytes]]:
    """Number the items of an order; what is none is handed on as it is, to become a dead letter."""
    try:
        order: dict[str, Any] = orjson.loads(line)
        items = order.pop("items")[:MOST_ITEMS]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        yield 0, line
        return
    for n, item in enumerate(items):
        yield n, orjson.dumps({**order, "item": item})


def orders(ingest: Ingest, path: Path) -> Dataflow:
    """Return the dataflow that reads a file of orders into the stream ``items``."""
    after = ingest.after("items", "orders")
    line = None if after is None else after // MOST_ITEMS - 1  # an order may be half done
    source = OrderFile(path, line, lambda: ingest.stopping)
    flow = Dataflow("orders")
    lines = op.input("lines", flow, source)
    items = op.map("items", lines, items_of)
    some = op.filter("some", items, bool)
    blocks = op.map("blocks", some, lambda events: block_of("items", "orders", events))
    chunks = op.map("decode", blocks, ingest.decode("items"))
    op.output("commit", chunks, ingest.sink)
    return flow


def hide_cards(block: Block) -> Block:
    """Leave of each card number its last four digits; every event keeps its offset."""
    if block.events is None or isinstance(block.events, Rows):
        return block
    documents = [_CARD.sub(rb"************\1", document) for document in block.events.documents]
    return replace(block, events=Documents(documents, block.events.offsets))


def masked(ingest: Ingest, stream: str) -> Dataflow:
    """Return the dataflow that reads a stream without letting card numbers in."""
    flow = Dataflow("masked")
    blocks = op.input("read", flow, ingest.source(stream))
    hidden = op.map("hide_cards", blocks, hide_cards)
    chunks = op.map("decode", hidden, ingest.decode(stream))
    op.output("commit", chunks, ingest.sink)
    return flow
