"""Shaping: from the columns of a contract to the columns that features are computed of.

Transforms, look-ups, derived columns and a filter, whole columns at a time. An event that a
transform fails on is rejected; the others of its batch go on.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.contracts.cells import plain
from featurestore.contracts.condition import holds
from featurestore.contracts.fixed_text import Ints
from featurestore.contracts.piece import Piece, in_order
from featurestore.contracts.reference_table import References
from featurestore.contracts.rejection import Reason
from featurestore.contracts.reversal import happened
from featurestore.contracts.verdict import Fault, printable
from featurestore.definitions.columns_used import columns_of
from featurestore.definitions.contract import Column, contract_columns
from featurestore.definitions.enrichment import Enrichment
from featurestore.definitions.expression import as_expression
from featurestore.definitions.operators import finite
from featurestore.definitions.stream import Stream
from featurestore.definitions.transform import applied, name_of


@dataclass(frozen=True, slots=True)
class Shaped:
    """Events, shaped.

    Attributes:
        kept: Those that are wanted, with all columns asked for.
        faults: Those that a transform failed on, by place.
        filtered: The places of those that `Stream.where` leaves out.
    """

    kept: Piece
    faults: list[tuple[int, Fault]]
    filtered: Ints


@dataclass(frozen=True)
class Shaping:
    """Shapes the events of one stream.

    Args:
        stream: The stream.
        columns: The columns to return; its event time and id come anyway. All if None.
    """

    stream: Stream
    columns: Collection[str] | None = None

    @cached_property
    def wanted(self) -> list[Column]:
        """The columns to return, with those they are made of."""
        if self.columns is None:
            return list(self.stream.columns.values())
        stream = self.stream
        names = {*self.columns, stream.event_time}
        names |= {stream.event_id} if stream.event_id is not None else set()
        names |= columns_of(stream.where)
        for name in reversed(list(stream.derive)):  # a derived column may use earlier ones
            names |= columns_of(stream.derive[name]) if name in names else set()
        for enrichment in stream.enrich:
            used = names & set(enrichment.columns)
            names |= columns_of(enrichment.key) if used else set()
        return [column for column in stream.columns.values() if column.name in names]

    @cached_property
    def read(self) -> list[Column]:
        """The columns to read off the contract; all of them for transforms."""
        contract = contract_columns(self.stream.contract)
        names = {column.name for column in self.wanted}
        return [c for name, c in contract.items() if name in names or self.stream.transforms]

    def shape(self, events: Piece, references: References) -> Shaped:
        """Shape events.

        Args:
            events: Accepted events, with the columns of `read`.
            references: What is looked up.

        Cost: that of the expressions and transforms; a transform that fails on all of n events is
        called 2n times.
        """
        faults: list[tuple[int, Fault]] = []
        if self.stream.transforms:
            events = in_order(list(self._transformed(events, faults)) or [self._nothing])
        events = self._derived(self._enriched(events, references))
        kept = self._chosen(events.columns, len(events.places))
        filtered = events.places[:0] if kept is None else events.places[~kept]
        return Shaped(events if kept is None else events.only(kept), faults, filtered)

    @property
    def _nothing(self) -> Piece:
        shaped = self.stream.shaped.values()
        columns = {c.name: pa.array([], c.arrow_type) for c in shaped}
        return Piece(np.zeros(0, np.int64), columns)

    def _transformed(self, events: Piece, faults: list[tuple[int, Fault]]) -> Iterator[Piece]:
        """Yield what transforms make of events; halve them until those that fail stand alone."""
        size = len(events.places)
        if not size:
            return
        columns = self._applied(events.columns)
        if not isinstance(columns, str):
            yield Piece(events.places, columns)
        elif size == 1:
            faults.append((int(events.places[0]), Fault(Reason.INVALID, printable(columns))))
        else:
            yield from self._transformed(_part(events, 0, size // 2), faults)
            yield from self._transformed(_part(events, size // 2, size), faults)

    def _applied(self, columns: Mapping[str, Any]) -> dict[str, Any] | str:
        batch = pa.RecordBatch.from_pydict(dict(columns))
        for transform in self.stream.transforms:
            done = applied(transform, batch)
            if isinstance(done, str):
                return done
            batch = done
        return self._typed(batch)

    def _typed(self, batch: pa.RecordBatch) -> dict[str, Any] | str:
        """Return columns as the transforms promised them, or what is wrong."""
        name, columns = name_of(self.stream.transforms[-1]), {}
        for column in self.stream.shaped.values():
            place = batch.schema.get_field_index(column.name)
            if place < 0:
                return f"transform {name} gave no column {column.name!r} this time"
            values = plain(batch.column(place))
            try:
                columns[column.name] = finite(pc.cast(values, column.arrow_type))
            except pa.ArrowException as error:
                cause = str(error).splitlines()[0]
                return f"transform {name}: {column.name}: no {column.type_text} this time: {cause}"
        if columns[self.stream.event_time].null_count:
            return f"transform {name}: {self.stream.event_time}: must not be missing"
        return columns

    def _enriched(self, events: Piece, references: References) -> Piece:
        wanted = {column.name for column in self.wanted}
        columns = dict(events.columns)
        for enrichment in self.stream.enrich:
            if wanted & set(enrichment.columns):
                found = references.table(enrichment.table)
                keys = enrichment.key.evaluate(events.columns)
                values = found.look_up(keys, self._moments(events, enrichment))
                columns |= zip(enrichment.columns, values, strict=True)
        return Piece(events.places, columns)

    def _moments(self, events: Piece, enrichment: Enrichment) -> Any:
        """Return when events happened, where what is found depends on that."""
        if not enrichment.table.upstream:
            return None
        return happened(self.stream, pa.RecordBatch.from_pydict(dict(events.columns)))

    def _derived(self, events: Piece) -> Piece:
        columns = dict(events.columns)
        for column in self._of(self.stream.derive):
            made: Any = as_expression(self.stream.derive[column.name]).evaluate(columns)
            columns[column.name] = made.cast(column.arrow_type, safe=False)
        return Piece(events.places, {c.name: columns[c.name] for c in self.wanted})

    def _of(self, names: Iterable[str]) -> list[Column]:
        some = set(names)
        return [column for column in self.wanted if column.name in some]

    def _chosen(self, columns: Mapping[str, Any], size: int) -> Any:
        """Tell which events are wanted; None if all are."""
        if self.stream.where is None or not size:
            return None
        return holds(self.stream.where, columns)


def _part(events: Piece, first: int, last: int) -> Piece:
    columns = {name: column.slice(first, last - first) for name, column in events.columns.items()}
    return Piece(events.places[first:last], columns)
