"""A row that could grow too large is refused when its view is defined; none outgrows its bound."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from featurestore import (
    Entity,
    FeatureView,
    Measure,
    OwnAggregation,
    Stream,
    bottom_k,
    correlation,
    count,
    counts_by,
    covariance,
    decayed_count,
    decayed_mean,
    decayed_total,
    distinct,
    distinct_values,
    first,
    first_n,
    histogram,
    kurtosis,
    last,
    last_n,
    last_n_events,
    max_by,
    maximum,
    mean,
    median,
    min_by,
    minimum,
    most_frequent,
    own,
    quantile,
    quantiles,
    rate,
    ratio,
    skewness,
    sliding,
    std,
    time_since_first,
    time_since_last,
    top_k,
    total,
    variance,
)
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.frames import decode
from featurestore.aggregation.layout import Layout, words_of
from featurestore.aggregation.partial import partial
from featurestore.definitions.aggregation import AGGREGATIONS
from featurestore.errors import DefinitionError


class Payment(BaseModel):
    user: str
    note: str
    amount: float
    tip: float | None
    taste: Annotated[list[float], Field(min_length=64, max_length=64)]
    at: datetime


class Squares(OwnAggregation):
    name = "squares"
    empty: ClassVar = {"sum": 0.0, "n": 0}

    def insert(self, at_us: Any, amounts: Any) -> Mapping[str, Any]:
        return {"sum": amounts**2, "n": amounts > 0}

    def merge(self, states: Mapping[str, Any], groups: Any) -> Mapping[str, Any]:
        return {name: groups.total(state) for name, state in states.items()}

    def result(self, state: Mapping[str, Any]) -> Any:
        return state["sum"]


PAYMENTS = Stream("payments", contract=Payment, event_time="at")
BUDGET = 16
FIXED = {  # what a tile keeps of them does not depend on the values: a word for each number
    "count": count(),
    "count_tip": count("tip"),
    "rate": rate(),
    "total": total("amount"),
    "total_tip": total("tip"),
    "mean": mean("amount"),
    "total_taste": total("taste"),
    "last_taste": last("taste"),
    "std": std("amount"),
    "sample_std": std("amount", sample=True),
    "variance": variance("tip"),
    "sample_variance": variance("tip", sample=True),
    "skewness": skewness("amount"),
    "kurtosis": kurtosis("amount"),
    "minimum": minimum("amount"),
    "maximum": maximum("amount"),
    "min_by": min_by("amount", "tip"),
    "max_by": max_by("tip", "amount"),
    "first": first("amount"),
    "last": last("tip"),
    "since_first": time_since_first(),
    "since_last": time_since_last("tip"),
    "histogram": histogram("amount", bins=[1, 2, 3]),
    "decayed_count": decayed_count(half_life="1h"),
    "decayed_total": decayed_total("tip", half_life="1h"),
    "decayed_mean": decayed_mean("amount", half_life="1h"),
    "ratio": ratio(total("amount"), count("tip")),
    "covariance": covariance("amount", "tip"),
    "correlation": correlation("amount", "tip"),
    "own": own(Squares(), "amount"),
}
GROWING = {
    "minimum": minimum("note"),
    "last": last("note"),
    "max_by": max_by("note", "amount"),
    "first_n": first_n("amount", 20),
    "first_n_text": first_n("note", 20),
    "first_n_distinct": first_n("note", 20, distinct=True),
    "last_n": last_n("tip", 20),
    "last_n_distinct": last_n("tip", 20, distinct=True),
    "top_k": top_k("note", 20),
    "bottom_k": bottom_k("amount", 20),
    "distinct_values": distinct_values("note", limit=20),
    "most_frequent": most_frequent("note", 2, capacity=20),
    "counts_by": counts_by("amount", capacity=20),
    "distinct": distinct("note"),
    "quantile": quantile("amount", 0.5),
    "quantiles": quantiles("tip", [0.1, 0.9]),
}


def view(windows: list[Any], features: Mapping[str, Measure], budget: int = BUDGET) -> FeatureView:
    return FeatureView(
        "v",
        stream=PAYMENTS,
        entity=Entity("user", keys=["user"]),
        windows=windows,
        features=features,
        record_budget=budget,
    )


MANY_TILES = ["1m", sliding("1m", offset="5h")]  # some 18,000


def test_the_catalogue_is_complete() -> None:
    measures = [*FIXED.values(), *GROWING.values()]
    assert {measure.aggregation for measure in measures} == set(AGGREGATIONS) - {"own_int"}


@pytest.mark.parametrize("name", FIXED)
def test_what_a_tile_of_numbers_keeps_is_what_the_layout_has(name: str) -> None:
    size, layout = (of := view(["1m"], {name: FIXED[name]})).row_size, Layout.of(of)
    assert size.point_bytes == 8 * layout.point_words
    kept = 8 * words_of(layout.tile_fields)
    assert kept <= size.tile_bytes <= kept + (8 if name == "since_first" else 0)


def test_measures_that_share_what_they_keep_count_it_once() -> None:
    of = view(["1m"], FIXED)
    assert of.row_size.tile_bytes == 8 * words_of(Layout.of(of).tile_fields)


def busy(of: FeatureView, events: Mapping[str, Any], times: int) -> bytes:
    """The compacted row of one user to whom the same events came in bulk, again and again."""
    layout = Layout.of(of)
    columns = PAYMENTS.columns.values()
    batch = pa.RecordBatch.from_pydict(
        {c.name: pa.array(events[c.name], c.arrow_type) for c in columns}
    )
    (frame,) = partial(layout, batch).frames.to_pylist()
    (row,) = compact(layout, [frame * times])
    return row


def traffic(count: int, over: timedelta, different: int = 10**9) -> dict[str, list[Any]]:
    """So many different values, none missing, texts as long as the bound takes them to be."""
    numbers = [place % different for place in range(count)]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "user": ["u"] * count,
        "note": [f"{number:064}" for number in numbers],
        "amount": [float(number) for number in numbers],
        "tip": [number + 0.5 for number in numbers],
        "taste": [[float(place)] * 64 for place in range(count)],
        "at": [start + over * place / count for place in range(count)],
    }


@pytest.mark.parametrize("name", FIXED)
def test_a_full_row_of_numbers_holds_as_much_as_was_said_and_is_no_longer(name: str) -> None:
    of = view(["1m", "1h"], {name: FIXED[name]}, budget=128)
    row, size = busy(of, DENSE, 1), of.row_size
    points, tiles = decode(Layout.of(of), [row])
    held = len(points) * size.point_bytes + len(tiles) * size.tile_bytes  # packed, it takes less
    assert size.bytes / 2 < held
    assert len(row) <= size.bytes


@pytest.mark.parametrize("name", GROWING)
def test_no_full_row_of_lists_and_sketches_is_longer_than_was_said(name: str) -> None:
    of = view(["1m"], {name: GROWING[name]})
    row = busy(of, FREQUENT if "capacity" in dict(GROWING[name].parameters) else CROWDED, BUDGET)
    assert of.row_size.bytes / 4 < len(row) <= of.row_size.bytes
    assert sum(map(len, decode(Layout.of(of), [row]))) <= of.row_size.records


@pytest.mark.parametrize("windows", [["1m"], ["1m", last_n_events(8)]])
@pytest.mark.parametrize("budget", [16, 1000])
def test_what_came_in_bulk_again_and_again_stays_within_the_bound(
    windows: list[Any], budget: int
) -> None:
    of = view(windows, {"notes": last_n("note", 20)}, budget)
    assert len(busy(of, CROWDED, 40)) <= of.row_size.bytes


DENSE = traffic(7200, timedelta(hours=1))
CROWDED = traffic(60 * 256, timedelta(minutes=1))  # as many as a list of 256 values holds, each hop
FREQUENT = traffic(60 * 256, timedelta(minutes=1), different=20)  # all that a tally of 20 counts


@pytest.mark.parametrize("many", [3_000, 100_000])
@pytest.mark.parametrize("measure", [distinct("amount"), median("amount")])
def test_no_sketch_is_longer_than_was_said(measure: Measure, many: int) -> None:
    of = view(["1m"], {"f": measure}, budget=1)
    row = busy(of, traffic(many, timedelta(microseconds=many)), 1)
    _, tiles = decode(Layout.of(of), [row])
    assert len(tiles) == 1
    assert len(row) - 8 <= of.row_size.tile_bytes


@pytest.mark.parametrize(
    ("measure", "size"),
    [
        (last_n("amount", 1000), 16_024),
        (counts_by("user", capacity=4096), 24 + 4096 * 80),
        (most_frequent("user", 10, capacity=2048), 24 + 2048 * 80),
    ],
)
def test_a_view_whose_rows_may_become_too_large_is_refused_with_what_and_why(
    measure: Measure, size: int
) -> None:
    with pytest.raises(DefinitionError) as caught:
        view(MANY_TILES, {"payments": count(), "much": measure})
    (problem,) = caught.value.problems
    assert problem.startswith("view 'v': a busy row may become ")
    assert "more than 16.0 MiB: " in problem
    assert "8 events by its record_budget, " in problem
    assert f" and 18,062 tiles by its windows, {24 + size:,} bytes each, of which" in problem
    assert f" of which feature 'much' has {size:,}; take" in problem
    assert "a smaller n, k, limit or capacity" in problem


def test_one_whose_tiles_hold_less_is_none_too_large() -> None:
    assert view(MANY_TILES, {"payments": count(), "some": last_n("amount", 10)})
