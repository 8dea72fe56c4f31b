"""Hypothesis strategies: hostile events, and the roads they may take into a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any
from unittest.mock import patch

import pyarrow as pa
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from featurestore import (
    Entity,
    FeatureView,
    Measure,
    Stream,
    bottom_k,
    column,
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
    last,
    last_n,
    last_n_events,
    lifetime,
    max_by,
    maximum,
    mean,
    median,
    min_by,
    minimum,
    most_frequent,
    quantiles,
    rate,
    ratio,
    session,
    sliding,
    std,
    time_since_first,
    time_since_last,
    top_k,
    total,
    tumbling,
    variance,
)
from featurestore.instants import DAY, HOUR, MINUTE, SECOND


class Purchase(BaseModel):
    """One column of each kind, and one of each that may be missing.

    `bit` is another power of two in each event of a stream: the total over a window says
    which events it holds.
    """

    user: str
    shop: int
    bit: int
    amount: float
    tip: float | None
    quantity: int
    points: int | None
    vip: bool
    trial: bool | None
    status: str
    note: str | None
    seen_at: datetime
    back_at: datetime | None
    born: date
    due: date | None
    taste: Annotated[list[float], Field(min_length=3, max_length=3)]
    mood: Annotated[list[float], Field(min_length=1, max_length=1)] | None
    at: datetime


MOST_EVENTS = 62  # bits of a positive int64, less one
stream = Stream("purchases", contract=Purchase, event_time="at")
VECTORS = ["taste", "mood"]
COLUMNS = [c for c in stream.columns if c not in ("user", "shop", "bit", "at", *VECTORS)]
NUMBERS = ["amount", "tip", "quantity", "points", "vip", "trial"]


def basic() -> dict[str, Measure]:
    features = {"large": count(where=column("amount") > 0.0)}
    for name in COLUMNS:
        for aggregation in (count, minimum, maximum, first, last, distinct):
            features[f"{aggregation.__name__}_{name}"] = aggregation(name)
    for name in NUMBERS:
        for aggregation in (total, mean, std):
            features[f"{aggregation.__name__}_{name}"] = aggregation(name)
    return features | {"big_spend": total("amount", where=column("quantity") > 0)}


def numbers() -> dict[str, Measure]:
    """What needs no heap: rows of bare events, packed once they are compacted."""
    some = (count, total, mean, std, minimum, maximum, first, last)
    features = {f"{kind.__name__}_{name}": kind(name) for name in NUMBERS for kind in some}
    return features | {f"{kind.__name__}_back": kind("back_at") for kind in (minimum, last)}


def numeric() -> dict[str, Measure]:
    features = {
        "rate": rate(per="1m"),
        "since_first": time_since_first(),
        "since_last": time_since_last(),
        "since_tip": time_since_last("tip"),
        "since_first_note": time_since_first("note"),
        "since_vip": time_since_last(where=column("vip")),
        "share": ratio(count(where=column("vip")), count()),
        "per_unit": ratio(total("amount"), total("points")),
        "covariance": covariance("tip", "points"),
        "correlation": correlation("tip", "points"),
        "decayed": decayed_count(half_life="1m"),
        "decayed_vip": decayed_count(where=column("vip"), half_life="1h"),
        "status_at_least": min_by("status", by="tip"),
        "seen_at_most": max_by("seen_at", by="note"),
        "points_at_most": max_by("points", by="due"),
    }
    for name in NUMBERS:
        features |= {
            f"variance_{name}": variance(name),
            f"sample_std_{name}": std(name, sample=True),
            f"sample_variance_{name}": variance(name, sample=True),
            f"decayed_total_{name}": decayed_total(name, half_life="1h"),
            f"decayed_mean_{name}": decayed_mean(name, half_life="10d"),
            f"histogram_{name}": histogram(name, bins=[-1, 0, 2.5, 1e6]),
            f"median_{name}": median(name),
            f"quantiles_{name}": quantiles(name, [0, 0.25, 0.9, 1]),
        }
    return features


def listed() -> dict[str, Measure]:
    features: dict[str, Measure] = {}
    for name in COLUMNS:
        features |= {
            f"first_{name}": first_n(name, 2),
            f"last_{name}": last_n(name, 3),
            f"first_distinct_{name}": first_n(name, 2, distinct=True),
            f"last_distinct_{name}": last_n(name, 3, distinct=True),
            f"top_{name}": top_k(name, 3),
            f"bottom_{name}": bottom_k(name, 2),
            f"values_{name}": distinct_values(name, limit=4),
            f"frequent_{name}": most_frequent(name, 2, capacity=64),
            f"counts_{name}": counts_by(name, capacity=64),
        }
    return features


def vectors() -> dict[str, Measure]:
    features: dict[str, Measure] = {"spent": total("amount")}
    for name in VECTORS:
        features |= {
            f"count_{name}": count(name),
            f"total_{name}": total(name),
            f"mean_{name}": mean(name),
            f"first_{name}": first(name),
            f"last_{name}": last(name),
            f"last_vip_{name}": last(name, where=column("vip")),
            f"mean_vip_{name}": mean(name, where=column("vip")),
            f"without_{name}": count(where=column(name).is_null()),
        }
    return features


def mixed() -> dict[str, Measure]:
    """Vectors beside what stands in a heap."""
    return vectors() | {"note": last("note"), "notes": last_n("note", 2), "tips": median("tip")}


KINDS_OF_FEATURES = {
    "falling": dict,
    "by_events": basic,
    "plain": dict,
    "basic": basic,
    "numbers": numbers,
    "numeric": numeric,
    "listed": listed,
    "vectors": vectors,
    "vectors_by_events": mixed,
}


rows_of_any_size = patch("featurestore.definitions.row_size.MOST_BYTES", 2**40)


@lru_cache(maxsize=64)
@rows_of_any_size
def view_of(
    windows: tuple[Any, ...],
    offset: str | None,
    budget: int,
    *,
    filtered: bool = False,
    features: str = "basic",
) -> FeatureView:
    """A view with many aggregations over every column they take, more than a real one may have."""
    features = {"n": count(), "which": total("bit")} | KINDS_OF_FEATURES[features]()
    return FeatureView(
        "purchases_by_user",
        stream=stream,
        entity=Entity("customer", keys=["user", "shop"]),
        windows=windows,
        offset=offset,
        where=column("vip") == True if filtered else None,  # noqa: E712 - an expression
        record_budget=budget,
        features=features,
    )


WINDOWS: list[tuple[tuple[Any, ...], str | None]] = [
    (("1m",), None),
    (("10s", "1m", "1h"), None),
    (("10s", "1m"), "3s"),
    (("1h", "24h"), None),
    (("1h", "24h"), "1h"),
    (("1s", "30d"), "2s"),
    (("90d", "5m", "2h"), None),
    (("7d", "1d"), "7d"),
    ((tumbling("1h"), tumbling("1d", complete=True), "10m"), None),
    ((tumbling("1m", complete=True), tumbling("90s"), sliding("1h", offset="5m")), "2s"),
]
LIFETIMES: list[tuple[tuple[Any, ...], str | None]] = [
    ((lifetime(),), None),
    ((lifetime(offset="1h"), "10m", tumbling("7d")), None),
]
BY_EVENTS: list[tuple[tuple[Any, ...], str | None]] = [
    ((session("1m"), session("30m", longest="2h"), last_n_events(1), last_n_events(5)), None),
    ((last_n_events(2, longest="1h"), session("2s", longest="1m"), "1m"), "3s"),
    ((session("1h", longest="30d", offset="5m"), last_n_events(3, offset="1h"), lifetime()), None),
]


# A rate needs a length, and only sliding windows fall as time passes.
CHOICES = {
    "falling": WINDOWS[:8],
    "by_events": BY_EVENTS,
    "plain": [*WINDOWS, *LIFETIMES],
    "basic": [*WINDOWS, *LIFETIMES],
    "numbers": [*WINDOWS, *LIFETIMES],
    "numeric": WINDOWS,
    "listed": [*WINDOWS, *LIFETIMES],
    "vectors": [*WINDOWS, *LIFETIMES],
    "vectors_by_events": BY_EVENTS,
}


def views(budgets: st.SearchStrategy[int], features: str) -> st.SearchStrategy[FeatureView]:
    return st.builds(
        lambda windows, budget, filtered: view_of(
            *windows, budget, filtered=filtered, features=features
        ),
        st.sampled_from(CHOICES[features]),
        budgets,
        st.booleans(),
    )


TEXTS = st.one_of(
    st.sampled_from(["", "\0", "|", "\\", "a|b", "ä", "\U0010ffff", "\x7f\r\n", "approved"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
FLOATS = st.one_of(
    st.sampled_from([0.0, 1.0, 0.1, 1e9 + 0.25, -3.5]),
    st.floats(-1e9, 1e9, allow_nan=False),
)
INTS = st.one_of(st.integers(-3, 3), st.integers(-(2**40), 2**40))
_CENTURIES = (datetime(1900, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 - Hypothesis wants so
INSTANTS = st.datetimes(*_CENTURIES, timezones=st.just(UTC))
DAYS = st.dates(date(1900, 1, 1), date(2200, 1, 1))
GAPS = st.one_of(
    st.just(0),
    st.integers(0, 3),
    st.integers(0, 3 * SECOND),
    st.integers(0, 3 * MINUTE),
    st.integers(0, 2 * HOUR),
    st.integers(0, 20 * DAY),
    st.sampled_from([SECOND, MINUTE, HOUR, DAY, HOUR - 1, HOUR + 1]),
)
STARTS = st.sampled_from(
    [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1931, 5, 7, 3, tzinfo=UTC),
    ]
)


@st.composite
def purchases(draw: st.DrawFn, most: int = MOST_EVENTS) -> list[dict[str, Any]]:
    """Events sorted by time, with ties, gaps and bursts."""
    at, events = draw(STARTS), []
    gaps = draw(st.lists(GAPS, min_size=1, max_size=most))
    users = draw(st.sampled_from([["u"], ["u"], ["", "a|b"]]))
    for bit, gap in enumerate(gaps):
        at += timedelta(microseconds=gap)
        events.append(
            {
                "user": draw(st.sampled_from(users)),
                "shop": draw(st.integers(0, 1)) if len(users) > 1 else 7,
                "bit": 1 << bit,
                "amount": draw(FLOATS),
                "tip": draw(st.none() | FLOATS),
                "quantity": draw(INTS),
                "points": draw(st.none() | INTS),
                "vip": draw(st.booleans()),
                "trial": draw(st.none() | st.booleans()),
                "status": draw(TEXTS),
                "note": draw(st.none() | TEXTS),
                "seen_at": draw(INSTANTS),
                "back_at": draw(st.none() | INSTANTS),
                "born": draw(DAYS),
                "due": draw(st.none() | DAYS),
                "taste": draw(st.lists(FLOATS, min_size=3, max_size=3)),
                "mood": draw(st.none() | st.lists(FLOATS, min_size=1, max_size=1)),
                "at": at,
            }
        )
    return events


@dataclass(frozen=True)
class Road:
    """How events come into a row: block by block, and what is compacted after each.

    Attributes:
        blocks: The events of each block, by their place.
        compactions: After each block, which share of a row's frames is compacted; 0 for none.
    """

    blocks: list[list[int]]
    compactions: list[float]


@st.composite
def roads(draw: st.DrawFn, size: int, *, in_order: bool = False) -> Road:
    order = list(range(size)) if in_order else draw(st.permutations(range(size)))
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=8)))
    bounds = [0, *cuts, size]
    blocks = [order[a:b] for a, b in pairwise(bounds) if a < b]
    shares = st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.0])
    return Road(blocks, draw(st.lists(shares, min_size=len(blocks), max_size=len(blocks))))


def batch(events: Sequence[Mapping[str, Any]], of: Stream = stream) -> pa.RecordBatch:
    """Events as the decoder would hand them over."""
    return pa.RecordBatch.from_pydict(
        {
            name: pa.array([event[name] for event in events], c.arrow_type)
            for name, c in of.columns.items()
        }
    )
