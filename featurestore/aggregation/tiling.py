"""Tiling: which records of a row become one tile.

A tile may be as long as the hop of the smallest window that still covers its age::

    now ◄── age ──────────────────────────────────────────────────────────
    │ window 1h: tiles of 1m       │ window 24h: tiles of 20m     │ gone
    0                              1h                             24h

So the ends of a window never cut a tile longer than its own hop, and windows share tiles. Ages are
counted from the row's newest event, which is never later than now: ages only grow.

Where a window holds the last n events, those of the instant at which a row's newest records start
become a tile of their own. So what stands there or later holds nothing older, and n is exact.
"""

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.records import Records

Mask = npt.NDArray[np.bool_]


def ages_of(tiles: Records) -> Ints:
    """Return how long before its row's newest event each record ended; sorted by row."""
    last = tiles.column("last").astype(np.int64)
    rows = Groups.of(tiles.rows)
    return rows.largest(last).astype(np.int64)[rows.ids] - last


def tiles_of(layout: Layout, tiles: Records) -> Groups:
    """Group records, sorted by row and time, that become one tile each."""
    reaches, hops = layout.hops
    place = np.minimum(np.searchsorted(reaches, ages_of(tiles)), len(hops) - 1)
    hop = hops[place]
    apart = [_edge(layout, tiles)] if layout.counts_events else []
    return Groups.of(tiles.rows, hop, tiles.column("last") // hop, *apart)


def newest(layout: Layout, rows: Groups) -> Mask:
    """Say which records, sorted by row and time, are the newest ones, which stay as they are."""
    mask: Mask = rows.ends[rows.ids] - np.arange(len(rows.ids)) <= layout.view.record_budget // 2
    return mask


def _edge(layout: Layout, tiles: Records) -> Mask:
    """Say which records stand at the instant at which the newest ones of their row start."""
    rows, last = Groups.of(tiles.rows), tiles.column("last")
    starts = np.maximum(rows.ends - layout.view.record_budget // 2, rows.starts)
    mask: Mask = last == last[starts][rows.ids]
    return mask
