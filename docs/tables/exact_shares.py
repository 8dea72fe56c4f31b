"""Which share of answers is exact, by record budget, on the data of the examples.

``python docs/tables/exact_shares.py`` prints the table of docs/windows.md; a test compares the two.

Events come in as a flow would bring them, in 12 pieces. After each, the entities of 60 of its
events, drawn at random, are asked for: as a model would ask, busy ones often. A value is exact if a
row with all its events gives the same, floats up to rounding.
"""

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, pairwise
from math import isclose
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel

from featurestore import Entity, FeatureService, FeatureView, Stream, count, mean, total
from featurestore.definitions.catalog import load
from featurestore.instants import DAY, from_us, parse_instant
from featurestore.testing import Store

EXAMPLES = Path(__file__).parents[2] / "examples"
PIECES, ASKED = 12, 60
DEFAULT = 128
BUDGETS = (DEFAULT, 512)
EVERYTHING = 13_000  # more than any entity here has events
USERS, PAYMENTS = 5_000, 50_000
HEADS = ("data", "view", "entities", f"with ≤ {DEFAULT} events", *(f"exact, {b}" for b in BUDGETS))

Event: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[Any, ...]


class Payment(BaseModel):
    """An event of the synthetic stream."""

    user_id: int
    amount: float
    paid_at: datetime


@dataclass(frozen=True)
class Data:
    """Events of one stream, in the order they came, and the views that they feed.

    Attributes:
        name: What they are.
        views: The views; entities whose keys are columns of the events.
        events: The events.
        before: What another stream brings before, a file by its name.
    """

    name: str
    views: Sequence[FeatureView]
    events: Sequence[Event]
    before: Mapping[str, Path] = field(default_factory=dict)


def everything() -> Iterator[Data]:
    """Yield the examples' data, then a day of payments by zipf 1.1."""
    departures = pq.read_table(EXAMPLES / "flights" / "departures.parquet").to_pylist()
    yield _example("flights", departures)
    with gzip.open(EXAMPLES / "wikipedia" / "edits.jsonl.gz") as lines:
        yield _example("wikipedia", _parsed(lines))
    payments = EXAMPLES / "payments"
    with (payments / "payments.jsonl").open("rb") as lines:
        yield _example("payments", _parsed(lines), {"profiles": payments / "profiles.jsonl"})
    yield Data("zipf 1.1", [_spending()], list(_drawn()))


def _example(name: str, events: Sequence[Event], before: Mapping[str, Path] | None = None) -> Data:
    views = load(str(EXAMPLES / name / "features.py")).views.values()
    columns = set(chain.from_iterable(events))
    return Data(name, [v for v in views if columns.issuperset(v.entity.keys)], events, before or {})


def _parsed(lines: Iterable[bytes]) -> list[Event]:
    events = []
    for line in lines:
        with suppress(json.JSONDecodeError):
            events.append(json.loads(line))
    return events


def _spending() -> FeatureView:
    return FeatureView(
        "spending",
        stream=Stream("payments", contract=Payment, event_time="paid_at"),
        entity=Entity("user", keys=["user_id"]),
        windows=["10m", "1h", "24h"],
        features={"payments": count(), "spent": total("amount"), "average": mean("amount")},
    )


def _drawn() -> Iterator[Event]:
    random, start = np.random.default_rng(7), parse_instant("2026-01-01T00:00:00Z")
    users = random.zipf(1.1, 4 * PAYMENTS)
    amounts = random.lognormal(3, 1, PAYMENTS).tolist()
    times = np.sort(start + random.integers(0, DAY, PAYMENTS)).tolist()
    for user, amount, at in zip(users[users <= USERS].tolist(), amounts, times, strict=False):
        yield {"user_id": user, "amount": amount, "paid_at": from_us(at)}


def lines() -> Iterator[str]:
    """Yield the table, line by line."""
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{'---|' * len(HEADS)}"
    for data in everything():
        shares = _exact(data)
        for view in data.views:
            counts = Counter(_key(view, event) for event in data.events)
            few = sum(n <= DEFAULT for n in counts.values()) / len(counts)
            cells = map(_percent, (few, *shares[view.name]))
            yield f"| {data.name} | `{view.name}` | {len(counts):,} | {' | '.join(cells)} |"


def _exact(data: Data) -> dict[str, list[float]]:
    """Return the shares of exact values of each view, budget by budget."""
    store, random = _store(data), np.random.default_rng(1)
    found: dict[str, list[list[bool]]] = {view.name: [] for view in data.views}
    bounds = np.linspace(0, len(data.events), PIECES + 1).astype(int).tolist()
    for start, end in pairwise(bounds):
        events = data.events[start:end]
        store.feed(data.views[0].stream.name, events)
        asked = random.choice(end - start, min(ASKED, end - start), replace=False).tolist()
        for view in data.views:
            keys = [_key(view, events[place]) for place in asked]
            entities = [dict(zip(view.entity.keys, key, strict=True)) for key in keys]
            found[view.name] += _compared(
                store, view, [e for e in entities if None not in e.values()]
            )
    return {name: np.mean(same, axis=0).tolist() for name, same in found.items()}


def _compared(store: Store, view: FeatureView, entities: Sequence[Event]) -> Iterator[list[bool]]:
    """Yield for each value whether it is exact, budget by budget."""
    *answers, right = (
        list(chain(*store.vectors(_named(view, budget), entities).values))
        for budget in (*BUDGETS, EVERYTHING)
    )
    for place, expected in enumerate(right):
        yield [_same(answer[place], expected) for answer in answers]


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return bool(found == expected)


def _store(data: Data) -> Store:
    """Return a store with each view in each budget, each with a service of its own."""
    services = [
        FeatureService(_named(view, budget), features=[_of_budget(view, budget)])
        for view in data.views
        for budget in (*BUDGETS, EVERYTHING)
    ]
    store = Store(services)
    for stream, path in data.before.items():
        store.feed(stream, path)
    return store


def _of_budget(view: FeatureView, budget: int) -> FeatureView:
    return replace(view, name=_named(view, budget), record_budget=budget)


def _named(view: FeatureView, budget: int) -> str:
    return f"{view.name}_{budget}"


def _key(view: FeatureView, event: Event) -> Key:
    return tuple(event.get(key) for key in view.entity.keys)


def _percent(share: float) -> str:
    """Write a share rounded down, so that only all of them are all."""
    return "all" if share == 1 else f"{int(1000 * share) / 10} %"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
