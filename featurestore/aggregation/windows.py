"""Windows: cutting and merging rows at the moment they are read.

The one convention of which end is open is in `featurestore.definitions.window`. A tile counts as
standing at its last event: it is in a window, whole, if that event is. So a value is exact as far
as its row holds events; where it holds tiles, every event counts as if it had happened later, by
less than the window's hop. An event after now is never in it. `docs/windows.md` has the bounds,
also of questions about moments before the row's newest event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from featurestore.aggregation.accumulators import State
from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.computed import Cells, Computed
from featurestore.aggregation.frames import decode
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.kernels import KERNELS
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.membership import members
from featurestore.aggregation.records import Records, joined, lifted, merged
from featurestore.aggregation.results import result_of, series_of, spread
from featurestore.aggregation.series import Series, Value
from featurestore.definitions.contract import Kind
from featurestore.definitions.window import Window

__all__ = ["Answer", "Reading", "Value", "read", "tiles_in"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The features of some rows at some moment.

    Attributes:
        columns: For each feature, in the order of the view, its value for each row; instants are
            microseconds UTC, dates days since 1970, but in lists and maps both are text.
        event_us: For each feature the time of the newest event in its window, None without one.
    """

    columns: list[list[Value]]
    event_us: list[list[int | None]]


def read(layout: Layout, rows: Sequence[bytes | None], now_us: int | Ints) -> Answer:
    """Return all features of rows as of a moment, or of one for each row.

    Args:
        layout: The view's layout.
        rows: A row each; None where there is none.
        now_us: When, in microseconds UTC.

    Cost: some 100 µs, and about 1 µs per record.
    """
    everything = range(len(layout.measures) * len(layout.windows))
    columns, times = Reading(layout, everything).read(rows, now_us)
    newest = [time.plain() for time in times]
    return Answer([column.plain() for column in columns], newest)  # type: ignore[arg-type] # ints


def tiles_in(layout: Layout, rows: Sequence[bytes | None], needed: Layout | None = None) -> Records:
    """Return all that rows hold as tiles, events as tiles of one, sorted by row and time.

    Args:
        layout: The view's layout.
        rows: A row each; None where there is none.
        needed: The layout with those accumulators only that are needed; all if None.
    """
    return sorted_tiles(needed or layout, *decode(layout, rows))


def sorted_tiles(layout: Layout, points: Records, tiles: Records) -> Records:
    """Return events, as tiles of one, and tiles, sorted by row and time."""
    records = lifted(layout, points)
    if len(tiles):
        records = joined(records, tiles)
    row, last = records.rows, records.column("last")
    falls = (row[1:] < row[:-1]) | ((row[1:] == row[:-1]) & (last[1:] < last[:-1]))
    return records.take(np.lexsort((last, row))) if falls.any() else records


@dataclass(frozen=True)
class Reading:
    """Some features of a view, read from many rows at once; nothing else is merged for them.

    Args:
        layout: The view's layout.
        outputs: Which features: measure by measure, each over the windows of the layout.
    """

    layout: Layout
    outputs: Sequence[int]

    def read(
        self, rows: Sequence[bytes | None], now_us: int | Ints
    ) -> tuple[list[Series], list[Series]]:
        """Return each feature, and the time of the newest event behind it, for each row.

        Args:
            rows: A row each; None where there is none.
            now_us: When, in microseconds UTC: one moment, or one for each row.

        Cost: some 100 µs, 0.2 µs per record, and for each accumulator and window that a record is
        in 20 ns.
        """
        now = np.full(len(rows), now_us) if isinstance(now_us, int) else now_us
        cut, cells = self._cut(tiles_in(self.layout, rows, self._needed), now)
        return self._answer(cut, cells, now) if len(cut) else self._nothing(len(rows))

    def _cut(self, records: Records, now_us: Ints) -> tuple[Records, Ints]:
        """Return the records in each window, window by window, and the cell each belongs to."""
        now = now_us[records.rows]
        found = [members(window, records, now) for window in self._windows]
        chosen = np.concatenate(found)
        window = np.repeat(np.arange(len(found)), [len(records_in) for records_in in found])
        cut = records.take(chosen)
        return cut, window * len(now_us) + cut.rows

    @np.errstate(over="ignore", invalid="ignore")  # what is not finite has no value
    def _answer(
        self, cut: Records, of_cells: Ints, now_us: Ints
    ) -> tuple[list[Series], list[Series]]:
        shape = len(self._windows), len(now_us)
        groups = Groups.of(of_cells)
        places, state = of_cells[groups.starts], merged(self._needed, cut, groups).state
        cells = self._cells(state, places, now_us)
        found = [
            series_of(result_of(measure, cells), measure, places, shape, cut.words)
            for measure in self._measures
        ]
        newest = spread(cut.column("last")[groups.ends - 1], places, shape)
        times = [Series(values, Kind.DATETIME) for values in newest]
        return (
            [found[measure][window] for measure, window in self._places],
            [times[window] for _, window in self._places],
        )

    def _cells(self, state: State, places: Ints, now_us: Ints) -> Cells:
        now = now_us[places % len(now_us)]
        starts, ends = zip(*(window.span(now_us) for window in self._windows), strict=True)
        start, end = np.stack(starts).ravel()[places], np.stack(ends).ravel()[places]
        return Cells(state, now, end, end - start)

    def _nothing(self, rows: int) -> tuple[list[Series], list[Series]]:
        zeros = [self._measures[measure].zero for measure, _ in self._places]
        kinds = [self._measures[measure].kind for measure, _ in self._places]
        never = Series([None] * rows, Kind.DATETIME)
        columns = [Series([zero] * rows, kind) for zero, kind in zip(zeros, kinds, strict=True)]
        return columns, [never] * len(columns)

    @cached_property
    def _wanted(self) -> list[tuple[int, int]]:
        """For each feature the numbers of its measure and of its window in the layout."""
        return [divmod(output, len(self.layout.windows)) for output in self.outputs]

    @cached_property
    def _measures(self) -> list[Computed]:
        return [self.layout.measures[n] for n in dict.fromkeys(m for m, _ in self._wanted)]

    @cached_property
    def _windows(self) -> list[Window]:
        return [self.layout.windows[n] for n in dict.fromkeys(w for _, w in self._wanted)]

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """For each feature the numbers of its measure and of its window among those read."""
        measures = list(dict.fromkeys(measure for measure, _ in self._wanted))
        windows = list(dict.fromkeys(window for _, window in self._wanted))
        return [(measures.index(m), windows.index(w)) for m, w in self._wanted]

    @cached_property
    def _needed(self) -> Layout:
        """The layout with those accumulators only that the features need, not that of frames."""
        measures = [each for measure in self._measures for each in measure.everything()]
        needed = {a for m in measures for a in KERNELS[m.measure.aggregation].accumulators(m)}
        of = self.layout
        return replace(of, accumulators=tuple(a for a in of.accumulators if a in needed))
