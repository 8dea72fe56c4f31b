"""Values at the edges: all missing, huge, tied."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureView,
    Measure,
    Stream,
    column,
    correlation,
    count,
    decayed_mean,
    decayed_total,
    distinct,
    first,
    kurtosis,
    last,
    maximum,
    mean,
    minimum,
    skewness,
    std,
    total,
    variance,
)
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.windows import read
from featurestore.instants import to_us
from tests.rows import Rows


class Reading(BaseModel):
    sensor: str
    note: str | None
    value: float
    small: int | None
    at: datetime


readings = Stream("readings", contract=Reading, event_time="at")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def value_of(
    measure: Measure, *events: dict[str, Any], compacted: bool = False, budget: int = 5000
) -> Any:
    """The measure over ten hours of events, each a second after the other."""
    view = FeatureView(
        "sensors",
        stream=readings,
        entity=Entity("sensor", keys=["sensor"]),
        windows=["10h"],
        features={"f": measure},
        record_budget=2 if compacted else budget,
    )
    rows = Rows(Layout.of(view))
    blank = {"sensor": "s", "note": None, "value": 0.0, "small": None}
    rows.append(
        [
            blank | {"at": NOON + timedelta(seconds=place)} | event
            for place, event in enumerate(events)
        ]
    )
    rows.compact()
    newest = max((event.get("at", NOON) for event in events), default=NOON)
    now_us = max(to_us(newest), to_us(NOON) + len(events) * 1_000_000)
    return read(rows.layout, [rows.row(b"s")], now_us).columns[0][0]


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("aggregation", [minimum, maximum, first, last, distinct])
def test_a_column_of_text_that_is_always_missing_has_no_value(aggregation, compacted) -> None:
    assert value_of(aggregation("note"), *[{}] * 5, compacted=compacted) is None


@pytest.mark.parametrize("aggregation", [total, mean, std, minimum, last])
def test_a_column_of_numbers_that_is_always_missing_has_no_value(aggregation) -> None:
    assert value_of(aggregation("small"), {}, {}) is None


def test_events_without_a_value_count_as_none() -> None:
    assert value_of(count("note"), {}, {"note": "x"}) == 1
    assert value_of(count("note"), {}, {}) == 0


OF_FLOATS = [
    total,
    mean,
    std,
    variance,
    skewness,
    kurtosis,
    lambda of: decayed_total(of, half_life="1h"),
    lambda of: decayed_mean(of, half_life="1h"),
    lambda of: correlation(of, column(of) * 0.0),
]


@pytest.mark.parametrize("aggregation", OF_FLOATS)
def test_what_leaves_the_range_of_floats_has_no_value(aggregation) -> None:
    events = [{"value": 1.7e308}, {"value": 1.7e308}, {"value": -1.7e308}, {"value": 1.7e308}]
    assert value_of(aggregation("value"), *events, compacted=True) is None


@pytest.mark.parametrize("aggregation", OF_FLOATS)
def test_what_left_the_range_of_floats_stays_without_a_value_through_tiles(aggregation) -> None:
    huge = [{"value": 1.7e308}] * 2 + [{"value": -1.7e308}] * 2
    events = [
        event | {"at": NOON + timedelta(minutes=minute)}
        for minute, event in [(1, huge[0]), (1, huge[1]), (2, huge[2]), (2, huge[3]), (3, {})]
    ]
    assert value_of(aggregation("value"), *events, compacted=True) is None


def test_a_deviation_keeps_its_digits_beside_a_huge_mean() -> None:
    events = [{"value": 1e9 + place % 2} for place in range(100)]
    assert value_of(std("value"), *events) == pytest.approx(0.5, rel=1e-9)
    assert value_of(std("value"), *events, compacted=True) == pytest.approx(0.5)


@pytest.mark.parametrize("order", [1, -1])
def test_of_values_at_one_instant_first_is_the_smallest_and_last_the_largest(order) -> None:
    events = [{"note": note, "at": NOON} for note in ("b", "", "ä")][::order]
    assert value_of(first("note"), *events) == ""
    assert value_of(last("note"), *events) == "ä"


@pytest.mark.parametrize("compacted", [False, True])
def test_distinct_is_exact_for_few_and_close_for_many(compacted) -> None:
    few = [{"small": place % 256} for place in range(1200)]
    assert value_of(distinct("small"), *few, compacted=compacted) == 256
    many = [{"small": place, "at": NOON + timedelta(hours=2)} for place in range(4000)]
    assert value_of(distinct("small"), *many, compacted=compacted) == pytest.approx(4000, rel=0.044)


class Trip(BaseModel):
    car: str
    at: int
    last: float
    n: int
    started: datetime


def test_columns_may_have_the_names_that_records_use_themselves() -> None:
    view = FeatureView(
        "cars",
        stream=Stream("trips", contract=Trip, event_time="started"),
        entity=Entity("car", keys=["car"]),
        windows=["1h"],
        features={"at": last("at"), "n": total("n"), "last": maximum("last"), "all": count()},
        record_budget=2,
    )
    rows = Rows(Layout.of(view))
    for place in range(6):
        started = NOON + timedelta(seconds=place)
        rows.append([{"car": "c", "at": place, "last": 7.5, "n": 10, "started": started}])
    rows.compact()
    answer = read(rows.layout, [rows.row(b"c")], to_us(NOON) + 60_000_000)
    assert [column[0] for column in answer.columns] == [5, 60, 7.5, 6]


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("aggregation", [minimum, maximum, first, last, total])
@pytest.mark.parametrize("extreme", [2**63 - 1, -(2**63) + 1])
def test_the_largest_whole_numbers_are_values_like_others(aggregation, extreme, compacted) -> None:
    events = [{}, {"small": extreme}, {}]
    assert value_of(aggregation("small"), *events, compacted=compacted) == extreme


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2**63 - 2, 1], 2**63 - 1),
        ([-(2**63) + 2, -1], -(2**63) + 1),
        ([2**62, 2**62], None),
        ([-(2**62), -(2**62)], None),
        ([2**62] * 4, None),
        ([2**62] * 7, None),
        ([2**63 - 1, -(2**63) + 1, 2**63 - 1], 2**63 - 1),
    ],
)
def test_a_total_of_whole_numbers_is_right_or_has_no_value(values, expected, compacted) -> None:
    events = [{"small": value} for value in values]
    assert value_of(total("small"), *events, compacted=compacted) == expected


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("aggregation", [total, mean, std, variance, skewness, kurtosis])
def test_what_is_made_of_a_total_beyond_64_bits_has_no_value(aggregation, compacted) -> None:
    nanoseconds = [{"small": 1_700_000_000_000_000_000 + place * 1000} for place in range(8)]
    assert value_of(aggregation("small"), *nanoseconds, compacted=compacted) is None
    as_floats = column("small") * 1.0
    mended = value_of(mean(as_floats), *nanoseconds, compacted=compacted)
    assert mended == pytest.approx(1.7e18)
