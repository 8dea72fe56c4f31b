"""The decoder: a block of events becomes columns, and rejections of those that break the contract.

The truth is pydantic: an event is accepted exactly when the contract's model accepts it, and its
values are the model's. Most events never meet it: whole columns are judged first, accepting only
what pydantic certainly accepts with the same value, and the rest goes to pydantic one by one.

On top of the contract, a column holds only what features can be computed from: a float is finite,
an int is within ±(2**63 - 1), an instant is in the years 1 to 9999 of UTC.

==============================  ==============================================
events                          cost, one core
==============================  ==============================================
JSON, plain contract            0.8 to 1.4 µs an event of 150 bytes, 6 fields
JSON, left to pydantic          3 to 10 µs
table with matching types       50 to 130 ns a row of 6 columns
table of texts (CSV)            about 0.1 µs a cell
rows left to pydantic           5 to 15 µs
==============================  ==============================================

A contract with validators, unions, strict mode or other things that columns cannot mirror (see
`shape.py`) leaves all of its events to pydantic.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from featurestore.contracts.block import Documents, JsonLines, Packed, Rows, raw_events
from featurestore.contracts.json_lines import Lines
from featurestore.contracts.offsets import as_array
from featurestore.contracts.piece import Piece, in_order
from featurestore.contracts.reference_table import NO_REFERENCES, References
from featurestore.contracts.rejection import Reason, Rejection
from featurestore.contracts.row_event import event_of
from featurestore.contracts.shape import Leaf, Nested, shape_of
from featurestore.contracts.shaping import Shaping
from featurestore.contracts.structured import Structured
from featurestore.contracts.table import Table
from featurestore.contracts.tabular import Tabular
from featurestore.contracts.verdict import Fault, Judge
from featurestore.definitions.contract import Column, contract_columns
from featurestore.definitions.stream import Stream

FEW = 50

Events: TypeAlias = JsonLines | Documents | Packed | Rows
Faults: TypeAlias = Sequence[tuple[int, Fault]]  # by place in the block


@dataclass(frozen=True, slots=True)
class Decoded:
    """A block, decoded.

    Attributes:
        events: The accepted events: one column per `Stream.columns` entry asked for, in that
            order, with nulls where an event has no value.
        offsets: Their offsets, rising.
        rejected: The others, by offset.
        filtered: The offsets of those that `Stream.where` leaves out.
    """

    events: pa.RecordBatch
    offsets: Any
    rejected: tuple[Rejection, ...]
    filtered: Any


@dataclass(frozen=True)
class Decoder:
    """Decodes the events of one stream, and shapes them.

    Args:
        stream: The stream.
        columns: The columns to return; its event time and id come anyway, and what derived
            columns are made of. All columns if None. Everything is checked in any case.
        references: What is looked up; without it nothing is found.
        few: So many JSON events at most are left to pydantic at once: whole columns cost as much
            as 80 events do there, however few they have.

    >>> from datetime import datetime
    >>> from pydantic import BaseModel
    >>> class Click(BaseModel):
    ...     user_id: str
    ...     at: datetime
    >>> decoder = Decoder(Stream("clicks", contract=Click, event_time="at"))
    >>> good, bad = b'{"user_id": "u1", "at": "2026-01-01T00:00:00Z"}', b'{"user_id": 5}'
    >>> decoded = decoder.decode(Documents([good, bad], range(2)))
    >>> decoded.events.column("user_id").to_pylist(), decoded.offsets.tolist()
    (['u1'], [0])
    >>> print(decoded.rejected[0].detail)
    user_id: Input should be a valid string, got 5; at: Field required (has: user_id)
    """

    stream: Stream
    columns: Collection[str] | None = None
    references: References = NO_REFERENCES
    few: int = FEW

    def decode(self, events: Events) -> Decoded:
        """Return a block's events as columns; never raises, whatever the bytes."""
        if isinstance(events, Rows):
            offsets = as_array(events.offsets)
            accepted, faults = self._rows(Table.of(events.batch, text=events.text))
        else:
            lines = Lines.of(events)
            offsets = lines.offsets
            accepted, faults = self._lines(lines)
        shaped = self._shaping.shape(accepted, self.references)
        kept = shaped.kept
        faulty = [*faults, *shaped.faults]
        rejected = tuple(_rejections(events, offsets, faulty, self.stream.contract))
        batch = pa.RecordBatch.from_pydict(dict(kept.columns))
        return Decoded(batch, offsets[kept.places], rejected, offsets[shaped.filtered])

    @cached_property
    def _shaping(self) -> Shaping:
        return Shaping(self.stream, self.columns)

    @property
    def _read(self) -> list[Column]:
        return self._shaping.read

    @cached_property
    def _judge(self) -> Judge:
        # All columns, not only those wanted: each has limits of its own.
        contract = list(contract_columns(self.stream.contract).values())
        return Judge(self.stream.contract, contract, self.stream.event_time)

    @cached_property
    def _shape(self) -> Nested | None:
        shape = shape_of(self.stream.contract)
        if shape is None or not all(_is_leaf(shape, column) for column in self._judge.columns):
            return None
        return shape

    @cached_property
    def _structured(self) -> Structured | None:
        names = frozenset(column.name for column in self._read)
        return Structured.of(self._shape, self._judge.columns, names) if self._shape else None

    @cached_property
    def _tabular(self) -> Tabular | None:
        names = frozenset(column.name for column in self._read)
        columns = {column.name: column for column in self._judge.columns}
        return Tabular(self._shape, columns, names) if self._shape else None

    def _lines(self, lines: Lines) -> tuple[Piece, Faults]:
        many = len(lines) > self.few
        pieces = self._structured.read(lines) if many and self._structured else []
        places = _left(pieces, len(lines))
        return self._join(pieces, places, [self._judge.json(lines[place]) for place in places])

    def _rows(self, table: Table) -> tuple[Piece, Faults]:
        pieces = [self._tabular.read(table)] if self._tabular else []
        places = _left(pieces, table.size)
        contract = self.stream.contract
        rows = [event_of(row, contract, text=table.text) for row in table.rows(places)]
        return self._join(pieces, places, [self._judge.row(row) for row in rows])

    def _join(
        self, pieces: list[Piece], places: list[int], verdicts: list[list[Any] | Fault]
    ) -> tuple[Piece, Faults]:
        """Put what pydantic accepted in its place among the others."""
        if not places and pieces:
            return in_order(pieces), []
        judged = list(zip(places, verdicts, strict=True))
        faults = [(place, fault) for place, fault in judged if isinstance(fault, Fault)]
        accepted = [(place, values) for place, values in judged if not isinstance(values, Fault)]
        late = Piece.of_values(
            [place for place, _ in accepted], [v for _, v in accepted], self._judge.columns
        )
        kept = {column.name: late.columns[column.name] for column in self._read}
        return in_order([Piece(late.places, kept), *pieces]), faults


def _is_leaf(shape: Nested, column: Column) -> bool:
    part: Any = shape
    for name in column.path:
        part = part.members[name].part if isinstance(part, Nested) else None
    return isinstance(part, Leaf)


def _left(pieces: list[Piece], size: int) -> list[int]:
    left = np.ones(size, np.bool_)
    for piece in pieces:
        left[piece.places] = False
    places: list[int] = np.flatnonzero(left).tolist()
    return places


def _rejections(
    events: Events, offsets: Any, faults: Faults, contract: type[BaseModel]
) -> Iterator[Rejection]:
    places = [place for place, _ in faults]
    at = offsets[places].tolist() if places else []
    raw = raw_events(events, at, contract) if places else []
    judged = [
        Rejection(offset, fault.reason, fault.detail, text)
        for offset, (_, fault), text in zip(at, faults, raw, strict=True)
    ]
    broken = events.broken if isinstance(events, Rows) else ()
    unread = [Rejection(row, Reason.MALFORMED, fault, text) for row, text, fault in broken]
    yield from sorted([*judged, *unread], key=lambda rejection: rejection.offset)
