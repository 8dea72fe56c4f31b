"""What reads bytes from outside, each as a function of some bytes.

Rejections, and errors that say that a whole source or body is no such thing, are answers; anything
else is a find.
"""

import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from struct import pack
from typing import Literal

from pydantic import BaseModel

from api.ingest import split
from featurestore import Entity, FeatureView, Stream, count, distinct, last, mean
from featurestore.aggregation import compiled
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.cutting import Cutting
from featurestore.aggregation.frames import decode
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.windows import read
from featurestore.contracts.block import Documents, JsonLines
from featurestore.contracts.decoder import Decoder
from featurestore.errors import RequestError, SourceError
from flows.sources.columns import wanted_by
from flows.sources.csv_rows import CsvFile


class Place(BaseModel):
    city: str | None = None
    zone: int = 0


class Event(BaseModel):
    id: str
    user: int
    amount: float
    kind: Literal["a", "b"]
    at: datetime
    place: Place = Place()
    words: list[str] = []


STREAM = Stream("events", contract=Event, event_time="at", event_id="id")
VIEW = FeatureView(
    "by_user",
    stream=STREAM,
    entity=Entity("user", keys=["user"]),
    windows=["1h", "1d"],
    features={"n": count(), "m": mean("amount"), "k": last("kind"), "d": distinct("id")},
)
NUMBERS = Layout.of(
    replace(VIEW, features={"n": count(), "m": mean("amount"), "l": last("amount")})
)
CUTTING = Cutting.of(NUMBERS, range(6)) if compiled.CUTTING else None
DECODER, LAYOUT = Decoder(STREAM, few=0), Layout.of(VIEW)
FILE = Path(tempfile.mkdtemp()) / "events.csv"
EVENT = b'{"id": "x", "user": 7, "amount": 1.5, "kind": "a", "at": "2026-01-31T12:00:00Z"}'


def event(at_us: int, amount: float) -> bytes:
    return pack("<qd", at_us << 5 | 3, amount)


def narrow(at_us: int, cents: int) -> bytes:
    return pack("<qi", at_us << 5 | 9, cents)


def documents(data: bytes) -> None:
    parts = data.split(b"\x00")
    decoded = DECODER.decode(Documents(parts, range(len(parts))))
    assert len(decoded.offsets) + len(decoded.rejected) == len(parts)


def lines(data: bytes) -> None:
    events = JsonLines(data, 0)
    decoded = DECODER.decode(events)
    assert len(decoded.offsets) + len(decoded.rejected) == len(events.offsets)


def body(data: bytes) -> None:
    with suppress(RequestError):
        parts = split(data)
        DECODER.decode(Documents(parts, range(len(parts))))


def table(data: bytes) -> None:
    FILE.write_bytes(data)
    partition = CsvFile("events", str(FILE), wanted_by(Event)).open(str(FILE), None)
    with closing(partition), suppress(SourceError):
        finished = False
        while not finished:
            block = partition.next_block(0)
            finished = block.finished
            if block.events is not None:
                DECODER.decode(block.events)


def row(data: bytes) -> None:
    with suppress(ValueError):
        decode(LAYOUT, [data])


def packed(data: bytes) -> None:
    try:
        expected = read(NUMBERS, [data], 0)
    except ValueError:
        assert not CUTTING or CUTTING.read(data, 0) is None
    else:
        values, _ = (CUTTING.read(data, 0) if CUTTING else None) or (None, None)
        assert values is None or repr(values) == repr([column[0] for column in expected.columns])


TARGETS: dict[str, tuple[Callable[[bytes], None], bytes]] = {
    "documents": (documents, EVENT),
    "lines": (lines, EVENT + b"\n" + EVENT),
    "body": (body, b"[" + EVENT + b"," + EVENT + b"]"),
    "table": (table, b'id,user,amount,kind,at\n"x",7,1.5,a,2026-01-31T12:00:00Z\n'),
    "row": (row, bytes(40)),
    "packed": (
        packed,
        compact(NUMBERS, [event(0, 1.0) + event(9, 0.25)])[0] + event(99, 2.0) + narrow(7, 9),
    ),
}
