"""Skewness and kurtosis of rows: events and tiles merged in any order, against numpy's moments."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore import Entity, FeatureView, Stream, kurtosis, skewness
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.aggregation.windows import read
from featurestore.instants import DAY, MINUTE, from_us
from tests.conftest import Payment

START = 20_000 * DAY
VIEW = FeatureView(
    "shape_of_spending",
    stream=Stream("payments", contract=Payment, event_time="paid_at"),
    entity=Entity("user", keys=["user_id"]),
    windows=["30d"],
    features={"skewness": skewness("amount"), "kurtosis": kurtosis("amount")},
    record_budget=16,
)
LAYOUT = Layout.of(VIEW)


def row_of(amounts: list[float], cuts: list[int], *, compacted: bool = False) -> bytes:
    row = b""
    at = [from_us(START + place * MINUTE) for place in range(len(amounts))]
    bounds = [0, *sorted(cut % (len(amounts) + 1) for cut in cuts), len(amounts)]
    for start, end in pairwise(bounds):
        if start < end:
            columns = {"user_id": ["u"] * (end - start), "amount": amounts[start:end]}
            block = pa.RecordBatch.from_pydict(
                columns | {"paid_at": pa.array(at[start:end], pa.timestamp("us", "UTC"))}
            )
            (frame,) = partial(LAYOUT, block).frames.to_pylist()
            row += frame
            if compacted:
                (row,) = compact(LAYOUT, [row])
    return row


def moments(amounts: list[float]) -> tuple[float, float] | None:
    values = np.array(amounts)
    apart = values - values.mean()
    variance = float((apart**2).mean())
    if variance <= 1e-12 * max(1.0, float(np.abs(values).max()) ** 2):
        return None
    return float((apart**3).mean()) / variance**1.5, float((apart**4).mean()) / variance**2 - 3


@given(
    st.lists(st.integers(0, 1000).map(lambda n: n / 8), min_size=2, max_size=120),
    st.lists(st.integers(0, 200), max_size=5),
    st.booleans(),
)
def test_they_are_those_of_all_events(
    amounts: list[float],
    cuts: list[int],
    compacted: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    row = row_of(amounts, cuts, compacted=compacted)
    now = START + len(amounts) * MINUTE
    (skew,), (tails,) = read(LAYOUT, [row], now).columns
    expected = moments(amounts)
    if expected is not None:
        assert (skew, tails) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    elif len(set(amounts)) == 1:
        assert (skew, tails) == (None, None)


def test_a_large_mean_costs_no_digits() -> None:
    amounts = [1e9 + offset for offset in (0.0, 1.0, 2.0, 10.0) * 20]
    row = row_of(amounts, [7, 31], compacted=True)
    (skew,), (tails,) = read(LAYOUT, [row], START + 100 * MINUTE).columns
    expected = moments([0.0, 1.0, 2.0, 10.0] * 20)
    assert expected is not None
    assert (skew, tails) == pytest.approx(expected, rel=1e-5)


def test_no_event_and_one_event_have_none() -> None:
    assert read(LAYOUT, [None, row_of([5.0], [])], START + MINUTE).columns == [
        [None, None],
        [None, None],
    ]
