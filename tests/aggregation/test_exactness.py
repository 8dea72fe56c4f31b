"""Which values are told to be exact, case by case; `tests/laws` has the law."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from featurestore import (
    Entity,
    FeatureView,
    column,
    count,
    counts_by,
    distinct,
    last_n_events,
    lifetime,
    median,
    ratio,
    session,
    tumbling,
)
from featurestore.aggregation.exactness import Exactness
from featurestore.aggregation.frames import decode
from featurestore.aggregation.layout import Layout
from featurestore.instants import DAY, HOUR, MINUTE, SECOND, to_us
from tests.aggregation.test_values import readings
from tests.rows import Rows

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOON_US = to_us(NOON)


def reading(seconds: float, **more: Any) -> dict[str, Any]:
    at = NOON + timedelta(seconds=seconds)
    return {"sensor": "s", "note": "ok", "value": 1.0, "small": None, "at": at} | more


def rows_of(*windows: Any, budget: int = 4, features: Any = None) -> Rows:
    view = FeatureView(
        "sensors",
        stream=readings,
        entity=Entity("sensor", keys=["sensor"]),
        windows=windows,
        features=features or {"n": count()},
        record_budget=budget,
    )
    return Rows(Layout.of(view))


def told(rows: Rows, now_us: int) -> Mapping[str, bool]:
    features = rows.layout.features
    found = Exactness(rows.layout, range(len(features))).of([rows.row(b"s"), None], now_us)
    assert all(mask[1] for mask in found), "nothing is known of who has no row"
    return {f.name: bool(mask[0]) for f, mask in zip(features, found, strict=True)}


@pytest.fixture
def busy() -> Rows:
    """An event a second for 20 minutes up to noon; all but the last two seconds in tiles of 1m."""
    rows = rows_of("1h", tumbling("1h"), tumbling("1h", complete=True), lifetime())
    rows.append([reading(-second) for second in range(20 * 60)])
    rows.compact()
    return rows


def test_a_value_is_exact_while_the_edge_of_its_window_lies_between_tiles(busy: Rows) -> None:
    assert set(told(busy, NOON_US).values()) == {True}
    start = NOON_US - 20 * MINUTE + HOUR  # of the window: before the first tile, then in it
    assert told(busy, start)["n_1h"]
    assert not told(busy, start + MINUTE // 2)["n_1h"]
    assert told(busy, start + MINUTE - 1)["n_1h"], "tiles end before whole minutes"
    assert not told(busy, start + MINUTE)["n_1h"]
    assert told(busy, start + MINUTE // 2)["n_lifetime"]
    assert told(busy, start + 2 * HOUR)["n_1h"], "all is long over"


def test_a_question_about_the_past_may_cut_a_tile_at_its_end(busy: Rows) -> None:
    past = told(busy, NOON_US - 10 * MINUTE - 30 * SECOND)
    assert past == {
        "n_1h": False,
        "n_1h_tumbling": False,
        "n_1h_complete": True,
        "n_lifetime": False,
    }


def test_of_what_a_row_forgot_nothing_is_exact_though_it_has_one_event_left() -> None:
    rows = rows_of("1h", budget=10)
    rows.append([reading(-HOUR * n / SECOND) for n in range(11)])
    rows.compact()
    points, tiles = decode(rows.layout, [rows.row(b"s")])
    assert (len(points), len(tiles)) == (0, 1)
    assert told(rows, NOON_US)["n_1h"]
    assert not told(rows, NOON_US - 2 * HOUR)["n_1h"]


def test_a_row_that_forgot_says_so_though_it_has_an_older_event_and_its_tile_is_gone() -> None:
    rows = rows_of("1h")
    rows.append([reading(second) for second in (-7204, -7203, -7202, -7201, -7200, 0)])
    rows.compact()
    assert not told(rows, NOON_US - 2 * HOUR)["n_1h"], "five events of that hour are gone"
    rows.append([reading(-36_000), reading(10_800)])
    rows.compact()
    assert not told(rows, NOON_US - 2 * HOUR)["n_1h"]
    assert told(rows, NOON_US + 3 * HOUR)["n_1h"]
    once = rows.row(b"s")
    rows.compact()
    assert rows.row(b"s") == once


def test_within_the_budget_nothing_is_forgotten_however_long_ago() -> None:
    rows = rows_of("1h", budget=11)
    rows.append([reading(-HOUR * n / SECOND) for n in range(11)])
    rows.compact()
    assert told(rows, NOON_US - 2 * HOUR)["n_1h"]


def test_the_last_events_are_exact_unless_a_tile_holds_more_than_they_are() -> None:
    rows = rows_of(last_n_events(2), last_n_events(1, offset="5m"), budget=4)
    rows.append([reading(-second) for second in range(20 * 60)])
    rows.compact()
    assert told(rows, NOON_US) == {"n_last_2": True, "n_last_1_5m_ago": False}
    assert told(rows, NOON_US + 5 * MINUTE)["n_last_1_5m_ago"]


def test_a_session_is_exact_where_it_is_shorter_than_its_longest() -> None:
    rows = rows_of(session("1m", longest="10m", name="cut"), session("1m", longest="1h"), budget=4)
    rows.append([reading(-second) for second in range(20 * 60)])
    rows.compact()
    assert told(rows, NOON_US + 10 * SECOND) == {"n_cut": False, "n_session_1m": True}
    assert told(rows, NOON_US + DAY) == {"n_cut": True, "n_session_1m": True}, "it is over"
    assert set(told(rows, NOON_US - 5 * MINUTE - 30 * SECOND).values()) == {False}


ESTIMATES: dict[str, tuple[Any, int, int]] = {
    "distinct": (distinct("value"), 256, 1100),
    "median": (median("value"), 256, 257),
    "counts": (counts_by("value", capacity=8), 8, 9),
    "chosen": (counts_by(column("value").otherwise_null(column("value") > -1), capacity=8), 8, 9),
    "part of a ratio": (ratio(distinct("value"), count()), 256, 1100),
}


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("name", ESTIMATES)
def test_an_estimate_is_not_exact(name: str, *, compacted: bool) -> None:
    feature, fits, too_many = ESTIMATES[name]
    for values, exact in ((fits, True), (too_many, False)):
        rows = rows_of("1h", features={"n": count(), "x": feature}, budget=64)
        rows.append([reading(-n * 10 / too_many, value=float(n)) for n in range(values)])
        if compacted:
            rows.compact()
        assert told(rows, NOON_US) == {"n_1h": True, "x_1h": exact}


def test_counts_of_few_values_are_exact_however_many_events() -> None:
    rows = rows_of("1h", features={"x": counts_by("value", capacity=8)}, budget=4)
    rows.append([reading(-n / 10, value=float(n % 8)) for n in range(500)])
    rows.compact()
    assert told(rows, NOON_US)["x_1h"]


def test_many_rows_are_told_as_one_by_one() -> None:
    rows = rows_of("1h", "2h", session("1h"))
    for number in range(300):
        sensor = number % 7
        rows.append([reading(-number * sensor, sensor=f"s{sensor}")])
    rows.compact()
    keys = [f"s{number}".encode() for number in range(8)]
    now_us, outputs = NOON_US - 5 * MINUTE - 17 * SECOND, range(3)
    exactness = Exactness(rows.layout, outputs)
    together = exactness.of([rows.row(key) for key in keys], now_us)
    alone = [exactness.of([rows.row(key)], now_us) for key in keys]
    assert [m.tolist() for m in together] == [[bool(m[n][0]) for m in alone] for n in outputs]
    assert {value for mask in together for value in mask.tolist()} == {True, False}
