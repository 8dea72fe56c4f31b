"""Pace: how long the writer gathers events before it flushes them.

A flush costs what it touches: the more events of a row it gathers, the less each of them costs.
Live events wait a moment only. A flow that has fallen behind gathers for as long as it had been
behind before, up to a second: it catches up at the pace of files, and no event waits for long that
had not waited already.
"""

from dataclasses import dataclass

from featurestore.instants import MILLISECOND
from flows.steps import Chunk

BULK_MS, BULK_EVENTS = 1000, 200_000


@dataclass
class Pace:
    """When a flush is due.

    Attributes:
        events: How many events are gathered at most.
        ms: How long events are gathered at most.

    >>> import numpy as np, pyarrow as pa
    >>> from flows.frontier import Frontier
    >>> nothing = pa.record_batch({"a": [1]}), np.array([1]), (), 1, Frontier(), None, False, 0
    >>> chunk, pace = Chunk("clicks", "p0", *nothing, behind=True), Pace(ms=20)
    >>> [pace.is_due(chunk, 1, at_us) for at_us in (0, 15_000, 30_000)]
    [False, False, True]
    """

    events: int = 50_000
    ms: int = 20
    _since_us: int | None = None  # when what waits began to
    _behind_us: int | None = None  # since when all that came was behind

    def is_due(self, chunk: Chunk, gathered: int, now_us: int) -> bool:
        """Take note of a chunk; tell whether what was gathered with it must be flushed.

        Args:
            chunk: The chunk.
            gathered: How many events wait, those of the chunk included.
            now_us: A clock that never jumps.
        """
        self._since_us = now_us if self._since_us is None else self._since_us
        if not chunk.behind:
            self._behind_us = None
        elif self._behind_us is None:
            self._behind_us = now_us
        longest_us, most = self._limits(self._since_us)
        return chunk.finished or gathered >= most or now_us - self._since_us >= longest_us

    def flushed(self) -> None:
        """Take note that nothing waits any more."""
        self._since_us = None

    def _limits(self, since_us: int) -> tuple[int, int]:
        longest_us = self.ms * MILLISECOND
        if self._behind_us is None:
            return longest_us, self.events
        before_us = min(since_us - self._behind_us, BULK_MS * MILLISECOND)
        return max(longest_us, before_us), max(self.events, BULK_EVENTS)
