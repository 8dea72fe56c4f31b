"""Compaction: from a long row to a short one that answers the same.

A row within its record budget keeps every event: it stays exact. Past it, half the budget's worth
of newest records stay as they are if they are events, others become tiles (`tiling`), and what no
window can reach any more is left behind. So a row has a bounded number of events and of tiles,
whatever its traffic.

A row that was left without some of its events has a tile, if only of one event: so a row without
a tile has all of its events (`exactness`).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.frames import decode, encode_rows, words_in
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.headers import EVENT, POINTS, TILES
from featurestore.aggregation.layout import AT, Layout
from featurestore.aggregation.packing import compacted, sections
from featurestore.aggregation.records import Records, in_order, joined, lifted, merged
from featurestore.aggregation.tiling import ages_of, newest, tiles_of

Mask = npt.NDArray[np.bool_]


def compact(layout: Layout, rows: Sequence[bytes]) -> list[bytes]:
    """Return each row shortened, without what no window can reach from its newest event.

    Compacting again changes nothing. A row has `Layout.most_records` records at most.

    Cost: one vectorised pass over all rows, 1-2 µs per record.
    """
    points, tiles = decode(layout, rows)
    at = points.column(AT).view(np.int64)
    points = points.take(in_order(points.rows, at, at))
    records = joined(lifted(layout, points), tiles)
    order = _order(records)
    sorted_records = records.take(order)
    if not len(sorted_records):
        return [b""] * len(rows)
    is_point = order < len(points)
    keep, tile, groups = _sort_out(layout, sorted_records, is_point)
    kept_points = points.take(order[keep & is_point])
    kept_tiles = sorted_records.take(np.flatnonzero(keep & ~is_point))
    parts = sorted_records.take(np.flatnonzero(tile))
    new_tiles = merged(layout, parts, Groups.of(groups.ids[tile])) if len(parts) else parts
    return _encoded(layout, len(rows), kept_points, joined(kept_tiles, new_tiles))


def _order(records: Records) -> Ints:
    last, first = (records.column(name).view(np.int64) for name in ("last", "first"))
    return in_order(records.rows, last, first)


def _sort_out(layout: Layout, records: Records, is_point: Mask) -> tuple[Mask, Mask, Groups]:
    """Say which records stay as they are, and which become part of a tile of several.

    The newest stay, but for tiles, which are as good as merged with others of their hop; where a
    window counts events, a tile that starts before the newest must not end among them.
    """
    rows, groups = Groups.of(records.rows), tiles_of(layout, records)
    full = (rows.sizes > layout.view.record_budget)[rows.ids]
    recent = newest(layout, rows)
    reachable = ages_of(records) < layout.view.horizon_us
    tile = full & ~recent
    tile |= ~is_point & (not layout.counts_events)
    tile &= reachable
    tile &= groups.total(tile.astype(np.int64))[groups.ids] > 1
    kept = reachable | (is_point & ~full)
    tile |= _after_a_loss(rows, kept, reachable, tile | (kept & ~is_point))
    return ~tile & kept, tile, groups


def _after_a_loss(rows: Groups, kept: Mask, reachable: Mask, tiles: Mask) -> Mask:
    """Say which records become a tile as others of their row are lost, and no tile is left.

    It is the oldest within reach: one beyond would be lost next time, and the next one after that.
    """
    places = np.arange(len(kept))
    oldest = rows.smallest(np.where(reachable, places, len(kept)))
    lost, left = (rows.total(mask.astype(np.int64)) for mask in (~kept, tiles))
    chosen: Mask = places == np.where((lost > 0) & (left == 0), oldest, -1)[rows.ids]
    return chosen


def _encoded(layout: Layout, count: int, points: Records, tiles: Records) -> list[bytes]:
    tiles = tiles.take(_order(tiles))
    of_tiles = _parts(layout, TILES, tiles)
    of_points = _parts(layout, POINTS, points)
    return [
        compacted(layout, of_tiles.get(row, b"") + of_points.get(row, b"")) for row in range(count)
    ]


def _parts(layout: Layout, kind: int, records: Records) -> dict[int, bytes]:
    """Return what holds the records of each row that has some: frames, or a section."""
    if not len(records):
        return {}
    rows = Groups.of(records.rows)
    present = records.rows[rows.starts].tolist()
    if not layout.is_packed:
        frames = encode_rows(layout, kind, records).to_pylist()
        return dict(zip(present, frames, strict=True))
    made = sections(EVENT if kind == POINTS else kind, words_in(layout, kind, records), rows)
    return dict(zip(present, made, strict=True))
