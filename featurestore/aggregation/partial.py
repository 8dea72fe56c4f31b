"""From a block of events to one frame per entity it touches."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.aggregation.accumulators import State, Wire
from featurestore.aggregation.arrays import BytesArray, Ints, codes_of, from_arrow
from featurestore.aggregation.entity_keys import encode_keys
from featurestore.aggregation.frames import encode_rows
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.headers import POINTS, TILES
from featurestore.aggregation.layout import AT, SIGN, Layout
from featurestore.aggregation.records import Records, in_order, lifted, merged
from featurestore.aggregation.tiling import newest, tiles_of
from featurestore.contracts.condition import holds
from featurestore.contracts.reversal import reversing
from featurestore.definitions.entity import Entity
from featurestore.definitions.expression import Arrow

Numbered = tuple[Ints, BytesArray]


@dataclass(frozen=True, slots=True)
class Touched:
    """What a block of events does to the rows of a view.

    Attributes:
        keys: The entities touched, as an array of bytes.
        frames: For each, the frame to append to its row, as an array of bytes.
    """

    keys: BytesArray
    frames: BytesArray


@dataclass(frozen=True, slots=True)
class Assigned:
    """The events of a block that concern a view.

    Attributes:
        keys: The entities, as an array of bytes.
        entities: For each event the number of its entity; -1 if the event does not concern the
            view: `where` is not true for it, or one of its keys is missing.
        keyless: How many events were left out because a key is missing.
    """

    keys: BytesArray
    entities: Ints
    keyless: int

    def without(self, events: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> "Assigned":
        """Take events out."""
        return Assigned(self.keys, np.where(events, -1, self.entities), self.keyless)


def number(entity: Entity, events: pa.RecordBatch) -> Numbered:
    """Return for each event the number of its entity, -1 where a key is missing, and the keys."""
    return encode_keys([events.column(key) for key in entity.keys])


def assign(layout: Layout, events: pa.RecordBatch, numbered: Numbered | None = None) -> Assigned:
    """Find out which entity each event belongs to.

    Args:
        layout: The view's layout.
        events: Columns as `Stream.columns` names them.
        numbered: What `number` made of them, where other views have asked for it already.
    """
    entities, names = numbered or number(layout.view.entity, events)
    wanted = _wanted(layout, events)
    keyless = int(np.count_nonzero(wanted & (entities < 0)))
    return Assigned(names, np.where(wanted, entities, -1), keyless)


def partial(layout: Layout, events: pa.RecordBatch, assigned: Assigned | None = None) -> Touched:
    """Return one frame per entity for a block of events.

    An entity with at most `record_budget` events in the block gets a points frame, a busier one a
    tiles frame: its row is past being exact anyhow. Where a window holds the last n events, a
    frame with its newest events follows.

    Args:
        layout: The view's layout.
        events: Columns as `Stream.columns` names them.
        assigned: What `assign` made of the events, perhaps with some events taken out.

    Cost: 0.3-0.5 µs per event, 1 µs per entity.
    """
    assigned = assigned if assigned is not None else assign(layout, events)
    order = _by_entity(assigned.entities, len(assigned.keys))
    entities = assigned.entities[order]
    points = _points(layout, events, order, entities)
    groups = Groups.of(entities)
    if not len(groups):
        nothing = pa.array([], pa.large_binary())
        return Touched(nothing, nothing)
    busy = groups.sizes > layout.view.record_budget
    frames = _frames(layout, points, groups, busy)
    names = assigned.keys.take(entities[groups.starts])
    return Touched(names, frames)


def _wanted(layout: Layout, events: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    where = layout.view.where
    if where is None:
        return np.ones(events.num_rows, dtype=bool)
    return holds(where, _columns(events))


def _columns(events: pa.RecordBatch) -> dict[str, Arrow]:
    return dict(zip(events.schema.names, events.columns, strict=True))


def _by_entity(entities: Ints, count: int) -> Ints:
    """Sort events by entity, keeping their order; those of none are left out."""
    if count < np.iinfo(np.int16).max:  # a radix sort, five times as fast
        order = np.argsort(entities.astype(np.int16), kind="stable")
    else:
        order = np.argsort(entities, kind="stable")
    return order[np.count_nonzero(entities < 0) :]


def _points(layout: Layout, events: pa.RecordBatch, order: Ints, entities: Ints) -> Records:
    columns = _columns(events)
    stream = layout.view.stream
    at = from_arrow(columns[stream.event_time], stream.columns[stream.event_time].kind)
    state: State = {AT: at[order]}
    if layout.is_signed:
        state[SIGN] = np.where(reversing(stream, events)[order], -1, 1)
    texts = {}
    for column in layout.columns:
        values = column.expression.evaluate(columns)
        if column.input.wire is Wire.TEXT:
            texts[column.input.name] = values
        else:
            state[column.input.name] = from_arrow(values, column.kind)[order]
    codes, words = codes_of(list(texts.values())) if texts else ([], [])
    state |= {name: coded[order] for name, coded in zip(texts, codes, strict=True)}
    return Records(entities, state, tuple(words))


def _frames(
    layout: Layout,
    points: Records,
    groups: Groups,
    busy: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> BytesArray:
    if not busy.any():
        return _points_frames(layout, points)
    made, chosen = [], []
    for mask, make in ((~busy, _points_frames), (busy, _tiles_frames)):
        records = np.flatnonzero(mask[groups.ids])
        if len(records):
            made.append(make(layout, points.take(records)))
            chosen.append(np.flatnonzero(mask))
    frames = pa.concat_arrays(made)
    return frames.take(np.argsort(np.concatenate(chosen), kind="stable"))


def _points_frames(layout: Layout, points: Records) -> BytesArray:
    return encode_rows(layout, POINTS, points)


def _tiles_frames(layout: Layout, points: Records) -> BytesArray:
    at = points.column(AT).view(np.int64)
    points = points.take(in_order(points.rows, at, at))
    events = lifted(layout, points)
    groups = tiles_of(layout, events)
    if not layout.counts_events:
        return encode_rows(layout, TILES, merged(layout, events, groups))
    keep = newest(layout, Groups.of(events.rows))
    older = merged(layout, events.take(np.flatnonzero(~keep)), Groups.of(groups.ids[~keep]))
    tiles = encode_rows(layout, TILES, older)
    kept = _points_frames(layout, points.take(np.flatnonzero(keep)))
    joined: BytesArray = pc.binary_join_element_wise(tiles, kept, pa.scalar(b"", tiles.type))
    return joined
