"""Rows read one value at a time give what arrays give, bit for bit."""

import struct
from datetime import datetime
from typing import Annotated

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from featurestore import (
    Entity,
    FeatureView,
    Measure,
    Stream,
    column,
    count,
    distinct,
    first,
    last,
    last_n_events,
    maximum,
    mean,
    minimum,
    session,
    std,
    total,
)
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.aggregation.short_frames import MOST_RECORDS
from featurestore.aggregation.short_rows import ShortRows
from featurestore.aggregation.windows import read
from featurestore.definitions.window import WindowChoice
from tests.strategies import rows_of_any_size


class Event(BaseModel):
    key: str
    at: datetime
    amount: float
    tip: float | None
    taste: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    items: int
    points: int | None
    word: str
    remark: str | None
    paid: bool
    gift: bool | None
    seen: datetime | None


TYPES = {
    "key": pa.string(),
    "at": pa.timestamp("us", "UTC"),
    "amount": pa.float64(),
    "tip": pa.float64(),
    "taste": pa.list_(pa.float64(), 2),
    "items": pa.int64(),
    "points": pa.int64(),
    "word": pa.string(),
    "remark": pa.string(),
    "paid": pa.bool_(),
    "gift": pa.bool_(),
    "seen": pa.timestamp("us", "UTC"),
}
EVENTS = Stream("events", contract=Event, event_time="at")
NUMBERS = ["amount", "tip", "items", "points", "paid", "gift"]
ANY = [*NUMBERS, "word", "remark", "seen"]
SECOND = 1_000_000

measures = st.one_of(
    st.just(count()),
    st.builds(count, st.sampled_from(ANY)),
    st.builds(lambda of: count(where=column(of) > 1), st.sampled_from(["amount", "points"])),
    *(st.builds(kind, st.sampled_from(NUMBERS)) for kind in (total, mean, std)),
    *(st.builds(kind, st.sampled_from(ANY)) for kind in (minimum, maximum, first, last, distinct)),
    st.sampled_from([total("taste"), mean("taste"), last("taste"), count("taste")]),
    st.builds(lambda of: mean(column(of) * 2 - 1), st.sampled_from(["amount", "tip", "items"])),
)
floats = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-100, 100),
    st.integers(-5, 5).map(float),
    st.sampled_from([-(2.0**63), 2.0**63]),
).map(lambda value: value + 0.0)  # which of 0.0 and -0.0 is the smaller is not said
EXTREMES = [2**63 - 1, -(2**63) + 1]
ints = st.one_of(st.integers(-5, 5), st.integers(-(2**62), 2**62), st.sampled_from(EXTREMES))
texts = st.sampled_from(["", "a", "b", "ä", "zz", "|", "long" * 5])


def optional(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), values)


def event(of: dict[str, st.SearchStrategy[object]]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(of)


events = event(
    {
        "key": st.just("k"),
        "at": st.one_of(st.integers(0, 40), st.integers(0, 3_000_000)).map(lambda t: t * 50_000),
        "amount": floats,
        "tip": optional(floats),
        "taste": optional(st.lists(floats, min_size=2, max_size=2)),
        "items": ints,
        "points": optional(ints),
        "word": texts,
        "remark": optional(texts),
        "paid": st.booleans(),
        "gift": optional(st.booleans()),
        "seen": optional(st.integers(0, 10**12)),
    }
)


PLAIN = ("1s", "10s", "2m", "1d")
BY_EVENTS = (
    session("1s", longest="1m"),
    last_n_events(1),
    last_n_events(3, longest="2m"),
    session("2m", offset="1s"),
)


@rows_of_any_size
def view(
    of: list[Measure],
    budget: int,
    offset: str | None,
    windows: tuple[str | WindowChoice, ...] = PLAIN,
) -> FeatureView:
    return FeatureView(
        "v",
        stream=EVENTS,
        entity=Entity("e", keys=["key"]),
        windows=windows,
        features={f"f{number}": measure for number, measure in enumerate(of)},
        record_budget=budget,
        offset=offset,
    )


def row_of(layout: Layout, batches: list[list[dict[str, object]]], compacted: int) -> bytes:
    row = b""
    for number, batch in enumerate(batches):
        schema = pa.schema(TYPES.items())
        columns = pa.RecordBatch.from_pylist(batch, schema=schema)
        row += b"".join(partial(layout, columns).frames.to_pylist())
        if number == compacted:
            (row,) = compact(layout, [row])
    return row


def bits(value: object) -> object:
    return struct.pack("<d", value) if isinstance(value, float) else (type(value), value)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(measures, min_size=1, max_size=6),
    st.one_of(
        st.tuples(st.integers(1, 12), st.just(PLAIN)),
        st.tuples(st.integers(6, 12), st.just(BY_EVENTS)),
    ),
    st.sampled_from([None, "1s", "1m"]),
    st.lists(st.lists(events, min_size=1, max_size=6), min_size=1, max_size=6),
    st.integers(0, 6),
    st.lists(st.integers(-2, 90_000), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_a_row_read_alone_is_the_row_read_with_arrays(  # noqa: PLR0917 - drawn by Hypothesis
    of: list[Measure],
    row_kind: tuple[int, tuple[str | WindowChoice, ...]],
    offset: str | None,
    batches: list[list[dict[str, object]]],
    compacted: int,
    moments: list[int],
    random: object,
) -> None:
    budget, windows = row_kind
    layout = Layout.of(view(of, budget, offset, windows))
    row = row_of(layout, batches, compacted)
    outputs = random.sample(range(len(of) * 4), random.randint(1, len(of) * 4))  # type: ignore[attr-defined]
    short = ShortRows(layout, outputs)
    sets = any(measure.aggregation == "distinct" for measure in of)
    wanted = [layout.features[output].measure for output in outputs]
    vectors = any(str(measure.of) == "taste" for measure in wanted)
    for moment in moments:
        now_us = moment * SECOND // 10
        expected = read(layout, [row], now_us)
        found = short.read(row, now_us)
        if found is None:
            assert sets or vectors  # only these are left to arrays here
            continue
        assert not vectors
        values, times = found
        assert list(map(bits, values)) == [bits(expected.columns[o][0]) for o in outputs]
        assert times == [expected.event_us[o][0] for o in outputs]


@pytest.fixture
def spent() -> Layout:
    return Layout.of(view([total("amount"), count()], 500, None))


def some(number: int) -> dict[str, object]:
    return {**dict.fromkeys(TYPES), "key": "k", "at": number, "amount": 1.5, "items": 1, "word": ""}


def test_a_row_that_is_not_there_has_no_events(spent: Layout) -> None:
    values, times = ShortRows(spent, [0, 4]).nothing
    assert (values, times) == ([None, 0], [None, None])


def test_an_emptied_row_has_no_events(spent: Layout) -> None:
    short = ShortRows(spent, [0, 4])
    assert short.read(b"", 10) == short.nothing


def test_a_long_row_is_left_to_arrays(spent: Layout) -> None:
    short = ShortRows(spent, [0])
    batches = [[some(number)] for number in range(MOST_RECORDS)]
    longest = row_of(spent, batches, -1)
    assert short.read(longest, SECOND - 1) == ([1.5 * MOST_RECORDS], [MOST_RECORDS - 1])
    assert short.read(longest + row_of(spent, [[some(1)]], -1), SECOND - 1) is None


def test_bytes_that_are_no_frames_are_left_to_arrays(spent: Layout) -> None:
    short, row = ShortRows(spent, [0]), row_of(spent, [[some(1)], [some(2), some(3)]], -1)
    for broken in (b"\x21" + row[1:], row[:-8], row + b"\x11\x00\x01\x00\xff\xff\x00\x00"):
        assert short.read(broken, SECOND) is None
        with pytest.raises(ValueError, match="starts no frame"):
            read(spent, [broken], SECOND)
