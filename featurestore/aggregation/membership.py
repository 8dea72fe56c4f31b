"""Membership: which records are in a window at some moment.

Records stand at their last event. In most windows they are by that time alone; where a session or
the last events start, the newer records of the row decide::

    session, gap g     ──x─x──────────x──x─x─x──│──►     the last n, n = 3    ──x──x──x─x──│──►
                              > g     └ in ────┘ now                               └ in ──┘ now

1. The last n events are the newest records until they hold n, and all others of the instant then
   reached. So the order in which events of one instant came makes no difference.
2. A session is the newest record, unless it lies longer than the gap before the moment, and every
   record whose last event lies no longer than the gap before the first of those already in. No
   tile in its reach holds a longer gap, so tiles answer the same as their events.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.arrays import LARGEST, Ints
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.records import Records
from featurestore.definitions.window import BY_EVENTS, Window, WindowKind

Mask = npt.NDArray[np.bool_]


def members(window: Window, records: Records, now_us: Ints) -> Ints:
    """Return which records are in a window.

    Args:
        window: The window.
        records: Tiles, sorted by row and time.
        now_us: For each record the moment its row is asked for.

    Cost: some ten numpy calls more for a window that starts at an event.
    """
    last = records.column("last").astype(np.int64, copy=False)
    start, end = window.span(now_us)
    found: Ints = np.flatnonzero((last > start) & (last <= end))
    if not len(found) or window.kind not in BY_EVENTS:
        return found
    rows = Groups.of(records.rows[found])
    if window.kind is WindowKind.LAST:
        events = records.column("n").astype(np.int64)[found]
        return found[_newest(rows, last[found], events, window.events)]
    first = records.column("first").astype(np.int64)[found]
    return found[_under_way(rows, first, last[found], end[found], window.gap_us)]


def _newest(rows: Groups, last: Ints, events: Ints, most: int) -> Mask:
    """Say which records make up the last events of their row."""
    needed = _after(rows, events) < most
    oldest = rows.smallest(np.where(needed, last, LARGEST)).astype(np.int64)
    mask: Mask = last >= oldest[rows.ids]
    return mask


def _under_way(rows: Groups, first: Ints, last: Ints, end: Ints, gap_us: int) -> Mask:
    """Say which records belong to the session of their row."""
    following = np.append(_earliest_from(rows, first)[1:], end[-1:])
    following[rows.ends - 1] = end[rows.ends - 1]
    apart = (last < following - gap_us).astype(np.int64)
    mask: Mask = _after(rows, apart) + apart == 0
    return mask


def _after(rows: Groups, values: Ints) -> Ints:
    """Return for each record the total of those after it in its row."""
    until = np.cumsum(values)
    return until[rows.ends - 1][rows.ids] - until


def _earliest_from(rows: Groups, first: Ints) -> Ints:
    """Return for each record the smallest of its value and of those after it in its row.

    By rank among all: those of later rows are larger, whatever their values.
    """
    order = np.lexsort((first, rows.ids))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    smallest = np.minimum.accumulate(rank[::-1])[::-1]
    return first[order[smallest]]


def start_of(
    window: Window, state: Mapping[str, Sequence[int]], low: int, high: int, end_us: int
) -> int:
    """Return the first record in a window whose start the events decide; of one row alone.

    Args:
        window: The window.
        state: The row's records as columns, sorted by time.
        low: The first record that could be in it.
        high: The record after the last that could be, and is, but for a session that is over.
        end_us: When the window ends.
    """
    if window.kind is WindowKind.LAST:
        return _newest_from(state, low, high, window.events)
    first, last = state["first"], state["last"]
    place, following = high, end_us
    while place > low and last[place - 1] >= following - window.gap_us:
        place -= 1
        following = min(first[place], following)
    return place


def _newest_from(state: Mapping[str, Sequence[int]], low: int, high: int, most: int) -> int:
    events, last, place, held = state["n"], state["last"], high, 0
    while place > low and (held < most or last[place - 1] == last[place]):
        place -= 1
        held += events[place]
    return place
