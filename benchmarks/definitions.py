"""What the benchmarks compute: six aggregations over three windows, or any other number of both.

`shape` makes more, fewer, or wider ones; `benchmarks.harness.shapes` writes them to a file.
"""

from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    column,
    count,
    maximum,
    mean,
    minimum,
    std,
    total,
)
from featurestore.definitions.measure import Measure

# In this order, so that the longest is always one of the first n.
WINDOWS = ["24h", "1m", "1h", "5m", "6h", "15m", "12h", "3h"]


class Payment(BaseModel):
    """A payment of 150 bytes as JSON."""

    event_id: str
    user_id: str
    merchant_id: str
    amount: float
    channel: str
    at: datetime


payments = Stream("payments", contract=Payment, event_time="at", event_id="event_id")
user = Entity("user", keys=["user_id"])


def measures() -> Iterator[tuple[str, Measure]]:
    """Make aggregations without end: a count, then five of each of ever more columns.

    A column is the amount times a number, so that events stay as they are.
    """
    yield "payments", count()
    number = 1
    while True:
        of = column("amount") * number if number > 1 else column("amount")
        yield f"spent{number}", total(of)
        yield f"average{number}", mean(of)
        yield f"deviation{number}", std(of)
        yield f"smallest{number}", minimum(of)
        yield f"largest{number}", maximum(of)
        number += 1


def shape(*, aggregations: int = 6, windows: int = 3, views: int = 1) -> list[FeatureService]:
    """Return services ``ten``, ``fifty``, ``hundred`` (as far as there are so many) and ``all``.

    Args:
        aggregations: How many of `measures`.
        windows: How many of `WINDOWS`.
        views: How many views of that shape.
    """
    features = dict(m for _, m in zip(range(aggregations), measures(), strict=False))
    made = [
        FeatureView(
            f"spend{number}",
            stream=payments,
            entity=user,
            windows=WINDOWS[:windows],
            features=features,
        )
        for number in range(views)
    ]
    names = [feature.name for feature in made[0].outputs]
    sizes = {"ten": 10, "fifty": 50, "hundred": 100}
    some = [
        FeatureService(name, features=[made[0].select(*names[:size])])
        for name, size in sizes.items()
        if size <= len(names)
    ]
    every = FeatureService("all", features=[made[0]])
    rest = [
        FeatureService(f"all{number}", features=[view])
        for number, view in enumerate(made)
        if number
    ]
    return [*some, every, *rest]


definitions = shape()
