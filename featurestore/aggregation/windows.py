"""Windows: cutting and merging rows at the moment they are read.

The one convention of which end is open is in `featurestore.definitions.window`. A tile counts as
standing at its last event: it is in a window, whole, if that event is. So a value is exact as far
as its row holds events; where it holds tiles, it is the exact value of a window whose ends are
each earlier by less than the window's hop. An event after now is never in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.arrays import NULL, Ints, Values, empty_like, missing
from featurestore.aggregation.frames import decode
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.records import Records, joined, lifted, merged
from featurestore.aggregation.results import result_of
from featurestore.definitions.contract import Kind

Value = int | float | bool | str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The features of some rows at some moment.

    Attributes:
        columns: For each feature, in the order of the view, its value for each row; instants are
            microseconds UTC, dates days since 1970.
        event_us: For each feature the time of the newest event in its window, None without one.
    """

    columns: list[list[Value]]
    event_us: list[list[int | None]]


def read(layout: Layout, rows: Sequence[bytes | None], now_us: int) -> Answer:
    """Return the features of rows as of `now_us`.

    Args:
        layout: The view's layout.
        rows: A row each; None where there is none.
        now_us: When, in microseconds UTC.

    Cost: some 100 µs, and about 1 µs per record.
    """
    return _answer(layout, tiles_in(layout, rows), np.full(len(rows), now_us))


def tiles_in(layout: Layout, rows: Sequence[bytes | None]) -> Records:
    """Return all that rows hold as tiles, events as tiles of one, sorted by row and time."""
    points, tiles = decode(layout, rows)
    records = joined(lifted(layout, points), tiles) if len(tiles) else lifted(layout, points)
    return records.take(np.lexsort((records.column("last"), records.rows)))


def _answer(layout: Layout, records: Records, now_us: Ints) -> Answer:
    cut, cells = _cut(layout, records, now_us)
    shape = len(layout.windows), len(now_us)
    if not len(cut):
        return _nothing(layout, *shape)
    groups = Groups.of(cells)
    cells, state = cells[groups.starts], merged(layout, cut, groups).state
    newest = _spread(cut.column("last")[groups.ends - 1], cells, shape)
    event_us = _python(newest, Kind.DATETIME, ())
    columns = []
    for measure in layout.measures:
        values = _spread(result_of(measure.measure, measure.input, state), cells, shape)
        if measure.counts:
            values[values == NULL] = 0
        columns += _python(values, measure.kind, records.words)
    return Answer(columns, event_us * len(layout.measures))  # type: ignore[arg-type] # ints or None


def _nothing(layout: Layout, windows: int, rows: int) -> Answer:
    columns: list[list[Value]] = [
        [0 if measure.counts else None] * rows
        for measure in layout.measures
        for _ in range(windows)
    ]
    return Answer(columns, [[None] * rows] * len(columns))


def _cut(layout: Layout, records: Records, now_us: Ints) -> tuple[Records, Ints]:
    """Return the records in each window, window by window, and the cell each belongs to."""
    last, now = records.column("last"), now_us[records.rows]
    found = [
        np.flatnonzero((last > now - window.reach_us) & (last <= now - window.offset_us))
        for window in layout.windows
    ]
    chosen = np.concatenate(found)
    window = np.repeat(np.arange(len(found)), [len(records_in) for records_in in found])
    cut = records.take(chosen)
    return cut, window * len(now_us) + cut.rows


def _spread(values: Values, cells: Ints, shape: tuple[int, int]) -> Values:
    """Return values by window and row, missing where no event is in the window."""
    whole = empty_like(values, shape[0] * shape[1])
    whole[cells] = values
    return whole.reshape(shape)


def _python(values: Values, kind: Kind, words: Sequence[bytes]) -> list[list[Value]]:
    """Return one list of Python values per window."""
    absent = missing(values)
    plain: list[list[Value]] = _of_kind(values, kind, words)
    if absent.any():
        for window, row in np.argwhere(absent).tolist():
            plain[window][row] = None
    return plain


def _of_kind(values: Values, kind: Kind, words: Sequence[bytes]) -> list[list[Value]]:
    if kind is Kind.TEXT:
        words = words or (b"",)  # every text of the batch may be missing
        return [[words[max(code, 0)].decode() for code in codes] for codes in values.tolist()]
    if kind is Kind.BOOL:
        truths: list[list[Value]] = (values != 0).tolist()
        return truths
    numbers: list[list[Value]] = values.tolist()
    return numbers
