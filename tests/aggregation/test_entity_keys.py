"""Entity keys: one spelling per entity, never the same for two."""

from datetime import UTC, date, datetime

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from featurestore.aggregation.entity_keys import encode_key, encode_keys
from featurestore.definitions.contract import ARROW_TYPES, Kind
from tests.strategies import DAYS, INSTANTS, TEXTS

VALUES = {
    Kind.TEXT: st.one_of(TEXTS, st.text("|\\\0a", max_size=4)),
    Kind.INT: st.integers(-(2**63) + 1, 2**63 - 1),
    Kind.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    Kind.BOOL: st.booleans(),
    Kind.DATETIME: INSTANTS,
    Kind.DATE: DAYS,
}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Two keys of one entity, so of the same kinds."""
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3))
    one, other = (tuple(draw(VALUES[kind]) for kind in kinds) for _ in range(2))
    return one, other


@settings(max_examples=500, deadline=None)
@given(pairs())
@example((("a|b", "c"), ("a", "b|c")))
@example((("a\\", "b"), ("a", "\\b")))
@example((("a\\|", ""), ("a\\", "|")))
@example((("", ""), ("|", "")))
def test_two_entities_never_share_a_key(pair) -> None:
    one, other = pair
    assert (encode_key(one) == encode_key(other)) == (one == other)


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[Kind], list[tuple[object, ...]]]:
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3))
    row = st.tuples(*(st.none() | VALUES[kind] for kind in kinds))
    few = draw(st.lists(row, min_size=1, max_size=4))
    return kinds, draw(st.lists(st.sampled_from(few), max_size=12))


@settings(max_examples=200, deadline=None)
@given(columns())
def test_columns_of_keys_give_what_each_key_gives(drawn) -> None:
    kinds, rows = drawn
    arrays = [
        pa.array([row[place] for row in rows], ARROW_TYPES[kind])
        for place, kind in enumerate(kinds)
    ]
    numbers, keys = encode_keys(arrays)
    names = keys.to_pylist()
    assert len(names) == len(set(names))
    for number, row in zip(numbers.tolist(), rows, strict=True):
        if None in row:
            assert number == -1
        else:
            assert names[number] == encode_key(row)


def test_keys_are_readable() -> None:
    assert encode_key(["u1"]) == b"u1"
    assert encode_key([7, -1.5, True]) == b"7|-1.5|true"
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert encode_key([noon, date(2026, 1, 31)]) == b"2026-01-31T12:00:00Z|2026-01-31"
