"""Packing: fewer bytes that come back as they were, or are refused."""

from struct import pack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.aggregation.groups import Groups
from featurestore.aggregation.headers import EVENT, HEADER, KIND_BITS, PACKED, TILES
from featurestore.aggregation.packing import SCALES, sections, unpacked

WORDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-300, 300),
    st.floats().map(lambda value: int(np.float64(value).view(np.int64))),
    st.integers(-(10**9), 10**9).map(lambda cents: int(np.float64(cents / 100).view(np.int64))),
    st.sampled_from([0.0, -0.0, 1e308, 2.0**53, 0.1]).map(
        lambda value: int(np.float64(value).view(np.int64))
    ),
)


def row(body: bytes) -> bytes:
    return HEADER.pack(PACKED, 0, 0, len(body)) + body


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.lists(WORDS, min_size=width, max_size=width), min_size=1, max_size=9),
            min_size=1,
            max_size=4,
        )
    )
)
def test_what_was_packed_is_unpacked_to_the_same_bits(tables: list[list[list[int]]]) -> None:
    words = np.array([record for one in tables for record in one], dtype=np.int64)
    groups = Groups.of(np.repeat(np.arange(len(tables)), [len(one) for one in tables]))
    made = sections(TILES, words, groups)
    for one, section in zip(tables, made, strict=True):
        expected = np.array(one, dtype=np.int64).tobytes()
        header = HEADER.pack(TILES, 0, len(one), len(expected))
        assert unpacked(row(section) + b"more") == (header + expected, b"more")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(2**58), 2**58 - 1), min_size=1, max_size=9))
def test_events_are_bare_once_they_are_unpacked(times: list[int]) -> None:
    words = np.array([[at, 7] for at in times], dtype=np.int64)
    (section,) = sections(EVENT, words, Groups.of(np.zeros(len(times))))
    expected = b"".join(pack("<qq", at << KIND_BITS | EVENT, 7) for at in times)
    assert unpacked(row(section)) == (expected, b"")


def test_a_column_takes_the_bytes_by_which_its_words_differ() -> None:
    same, near = [10**15] * 4, [10**15, 10**15 + 255, 10**15 + 7, 10**15]
    cents = np.array([0.01, 655.35, 7.1, 8.0]).view(np.int64).tolist()
    floats = np.array([0.1 + 0.2, 655.35, 7.1, 8.0]).view(np.int64).tolist()
    words = np.array([same, near, cents, floats], dtype=np.int64).T
    (section,) = sections(TILES, words, Groups.of(np.zeros(4)))
    assert list(section[4:8]) == [0, 1, 2 | 2 << 4, 8 - 1]
    assert len(section) == 4 + 4 * 9 + 4 * (0 + 1 + 2 + 7)


@pytest.mark.parametrize(
    "body",
    [
        b"\x22",
        pack("<BBH", TILES, 0, 1),
        pack("<BBHBq", TILES, 1, 0, 0, 5),
        pack("<BBHBq", 0x21, 1, 1, 0, 5),
        pack("<BBHB", TILES, 1, 1, 0),
        pack("<BBHBq", TILES, 1, 1, 1, 5),
        pack("<BBHBqQ", TILES, 1, 1, 9, 5, 0) + bytes(1),
        pack("<BBHBq", TILES, 1, 1, len(SCALES) << 4, 5),
    ],
    ids=["short", "no column", "no record", "kind", "no least", "no record", "size", "scale"],
)
def test_a_section_that_does_not_add_up_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="byte 0 of a row starts no frame"):
        unpacked(row(body))


@pytest.mark.parametrize(
    "header",
    [HEADER.pack(PACKED, 0, 1, 0), HEADER.pack(PACKED, 9, 0, 8), HEADER.pack(PACKED, 0, 0, 9)],
)
def test_a_compacted_frame_that_does_not_add_up_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="byte 0 of a row starts no frame"):
        unpacked(header + bytes(8))
