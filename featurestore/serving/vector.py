"""Feature vectors: what a request is answered with."""

from dataclasses import dataclass
from enum import StrEnum

from featurestore.aggregation.windows import Value


class Status(StrEnum):
    """What is behind a value."""

    PRESENT = "PRESENT"  # computed from events, or a count of none in a row that exists
    NULL_VALUE = "NULL_VALUE"  # the entity is known, but there is no value: null
    NOT_FOUND = "NOT_FOUND"  # nothing is known of the entity
    OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"  # the newest event is older than the view allows


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of some entities, feature by feature in the order of the service.

    Attributes:
        columns: For each feature its value for each entity; instants and dates as text.
        event_us: For each feature the time of the newest event in its window, or None.
        found: For each feature whether each entity's row is there.
    """

    columns: list[list[Value]]
    event_us: list[list[int | None]]
    found: list[list[bool]]

    @property
    def values(self) -> list[list[Value]]:
        """One vector per entity."""
        return [list(vector) for vector in zip(*self.columns, strict=True)]

    @property
    def statuses(self) -> list[list[str]]:
        """What is behind each value, one list per entity."""
        columns = [
            [_status(value, found=here) for value, here in zip(values, found, strict=True)]
            for values, found in zip(self.columns, self.found, strict=True)
        ]
        return [list(vector) for vector in zip(*columns, strict=True)]

    @property
    def event_times(self) -> list[list[int | None]]:
        """The time of the newest event behind each value, in µs, one list per entity."""
        return [list(vector) for vector in zip(*self.event_us, strict=True)]


def _status(value: Value, *, found: bool) -> str:
    if not found:
        return Status.NOT_FOUND.value
    return Status.NULL_VALUE.value if value is None else Status.PRESENT.value
