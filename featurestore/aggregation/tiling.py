"""Tiling: which records of a row become one tile.

A tile may be as long as the hop of the smallest window that still covers its age::

    now ◄── age ──────────────────────────────────────────────────────────
    │ window 1h: tiles of 1m       │ window 24h: tiles of 20m     │ gone
    0                              1h                             24h

So the ends of a window never cut a tile longer than its own hop, and windows share tiles. Ages are
counted from the row's newest event, which is never later than now: ages only grow.
"""

import numpy as np

from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.records import Records


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
    return Groups.of(tiles.rows, hop, tiles.column("last") // hop)
