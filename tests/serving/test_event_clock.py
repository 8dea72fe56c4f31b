"""Views whose clock is the newest event of their stream."""

import asyncio
from datetime import timedelta

import pytest
import redis

from featurestore import Catalog, FeatureService
from featurestore.client import AsyncClient, Client
from featurestore.errors import DefinitionError
from featurestore.storage.keys import counts_key
from tests.serving.shop import NOW, NOW_US, Shop, named, shops, view

MINUTE = timedelta(minutes=1)
WHO = {"user_id": "u1", "shop": 7}
CLOCK = counts_key("payments")
LATER_US = NOW_US + 3600 * 24 * 365 * 1_000_000  # the wall clock, a year on


@pytest.fixture
def shop() -> Shop:
    shop = Shop(FeatureService("s", features=[view(clock="event", max_age="2h"), shops()]))
    shop.pay("u1", 7, 2.5, 30 * MINUTE)
    shop.pay("u1", 7, 10.0, 300 * MINUTE)
    shop.rows[CLOCK] = b"%d" % NOW_US
    return shop


def test_a_year_later_it_is_still_the_moment_of_the_newest_event(shop: Shop) -> None:
    vectors = shop.ask(WHO, now_us=LATER_US)
    (value,), (status,) = named(vectors), named(vectors, vectors.statuses)
    assert (value["payments_1h"], value["spent_1d"]) == (1, 12.5)
    assert (value["sales_1d"], status["payments_1h"]) == (0, "PRESENT")  # by the wall clock
    assert vectors.clocks == {"payments": NOW_US}


def test_a_moment_that_is_named_wins(shop: Shop) -> None:
    before = NOW_US - 60 * 60 * 1_000_000
    vectors = shop.ask(WHO, now_us=LATER_US, as_of_us=before)
    (value,) = named(vectors, vectors.statuses)
    assert value["payments_1h"] == "OUTSIDE_MAX_AGE"  # the age is by the same clock
    assert vectors.clocks == {"payments": before}
    assert named(shop.ask(WHO, as_of_us=NOW_US))[0]["payments_1h"] == 1


def test_without_any_event_committed_it_is_the_wall_clock(shop: Shop) -> None:
    del shop.rows[CLOCK]
    assert shop.ask(WHO, now_us=LATER_US).clocks == {"payments": LATER_US}


def test_who_does_not_read_such_a_view_asks_for_no_clock(shop: Shop) -> None:
    del shop.rows[CLOCK]
    assert shop.ask(WHO, features=["sold_1d"]).clocks == {}
    assert shop.plan.select(("sold_1d",)).clocks == {}


def test_the_clock_is_no_part_of_what_a_row_holds() -> None:
    assert view(clock="event").version == view().version


def test_an_unknown_clock_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"clock 'events' must be one of .* mean 'event'"):
        view(clock="events")


@pytest.mark.parametrize("count", [1, 60, 300])
def test_clients_read_the_clock_with_the_rows(count: int, shop: Shop, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as store:
        for key, row in shop.rows.items():
            store.set(key, row) if key != CLOCK else store.hset(key, "newest_us", row)
    catalog = Catalog.of([shop.service])
    entities = [WHO, *[{"user_id": "x", "shop": 1}] * (count - 1)]

    async def ask() -> object:
        async with AsyncClient(catalog, redis_url) as client:
            return await client.get_many("s", entities)

    with Client(catalog, redis_url) as client:
        alone = client.get_many("s", entities)
        assert client.get("s", WHO, as_of=NOW)["sales_1d"] == 2
    assert (alone[0]["payments_1h"], alone[0]["sales_1d"]) == (1, 0)
    assert asyncio.run(ask()) == alone
