"""Payments in a store held in memory: what is asked of it needs no server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from featurestore import Catalog, Entity, FeatureService, FeatureView, Stream, count, last, total
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.serving.plan import Plan
from featurestore.serving.question import ask
from featurestore.serving.vector import Vectors
from featurestore.storage.keys import row_key, view_tag

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000


class Payment(BaseModel):
    user_id: str
    shop: int
    amount: float
    paid_at: datetime


payments = Stream("payments", contract=Payment, event_time="paid_at")
user = Entity("user", keys=["user_id"])
FEATURES = {
    "payments": count(),
    "spent": total("amount"),
    "shop": last("shop"),
    "seen": last("paid_at"),
}


def view(name: str = "users", **more: Any) -> FeatureView:
    given = {"entity": user, "windows": ["1h", "1d"], "features": FEATURES} | more
    return FeatureView(name, stream=payments, **given)


def shops(**more: Any) -> FeatureView:
    entity = Entity("shop", keys=["shop"])
    given = {"windows": ["1d"], "features": {"sold": total("amount"), "sales": count()}} | more
    return FeatureView("shops", stream=payments, entity=entity, **given)


@dataclass
class Shop:
    """Rows by their keys, and what the flow has counted."""

    service: FeatureService
    rows: dict[bytes, bytes] = field(default_factory=dict)
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        self.plan = Plan(self.service)

    def pay(self, user_id: str, shop: int, amount: float, ago: timedelta) -> None:
        event: dict[str, Any] = {
            "user_id": [user_id],
            "shop": pa.array([shop], pa.int64()),
            "amount": [amount],
            "paid_at": pa.array([NOW - ago], pa.timestamp("us", "UTC")),
        }
        for each in Catalog.of([self.service]).views.values():
            tags = [view_tag(each, shard) for shard in range(each.shards)]
            touched = partial(Layout.of(each), pa.RecordBatch.from_pydict(event))
            (name,), (frame,) = touched.keys.to_pylist(), touched.frames.to_pylist()
            key = row_key(tags, name)
            self.rows[key] = self.rows.get(key, b"") + frame

    def ask(self, *entities: Mapping[str, object], now_us: int = NOW_US, **more: Any) -> Vectors:
        question = ask(self.plan, entities, now_us=now_us, **more)
        keys = (*question.keys, *question.clocks)
        return question.answer([self.rows.get(key) for key in keys])


def named(vectors: Vectors, values: Sequence[Sequence[Any]] | None = None) -> list[dict[str, Any]]:
    rows = vectors.values if values is None else values
    return [dict(zip(vectors.shape.features, row, strict=True)) for row in rows]
