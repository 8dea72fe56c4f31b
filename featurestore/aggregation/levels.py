"""Levels: when rows are due for compaction, by their lengths alone.

A row is due once it has grown by so many times since it was compacted last, so that each byte is
compacted a few times, whatever a row's traffic, and no one remembers rows. A level is a length at
which rows are due. A compacted row is of the lowest level that lets it grow enough, and padded so
that its length modulo the grain is the level's number modulo the grain; what is appended is a
multiple of the grain and leaves it so. Levels that are alike in this are so far from each other
that a length fits one of them alone.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.arrays import Ints

_STEP = 2 ** (1 / 4)  # a level is due at so many times the length of the one before


@dataclass(frozen=True)
class Levels:
    """The levels of a view's rows.

    Attributes:
        first: At which length a row is due that was never compacted, in bytes.
        longest: No compacted row is longer, in bytes.
        growth: How many times its length a row can become at least before it is due again.
        grain: What all that is appended is a multiple of, in bytes.

    >>> levels = Levels(first=1000, longest=5000, growth=1.4, grain=4)
    >>> length = 1000
    >>> length += (levels.of(length) - length) % levels.grain
    >>> length, levels.due(length)
    (1002, 1415)
    """

    first: int
    longest: int
    growth: float
    grain: int

    def of(self, length: int) -> int:
        """Return the level of a row compacted to this length."""
        return bisect_left(self._listed, self.growth * length)

    def due(self, length: int) -> int:
        """Return at which length a row is due that was compacted to this one; 0: never."""
        lowest = bisect_right(self._listed, length)
        return self._listed[min(lowest + (length - lowest) % self.grain, len(self._listed) - 1)]

    def are_due(self, lengths: Ints, added: Ints) -> npt.NDArray[np.bool_]:
        """Tell which rows are due now that something was appended to them.

        Before that a row was of the lowest level that its length fitted, or it was due already:
        too long for that one, and still too short for the next that is alike.

        Args:
            lengths: How long the rows are.
            added: How much of that was appended last.
        """
        before, dues = lengths - added, self._dues
        lowest = np.searchsorted(dues, before, side="right")
        levels = np.minimum(lowest + (before - lowest) % self.grain, len(dues) - 1)
        shortest = dues[np.maximum(levels - 1, 0)] / self.growth
        overdue = (levels >= self.grain) & (before <= shortest)
        due: npt.NDArray[np.bool_] = overdue | (lengths >= dues[levels])
        return due

    @cached_property
    def _dues(self) -> Ints:
        steps = max(0, ceil(log(self.growth * self.longest / self.first, _STEP)))
        dues: Ints = np.ceil(self.first * _STEP ** np.arange(steps + 1)).astype(np.int64)
        return dues

    @cached_property
    def _listed(self) -> list[int]:
        dues: list[int] = self._dues.tolist()
        return dues
