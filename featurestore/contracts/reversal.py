"""Reversals: events that undo an earlier one, as the aggregation takes them.

An event that reverses another stands where that one stood: at its event time, with a sign that
takes it out again. Sums do not ask for order, so a reversal may come first, and one that is older
than every window has nothing left to undo: it is late like any other event.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.contracts.condition import holds
from featurestore.definitions.stream import Stream


def reversing(stream: Stream, events: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Tell which events reverse another; none where the stream has no `reverses`."""
    if stream.reverses is None:
        return np.zeros(events.num_rows, dtype=bool)
    return holds(stream.reverses, dict(zip(events.schema.names, events.columns, strict=True)))


def as_it_happened(stream: Stream, events: pa.RecordBatch) -> pa.RecordBatch:
    """Return events with reversals moved to the time of what they reverse.

    A reversal that does not say which time that is has none then.
    """
    if stream.reverses_time is None:
        return events
    times, place = happened(stream, events), events.schema.get_field_index(stream.event_time)
    return events.set_column(place, pa.field(stream.event_time, times.type), times)


def happened(stream: Stream, events: pa.RecordBatch) -> Any:
    """Return when events happened: a reversal when what it reverses did."""
    own: Any = events.column(stream.event_time)
    if stream.reverses_time is None:
        return own
    reversed_at = pc.cast(events.column(stream.reverses_time), own.type)
    return pc.if_else(pa.array(reversing(stream, events)), reversed_at, own)
