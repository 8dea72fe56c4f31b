"""Feature vectors: what a request is answered with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol, cast

from msgspec import Struct

from featurestore.aggregation.series import Series, Value
from featurestore.definitions.contract import Kind
from featurestore.instants import day_text, instant_text
from featurestore.serving.reads import Reads


class Status(StrEnum):
    """What is behind a value."""

    PRESENT = "PRESENT"  # computed from events, or a count of none in a row that exists
    NULL_VALUE = "NULL_VALUE"  # the entity is known, but there is no value: null
    NOT_FOUND = "NOT_FOUND"  # nothing is known of the entity
    OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"  # the newest event is older than the view allows


_TEXTS: dict[Kind, Callable[[int], str]] = {Kind.DATETIME: instant_text, Kind.DATE: day_text}


NO_VIEW = -1


@dataclass(frozen=True)
class Shape:
    """What the places of a vector hold.

    Attributes:
        features: Their names.
        kinds: What each holds.
        views: For each the number of the view it comes from, `NO_VIEW` where it was computed.
        fills: For each what stands in for null; empty where nothing does.
        sizes: For each how many floats a vector has, 0 for other values.
    """

    features: Sequence[str]
    kinds: Sequence[Kind]
    views: Sequence[int]
    fills: Sequence[Value] = ()
    sizes: Sequence[int] = ()

    @cached_property
    def texts(self) -> list[tuple[int, Callable[[int], str]]]:
        """The places whose values are written as text."""
        return [(place, _TEXTS[kind]) for place, kind in enumerate(self.kinds) if kind in _TEXTS]

    @property
    def written_fills(self) -> list[Value]:
        """What stands in for null, as it is answered; None where nothing does."""
        return _written(list(self.fills) or [None] * len(self.features), self.texts)


class Judge(Protocol):
    """Who made vectors, and can tell which of their values are exact."""

    def exact(
        self,
        entities: int,
        rows: Sequence[bytes | None],
        now_us: int,
        clocks: Mapping[str, int],
    ) -> list[list[bool]]:
        """Tell of each value of so many entities, of these rows, whether it is exact."""


class Vectors(Struct, frozen=True):
    """The vectors of some entities, one each, in the order of the request.

    Attributes:
        shape: What their places hold.
        reads: What was computed.
        rows: What was found of each entity, view by view: None where nothing was.
        stale: For each view whether the newest event of each entity is too old; empty where no
            view has a maximum age.
        clocks: The moment that views with an event clock were read at, by stream.
        now_us: The moment that the others were read at.
        judge: Who made them.
    """

    shape: Shape
    reads: Reads
    rows: Sequence[bytes | None]
    stale: Sequence[Sequence[bool]]
    clocks: Mapping[str, int]
    now_us: int
    judge: Judge

    @property
    def raw(self) -> Sequence[list[Value]]:
        """What was computed; instants in microseconds UTC, dates in days since 1970."""
        return self.reads.values

    @property
    def event_times(self) -> Sequence[list[int | None]]:
        """For each value the time of the newest event behind it in µs UTC, or None."""
        return self.reads.times

    @property
    def series(self) -> Sequence[Series]:
        """What was computed, place by place, with the service's defaults for nulls."""
        series, fills = self.reads.series(self.shape.kinds), self.shape.fills
        return [s.filled(fill) for s, fill in zip(series, fills, strict=True)] if fills else series

    @property
    def filled(self) -> Sequence[list[Value]]:
        """What was computed, with the service's defaults for nulls."""
        fills = self.shape.fills
        return [_filled(vector, fills) for vector in self.raw] if fills else self.raw

    @property
    def values(self) -> Sequence[list[Value]]:
        """The vectors as they are answered: defaults for nulls, instants and dates as text."""
        texts = self.shape.texts
        return [_written(vector, texts) for vector in self.filled] if texts else self.filled

    @property
    def statuses(self) -> list[list[str]]:
        """What is behind each value, one list per entity."""
        views = self.shape.views
        absent = [[*map(_absence, *row), None] for row in self._rows]  # None for `NO_VIEW`
        return [
            [why[view] or _status(value) for value, view in zip(vector, views, strict=True)]
            for vector, why in zip(self.raw, absent, strict=True)
        ]

    @property
    def exact(self) -> list[list[bool]]:
        """For each value whether it is exactly that of the events; see `docs/windows.md`.

        Cost: some hundred µs for each view, more than the answer itself; so only if asked for.
        """
        return self.judge.exact(len(self.raw), self.rows, self.now_us, self.clocks)

    @property
    def _rows(self) -> Iterator[tuple[Sequence[bytes | None], Sequence[bool]]]:
        """For each entity what was found, and which of it is stale, view by view."""
        count = len(self.raw)
        step = len(self.rows) // (count or 1)
        stale = zip(*self.stale, strict=True) if self.stale else [(False,) * step] * count
        found = (self.rows[at * step : (at + 1) * step] for at in range(count))
        return zip(found, stale, strict=True)


def _filled(vector: Sequence[Value], fills: Sequence[Value]) -> list[Value]:
    return [fill if value is None else value for value, fill in zip(vector, fills, strict=True)]


def _written(vector: list[Value], texts: Sequence[tuple[int, Callable[[int], str]]]) -> list[Value]:
    written = vector.copy()
    for place, text in texts:
        value = vector[place]
        written[place] = None if value is None else text(cast("int", value))
    return written


def _absence(row: bytes | None, stale: bool) -> str | None:  # noqa: FBT001 - columns, row by row
    if row is None:
        return Status.NOT_FOUND.value
    return Status.OUTSIDE_MAX_AGE.value if stale else None


def _status(value: Value) -> str:
    return Status.NULL_VALUE.value if value is None else Status.PRESENT.value
