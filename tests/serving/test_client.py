"""The client in process: the same vectors as over HTTP."""

import asyncio
from datetime import UTC, datetime
from enum import Enum, IntEnum

import numpy as np
import pyarrow as pa
import pytest
import redis
from pydantic import BaseModel

from featurestore import Catalog, Entity, FeatureService, FeatureView, Stream, count
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.client import AsyncClient, Client
from featurestore.errors import BadEntity, StoreUnreachable, UnknownName
from featurestore.storage.keys import row_key, view_tag
from featurestore.testing import Store

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENTITY = {"user_id": "u1", "merchant_id": "m1"}


@pytest.fixture
def url(redis_url: str, payments: Catalog) -> str:
    """A store with three payments of u1 at m1, one of them before the last hour."""
    minutes = pa.array([-90, -30, -1], pa.int64())
    at = [int(AT.timestamp() * 1e6) + 60_000_000 * minute for minute in minutes.to_pylist()]
    batch = pa.RecordBatch.from_pydict(
        {
            "payment_id": ["1", "2", "3"],
            "user_id": ["u1"] * 3,
            "merchant_id": ["m1", "m1", "m2"],
            "amount": [10.0, 20.0, 2.5],
            "status": ["approved", "declined", "approved"],
            "paid_at": pa.array(at, pa.timestamp("us", "UTC")),
        }
    )
    with redis.Redis.from_url(redis_url) as store:
        for view in payments.views.values():
            tags = [view_tag(view, shard) for shard in range(view.shards)]
            touched = partial(Layout.of(view), batch)
            for key, frame in zip(
                touched.keys.to_pylist(), touched.frames.to_pylist(), strict=True
            ):
                store.append(row_key(tags, key), frame)
    return redis_url


def test_a_vector_by_name(url: str, payments: Catalog) -> None:
    with Client(payments, url) as client:
        vector = client.get("fraud_v1", ENTITY, as_of=AT)
    assert list(vector) == [served.name for served in payments.services["fraud_v1"].served]
    assert vector["payments_1h"] == 2
    assert vector["spent_24h"] == 32.5
    assert vector["merchants_24h"] == 2
    assert vector["last_status_10m"] == "approved"
    assert (vector["payments_7d"], vector["declined_7d"]) == (0, None)


@pytest.mark.parametrize(
    "moment",
    [
        AT.replace(tzinfo=None),
        "2026-01-31T12:00:00Z",
        "2026-01-31T13:00:00+01:00",
        int(AT.timestamp() * 1e6),
    ],
)
def test_a_moment_may_be_written_in_several_ways(
    url: str, payments: Catalog, moment: datetime | str | int
) -> None:
    with Client(payments, url) as client:
        assert client.get("fraud_v1", ENTITY, as_of=moment)["payments_1h"] == 2


def test_what_is_no_moment_is_said(url: str, payments: Catalog) -> None:
    with Client(payments, url) as client:
        with pytest.raises(ValueError, match="'noon' is no instant: write it as"):
            client.get("fraud_v1", ENTITY, as_of="noon")
        with pytest.raises(TypeError, match=r"a moment is a datetime, text as .*, not 1\.5"):
            client.get("fraud_v1", ENTITY, as_of=1.5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"a moment is a datetime, text as .*, not 1000"):
            client.get("fraud_v1", ENTITY, as_of=10**30)


@pytest.mark.parametrize("count", [1, 3, 60, 300])
def test_one_by_one_or_together_gives_the_same(count: int, url: str, payments: Catalog) -> None:
    entities = [{**ENTITY, "user_id": f"u{n % 3}"} for n in range(count)]
    with Client(payments, url) as client:
        alone = [client.get("fraud_v1", entity, as_of=AT) for entity in entities[:3]]
        together = client.get_many("fraud_v1", entities, as_of=AT)
    assert together == [alone[n % 3] for n in range(count)]


def test_tasks_that_share_a_client_get_what_is_theirs(url: str, payments: Catalog) -> None:
    async def ask() -> list[object]:
        async with AsyncClient(payments, url) as client:
            entities = [{**ENTITY, "user_id": f"u{n % 3}"} for n in range(30)]
            asked = [client.get("fraud_v1", entity, as_of=AT) for entity in entities]
            return await asyncio.gather(*asked)  # type: ignore[return-value]

    with Client(payments, url) as client:
        alone = [client.get("fraud_v1", {**ENTITY, "user_id": f"u{n}"}, as_of=AT) for n in range(3)]
    assert asyncio.run(ask()) == [alone[n % 3] for n in range(30)]


def test_some_features_in_the_order_asked(url: str, payments: Catalog) -> None:
    wanted = ["spent_24h", "payments_1h"]

    async def ask() -> dict[str, object]:
        async with AsyncClient(payments, url) as client:
            return await client.get("fraud_v1", ENTITY, as_of=AT, features=wanted)  # type: ignore[return-value]

    with Client(payments, url) as client:
        vector = client.get("fraud_v1", {"user_id": "u1"}, as_of=AT, features=wanted)
    assert list(vector.items()) == [("spent_24h", 32.5), ("payments_1h", 2)]
    assert asyncio.run(ask()) == vector


def test_status_and_time_tell_what_is_behind_a_value(url: str, payments: Catalog) -> None:
    with Client(payments, url) as client:
        vectors = client.vectors("fraud_v1", [ENTITY, {**ENTITY, "user_id": "x"}], as_of=AT)
    named = dict(zip(vectors.shape.features, vectors.statuses[0], strict=True))
    assert (named["spent_1h"], named["declined_7d"]) == ("PRESENT", "NULL_VALUE")
    assert vectors.statuses[1][0] == "NOT_FOUND"
    assert vectors.statuses[1][-1] == "NULL_VALUE"  # its merchant is known
    minute_ago = int(AT.timestamp() * 1e6) - 60_000_000
    assert (vectors.event_times[0][0], vectors.event_times[1][0]) == (minute_ago, None)


class Size(str, Enum):  # noqa: UP042 - its members are written differently from their values
    SMALL = "small"


class Level(IntEnum):
    LOW = 1


class Sold(BaseModel):
    price: float
    size: Size
    level: int
    at: datetime


def test_a_key_may_be_derived_of_what_its_column_holds() -> None:
    sold = Stream("sold", contract=Sold, event_time="at")
    kinds = Entity("kind", keys=["price", "size", "level"])
    view = FeatureView("v", stream=sold, entity=kinds, windows=["1h"], features={"n": count()})
    store = Store(FeatureService("s", features=[view]))
    store.feed("sold", [{"price": 1.5, "size": "small", "level": 1, "at": AT}])
    assert store.get("s", price=1.5, size="small", level=1) == {"n_1h": 1}
    assert store.get("s", price=np.float64(1.5), size=Size.SMALL, level=Level.LOW) == {"n_1h": 1}


def test_mistakes_are_told(url: str, payments: Catalog) -> None:
    with Client(payments, url) as client:
        with pytest.raises(UnknownName, match="did you mean 'fraud_v1'"):
            client.get("fraud", ENTITY)
        with pytest.raises(BadEntity, match=r"key 'merchant_id' \(str\) is missing"):
            client.get("fraud_v1", {"user_id": "u1"})
        with pytest.raises(BadEntity, match="must be text, got a lone surrogate"):
            client.get("fraud_v1", {**ENTITY, "user_id": "\ud800"})
    with pytest.raises(StoreUnreachable):
        Client(payments, "redis://127.0.0.1:1/0").get("fraud_v1", ENTITY)
