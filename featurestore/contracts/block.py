"""A block: some thousand neighbouring events of one source partition, not yet decoded.

Sources make blocks, the decoder turns them into columns. Offsets rise strictly within a
partition, over all its blocks; they are whole numbers of any size.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from pydantic import BaseModel

from featurestore.contracts.offsets import Offsets
from featurestore.contracts.row_event import event_of
from featurestore.contracts.table import Table

Places: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class JsonLines:
    r"""Whole JSON lines as they stand in a file; an event's offset is the byte its line starts at.

    Blank lines are no events. Every line but the last ends in a newline.

    >>> JsonLines(b'{"a": 1}\n\n{"a": 2}\n', start=100).offsets
    [100, 110]
    """

    data: bytes
    start: int

    @cached_property
    def documents(self) -> list[bytes]:
        """The lines that are not blank, without surrounding white space."""
        lines = map(bytes.strip, self.data.split(b"\n"))
        return [line for line in lines if line]

    @cached_property
    def offsets(self) -> list[int]:
        """The offset of each event."""
        offsets, at = [], self.start
        for line in self.data.split(b"\n"):
            if line.strip():
                offsets.append(at)
            at += len(line) + 1
        return offsets

    @property
    def end(self) -> int:
        """The last offset these lines cover: the position once they are committed."""
        return self.start + len(self.data) - 1


@dataclass(frozen=True)
class Documents:
    """JSON documents, one an event, as a log such as a Redis Stream or Kafka holds them."""

    documents: list[bytes]
    offsets: Sequence[int] | Offsets

    @property
    def end(self) -> int:
        """The last offset these documents cover."""
        return int(self.offsets[-1])


@dataclass(frozen=True, eq=False)
class Packed:
    r"""JSON documents one behind the other, with a line end (CR, LF) behind each.

    As `Documents`, without an object for each.

    >>> packed = Packed(b'{"a": 1}\r\n{}\r\n', np.array([0, 10]), np.array([8, 12]), [5, 6])
    >>> packed.documents
    [b'{"a": 1}', b'{}']

    Attributes:
        data: The bytes they stand in.
        begins: Where each begins.
        ends: Where each ends.
        offsets: Their offsets.
    """

    data: bytes
    begins: Places
    ends: Places
    offsets: Sequence[int] | Offsets

    @cached_property
    def documents(self) -> list[bytes]:
        """The documents, one by one."""
        places = zip(self.begins.tolist(), self.ends.tolist(), strict=True)
        return [self.data[begin:end] for begin, end in places]

    @property
    def end(self) -> int:
        """The last offset these documents cover."""
        return int(self.offsets[-1])


@dataclass(frozen=True)
class Rows:
    """Rows of a table (Parquet, CSV); an event's offset is its row number in the file.

    Columns are named as in the file. A column of strings is parsed to what the contract asks.
    `broken` holds rows that could not even be split into columns, as (row number, text, fault).
    `text` tells that the file has nothing but text, as CSV does: an empty cell then says nothing.
    """

    batch: pa.RecordBatch
    start: int
    broken: tuple[tuple[int, bytes, str], ...] = ()
    row_numbers: Sequence[int] | None = None
    text: bool = False

    @cached_property
    def offsets(self) -> Sequence[int]:
        """The row number of each row of `batch`."""
        if self.row_numbers is not None:
            return self.row_numbers
        return range(self.start, self.start + self.batch.num_rows)

    @property
    def end(self) -> int:
        """The last row number these rows cover, broken ones included."""
        last = self.offsets[-1] if self.batch.num_rows else self.start - 1
        return max([last, *(row for row, _, _ in self.broken)])


@dataclass(frozen=True)
class Block:
    """Neighbouring events of one source partition.

    Attributes:
        stream: The stream's name.
        partition: The source partition's name, unique within the stream, the same in every run.
        events: The events; None when the source only tells that time has passed.
        end: The last offset covered; resuming continues after it.
        read_us: When the source read it (wall clock, microseconds UTC).
        finished: No event follows: the partition is bounded and was read to its end.
        behind: More events are there already: reading has fallen behind.
    """

    stream: str
    partition: str
    events: JsonLines | Documents | Packed | Rows | None
    end: int
    read_us: int
    finished: bool = False
    behind: bool = False


def raw_events(
    events: JsonLines | Documents | Packed | Rows,
    offsets: Sequence[int],
    contract: type[BaseModel],
) -> list[bytes]:
    r"""Return events as they arrived, by their offsets.

    A row of a table is written as the JSON of the event it stands for, so that it can be judged
    again without its table.

    >>> class Sale(BaseModel):
    ...     note: str | None = None
    >>> raw_events(JsonLines(b'{"a": 1}\n{"a": 2}\n', start=0), [9], Sale)
    [b'{"a": 2}']
    >>> row = pa.RecordBatch.from_pydict({"a": ["5"], "note": [""]})
    >>> raw_events(Rows(row, start=0, text=True), [0], Sale)
    [b'{"a":"5"}']
    """
    places = {offset: place for place, offset in enumerate(events.offsets)}
    chosen = [places[offset] for offset in offsets]
    if isinstance(events, Rows):
        batch = events.batch.take(pa.array(chosen, pa.int64()))
        return _raw_rows(Table.of(batch, text=events.text), contract)
    return [events.documents[place] for place in chosen]


def _raw_rows(table: Table, contract: type[BaseModel]) -> list[bytes]:
    rows = table.rows(range(table.size))
    return [_as_json(event_of(row, contract, text=table.text)) for row in rows]


def _as_json(row: dict[str, Any]) -> bytes:
    if any(
        map(_is_infinite, row.values())
    ):  # orjson would write null, and the reason for the rejection would be gone
        return json.dumps(row, default=_as_text, ensure_ascii=False).encode()
    return orjson.dumps(row, default=_as_text, option=orjson.OPT_NON_STR_KEYS)


def _is_infinite(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_infinite, value.values()))
    if isinstance(value, list):
        return any(map(_is_infinite, value))
    return isinstance(value, float) and not math.isfinite(value)


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
