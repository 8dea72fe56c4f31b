"""Tables: Parquet and CSV rows are judged as pydantic would judge them one by one."""

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from featurestore import Stream
from featurestore.contracts.block import Rows
from featurestore.contracts.decoder import Decoded, Decoder
from featurestore.contracts.rejection import Reason
from featurestore.contracts.table import Table


class Card(BaseModel):
    country: str
    limit: Annotated[float, Field(gt=0)] | None = None


class Row(BaseModel):
    id: Annotated[str, Field(max_length=3, pattern=r"^[a-z]*$")]
    at: datetime
    whole: Annotated[int, Field(ge=-5, multiple_of=2)] = 4
    rate: float | None
    amount: Annotated[float, Field(ge=0, lt=100)] = 1.5
    price: Annotated[Decimal, Field(gt=0)] | None = None
    flag: bool = False
    status: Literal["ok", "no"] = "ok"
    level: Literal[1, 2] | None = None
    day: date | None = None
    card: Card | None = None
    taste: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    shares: Annotated[list[Annotated[float, Field(lt=1)]], Field(min_length=1, max_length=1)] = [
        0.5
    ]


STREAM = Stream("s", contract=Row, event_time="at")
DECODER = Decoder(STREAM)
START = datetime(1, 1, 1, tzinfo=UTC)


def reference(event: dict[str, Any]) -> list[Any] | None:
    """The values of one event by pydantic alone, None when it is to be rejected."""
    try:
        row = Row.model_validate(event)
    except ValidationError:
        return None
    card = row.card
    at = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)
    price = None if row.price is None else float(row.price)
    floats = [row.rate, row.amount, price, card.limit if card else None]
    floats += [*(row.taste or []), *row.shares]
    if not all(f is None or math.isfinite(f) for f in floats) or not abs(row.whole) < 2**63:
        return None
    country = card.country if card else None
    return [
        row.id,
        at,
        row.whole,
        *floats[:3],
        row.flag,
        row.status,
        row.level,
        row.day,
        country,
        floats[3],
        row.taste,
        row.shares,
    ]


def check(batch: pa.RecordBatch, events: list[dict[str, Any]], *, text: bool = False) -> None:
    decoded = DECODER.decode(Rows(batch, start=10, text=text))
    expected = [reference(event) for event in events]
    good = [n for n, values in enumerate(expected) if values is not None]
    assert decoded.offsets.tolist() == [10 + n for n in good]
    rows = [list(row.values()) for row in decoded.events.to_pylist()]
    assert rows == [expected[n] for n in good]
    assert [r.offset for r in decoded.rejected] == [
        10 + n for n, v in enumerate(expected) if v is None
    ]
    assert all(r.reason is Reason.INVALID and r.raw.startswith(b"{") for r in decoded.rejected)


floats = st.one_of(st.floats(), st.sampled_from([-0.0, 0.0, 100.0, 99.5, 2.0]), st.floats(0, 99))
ints = st.one_of(st.integers(-8, 8), st.sampled_from([2**53 + 2, 2**63 - 1, -(2**63)]))
instants = st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 naive on purpose
words = st.sampled_from(["", "a", "abc", "abcd", "ab\n", "é", "ok", "no"])
KINDS: dict[str, list[tuple[pa.DataType, st.SearchStrategy[Any]]]] = {
    "id": [
        (t, words) for t in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
    ],
    "at": [
        *(
            (pa.timestamp(u, tz), instants)
            for u in ("s", "ms", "us")
            for tz in (None, "UTC", "Europe/Berlin")
        ),
        (pa.string(), instants.map(datetime.isoformat)),
        (pa.int64(), st.integers(-5, 2 * 10**12)),
        (pa.date32(), st.dates()),
    ],
    "whole": [
        (pa.int64(), ints),
        (pa.int8(), st.integers(-8, 8)),
        (pa.uint64(), st.integers(0, 8) | st.just(2**63)),
        (pa.float64(), floats),
        (pa.string(), ints.map(str)),
        (pa.bool_(), st.booleans()),
    ],
    "rate": [
        (pa.float64(), floats),
        (pa.float32(), st.floats(width=32)),
        (pa.int64(), ints),
        (pa.string(), floats.map(repr)),
    ],
    "amount": [
        (pa.float64(), floats),
        (pa.int32(), st.integers(-1, 101)),
        (pa.decimal128(20, 4), st.decimals(-1, 101, places=4)),
    ],
    "price": [
        (pa.float64(), floats),
        (pa.decimal128(30, 2), st.decimals(0, 10**9, places=2)),
        (pa.int16(), st.integers(-1, 5)),
        (pa.null(), st.none()),
    ],
    "flag": [
        (pa.bool_(), st.booleans()),
        (pa.int8(), st.integers(-1, 2)),
        (pa.string(), st.sampled_from(["true", "no", "1", "x"])),
    ],
    "status": [(pa.string(), words), (pa.dictionary(pa.int8(), pa.string()), words)],
    "level": [(pa.int64(), st.integers(0, 3)), (pa.float64(), st.sampled_from([1.0, 1.5]))],
    "day": [
        (pa.date32(), st.dates()),
        (pa.string(), st.dates().map(str)),
        (pa.timestamp("us"), instants),
    ],
    "card": [
        (
            pa.struct([("country", pa.string()), ("limit", pa.float64())]),
            st.fixed_dictionaries({"country": st.none() | words, "limit": st.none() | floats}),
        )
    ],
    "taste": [
        (t, st.lists(floats, min_size=2, max_size=2))
        for t in (pa.list_(pa.float64(), 2), pa.list_(pa.float64()), pa.large_list(pa.float64()))
    ]
    + [
        (pa.list_(pa.float64()), st.lists(st.none() | floats, max_size=3)),
        (pa.list_(pa.float32(), 2), st.lists(st.floats(width=32), min_size=2, max_size=2)),
        (pa.list_(pa.int16()), st.lists(st.integers(-5, 5), max_size=3)),
        (pa.list_(pa.string()), st.lists(floats.map(repr), max_size=3)),
        (pa.list_(pa.bool_(), 2), st.lists(st.booleans(), min_size=2, max_size=2)),
        (pa.list_(pa.float64(), 3), st.lists(floats, min_size=3, max_size=3)),
        (pa.float64(), floats),
        (pa.string(), st.just("[1, 2]")),
    ],
    "shares": [
        (pa.list_(pa.float64(), 1), st.lists(st.floats(-2, 2), min_size=1, max_size=1)),
        (
            pa.list_(pa.decimal128(6, 2), 1),
            st.lists(st.decimals(-2, 2, places=2), min_size=1, max_size=1),
        ),
    ],
    "unknown": [(pa.int64(), ints)],
}


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    size, columns = draw(st.integers(1, 5)), {}
    for name, kinds in KINDS.items():
        if name in {"id", "at", "rate"} or draw(st.booleans()):
            arrow_type, values = draw(st.sampled_from(kinds[:1] * 6 + kinds))
            cells = values if draw(st.integers(0, 3)) else st.none() | values
            columns[name] = pa.array(
                draw(st.lists(cells, min_size=size, max_size=size)), arrow_type
            )
    return pa.RecordBatch.from_pydict(columns)


@settings(max_examples=100, deadline=None)
@given(batches())
def test_typed_tables_agree_with_pydantic_row_by_row(batch: pa.RecordBatch) -> None:
    check(batch, batch.to_pylist())
    check(batch.slice(1), batch.slice(1).to_pylist())


cells = {
    "id": st.sampled_from(["a", "abc", "abcd", ""]),
    "at": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01 10:00", "5", "", "x", "2026-01-01"]),
    "whole": st.sampled_from(
        ["2", "-4", "-6", "3", "2.0", " 2", "1_0", "", "x", "9223372036854775808"]
    ),
    "rate": st.sampled_from(["1.5", "-0", "1e5", "1e999", "nan", "", "x", "0.1", "1_0.5"]),
    "amount": st.sampled_from(["1", "99.99", "100", "-1", ""]),
    "price": st.sampled_from(["1.10", "0", ""]),
    "flag": st.sampled_from(["true", "False", "1", "yes", "", "x"]),
    "status": st.sampled_from(["ok", "no", "", "x"]),
    "level": st.sampled_from(["1", "2", "3", "", "x"]),
    "day": st.sampled_from(["2026-01-01", "2026-02-30", ""]),
    "taste": st.sampled_from(["[1, 2.5]", " [1,2] ", "[1]", "[1, null]", "[1, NaN]", "1", "", "["]),
    "shares": st.sampled_from(["[0.25]", "[1]", ""]),
    "card.country": st.sampled_from(["FR", ""]),
    "card.limit": st.sampled_from(["5", "0", ""]),
}


def meant(cells: dict[str, str]) -> dict[str, Any]:
    """What a CSV row says."""
    event: dict[str, Any] = {}
    card = {
        name: cells[f"card.{name}"] for name in ("country", "limit") if cells.get(f"card.{name}")
    }
    if card:
        event["card"] = {"country": "", **card} if "card.country" in cells else card
    for name, cell in cells.items():
        if "." in name:
            continue
        if cell or name in {"id", "at"}:
            event[name] = int(cell) if name == "level" and cell.isdigit() else cell
            if name in {"taste", "shares"} and cell.endswith(("]", "] ")):
                event[name] = json.loads(cell)
        elif name == "rate":
            event[name] = None
    return event


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_text_tables_agree_with_pydantic_row_by_row(data: st.DataObject) -> None:
    names = [
        "id",
        "at",
        "rate",
        *(n for n in [*cells][2:] if n != "rate" and data.draw(st.booleans())),
    ]
    rows = data.draw(
        st.lists(st.fixed_dictionaries({n: cells[n] for n in names}), min_size=1, max_size=5)
    )
    batch = pa.RecordBatch.from_pydict({n: [row[n] for row in rows] for n in names})
    check(batch, [meant(row) for row in rows], text=True)


def test_texts_of_other_files_than_csv_are_what_they_are() -> None:
    class Noted(BaseModel):
        at: datetime
        note: str | None = None
        tag: str = "none"

    columns = {"at": ["2026-01-01T00:00:00Z"], "note": [""], "tag": [""]}
    batch = pa.RecordBatch.from_pydict(columns)
    decoder = Decoder(Stream("s", contract=Noted, event_time="at"))
    found = {text: decoder.decode(Rows(batch, 0, text=text)).events for text in (True, False)}
    assert {text: [c.to_pylist() for c in e.columns[1:]] for text, e in found.items()} == {
        True: [[None], ["none"]],
        False: [[""], [""]],
    }


def decode(**columns: Any) -> Decoded:
    at = pa.array([0] * len(next(iter(columns.values()))), pa.timestamp("us", tz="UTC"))
    return DECODER.decode(
        Rows(pa.RecordBatch.from_pydict({"id": ["a"] * len(at), "at": at, **columns}), start=0)
    )


def test_vectors_of_tables_are_read_whole_columns_at_a_time() -> None:
    pair = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float32(), 2))
    one = pa.array([[0], [0.5], [0.25]], pa.list_(pa.float64()))
    at = pa.array([0, 0, 0], pa.timestamp("us", tz="UTC"))
    batch = pa.RecordBatch.from_pydict(
        {"id": ["a"] * 3, "at": at, "rate": [1.0] * 3, "taste": pair, "shares": one}
    )
    tabular = DECODER._tabular
    assert tabular is not None
    piece = tabular.read(Table.of(batch))
    assert piece.places.tolist() == [0, 1, 2]
    assert piece.columns["taste"].to_pylist() == [[1.0, 2.0], None, [3.0, 4.0]]
    assert piece.columns["shares"].type == pa.list_(pa.float64(), 1)


def test_a_vector_that_is_not_finite_is_kept_as_it_was() -> None:
    taste = pa.array([[1.0, math.nan]], pa.list_(pa.float64(), 2))
    (rejection,) = decode(taste=taste, rate=[1.0]).rejected
    assert rejection.detail == "taste.1: must be finite, got nan"
    assert b'"taste": [1.0, NaN]' in rejection.raw


def test_a_truth_in_text_that_is_missing_stays_missing() -> None:
    class Answer(BaseModel):
        at: datetime
        yes: bool | None = None

    at = pa.array([0, 0], pa.timestamp("us", tz="UTC"))
    table = pa.RecordBatch.from_pydict({"at": at, "yes": ["false", None]})
    decoded = Decoder(Stream("s", contract=Answer, event_time="at")).decode(Rows(table, start=0))
    assert decoded.events.column("yes").to_pylist() == [False, None]


def test_what_is_not_finite_is_invalid_and_its_raw_form_says_so() -> None:
    decoded = decode(rate=[1.0, math.nan, math.inf, None])
    assert decoded.offsets.tolist() == [0, 3]
    assert [r.detail for r in decoded.rejected] == [
        "rate: must be finite, got nan",
        "rate: must be finite, got inf",
    ]
    assert b"NaN" in decoded.rejected[0].raw


def test_a_required_column_that_is_not_there_makes_every_row_invalid() -> None:
    decoded = decode(whole=[2, 4])
    assert decoded.events.num_rows == 0
    assert [r.detail for r in decoded.rejected] == ["rate: Field required (has: id, at, whole)"] * 2


def test_broken_rows_are_malformed_and_stand_in_order() -> None:
    batch = pa.RecordBatch.from_pydict({"id": ["a", "abcd"], "at": ["5", "5"], "rate": ["1", "1"]})
    rows = Rows(batch, 0, broken=((1, b"a,b", "2 cells"), (3, b"z", "1 cell")), row_numbers=[0, 2])
    decoded = DECODER.decode(rows)
    assert decoded.offsets.tolist() == [0]
    assert [(r.offset, r.reason, r.raw[:3]) for r in decoded.rejected] == [
        (1, Reason.MALFORMED, b"a,b"),
        (2, Reason.INVALID, b'{"i'),
        (3, Reason.MALFORMED, b"z"),
    ]


def test_timestamps_out_of_reach_and_text_that_is_not_utf8_are_rejections() -> None:
    at = pa.array([2**62, 0, 0]).cast(pa.timestamp("s"))
    data = pa.array([b"a", b"\xff", b"b"], pa.binary())
    offsets, values = data.buffers()[1:]
    ids = pa.Array.from_buffers(pa.string(), 3, [None, offsets, values])
    batch = pa.RecordBatch.from_pydict({"id": ids, "at": at, "rate": [1.0, 1.0, 1.0]})
    decoded = DECODER.decode(Rows(batch, start=0))
    assert decoded.events.column("id").to_pylist() == ["b"]
    assert [r.detail.split(":")[0] for r in decoded.rejected] == ["at", "id"]


def test_nanoseconds_are_cut_off() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"id": ["a", "abcd"], "at": pa.array([1999, -1], pa.timestamp("ns")), "rate": [1.0, 1.0]}
    )
    decoded = DECODER.decode(Rows(batch, start=0))
    assert np.asarray(decoded.events.column("at").cast(pa.int64())).tolist() == [1]
    assert decoded.rejected[0].offset == 1


@pytest.mark.parametrize("extra", [{"more": [1]}, {}])
def test_other_columns_matter_only_where_the_contract_forbids_them(extra: dict[str, Any]) -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        at: datetime

    batch = pa.RecordBatch.from_pydict({"at": ["2026-01-01"], **extra})
    decoded = Decoder(Stream("s", contract=Strict, event_time="at")).decode(Rows(batch, start=0))
    assert [r.detail for r in decoded.rejected] == [
        "more: Extra inputs are not permitted, got 1"
    ] * bool(extra)


def test_an_aliased_and_a_nested_required_model_are_found() -> None:
    class Paid(BaseModel):
        at: datetime = Field(alias="paid-at")
        card: Card

    decoder = Decoder(Stream("s", contract=Paid, event_time="at"))
    stamps = pa.array([0, 0, 0], pa.timestamp("s"))
    dotted = pa.RecordBatch.from_pydict({"paid-at": stamps, "card.country": ["FR", None, ""]})
    struct = pa.RecordBatch.from_pydict(
        {"paid-at": stamps, "card": [{"country": "FR"}, None, {"country": None}]}
    )
    for batch in (dotted, struct):
        decoded = decoder.decode(Rows(batch, start=0))
        assert decoded.events.column("card.country").to_pylist()[0] == "FR"
    assert decoder.decode(Rows(dotted, start=0)).offsets.tolist() == [0, 2]
    assert decoder.decode(Rows(struct, start=0)).offsets.tolist() == [0]
