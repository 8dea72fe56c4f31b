"""The layout of a view: what its events and tiles are made of, worked out once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.accumulators import (
    Accumulator,
    Counting,
    Deviation,
    Distinct,
    First,
    Last,
    Maximum,
    Minimum,
    StateField,
    Summing,
    Wire,
)
from featurestore.aggregation.accumulators.accumulator import Input
from featurestore.aggregation.arrays import Ints
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Aggregation, Measure
from featurestore.definitions.view import Feature, FeatureView
from featurestore.definitions.window import Window

HEADER_BYTES = 8
WORD_BYTES = 8
LEVELS = 8
SIGN = "±"  # 1, or -1 for an event that reverses another; no column has this name

_WIRES = {Kind.FLOAT: Wire.FLOAT, Kind.TEXT: Wire.TEXT}
_AT = StateField("at", Wire.INT)
_SIGN = StateField(SIGN, Wire.INT)
_SPAN = (StateField("first", Wire.INT), StateField("last", Wire.INT), StateField("n", Wire.INT))


@dataclass(frozen=True)
class Column:
    """One input of the aggregation: an expression over the stream, with what is known of it."""

    expression: Expression
    kind: Kind
    input: Input


@dataclass(frozen=True, slots=True)
class Computed:
    """One measure of a view, with what it takes to compute it.

    Attributes:
        measure: The measure.
        input: What it aggregates; None counts events.
        kind: What its values are.
        counts: Whether it is 0, not missing, where there are no events.
    """

    measure: Measure
    input: Input | None
    kind: Kind
    counts: bool


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
        columns: dict[str, Column] = {}
        accumulators: dict[Accumulator, None] = {}
        for measure in view.features.values():
            if measure.of is not None:
                column = columns.setdefault(str(measure.of), _column(view, measure.of))
                accumulators |= dict.fromkeys(_accumulators(measure, column.input))
        return cls(view, tuple(columns.values()), tuple(accumulators))

    @cached_property
    def point_fields(self) -> tuple[StateField, ...]:
        """The columns of an event in a points frame."""
        signs = (_SIGN,) if self.is_signed else ()
        return (_AT, *signs, *(StateField(c.input.name, c.input.wire) for c in self.columns))

    @property
    def is_signed(self) -> bool:
        """Whether events may reverse others: each has a sign then, and all states are sums."""
        return self.view.stream.reverses is not None

    @cached_property
    def tile_fields(self) -> tuple[StateField, ...]:
        """The columns of a tile: its span, its number of events, its accumulators."""
        return (*_SPAN, *(field for a in self.accumulators for field in a.fields))

    @cached_property
    def has_heap(self) -> bool:
        """Whether some field, a text or a set, has its values behind the records of a frame."""
        fields = (*self.point_fields, *self.tile_fields)
        return any(field.wire in (Wire.TEXT, Wire.RAGGED) for field in fields)

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
        return [_computed(measure, columns) for measure in self.view.features.values()]

    @cached_property
    def hops(self) -> tuple[Ints, Ints]:
        """How long a tile of some age is: up to which age, and the hop there; both rising."""
        by_reach = sorted((window.reach_us, window.hop_us) for window in self.windows)
        finest = np.minimum.accumulate([hop for _, hop in reversed(by_reach)])[::-1]
        return np.array([reach for reach, _ in by_reach]), finest.astype(np.int64)

    @cached_property
    def budget_bytes(self) -> int:
        """The length of a row that is due for compaction, had it never been compacted.

        Its record budget in frames of one event each.
        """
        return self.view.record_budget * (HEADER_BYTES + WORD_BYTES * len(self.point_fields))

    def is_due(self, lengths: Ints) -> npt.NDArray[np.bool_]:
        """Tell from the rows' lengths alone which are due for compaction.

        Frames are whole words, but a compacted row is padded so that its length modulo 8 tells
        its level: it is due again at ``budget_bytes << level``, at least twice what it was. So
        each byte is compacted about twice, whatever a row's traffic, and no one remembers rows.
        """
        due: npt.NDArray[np.bool_] = lengths >= self.budget_bytes << lengths % LEVELS
        return due

    def level(self, length: int) -> int:
        """Return the level of a row compacted to this length.

        It is the lowest at which the row may still double.
        """
        return next((k for k in range(LEVELS) if self.budget_bytes << k >= 2 * length), LEVELS - 1)


def _column(view: FeatureView, expression: Expression) -> Column:
    kind = view.stream.kind_of(expression)
    assert isinstance(kind, Kind), kind  # the view was checked when it was defined
    plain = view.stream.columns.get(str(expression))
    nullable = plain is None or plain.nullable
    return Column(expression, kind, Input(str(expression), _WIRES.get(kind, Wire.INT), nullable))


def _computed(measure: Measure, columns: Mapping[str, Column]) -> Computed:
    counts = measure.aggregation is Aggregation.COUNT
    if measure.of is None:
        return Computed(measure, None, measure.result_kind(None), counts)
    column = columns[str(measure.of)]
    return Computed(measure, column.input, measure.result_kind(column.kind), counts)


def _accumulators(measure: Measure, of: Input) -> list[Accumulator]:
    counting: list[Accumulator] = [Counting(of)] if of.nullable else []
    match measure.aggregation:
        case Aggregation.COUNT:
            return counting
        case Aggregation.TOTAL | Aggregation.MEAN:
            return [*counting, Summing(of)]
        case Aggregation.STD:
            return [*counting, Summing(of), Deviation(of)]
        case Aggregation.MINIMUM:
            return [Minimum(of)]
        case Aggregation.MAXIMUM:
            return [Maximum(of)]
        case Aggregation.FIRST:
            return [First(of)]
        case Aggregation.LAST:
            return [Last(of)]
        case Aggregation.DISTINCT:
            return [Distinct(of)]
