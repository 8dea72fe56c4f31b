"""Compaction: short rows that answer the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore import (
    Entity,
    FeatureView,
    count,
    distinct,
    last,
    last_n_events,
    lifetime,
    mean,
    total,
)
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.frames import decode
from featurestore.aggregation.layout import Layout
from featurestore.instants import DAY
from tests.aggregation.test_values import readings
from tests.rows import Rows
from tests.strategies import purchases, roads, view_of


def view_with(*windows: str, offset: str | None = None, budget: int = 64) -> FeatureView:
    return FeatureView(
        "sensors",
        stream=readings,
        entity=Entity("sensor", keys=["sensor"]),
        windows=windows,
        offset=offset,
        features={"n": count(), "sum": total("value"), "mean": mean("value"), "last": last("note")},
        record_budget=budget,
    )


def traffic(count: int, over_us: int) -> list[dict[str, Any]]:
    start, step = datetime(2026, 1, 1, tzinfo=UTC), over_us // count
    return [
        {
            "sensor": "s", "note": "ok", "value": 1.0, "small": None,
            "at": start + timedelta(microseconds=place * step),
        }
        for place in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("windows", [("1h",), ("10m", "1h", "24h"), ("1m", "30d", "90d")])
def test_a_row_has_a_bounded_number_of_records_whatever_its_traffic(windows) -> None:
    layout = Layout.of(view_with(*windows))
    rows, sizes = Rows(layout), []
    events = traffic(100_000, 120 * DAY)
    for start in range(0, len(events), 1000):
        rows.append(events[start : start + 1000])
        rows.compact()
        sizes.append(sum(map(len, decode(layout, [rows.row(b"s")]))))
    assert max(sizes) <= layout.most_records
    assert max(sizes) <= 64 + 130 * len(windows)


@settings(max_examples=25, deadline=None)
@given(
    data=st.data(),
    events=purchases(),
    budget=st.sampled_from([1, 4, 16]),
    more=st.sampled_from(["1m", last_n_events(2)]),
)
def test_compacting_again_changes_nothing(data, events, budget, more) -> None:
    windows = ("10s", "1h", more if budget > 1 else "1m")
    rows = Rows(Layout.of(view_of(windows, None, budget)))
    rows.travel(events, data.draw(roads(len(events))))
    rows.compact()
    once = dict(rows.frames)
    rows.compact()
    assert rows.frames == once


def test_a_row_within_its_budget_keeps_its_events() -> None:
    layout = Layout.of(view_with("1h", budget=100))
    rows = Rows(layout)
    for event in traffic(100, DAY):
        rows.append([event])
    rows.compact()
    points, tiles = decode(layout, [rows.row(b"s")])
    assert (len(points), len(tiles)) == (100, 0)


def test_what_no_window_can_reach_is_left_behind() -> None:
    layout = Layout.of(view_with("1h", budget=10))
    rows = Rows(layout)
    for event in traffic(11, 11 * DAY):
        rows.append([event])
    rows.compact()
    points, tiles = decode(layout, [rows.row(b"s")])
    assert (len(points), len(tiles)) == (0, 1), "a tile says that it has lost something"


NUMBERS = {"n": count(), "sum": total("value"), "mean": mean("value")}


@pytest.mark.parametrize(("features", "most"), [(None, 3), (NUMBERS, 4)], ids=["text", "numbers"])
def test_every_byte_is_compacted_a_few_times(features: Any, most: int) -> None:
    view = view_with("10m", "1h", "24h")
    layout = Layout.of(replace(view, features=features or view.features))
    row, read, written = b"", 0, 0
    rows = Rows(layout)
    for event in traffic(2500, 2 * DAY):
        rows.append([event])
        (frames,) = rows.frames.values()
        written += len(frames[-1])
        row += frames[-1]
        if layout.levels.are_due(np.array([len(row)]), np.array([len(frames[-1])]))[0]:
            read += len(row)
            (row,) = compact(layout, [row])
    assert read <= most * written


def grown_to(layout: Layout, length: int, wanted: int) -> int:
    """The length near `wanted` that a row compacted to `length` can grow to."""
    start = length + (layout.levels.of(length) - length) % layout.levels.grain
    return start + (wanted - start) // layout.levels.grain * layout.levels.grain


def test_a_row_with_large_tiles_is_not_due_as_soon_as_it_is_compacted() -> None:
    view = replace(view_with("10m", "1h", "24h"), features={"values": distinct("small")})
    layout = Layout.of(view)
    length = view.row_size.bytes
    assert layout.levels.due(grown_to(layout, length, length)) >= 2 * length


@pytest.mark.parametrize("windows", [("1h",), ("1m", "1h", "90d"), (lifetime(),)])
@pytest.mark.parametrize(
    ("features", "least", "most"), [(None, 2.0, 2.6), (NUMBERS, 1.4, 1.8)], ids=["text", "numbers"]
)
def test_a_row_is_due_once_it_has_grown_enough(windows, features, least, most) -> None:
    view = replace(view_with("1h"), windows=windows)
    layout = Layout.of(replace(view, features=features or view.features))
    longest = layout.most_records * 8 * len(layout.tile_fields)
    for length in range(64, longest, 331):
        due = layout.levels.due(grown_to(layout, length, length))
        assert due >= least * length
        assert due <= max(most * length, layout.budget_bytes)
        lengths = np.arange(grown_to(layout, length, length), int(1.1 * due), layout.levels.grain)
        for added in (layout.levels.grain, 5 * layout.levels.grain, lengths - lengths[0]):
            before = lengths - added
            known = (before >= lengths[0]) & (before < due)
            is_due = layout.levels.are_due(lengths, np.broadcast_to(added, lengths.shape))
            assert np.array_equal(is_due[known], (lengths >= due)[known])


@pytest.mark.parametrize("features", [None, NUMBERS], ids=["text", "numbers"])
def test_a_row_that_was_forgotten_is_due_once_it_has_grown_further(features: Any) -> None:
    view = view_with("10m", "1h", "24h")
    layout = Layout.of(replace(view, features=features or view.features))
    longest = layout.levels.due(2**40)
    for start in range(layout.levels.grain):
        lengths = np.arange(start, 2 * longest, layout.levels.grain)
        due = layout.levels.are_due(lengths, np.full(len(lengths), layout.levels.grain))
        assert due[lengths >= longest + layout.levels.grain].all()
        assert due.mean() > 0.2


def test_a_row_that_was_never_compacted_is_due_when_it_is_past_its_budget() -> None:
    layout = Layout.of(replace(view_with("1h", budget=128), features=NUMBERS))
    events = layout.bare_bytes * np.array([127, 128, 150, 180, 10_000])
    assert layout.levels.are_due(events, events).tolist() == [False, False, True, True, True]


def test_the_length_of_a_row_tells_its_level() -> None:
    layout = Layout.of(view_with("1h"))
    levels = [layout.levels.of(length) for length in range(8, 400_000, 8)]
    assert levels[0] == 0
    assert all(a <= b <= a + 1 for a, b in pairwise(levels))
