"""Vectors as an Arrow stream, for clients that rank many entities.

One record batch, one row per entity in the order of the request:

=========================  ==========================  =======================================
column                     type                        when
=========================  ==========================  =======================================
``{feature}``              int64, float64, bool,       always, in the order of the service;
                           string, date32,             null where there is no value
                           timestamp[us, UTC],
                           fixed_size_list<float64>
``{feature}__status``      dictionary<int8, string>    ``include`` names ``statuses``
``{feature}__event_time``  timestamp[us, UTC]          ``include`` names ``event_times``
``{feature}__exact``       bool                        ``include`` names ``exact``
=========================  ==========================  =======================================

The schema's metadata has ``service``, ``as_of``, and ``clock.{stream}`` for each event clock. So
``table.select(features).to_pandas()`` is the matrix a model takes, without a value being touched.
"""

from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa

from featurestore.definitions.contract import ARROW_TYPES, Kind
from featurestore.instants import instant_text
from featurestore.serving.vector import Status, Vectors

_INSTANT = ARROW_TYPES[Kind.DATETIME]
_STATUS = pa.dictionary(pa.int8(), pa.string())
_WORDS = pa.array([status.value for status in Status])
_NUMBERS = {status.value: number for number, status in enumerate(Status)}


def arrow_stream(
    service: str, as_of: str, features: Sequence[str], vectors: Vectors, include: Collection[str]
) -> bytes:
    """Return vectors as an Arrow IPC stream; the module has its schema.

    Cost: 60 µs for one entity of ten features, 0.1 µs per value for many.
    """
    fields: list[Any] = []
    columns: list[Any] = []
    shape = vectors.shape
    for name, size, series in zip(features, shape.sizes, vectors.series, strict=True):
        columns.append(series.arrow(size))
        fields.append(pa.field(name, columns[-1].type))
    if "statuses" in include:
        for name, statuses in zip(features, _transposed(vectors.statuses), strict=True):
            fields.append(pa.field(f"{name}__status", _STATUS))
            columns.append(_statuses(statuses))
    if "event_times" in include:
        for name, times in zip(features, vectors.reads.newest(len(features)), strict=True):
            fields.append(pa.field(f"{name}__event_time", _INSTANT))
            columns.append(times.arrow())
    if "exact" in include:
        for name, exact in zip(features, _transposed(vectors.exact), strict=True):
            fields.append(pa.field(f"{name}__exact", pa.bool_()))
            columns.append(pa.array(exact, pa.bool_()))
    metadata: dict[bytes | str, bytes | str] = {"service": service, "as_of": as_of}
    metadata |= {f"clock.{stream}": instant_text(at) for stream, at in vectors.clocks.items()}
    schema = pa.schema(fields, metadata=metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(pa.record_batch(columns, schema=schema))
    return sink.getvalue().to_pybytes()


def _transposed(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))


def _statuses(statuses: Sequence[str]) -> Any:
    numbers = pa.array([_NUMBERS[status] for status in statuses], pa.int8())
    return pa.DictionaryArray.from_arrays(numbers, _WORDS)
