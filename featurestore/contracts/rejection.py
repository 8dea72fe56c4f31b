"""A rejection: an event that was not applied, why, and all that is needed to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an event was rejected; the words users see and count."""

    MALFORMED = "malformed"  # not JSON, not UTF-8, not an object
    INVALID = "invalid"  # breaks the contract: a field missing, of the wrong type, out of bounds
    LATE = "late"  # older than every window of every view on the stream
    FUTURE = "future"  # its event time is ahead of the clock by more than the allowed skew


@dataclass(frozen=True, slots=True)
class Rejection:
    """One rejected event.

    Attributes:
        offset: Where it stands in its source partition.
        reason: The kind of fault, for counting.
        detail: Where in the event, what was expected, what came.
        raw: The event as it arrived; a row of a table is written as the JSON of
            the event it stands for.
    """

    offset: int
    reason: Reason
    detail: str
    raw: bytes
