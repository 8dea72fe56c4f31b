"""The newest event of a row at many moments: what other events find when they look it up.

::

    row     ──x────x─────────[x─x─x─x]──────x─────►  events, and a tile that stands at its last one
    asked       ↑        ↑          ↑           ↑
    found     first   second     second       last

Of several events at one instant each column has the largest value, as `last` has, so that the order
in which they arrived changes nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from featurestore.aggregation.accumulators.accumulator import plain
from featurestore.aggregation.arrays import Ints, Values, empty_like, to_arrow
from featurestore.aggregation.computed import Computed
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.records import Records, merged
from featurestore.aggregation.windows import tiles_in

NOWHERE = -1


def latest(
    layout: Layout,
    rows: Sequence[bytes | None],
    asked: Ints,
    at: Ints,
    max_age_us: int | None = None,
) -> list[Any]:
    """Return the columns of the newest event at or before some moments, as Arrow arrays.

    Args:
        layout: The layout of a view of `last` values.
        rows: A row each; None where there is none.
        asked: For each moment the row that is asked, `NOWHERE` for none.
        at: The moments, in microseconds UTC.
        max_age_us: How old the event may be; one that is exactly so old is not taken.

    Returns:
        For each feature measure of the view a value for each moment; missing where there is no such
        event, or it has none.

    Cost: some 200 µs, 1 µs per record of the rows, 0.3 µs per moment.
    """
    records = _instants(layout, tiles_in(layout, rows))
    found = _newest(records, asked, at)
    if max_age_us is not None and len(records):
        young = at - records.column("last")[found] < max_age_us
        found = np.where(young, found, NOWHERE)
    return [_column(records, measure, found) for measure in layout.measures]


def _instants(layout: Layout, records: Records) -> Records:
    """Return one record for each instant of each row."""
    instants = Groups.of(records.rows, records.column("last"))
    return records if len(instants) == len(records) else merged(layout, records, instants)


def _newest(records: Records, asked: Ints, at: Ints) -> Ints:
    """Return for each moment the last record of its row that is not after it.

    Records are sorted by row and time; moments are sorted in among them, each behind its equals.
    """
    count = len(records)
    rows, times = np.append(records.rows, asked), np.append(records.column("last"), at)
    order = np.lexsort((np.arange(len(rows)) >= count, times, rows))
    before = np.maximum.accumulate(np.where(order < count, order, NOWHERE))
    newest = np.empty(len(rows), dtype=np.int64)
    newest[order] = before
    found = newest[count:]
    if not count:
        return found
    mine: Ints = np.where(records.rows[found] == asked, found, NOWHERE)
    return mine


def _column(records: Records, measure: Computed, found: Ints) -> Any:
    """Return a column of the records found; one that an event lacks is missing, however new."""
    of = measure.inputs[0]
    values = plain(records.state, f"{of.name}.last")
    if of.nullable:
        there = plain(records.state, f"{of.name}.last_at") == records.column("last")
        values = np.where(there, values, empty_like(values, len(values)))
    values = _taken(values, found)
    return to_arrow(values, measure.kind, records.words)


def _taken(values: Values, places: Ints) -> Values:
    """Return values by place, missing where that is `NOWHERE`."""
    padded: Any = np.append(values, empty_like(values, 1))
    taken: Values = padded[places]
    return taken
