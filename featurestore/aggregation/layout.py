"""The layout of a view: what its events and tiles are made of, worked out once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from featurestore.aggregation.accumulators import Accumulator, StateField, Wire
from featurestore.aggregation.accumulators.accumulator import Input
from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.computed import Computed
from featurestore.aggregation.kernels import KERNELS
from featurestore.aggregation.levels import Levels
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Measure
from featurestore.definitions.view import Feature, FeatureView
from featurestore.definitions.window import Window, WindowKind, hops_by_age

HEADER_BYTES = 8
WORD_BYTES = 8
HALF_BYTES = 4
MOST_PACKED = 255  # words of a record
_LARGEST = 1024  # times the first: rows with large sketches or lists in their tiles grow so far
AT = "@at"  # when an event happened; no column of a contract has this name
SIGN = "±"  # 1, or -1 for an event that reverses another; no column has this name

_WIRES = {Kind.FLOAT: Wire.FLOAT, Kind.TEXT: Wire.TEXT, Kind.VECTOR: Wire.VECTOR}
_AT = StateField(AT, Wire.INT)
_SIGN = StateField(SIGN, Wire.INT)
_SPAN = (StateField("first", Wire.INT), StateField("last", Wire.INT), StateField("n", Wire.INT))


@dataclass(frozen=True)
class Column:
    """One input of the aggregation: an expression over the stream, with what is known of it."""

    expression: Expression
    kind: Kind
    input: Input


@dataclass(frozen=True)
class Layout:
    """What the rows of a view are made of.

    Attributes:
        view: The view.
        columns: Its inputs, each different expression once, in order of first mention.
        accumulators: What is kept of them, each once however many features need it; one that
            builds on another stands after it.
    """

    view: FeatureView
    columns: tuple[Column, ...]
    accumulators: tuple[Accumulator, ...]

    @classmethod
    def of(cls, view: FeatureView) -> "Layout":
        """Work out the layout of a view."""
        measures = [each for m in view.features.values() for each in m.everything()]
        expressions = {str(each): each for measure in measures for each in measure.inputs}
        columns = {name: _column(view, expression) for name, expression in expressions.items()}
        accumulators = [
            accumulator
            for measure in measures
            for computed in [_computed(view, measure, columns)]
            for accumulator in KERNELS[measure.aggregation].accumulators(computed)
        ]
        return cls(view, tuple(columns.values()), tuple(dict.fromkeys(accumulators)))

    @cached_property
    def point_fields(self) -> tuple[StateField, ...]:
        """The columns of an event in a points frame."""
        signs = (_SIGN,) if self.is_signed else ()
        return (_AT, *signs, *(_field(c.input) for c in self.columns))

    @property
    def is_signed(self) -> bool:
        """Whether events may reverse others: each has a sign then, and all states are sums."""
        return self.view.stream.reverses is not None

    @cached_property
    def counts_events(self) -> bool:
        """Whether some window holds a number of events, so that a row must keep its newest."""
        return any(window.kind is WindowKind.LAST for window in self.view.parsed_windows)

    @cached_property
    def tile_fields(self) -> tuple[StateField, ...]:
        """The columns of a tile: its span, its number of events, its accumulators."""
        return (*_SPAN, *(field for a in self.accumulators for field in a.fields))

    @cached_property
    def point_words(self) -> int:
        """How many words an event has in a points frame."""
        return words_of(self.point_fields)

    @cached_property
    def bare_bytes(self) -> int:
        """How long an event is that is a frame by itself; 0 where they have values in a heap."""
        heap = any(field.wire.on_heap for field in self.point_fields)
        return 0 if heap else WORD_BYTES * self.point_words

    @cached_property
    def is_packed(self) -> bool:
        """Whether the records of compacted rows are packed: those of numbers alone."""
        fields = (*self.point_fields, *self.tile_fields)
        numbers = all(field.wire in (Wire.INT, Wire.FLOAT) for field in fields)
        return numbers and max(self.point_words, words_of(self.tile_fields)) <= MOST_PACKED

    @cached_property
    def floats(self) -> bytes:
        """For each word of a bare event whether it is a float: 1 or 0."""
        fields = self.point_fields if self.bare_bytes else ()
        return bytes(field.wire is Wire.FLOAT for field in fields for _ in range(field.size))

    @cached_property
    def has_heap(self) -> bool:
        """Whether some field, a text or a set, has its values behind the records of a frame."""
        fields = (*self.point_fields, *self.tile_fields)
        return any(field.wire.on_heap for field in fields)

    @property
    def windows(self) -> list[Window]:
        """The windows, in the order of the view."""
        return self.view.parsed_windows

    @property
    def features(self) -> list[Feature]:
        """The features, in the order of the view."""
        return self.view.outputs

    @cached_property
    def measures(self) -> list[Computed]:
        """The measures, in the order of the view."""
        columns = {column.input.name: column for column in self.columns}
        measures = self.view.features.values()
        return [_computed(self.view, measure, columns) for measure in measures]

    @cached_property
    def hops(self) -> tuple[Ints, Ints]:
        """How long a tile of some age is: up to which age, and the hop there; both rising."""
        hops = np.array(hops_by_age(self.windows), dtype=np.int64)
        return hops[:, 0], hops[:, 1]

    @property
    def most_records(self) -> int:
        """How many records a compacted row can have at most, whatever its traffic."""
        return self.view.row_size.records

    @cached_property
    def budget_bytes(self) -> int:
        """The length of a row that is due for compaction, had it never been compacted.

        Somewhat more than its record budget in events, wide ones where they are bare: one that has
        no more is compacted for nothing.
        """
        framed = HEADER_BYTES + WORD_BYTES * self.point_words
        return self.view.record_budget * (self.bare_bytes + 2 if self.is_packed else framed)

    @cached_property
    def levels(self) -> Levels:
        """When its rows are due for compaction."""
        first = self.budget_bytes
        if self.is_packed:
            words = max(self.point_words, words_of(self.tile_fields))
            return Levels(first, self.most_records * words * WORD_BYTES, 1.4, HALF_BYTES)
        return Levels(first, max(_LARGEST * first, self.view.row_size.bytes), 2.0, WORD_BYTES)


def words_of(fields: Sequence[StateField]) -> int:
    """Return how many words a record of some fields has."""
    return sum(field.size for field in fields)


def _field(of: Input) -> StateField:
    return StateField(of.name, of.wire, of.size)


def _column(view: FeatureView, expression: Expression) -> Column:
    kind = view.stream.kind_of(expression)
    assert isinstance(kind, Kind), kind  # the view was checked when it was defined
    plain = view.stream.columns.get(str(expression))
    nullable = plain is None or plain.nullable
    wire, size = _WIRES.get(kind, Wire.INT), view.stream.size_of(expression) or 1
    return Column(expression, kind, Input(str(expression), wire, nullable, size))


def _computed(view: FeatureView, measure: Measure, columns: Mapping[str, Column]) -> Computed:
    inputs = tuple(columns[str(expression)].input for expression in measure.inputs)
    parts = tuple(_computed(view, part, columns) for part in measure.parts)
    return Computed(measure, inputs, *view.kinds_of(measure), parts)
