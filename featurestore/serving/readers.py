"""Readers: what reads some features of a view from its rows, by the fastest way there is for each.

Features of numbers are cut by the machine, the others in Python: short rows one by one, long or
many ones with arrays. All give the same bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple, Protocol, TypeVar, cast

import numpy as np

from featurestore.aggregation.cutting import Cutting, is_cut
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.series import Series
from featurestore.aggregation.short_rows import Read, ShortRows
from featurestore.aggregation.windows import Reading

Item = TypeVar("Item")
Row = bytes | None
Columns = tuple[list[Series], list[Series]]  # values, and times of the newest events behind them

# From so many rows on one pass with arrays is faster than one row at a time in Python; measured.
MANY_ROWS = 64
NEVER = 2**63

# So many bytes of rows are read with arrays at once: they take up to ten times as many on the way,
# and what does not fit into the processor's cache takes up to four times as long; measured.
AT_ONCE = 2**21


class Reader(Protocol):
    """Reads some features of a view.

    Attributes:
        many: From how many rows on `columns` is the faster way to all of them.
    """

    @property
    def many(self) -> int:
        """From how many rows on columns are faster."""

    def read(self, rows: Sequence[Row], now_us: int) -> list[Read]:
        """Return what each row holds, and the time of the newest event behind each value."""

    def columns(self, rows: Sequence[Row], now_us: int) -> Columns:
        """Return each value, and the time of the newest event behind it, for all rows."""


def reader_of(layout: Layout, outputs: Sequence[int]) -> Reader:
    """Return what reads some features of a view fastest.

    Args:
        layout: The view's layout.
        outputs: Which features: measure by measure, each over the windows of the layout.
    """
    cut = [output for output in outputs if is_cut(layout, output)]
    if len(cut) == len(outputs):
        return ByMachine(Cutting.of(layout, outputs), InPython(layout, outputs))
    if not cut:
        return InPython(layout, outputs)
    others = [output for output in outputs if not is_cut(layout, output)]
    order = [[*cut, *others].index(output) for output in outputs]
    return Mixed(reader_of(layout, cut), InPython(layout, others), order)


@dataclass(frozen=True)
class InPython:
    """Reads any features."""

    layout: Layout
    outputs: Sequence[int]
    many: int = MANY_ROWS

    def read(self, rows: Sequence[Row], now_us: int) -> list[Read]:
        """Read short rows one by one, the others with arrays."""
        short = self._short
        reads = [short.nothing if row is None else short.read(row, now_us) for row in rows]
        if None in reads:
            long = [number for number, found in enumerate(reads) if found is None]
            others = self._transposed([rows[number] for number in long], now_us)
            for number, found in zip(long, others, strict=True):
                reads[number] = found
        return cast("list[Read]", reads)

    def columns(self, rows: Sequence[Row], now_us: int) -> Columns:
        """Read all rows with arrays."""
        read = [self._arrays.read(some, now_us) for some in in_parts(rows)]
        if len(read) == 1:
            return read[0]
        columns, times = zip(*read, strict=True)
        return _joined(columns), _joined(times)

    @cached_property
    def _short(self) -> ShortRows:
        return ShortRows(self.layout, self.outputs)

    @cached_property
    def _arrays(self) -> Reading:
        return Reading(self.layout, self.outputs)

    def _transposed(self, rows: Sequence[Row], now_us: int) -> list[Read]:
        columns, times = self.columns(rows, now_us)
        values = zip(*(column.plain() for column in columns), strict=True)
        newest = zip(*(time.plain() for time in times), strict=True)
        return [(list(v), list(t)) for v, t in zip(values, newest, strict=True)]


def in_parts(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """Cut rows into parts of at most `AT_ONCE` bytes beside one row; most often there is one."""
    ends = list(accumulate(len(row or b"") for row in rows))
    if not ends or ends[-1] <= AT_ONCE:
        return [rows]
    cuts = [
        place
        for place, (before, end) in enumerate(pairwise(ends), 1)
        if before // AT_ONCE < end // AT_ONCE
    ]
    return [rows[first:last] for first, last in pairwise([0, *cuts, len(rows)])]


def _joined(parts: Sequence[list[Series]]) -> list[Series]:
    """Join what was read of the rows of several parts, feature by feature."""
    return [Series.joined(of) for of in zip(*parts, strict=True)]


class ByMachine(NamedTuple):
    """Reads features of numbers; `python` says what is wrong with bytes that are no row."""

    cutting: Cutting
    python: InPython
    many: int = NEVER

    def read(self, rows: Sequence[Row], now_us: int) -> list[Read]:
        """Read rows one by one."""
        read = self.cutting.read
        reads = [read(row, now_us) for row in rows]
        return self.python.read(rows, now_us) if None in reads else cast("list[Read]", reads)

    def columns(self, rows: Sequence[Row], now_us: int) -> Columns:
        """Read all rows in one go."""
        found = self.cutting.read_many(list(rows), np.full(len(rows), now_us))
        return self.python.columns(rows, now_us) if found is None else found


class Mixed(NamedTuple):
    """Reads some features in one way and some in another.

    Attributes:
        first: Reads some.
        second: Reads the others.
        order: For each feature where it stands in what both have read.
    """

    first: Reader
    second: Reader
    order: Sequence[int]

    @property
    def many(self) -> int:
        """From how many rows on columns are faster."""
        return self.second.many

    def read(self, rows: Sequence[Row], now_us: int) -> list[Read]:
        """Read rows in both ways."""
        both = zip(self.first.read(rows, now_us), self.second.read(rows, now_us), strict=True)
        return [
            (self._ordered(values, others), self._ordered(times, moments))
            for (values, times), (others, moments) in both
        ]

    def columns(self, rows: Sequence[Row], now_us: int) -> Columns:
        """Read all rows in both ways."""
        values, times = self.first.columns(rows, now_us)
        others, moments = self.second.columns(rows, now_us)
        return self._ordered(values, others), self._ordered(times, moments)

    def _ordered(self, first: list[Item], second: list[Item]) -> list[Item]:
        joined = first + second
        return [joined[place] for place in self.order]
