"""Narrow events: half as many bytes that come back with the same bits."""

from dataclasses import replace
from struct import pack
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.aggregation import compiled
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.headers import EVENT, HEADER, KIND_BITS, NARROW, TILES
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.narrow import events, widened
from featurestore.aggregation.plain import plain
from tests.aggregation.test_compaction import NUMBERS, view_with

TIMES = st.integers(-(2**58), 2**58 - 1)
FLOATS = st.one_of(
    st.floats(),
    st.integers(-(2**33), 2**33).map(float),
    st.integers(-(2**33), 2**33).map(lambda cents: cents / 100),
    st.integers(-(2**33), 2**33).map(lambda parts: parts / 1e6),
    st.sampled_from([0.0, -0.0, float("nan"), -21474836.48, 2.0**31, -(2.0**31), 0.1 + 0.2]),
)
INTS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-9, 9),
    st.sampled_from([-(2**63), -(2**31), 1 - 2**31, 2**31 - 1, 2**31]),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, list[list[int]]]:
    floats = bytes([0, *draw(st.lists(st.integers(0, 1), max_size=3))])
    column = {0: INTS, 1: FLOATS.map(lambda value: int(np.float64(value).view(np.int64)))}
    event = st.tuples(TIMES, *(column[is_float] for is_float in floats[1:])).map(list)
    return floats, draw(st.lists(event, min_size=1, max_size=9))


def wide(event: list[int]) -> bytes:
    return pack(f"<{len(event)}q", event[0] << KIND_BITS | EVENT, *event[1:])


def only_nan(floats: bytes, row: bytes) -> list[list[object]]:
    """Words of wide events, with all missing floats alike."""
    words = np.frombuffer(row, np.int64).reshape(-1, len(floats))
    return [
        [
            "nan" if is_float and np.isnan(np.int64(word).view(np.float64)) else word
            for is_float, word in zip(floats, event, strict=True)
        ]
        for event in words.tolist()
    ]


def plain_by_machine(row: bytes, floats: bytes) -> bytes | None:
    made: bytes | None = compiled.CUTTING.plain(row, floats) if compiled.CUTTING else None
    return made


@settings(max_examples=500, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_what_was_made_narrow_comes_back_with_the_same_bits(
    table: tuple[bytes, list[list[int]]], order: Any
) -> None:
    floats, made = table
    rows = np.sort(np.array([order.randint(0, 3) for _ in made]))
    groups = Groups.of(rows)
    rows_made = events(np.array(made, dtype=np.int64), floats, groups).to_pylist()
    for start, end, row in zip(groups.starts, groups.ends, rows_made, strict=True):
        expected = b"".join(map(wide, made[start:end]))
        assert only_nan(floats, widened(row, floats)) == only_nan(floats, expected)
        assert compiled.CUTTING is None or plain_by_machine(row, floats) == widened(row, floats)


@pytest.mark.parametrize(
    ("amounts", "kinds"),
    [
        ([1.25, 7.0, 12.5], [9, 9, 9]),
        ([52.520008, 0.5], [11, 9]),
        ([1e9, 0.5], [8, 9]),
        ([0.1 + 0.2, 0.5, -0.0], [EVENT, 9, EVENT]),
        ([float("nan"), 21474836.47, -21474836.48], [9, 9, EVENT]),
    ],
)
def test_an_event_takes_half_a_word_a_column_where_it_fits(
    amounts: list[float], kinds: list[int]
) -> None:
    words = np.stack([np.arange(len(amounts)), np.array(amounts).view(np.int64)], axis=1)
    frames = events(words, bytes([0, 1]), Groups.of(np.arange(len(words)))).to_pylist()
    assert [frame[0] & 31 for frame in frames] == kinds
    assert [len(frame) for frame in frames] == [16 if kind == EVENT else 12 for kind in kinds]


def test_an_event_fits_by_one_scale_for_all_its_columns() -> None:
    columns = [[1, 52.520008, 3.0], [2, 52.520008, 3000.0]]
    words = np.array(
        [[at, *np.array(rest).view(np.int64)] for at, *rest in columns], dtype=np.int64
    )
    frames = events(words, bytes([0, 1, 1]), Groups.of(np.arange(2))).to_pylist()
    assert [len(frame) for frame in frames] == [16, 24]


def test_scales_that_a_sample_does_not_need_are_not_tried() -> None:
    amounts = np.full(1000, 0.25)
    amounts[1] = 0.123456
    words = np.stack([np.arange(1000), amounts.view(np.int64)], axis=1)
    frames = events(words, bytes([0, 1]), Groups.of(np.arange(1000))).to_pylist()
    assert [place for place, frame in enumerate(frames) if len(frame) == 16] == [1]


TILE = HEADER.pack(TILES, 0, 1, 16) + pack("<qq", NARROW, NARROW)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.just(TILE),
            st.just(wide([5, 6])),
            st.integers(NARROW, NARROW + 3).map(lambda kind: pack("<qi", 8 << 5 | kind, 700)),
            st.binary(max_size=20),
        ),
        max_size=8,
    ).map(b"".join)
)
def test_frames_of_all_kinds_and_none_are_made_plain_alike(row: bytes) -> None:
    try:
        expected: bytes | None = widened(row, bytes([0, 1]))
    except ValueError:
        expected = None
    if compiled.CUTTING is not None and row[:1] not in (b"\x24", b"\x25"):
        assert plain_by_machine(row, bytes([0, 1])) == expected


@pytest.mark.parametrize("is_compiled", [True, False])
def test_an_event_that_is_cut_off_is_refused(
    is_compiled: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not is_compiled:
        monkeypatch.setattr(compiled, "CUTTING", None)
    layout = Layout.of(replace(view_with("1h"), features=NUMBERS))
    row = pack("<qi", 8 << 5 | NARROW, 700)
    assert len(plain(layout, row + row)) == 32
    with pytest.raises(ValueError, match=r"byte 12 of a row .* an event in 11 bytes"):
        plain(layout, row + row[:-1])
