"""Vectors added up: to the bit within the budget, up to rounding beyond; n words an event."""

import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from featurestore import (
    Entity,
    FeatureView,
    Stream,
    column,
    count,
    first,
    last,
    lifetime,
    maximum,
    mean,
    total,
)
from featurestore.aggregation.gathering import FEW, WIDE
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.short_rows import ShortRows
from featurestore.aggregation.windows import read
from featurestore.instants import to_us
from tests.rows import Rows

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW_US = to_us(NOON + timedelta(hours=1))
MEASURES = {
    "total": total("taste"),
    "mean": mean("taste"),
    "first": first("taste"),
    "last": last("taste"),
    "n": count("taste"),
    "spent": total("price"),
    "most": maximum("price"),
}

floats = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e3, 1e3),
    st.sampled_from([0.0, -0.0, 0.1, 1e16, -1e16]),
)


@lru_cache
def layout_of(size: int, budget: int = 128, *, nullable: bool = True, undo: bool = False) -> Layout:
    taste: Any = Annotated[list[float], Field(min_length=size, max_length=size)]
    model: type[BaseModel] = create_model(
        "Viewed",
        user=(str, ...),
        at=(datetime, ...),
        price=(float, ...),
        undone=(bool, ...),
        taste=(taste | None if nullable else taste, ...),
    )
    reverses = column("undone") if undo else None
    stream = Stream("viewed", contract=model, event_time="at", reverses=reverses)
    names = ("total", "mean", "n") if undo else tuple(MEASURES)
    view = FeatureView(
        "tastes",
        stream=stream,
        entity=Entity("user", keys=["user"]),
        windows=[lifetime(), "10s"],
        features={name: MEASURES[name] for name in names},
        record_budget=budget,
    )
    return Layout.of(view)


def event(second: float, taste: Sequence[float] | None, user: str = "u") -> dict[str, Any]:
    at = NOON + timedelta(seconds=second)
    return {"user": user, "at": at, "price": 0.5, "undone": False, "taste": taste}


def answer(rows: Rows, user: str = "u", now_us: int = NOW_US) -> dict[str, Any]:
    found = read(rows.layout, [rows.row(user.encode())], now_us).columns
    return {f.name: v for f, (v,) in zip(rows.layout.features, found, strict=True)}


def bits(vector: Sequence[float] | None) -> bytes | None:
    return None if vector is None else struct.pack(f"<{len(vector)}d", *vector)


def added(vectors: Sequence[Sequence[float] | None]) -> list[float] | None:
    """The sum by plain additions in the order given; None where a component leaves the range."""
    present = [vector for vector in vectors if vector is not None]
    if not present:
        return None
    sums = [0.0] * len(present[0])
    for vector in present:
        sums = [a + b for a, b in zip(sums, vector, strict=True)]
    return sums if all(map(math.isfinite, sums)) else None


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.sampled_from([1, 2, 5]), nullable=st.booleans())
def test_within_the_budget_sums_are_those_of_plain_additions_in_order_of_time(
    data: st.DataObject, size: int, *, nullable: bool
) -> None:
    vectors = st.lists(floats, min_size=size, max_size=size)
    drawn = data.draw(st.lists(st.none() | vectors if nullable else vectors, min_size=1))
    events = [event(second, taste) for second, taste in enumerate(drawn)]
    order = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, len(events)))
    rows = Rows(layout_of(size, nullable=nullable))
    for block in (order[:cut], order[cut:]):
        if block:
            rows.append(block)
    rows.compact()
    got, expected = answer(rows), added(drawn)
    present = [taste for taste in drawn if taste is not None]
    assert bits(got["total_lifetime"]) == bits(expected)
    divided = [component / len(present) for component in expected] if expected else None
    assert bits(got["mean_lifetime"]) == bits(divided)
    assert got["n_lifetime"] == len(present)
    assert bits(got["first_lifetime"]) == bits(present[0] if present else None)
    assert bits(got["last_lifetime"]) == bits(present[-1] if present else None)
    assert got["spent_lifetime"] == 0.5 * len(drawn)


@pytest.mark.parametrize("size", [8, 384])
def test_beyond_the_budget_sums_are_right_up_to_rounding(size: int) -> None:
    random = Random(7)
    drawn = [[random.gauss(0, 1) for _ in range(size)] for _ in range(500)]
    events = [event(second / 10, taste) for second, taste in enumerate(drawn)]
    random.shuffle(events)
    rows = Rows(layout_of(size, 16))
    for at in range(0, len(events), 20):
        rows.append(events[at : at + 20])
        if not at % 60:
            rows.compact()
    got = answer(rows)
    components = list(zip(*drawn, strict=True))
    assert got["total_lifetime"] == pytest.approx(list(map(math.fsum, components)), abs=1e-9)
    means = [math.fsum(each) / 500 for each in components]
    assert got["mean_lifetime"] == pytest.approx(means, abs=1e-12)
    assert (got["first_lifetime"], got["last_lifetime"]) == (drawn[0], drawn[-1])


def test_nothing_gives_nothing() -> None:
    rows = Rows(layout_of(2))
    assert set(answer(rows).values()) == {0, None}
    rows.append([event(0, None), event(1, None)])
    found = answer(rows)
    names = ("total", "mean", "first", "last")
    assert [found[f"{name}_lifetime"] for name in names] == [None] * 4
    assert found["n_lifetime"] == 0
    assert found["spent_lifetime"] == 1.0
    rows.append([event(2, [1.0, 2.0])])
    assert answer(rows)["mean_lifetime"] == [1.0, 2.0]
    assert answer(rows)["mean_10s"] is None, "the window holds no event"


def test_a_vector_with_a_component_beyond_any_float_has_no_value_ever_after() -> None:
    rows = Rows(layout_of(2, 2))
    for second, taste in enumerate([[1e308, 1.0]] * 3 + [[-1e308, 1.0]] * 6):
        rows.append([event(60 * second, taste)])
        rows.compact()
    found = answer(rows)
    assert (found["total_lifetime"], found["mean_lifetime"], found["n_lifetime"]) == (None, None, 9)
    assert found["last_lifetime"] == [-1e308, 1.0]


def test_of_vectors_of_one_instant_the_first_is_the_smallest_and_the_last_the_largest() -> None:
    tied = [[2.0, 7.0, 0.0], [2.0, 6.0, 9.0], [1.0, 9.0, 9.0], [2.0, 7.0, -1.0]]
    for seed in range(5):
        Random(seed).shuffle(tied)
        rows = Rows(layout_of(3, 2 if seed % 2 else 128))
        for taste in tied:
            rows.append([event(0, taste)])
            rows.compact()
        found = answer(rows)
        assert found["first_lifetime"] == [1.0, 9.0, 9.0]
        assert found["last_lifetime"] == [2.0, 7.0, 0.0]


@pytest.mark.parametrize("size", [3, WIDE + 1])
def test_many_rows_read_together_are_each_read_alone(size: int) -> None:
    random, rows = Random(3), Rows(layout_of(size, 4))
    users = [f"u{number}" for number in range(2 * FEW)]
    for second in range(200):
        taste = [random.random() for _ in range(size)] if random.random() < 0.9 else None
        rows.append([event(second * 7, taste, random.choice(users[1:]))])
    rows.compact(0.7)
    together = read(rows.layout, [rows.row(user.encode()) for user in users], NOW_US).columns
    for place, user in enumerate(users):
        alone = answer(rows, user)
        assert [column[place] for column in together] == list(alone.values())


def test_an_event_costs_a_word_a_component_and_a_tile_one_for_each_of_its_states() -> None:
    rows = Rows(layout_of(384, 2, nullable=False))
    rows.append([event(0, [0.5] * 384)])
    assert len(rows.row(b"u") or b"") == 8 * (1 + 384 + 1)
    rows.append([event(0, [0.5] * 384, "busy")] * 3)
    states = 3 * 384 + 2  # the sum, the first and the last; two of the price
    assert len(rows.row(b"busy") or b"") == 8 + 8 * (3 + states)


def test_a_row_is_due_for_compaction_when_it_has_more_events_than_its_budget() -> None:
    rows = Rows(layout_of(384, 4))
    for second in range(5):
        assert len(rows.row(b"u") or b"") < rows.layout.levels.due(0)
        rows.append([event(second, [0.5] * 384)])
    assert len(rows.row(b"u") or b"") >= rows.layout.levels.due(0)


def test_other_features_of_the_view_are_read_without_a_look_at_the_vectors() -> None:
    rows = Rows(layout_of(3, 4))
    for second in range(20):
        rows.append([event(60 * second, None if second % 3 else [1.0, 2.0, 3.0])])
    rows.compact(0.5)
    names = [feature.name for feature in rows.layout.features]
    plain = [names.index(name) for name in ("spent_lifetime", "most_10s", "spent_10s")]
    row = rows.row(b"u")
    assert row is not None
    now_us = to_us(NOON + timedelta(minutes=19, seconds=5))
    expected = answer(rows, now_us=now_us)
    short = ShortRows(rows.layout, plain).read(row, now_us)
    assert short is not None
    assert short[0] == [expected[names[output]] for output in plain] == [10.0, 0.5, 0.5]
    assert ShortRows(rows.layout, [*plain, 0]).read(row, now_us) is None, "left to arrays"


@settings(max_examples=30, deadline=None)
@given(data=st.data(), budget=st.sampled_from([2, 128]))
def test_what_was_undone_had_never_been(data: st.DataObject, budget: int) -> None:
    whole = st.integers(-(2**20), 2**20).map(float)  # of which sums are exact
    tastes = data.draw(st.lists(st.none() | st.tuples(whole, whole).map(list), min_size=1))
    undone = data.draw(st.sets(st.integers(0, len(tastes) - 1)))
    events = [event(second, taste) for second, taste in enumerate(tastes)]
    events += [{**events[place], "undone": True} for place in undone]
    rows = Rows(layout_of(2, budget, undo=True))
    for each in data.draw(st.permutations(events)):
        rows.append([each])
        rows.compact(0.5)
    left = [taste for place, taste in enumerate(tastes) if place not in undone]
    expected, present = added(left), [taste for taste in left if taste is not None]
    got = answer(rows)
    assert got["n_lifetime"] == len(present)
    assert got["total_lifetime"] == expected
    means = [component / len(present) for component in expected] if expected else None
    assert got["mean_lifetime"] == means
