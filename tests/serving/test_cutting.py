"""What the compiled reader reads is what arrays read, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore import (
    Measure,
    column,
    count,
    distinct,
    first,
    last,
    lifetime,
    maximum,
    mean,
    minimum,
    session,
    std,
    total,
    tumbling,
)
from featurestore.aggregation import compiled
from featurestore.aggregation.cutting import Cutting, is_cut
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.windows import read
from tests.serving.test_short_rows import NUMBERS, SECOND, bits, events, row_of, some, view

pytestmark = pytest.mark.skipif(compiled.CUTTING is None, reason="no C compiler when installed")

WINDOWS = (
    "1s",
    "2m",
    lifetime(),
    tumbling("10s"),
    tumbling("1m", complete=True),
)
ANY = [*NUMBERS, "seen"]
measures = st.one_of(
    st.just(count()),
    st.builds(count, st.sampled_from(ANY)),
    st.builds(lambda of: count(where=column(of) > 1), st.sampled_from(["amount", "points"])),
    *(st.builds(kind, st.sampled_from(NUMBERS)) for kind in (total, mean, std)),
    *(st.builds(kind, st.sampled_from(ANY)) for kind in (minimum, maximum, first, last)),
    st.builds(lambda of: mean(column(of) * 2 - 1), st.sampled_from(["amount", "tip", "items"])),
)
batches = st.lists(st.lists(events, min_size=1, max_size=6), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(measures, min_size=1, max_size=6),
    st.integers(1, 12),
    st.sampled_from([None, "1s", "1m"]),
    st.lists(st.tuples(batches, st.integers(0, 6)), min_size=1, max_size=4),
    st.integers(-2, 90_000),
    st.sampled_from([None, last("word")]),
    st.randoms(use_true_random=False),
)
def test_rows_cut_by_the_machine_are_rows_cut_with_arrays(  # noqa: PLR0917 - drawn by Hypothesis
    of: list[Measure],
    budget: int,
    offset: str | None,
    drawn: list[tuple[list[list[dict[str, object]]], int]],
    moment: int,
    text: Measure | None,
    random: object,
) -> None:
    features = [*of, *([text] if text else [])]
    layout = Layout.of(view(features, budget, offset, WINDOWS))
    rows = [row_of(layout, *each) for each in drawn] + [None]
    size = len(of) * len(WINDOWS)
    outputs = random.sample(range(size), random.randint(1, size))  # type: ignore[attr-defined]
    assert all(is_cut(layout, output) for output in outputs)
    found = Cutting.of(layout, outputs)
    now_us = moment * SECOND // 10
    expected = read(layout, rows, now_us)
    for number, row in enumerate(rows):
        values, times = found.read(row, now_us) or ([], [])
        assert list(map(bits, values)) == [bits(expected.columns[o][number]) for o in outputs]
        assert times == [expected.event_us[o][number] for o in outputs]
    series, newest = found.read_many(rows, np.full(len(rows), now_us)) or ([], [])
    for output, one, time in zip(outputs, series, newest, strict=True):
        assert list(map(bits, one.plain())) == list(map(bits, expected.columns[output]))
        assert time.plain() == expected.event_us[output]


@settings(max_examples=300, deadline=None)
@given(batches, st.integers(0, 6), st.data())
def test_bytes_that_are_no_frames_are_left_to_who_can_say_what_is_wrong(
    drawn: list[list[dict[str, object]]], compacted: int, data: st.DataObject
) -> None:
    layout = Layout.of(view([total("amount"), last("points")], 4, None, WINDOWS))
    row = bytearray(row_of(layout, drawn, compacted))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(row) - 1))
        row[place] = data.draw(st.integers(0, 255))
    damaged = bytes(row[: data.draw(st.integers(0, len(row)))])
    cut = Cutting.of(layout, range(10))
    try:
        expected = read(layout, [damaged], 10 * SECOND)
    except ValueError:
        assert cut.read(damaged, 10 * SECOND) is None
        assert cut.read_many([None, damaged], np.full(2, 10 * SECOND)) is None
    else:
        values, _ = cut.read(damaged, 10 * SECOND) or ([], [])
        assert list(map(bits, values)) == [bits(column[0]) for column in expected.columns]


def test_what_is_not_of_numbers_or_starts_at_an_event_is_left_to_python() -> None:
    for of, windows in (
        ([last("word")], WINDOWS),
        ([distinct("items")], WINDOWS),
        ([count("remark")], WINDOWS),
        ([count()], (session("1s", longest="1m"),)),
    ):
        layout = Layout.of(view(of, 8, None, windows))
        assert not any(is_cut(layout, output) for output in range(len(windows)))


def test_a_long_row_is_cut_too(spent: Layout) -> None:
    row = row_of(spent, [[some(number) for number in range(2000)]], -1)
    cut = Cutting.of(spent, [0, 4])
    values, _ = cut.read(row, 1999) or ([], [])
    assert values == [3000.0, 2000]


@pytest.fixture
def spent() -> Layout:
    return Layout.of(view([total("amount"), count()], 5000, None))
