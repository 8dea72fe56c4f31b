"""Expiry: how long a row lives on in the store.

As long as its newest event still has to live before the stream's frontier, counted in wall time,
and a grace on top; so rows of a replay of old events do not vanish on arrival.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from featurestore.aggregation.arrays import Ints
from featurestore.instants import MILLISECOND, MINUTE

SHORTEST_GRACE_US = 10 * MINUTE
REMEMBERED = 1_000_000


@dataclass
class Expiry:
    """When rows of a view expire; remembers what it said, so that it says it seldom.

    Attributes:
        horizon_us: How long an event counts for something.
    """

    horizon_us: int
    _until_ms: dict[bytes, int] = field(default_factory=dict)

    @property
    def grace_us(self) -> int:
        """How much longer a row lives than it must; expiry moves once half of it is used up."""
        return max(SHORTEST_GRACE_US, self.horizon_us // 4)

    def move(
        self, rows: Sequence[bytes], newest_us: Ints, frontier_us: int, now_us: int
    ) -> Iterator[int | None]:
        """Yield for each row when it must expire (wall clock, ms), None where that is known.

        >>> hourly, row, at = Expiry(3_600_000_000), [b"u1"], [0]
        >>> list(hourly.move(row, at, frontier_us=0, now_us=0))
        [4500000]
        >>> list(hourly.move(row, at, frontier_us=0, now_us=60_000_000))
        [None]
        """
        if len(self._until_ms) > REMEMBERED:
            self._until_ms.clear()
        for row, newest in zip(rows, newest_us, strict=True):
            needed = now_us + max(0, int(newest) - frontier_us + self.horizon_us)
            if self._until_ms.get(row, 0) * MILLISECOND >= needed + self.grace_us // 2:
                yield None
            else:
                self._until_ms[row] = (needed + self.grace_us) // MILLISECOND
                yield self._until_ms[row]
