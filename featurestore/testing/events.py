"""Events as tests have them at hand, as the decoder takes them."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import BaseModel
from pydantic_core import to_json

from featurestore.contracts.block import Documents, JsonLines, Rows

Event: TypeAlias = Mapping[str, Any] | BaseModel | bytes | str
Fed: TypeAlias = JsonLines | Documents | Rows


def as_events(given: Any, start: int) -> Fed | None:
    r"""Return what a test feeds as events whose offsets begin at `start`; None if there are none.

    Args:
        given: One event or several: mappings, instances of the contract, JSON documents; a text of
            JSON lines; or a table of Arrow, pandas, polars.
        start: The first offset.

    Raises:
        TypeError: It is none of these.

    >>> as_events([{"amount": 5.0}, '{"amount": 6.0}'], start=7)
    Documents(documents=[b'{"amount":5.0}', b'{"amount": 6.0}'], offsets=range(7, 9))
    >>> as_events('{"amount": 5.0}\n{"amount": 6.0}\n', start=0).offsets
    [0, 16]
    >>> as_events(5, start=0)
    Traceback (most recent call last):
      ...
    TypeError: cannot feed int: give events (dicts, models, JSON), a text of JSON lines, a table ...
    """
    if isinstance(given, str | bytes):
        data = given.encode() if isinstance(given, str) else given
        return JsonLines(data, start) if data.strip() else None
    if hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__"):
        batch = _batch(given)
        return Rows(batch, start) if batch.num_rows else None
    if isinstance(given, Mapping | BaseModel):
        given = [given]
    if not isinstance(given, Iterable):
        msg = (
            f"cannot feed {type(given).__name__}: give events (dicts, models, JSON), a text of "
            "JSON lines, a table of Arrow, pandas or polars, or the Path of a file"
        )
        raise TypeError(msg)
    documents = [_document(event) for event in given]
    return Documents(documents, range(start, start + len(documents))) if documents else None


def _document(event: Event) -> bytes:
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode()
    # what is not finite is for the decoder to tell
    return to_json(event, inf_nan_mode="constants", fallback=_plain)


def _plain(value: object) -> object:
    """Return a value of numpy as one of Python."""
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    msg = f"cannot feed {type(value).__name__} {value!r}: no JSON is written of it"
    raise TypeError(msg)


def _batch(table: Any) -> pa.RecordBatch:
    """Return a table in one piece, without what pandas adds to it."""
    if hasattr(table, "__arrow_c_stream__"):
        whole = pa.table(table)
    else:
        whole = pa.Table.from_batches([pa.record_batch(table)])
    columns = {
        name: column.combine_chunks()
        for name, column in zip(whole.schema.names, whole.columns, strict=True)
        if not name.startswith("__index_level_")
    }
    return pa.RecordBatch.from_pydict(columns)
