"""Many rows read at once hold what each holds alone."""

from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from featurestore import Entity, FeatureView, Stream, count, maximum, std
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.frames import decode
from featurestore.aggregation.gathering import FEW
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.aggregation.windows import read


class Reading(BaseModel):
    sensor: str
    value: float
    level: int | None
    at: datetime


VIEW = FeatureView(
    "v",
    stream=Stream("readings", contract=Reading, event_time="at"),
    entity=Entity("sensor", keys=["sensor"]),
    windows=["1s", "1m"],
    features={"n": count(), "top": maximum("level"), "noise": std("value")},
    record_budget=4,
)
LAYOUT = Layout.of(VIEW)
NOW = 60_000_000
readings = st.tuples(
    st.floats(-9, 9), st.one_of(st.none(), st.integers(-9, 9)), st.integers(0, 120)
)
blocks = st.lists(st.lists(readings, min_size=1, max_size=5), max_size=6)


def row_of(batches: list[list[tuple[float, int | None, int]]], compacted: int) -> bytes | None:
    row = b""
    for number, batch in enumerate(batches):
        values, levels, at = zip(*batch, strict=True)
        columns = {
            "sensor": pa.array(["s"] * len(batch)),
            "value": pa.array(values, pa.float64()),
            "level": pa.array(levels, pa.int64()),
            "at": pa.array([half * 500_000 for half in at], pa.timestamp("us", "UTC")),
        }
        row += b"".join(partial(LAYOUT, pa.RecordBatch.from_pydict(columns)).frames.to_pylist())
        if number == compacted:
            (row,) = compact(LAYOUT, [row])
    return row or None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(blocks, st.integers(0, 6)), min_size=1, max_size=8), st.integers(1, 3))
def test_many_rows_are_each_what_it_is_alone(
    drawn: list[tuple[list[list[tuple[float, int | None, int]]], int]], times: int
) -> None:
    rows = [row_of(*each) for each in drawn] * (FEW * times)
    alone = [read(LAYOUT, [row], NOW) for row in rows[: len(drawn)]]
    together = read(LAYOUT, rows, NOW)
    for feature in range(len(VIEW.outputs)):
        expected = [answer.columns[feature][0] for answer in alone] * (FEW * times)
        assert list(map(repr, together.columns[feature])) == list(map(repr, expected))
        newest = [answer.event_us[feature][0] for answer in alone] * (FEW * times)
        assert together.event_us[feature] == newest


def test_one_long_row_among_short_ones_is_read_to_its_end() -> None:
    short, long = row_of([[(1.0, 1, 1)]], -1), row_of([[(1.0, 1, n)] for n in range(100)], -1)
    points, _ = decode(LAYOUT, [short] * FEW + [None, long])
    assert len(points) == FEW + 100
    assert points.rows.tolist() == [*range(FEW), *[FEW + 1] * 100]


@pytest.mark.parametrize("cut", [1, 8, 20])
@pytest.mark.parametrize("place", [0, 30])
def test_a_damaged_row_among_many_is_told(cut: int, place: int) -> None:
    whole = row_of([[(1.0, 1, 1)], [(2.0, 2, 2)]], -1)
    assert whole is not None
    rows: list[bytes | None] = [whole] * 31
    rows[place] = whole[:-cut]
    with pytest.raises(ValueError, match=r"starts no frame|unpack"):
        decode(LAYOUT, rows)
