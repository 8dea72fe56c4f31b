"""Hypothesis strategies: hostile events, and the roads they may take into a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureView,
    Stream,
    column,
    count,
    distinct,
    first,
    last,
    maximum,
    mean,
    minimum,
    std,
    total,
)
from featurestore.definitions.contract import ARROW_TYPES
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
    at: datetime


MOST_EVENTS = 62  # bits of a positive int64, less one
stream = Stream("purchases", contract=Purchase, event_time="at")
COLUMNS = [c for c in stream.columns if c not in ("user", "shop", "bit", "at")]
NUMBERS = ["amount", "tip", "quantity", "points", "vip", "trial"]


@lru_cache(maxsize=64)
def view_of(
    windows: tuple[str, ...], offset: str | None, budget: int, *, filtered: bool = False
) -> FeatureView:
    """A view with every aggregation over every column it takes."""
    features = {"n": count(), "which": total("bit"), "large": count(where=column("amount") > 0.0)}
    for name in COLUMNS:
        for aggregation in (count, minimum, maximum, first, last, distinct):
            features[f"{aggregation.__name__}_{name}"] = aggregation(name)
    for name in NUMBERS:
        for aggregation in (total, mean, std):
            features[f"{aggregation.__name__}_{name}"] = aggregation(name)
    features["big_spend"] = total("amount", where=column("quantity") > 0)
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


WINDOWS = [
    ("1m",),
    ("10s", "1m", "1h"),
    ("1h", "24h"),
    ("1s", "30d"),
    ("90d", "5m", "2h"),
]


def views(budgets: st.SearchStrategy[int]) -> st.SearchStrategy[FeatureView]:
    return st.builds(
        view_of,
        st.sampled_from(WINDOWS),
        st.sampled_from([None, "3s", "1h"]),
        budgets,
        filtered=st.booleans(),
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
INSTANTS = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - the time zone is drawn beside it
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
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
            name: pa.array([event[name] for event in events], ARROW_TYPES[c.kind])
            for name, c in of.columns.items()
        }
    )
