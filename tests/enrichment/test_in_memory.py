"""Payments that get the newest profile of who pays, without a server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Latest,
    Stream,
    column,
    count,
    if_else,
    last,
    total,
)
from featurestore.testing import Store
from tests.enrichment.profiles import NOON, Oracle, payment, payments, profile, service, update


def store(**options: Any) -> Store:
    return Store(service(payments(enrich=[profile(**options).on("payer")])))


def found(of: Store, number: int) -> list[Any]:
    """What payment `number` has found; it is asked for when its window is still open."""
    vector = of.get("s", payment_id=f"p{number}", as_of=of.now)
    names = ("tier", "country", "limit")
    return [vector[f"profile.{name}_1h"] for name in names]


def test_an_event_finds_the_newest_one_at_or_before_its_own_time() -> None:
    of = store()
    of.feed("profiles", [update("u", 0, "free"), update("u", 10, "gold", country="IT", limit=9.5)])
    moments = [-1, 0, 5, 9.99, 10, 11]
    of.feed("payments", [payment(n, "u", minutes) for n, minutes in enumerate(moments)])
    assert [found(of, n)[0] for n in range(6)] == [None, "free", "free", "free", "gold", "gold"]
    assert found(of, 5) == ["gold", "IT", 9.5]


def test_what_the_newest_one_lacks_is_missing_and_not_what_an_older_one_had() -> None:
    of = store()
    of.feed("profiles", [update("u", 0, "free", country="IT"), update("u", 1, "gold")])
    of.feed("payments", [payment(0, "u", 0.5), payment(1, "u", 2)])
    assert found(of, 0) == ["free", "IT", 0.0]
    assert found(of, 1) == ["gold", None, 0.0]


def test_a_filter_makes_it_the_newest_that_says_something() -> None:
    of = store(where=~column("country").is_null())
    of.feed("profiles", [update("u", 0, "free", country="IT"), update("u", 1, "gold")])
    of.feed("payments", payment(0, "u", 2))
    assert found(of, 0) == ["free", "IT", 0.0]


def test_who_is_unknown_or_comes_too_late_is_missing() -> None:
    of = store()
    of.feed("payments", payment(0, "u", 5))
    of.feed("profiles", update("u", 0, "gold"))
    of.feed("payments", [payment(1, "u", 5), payment(2, "v", 5)])
    assert [found(of, n)[0] for n in range(3)] == [None, "gold", None]


def test_of_several_at_one_instant_each_column_is_the_largest_in_whatever_order() -> None:
    same = [update("u", 0, "a", country="X"), update("u", 0, "c"), update("u", 0, "b", limit=2.0)]
    for order in (same, same[::-1], [same[1], same[0], same[2]]):
        of = store()
        for event in order:
            of.feed("profiles", event)
        of.feed("payments", payment(0, "u", 1))
        assert found(of, 0) == ["c", "X", 2.0]


def test_an_event_that_is_exactly_max_age_old_is_not_taken() -> None:
    of = store(max_age="10m")
    of.feed("profiles", update("u", 0, "gold"))
    of.feed("payments", [payment(0, "u", 9.999), payment(1, "u", 10)])
    assert [found(of, n)[0] for n in range(2)] == ["gold", None]


def test_a_stream_can_be_looked_up_twice_by_columns_and_by_expressions() -> None:
    one = profile()
    other = if_else(column("payee") == "self", column("payer"), column("payee"))
    enrich = [one.on("payer"), one.on(other, name="other")]
    of = Store(service(payments(enrich=enrich)))
    of.feed("profiles", [update("u", 0, "gold"), update("v", 0, "free")])
    of.feed("payments", [payment(0, "u", 1, payee="v"), payment(1, "u", 1, payee="self")])
    for number, expected in enumerate(("free", "gold")):
        vector = of.get("s", payment_id=f"p{number}")
        assert (vector["profile.tier_1h"], vector["other.tier_1h"]) == ("gold", expected)


def test_what_is_looked_up_can_be_derived_from_filtered_by_and_be_a_key() -> None:
    of = payments(
        enrich=[profile().on("payer")],
        derive={"share": column("amount") / column("profile.limit")},
        where=column("profile.tier") != "banned",
    )
    country = Entity("country", keys=["profile.country"])
    view = FeatureView(
        "v",
        stream=of,
        entity=country,
        windows=["1h"],
        features={"n": count(), "share": total("share")},
    )
    memory = Store(FeatureService("s", features=[view]))
    facts = {"country": "IT", "limit": 4.0}
    memory.feed("profiles", [update("u", 0, "gold", **facts), update("b", 0, "banned", **facts)])
    fed = memory.feed("payments", [payment(0, "u", 1), payment(1, "b", 1), payment(2, "x", 1)])
    assert fed == {"read": 3, "applied": 1, "filtered": 2}
    assert memory.get("s", {"profile.country": "IT"}) == {"n_1h": 1, "share_1h": 0.25}


class Everything(BaseModel):
    key: int
    number: int
    flag: bool
    day: str
    seen: datetime
    at: datetime


class Ask(BaseModel):
    ask: str
    key: int | None
    at: datetime


def test_every_kind_of_column_and_keys_that_are_numbers() -> None:
    things = Stream("things", contract=Everything, event_time="at")
    names = ["number", "flag", "day", "seen"]
    thing = Latest("thing", stream=things, key="key", columns=names)
    asks = Stream("asks", contract=Ask, event_time="at", enrich=[thing.on("key")])
    view = FeatureView(
        "v",
        stream=asks,
        entity=Entity("ask", keys=["ask"]),
        windows=["1h"],
        features={name: last(f"thing.{name}") for name in names},
    )
    memory = Store(FeatureService("s", features=[view]))
    known = Everything(key=7, number=2**53 + 1, flag=False, day="d", seen=NOON, at=NOON)
    memory.feed("things", known)
    memory.feed("asks", [Ask(ask="a", key=7, at=NOON), Ask(ask="b", key=None, at=NOON)])
    assert memory.get("s", ask="a") == {
        "number_1h": 2**53 + 1,
        "flag_1h": False,
        "day_1h": "d",
        "seen_1h": "2026-01-01T12:00:00Z",
    }
    assert set(memory.get("s", ask="b").values()) == {None}


def test_streams_can_be_looked_up_one_in_another_in_another() -> None:
    class Plan(BaseModel):
        tier: str
        price: float
        at: datetime

    plans = Stream("plans", contract=Plan, event_time="at")
    plan = Latest("plan", stream=plans, key="tier", columns=["price"])
    priced = Stream("profiles", contract=profile().stream.contract, event_time="at",
                    enrich=[plan.on("tier")])  # fmt: skip
    of = profile(stream=priced, columns=["tier", "plan.price"])
    memory = Store(service(payments(enrich=[of.on("payer")])))
    memory.feed("plans", [Plan(tier="gold", price=5, at=NOON)])
    memory.feed("profiles", [update("u", 1, "gold"), update("v", -1, "gold")])
    memory.feed("payments", [payment(0, "u", 2), payment(1, "v", 2)])
    prices = [memory.get("s", payment_id=f"p{n}")["profile.plan.price_1h"] for n in range(2)]
    assert prices == [5.0, None], "v's profile is older than the plan"


def test_an_event_that_undoes_another_finds_what_that_one_found() -> None:
    class Booking(BaseModel):
        user: str
        amount: float
        refund: bool = False
        booked: datetime | None = None
        at: datetime

    bookings = Stream(
        "bookings",
        contract=Booking,
        event_time="at",
        reverses="refund",
        reverses_time="booked",
        enrich=[profile().on("user")],
    )
    view = FeatureView(
        "v",
        stream=bookings,
        entity=Entity("tier", keys=["profile.tier"]),
        windows=["1d"],
        features={"n": count(), "sum": total("amount")},
    )
    memory = Store(FeatureService("s", features=[view]))
    memory.feed("profiles", [update("u", 0, "free"), update("u", 10, "gold")])
    early, late = NOON + timedelta(minutes=5), NOON + timedelta(minutes=15)
    memory.feed("bookings", Booking(user="u", amount=5, at=early))
    memory.feed("bookings", Booking(user="u", amount=5, refund=True, booked=early, at=late))
    assert memory.get("s", {"profile.tier": "free"})["n_1d"] == 0
    assert memory.get("s", {"profile.tier": "gold"})["n_1d"] == 0


def test_past_its_budget_the_past_is_known_up_to_a_tile_and_what_is_newest_exactly() -> None:
    updates = [update("u", n, f"t{n:04d}") for n in range(2000)]
    of, oracle = store(record_budget=16), Oracle(updates)
    of.feed("profiles", updates)
    asked = [0.5, 700.2, 1200.5, 1700.5, 1998.5, 1999, 1999.5, 2050]
    of.feed("payments", [payment(n, "u", minutes) for n, minutes in enumerate(asked)])
    for number, minutes in enumerate(asked):
        moment = NOON + timedelta(minutes=minutes)
        got = of.get("s", payment_id=f"p{number}", as_of=moment)["profile.tier_1h"]
        exact = oracle.found("u", moment, "tier")
        if minutes >= 1999:
            assert got == exact
        else:  # a tile of 20 minutes stands at its last event
            assert 0 <= int(exact[1:]) - int((got or exact)[1:]) < 20
            assert got is not None or minutes < 20


USERS = st.sampled_from(["a", "b", "c"])
MINUTES = st.integers(0, 40)
UPDATES = st.lists(st.tuples(USERS, MINUTES, st.sampled_from([None, "IT", "FR"])), max_size=40)
PAYMENTS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d"]), MINUTES), max_size=30)


@settings(max_examples=60)
@given(made=UPDATES, asked=PAYMENTS, cut=st.integers(0, 40))
def test_whatever_the_order_and_the_blocks_it_is_what_a_sorted_list_says(
    made: list[Any], asked: list[Any], cut: int
) -> None:
    updates = [  # a fraction of a minute makes each instant its own
        update(user, minutes + n / 1000, f"t{n:03d}", country=country)
        for n, (user, minutes, country) in enumerate(made)
    ]
    of, oracle = store(), Oracle(updates)
    of.feed("profiles", updates[:cut])
    of.feed("profiles", updates[cut:], partition="other")
    events = [payment(n, user, minutes + 0.5) for n, (user, minutes) in enumerate(asked)]
    of.feed("payments", events)
    for n, event in enumerate(events):
        vector = of.get("s", payment_id=f"p{n}", as_of=datetime.fromisoformat(event["at"]))
        for name in ("tier", "country"):
            assert vector[f"profile.{name}_1h"] == oracle.found(event["payer"], event["at"], name)


@pytest.mark.parametrize("moment", [NOON, datetime(1970, 1, 2, tzinfo=UTC)])
def test_moments_before_everything_and_no_rows_at_all(moment: datetime) -> None:
    of = store()
    of.feed("payments", {"payment_id": "p0", "payer": "u", "at": moment})
    assert found(of, 0) == [None, None, None]
