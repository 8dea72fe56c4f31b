"""Reads: what was read of some entities, before it is a vector; row by row, or column by column.

A request about a few entities is answered from rows, one about a thousand as Arrow from columns:
each comes as it is cheapest to make, and turns into the other only where that is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from featurestore.aggregation.series import Series, Value
from featurestore.definitions.contract import Kind

Times = list[int | None]


class Reads(Protocol):
    """Values, and the times of the newest events behind them."""

    @property
    def values(self) -> Sequence[list[Value]]:
        """The values, entity by entity."""

    @property
    def times(self) -> Sequence[Times]:
        """The event times behind them in µs UTC, entity by entity."""

    def series(self, kinds: Sequence[Kind]) -> Sequence[Series]:
        """Return the values, place by place."""

    def newest(self, places: int) -> Sequence[Series]:
        """Return the event times, place by place."""


class RowWise(Struct, frozen=True):
    """What was read, entity by entity."""

    values: Sequence[list[Value]]
    times: Sequence[Times]

    def series(self, kinds: Sequence[Kind]) -> list[Series]:
        """Return the values, place by place."""
        columns = zip(*self.values, strict=True) if self.values else [()] * len(kinds)
        return [Series(list(of), kind) for of, kind in zip(columns, kinds, strict=True)]

    def newest(self, places: int) -> list[Series]:
        """Return the event times, place by place."""
        columns = zip(*self.times, strict=True) if self.times else [()] * places
        return [Series(list(of), Kind.DATETIME) for of in columns]


@dataclass(frozen=True)
class ColumnWise:
    """What was read, place by place."""

    columns: Sequence[Series]
    moments: Sequence[Series]

    @cached_property
    def values(self) -> list[list[Value]]:
        """The values, entity by entity."""
        return [list(row) for row in zip(*(of.plain() for of in self.columns), strict=True)]

    @cached_property
    def times(self) -> list[Times]:
        """The event times, entity by entity."""
        plain = {id(of): of.plain() for of in self.moments}  # most places share one
        columns = (plain[id(of)] for of in self.moments)
        return [list(row) for row in zip(*columns, strict=True)]

    def series(self, kinds: Sequence[Kind]) -> Sequence[Series]:  # noqa: ARG002 - they know theirs
        """Return the values, place by place."""
        return self.columns

    def newest(self, places: int) -> Sequence[Series]:  # noqa: ARG002 - all of them
        """Return the event times, place by place."""
        return self.moments
