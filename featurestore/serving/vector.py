"""Feature vectors: what a request is answered with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from featurestore.aggregation.windows import Value
from featurestore.definitions.contract import Kind
from featurestore.instants import day_text, instant_text


class Status(StrEnum):
    """What is behind a value."""

    PRESENT = "PRESENT"  # computed from events, or a count of none in a row that exists
    NULL_VALUE = "NULL_VALUE"  # the entity is known, but there is no value: null
    NOT_FOUND = "NOT_FOUND"  # nothing is known of the entity
    OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"  # the newest event is older than the view allows


_TEXTS: dict[Kind, Callable[[int], str]] = {Kind.DATETIME: instant_text, Kind.DATE: day_text}


@dataclass(frozen=True)
class Shape:
    """What the places of a vector hold.

    Attributes:
        features: Their names.
        kinds: What each holds.
        views: For each the number of the view it comes from.
    """

    features: Sequence[str]
    kinds: Sequence[Kind]
    views: Sequence[int]

    @cached_property
    def texts(self) -> list[tuple[int, Callable[[int], str]]]:
        """The places whose values are written as text."""
        return [(place, _TEXTS[kind]) for place, kind in enumerate(self.kinds) if kind in _TEXTS]


class Vectors(NamedTuple):
    """The vectors of some entities, one each, in the order of the request.

    Attributes:
        shape: What their places hold.
        raw: The vectors; instants in microseconds UTC, dates in days since 1970.
        event_times: For each value the time of the newest event behind it in µs UTC, or None.
        found: For each entity whether its row is there, view by view.
    """

    shape: Shape
    raw: Sequence[list[Value]]
    event_times: Sequence[list[int | None]]
    found: Sequence[Sequence[bool]]

    @property
    def values(self) -> Sequence[list[Value]]:
        """The vectors, instants and dates as text."""
        texts = self.shape.texts
        return [_written(vector, texts) for vector in self.raw] if texts else self.raw

    @property
    def statuses(self) -> list[list[str]]:
        """What is behind each value, one list per entity."""
        views = self.shape.views
        return [
            [_status(v, found=found[view]) for v, view in zip(vector, views, strict=True)]
            for vector, found in zip(self.raw, self.found, strict=True)
        ]


def _written(vector: list[Value], texts: Sequence[tuple[int, Callable[[int], str]]]) -> list[Value]:
    written = vector.copy()
    for place, text in texts:
        value = vector[place]
        written[place] = None if value is None else text(int(value))
    return written


def _status(value: Value, *, found: bool) -> str:
    if not found:
        return Status.NOT_FOUND.value
    return Status.NULL_VALUE.value if value is None else Status.PRESENT.value
