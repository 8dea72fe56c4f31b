"""What vectors tell of how exact they are: of several views, of functions, of what is too old."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from featurestore import Entity, FeatureService, FeatureView, Stream, count, on_demand, total
from featurestore.definitions.on_demand import Arrays
from featurestore.testing import Store

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CUT = NOON + timedelta(minutes=40, seconds=30)  # the hour before it begins amid a tile


class Payment(BaseModel):
    user: str
    shop: str
    amount: float
    at: datetime


PAYMENTS = Stream("payments", contract=Payment, event_time="at")


def view(name: str, key: str, **more: Any) -> FeatureView:
    return FeatureView(
        name,
        stream=PAYMENTS,
        entity=Entity(key, keys=[key]),
        windows=["1h", "1d"],
        features={f"{key}_n": count(), f"{key}_spent": total("amount")},
        record_budget=4,
        **more,
    )


USERS, SHOPS = view("users", "user"), view("shops", "shop")


@on_demand(
    inputs=[USERS.select("user_n_1h"), SHOPS.select("shop_n_1h")],
    context={"x": float},
    returns={"share": float},
)
def share(features: Arrays, _: Arrays) -> dict[str, Any]:
    return {"share": features["user_n_1h"] / features["shop_n_1h"]}


@on_demand(context={"x": float}, returns={"twice": float})
def twice(_: Arrays, context: Arrays) -> dict[str, Any]:
    return {"twice": 2 * context["x"]}


def paid(user: str, minutes: float) -> dict[str, Any]:
    at = NOON - timedelta(minutes=minutes)
    return {"user": user, "shop": f"of {user}", "amount": 1.0, "at": at}


def store_of(*features: Any) -> Store:
    """A busy user with an event a second before noon, and one with few."""
    store = Store(FeatureService("s", features=features), now=NOON)
    events = [paid("busy", second / 60) for second in range(1800)] + [paid("calm", 19.75)]
    store.feed("payments", sorted(events, key=lambda each: each["at"]))
    return store


BUSY, CALM, NOBODY = (
    {"user": user, "shop": shop}
    for user, shop in (("busy", "of calm"), ("calm", "of busy"), ("nobody", "of nobody"))
)


def exact(store: Store, *entities: Any, at: datetime, **more: Any) -> list[dict[str, bool]]:
    vectors = store.vectors("s", entities, as_of=at, **more)
    return [dict(zip(vectors.shape.features, each, strict=True)) for each in vectors.exact]


def test_each_value_has_the_exactness_of_its_window_and_row() -> None:
    store = store_of(SHOPS.select("shop_n_1h"), USERS)
    busy, calm, nobody = exact(store, BUSY, CALM, NOBODY, at=CUT)
    assert [*busy] == ["shop_n_1h", "user_n_1h", "user_n_1d", "user_spent_1h", "user_spent_1d"]
    assert [*busy.values()] == [True, False, True, False, True]
    assert [*calm.values()] == [False, True, True, True, True]
    assert all(nobody.values())
    assert all(exact(store, BUSY, at=NOON)[0].values())


def test_many_at_once_are_as_one_by_one() -> None:
    store, three = store_of(SHOPS, USERS), (BUSY, CALM, NOBODY)
    alone = [exact(store, entity, at=CUT)[0] for entity in three]
    assert exact(store, *three * 40, at=CUT) == alone * 40


def test_of_no_entities_there_is_nothing_to_tell() -> None:
    vectors = store_of(SHOPS, USERS, share).vectors("s", [], context={"x": 1.0})
    assert (vectors.values, vectors.statuses, vectors.exact) == ([], [], [])


def test_what_is_computed_is_exact_if_all_that_goes_in_is() -> None:
    store = store_of(USERS.select("user_n_1d"), share, twice)
    for entity in (BUSY, CALM):
        (told,) = exact(store, entity, at=CUT, context={"x": 1.0})
        assert told == {"user_n_1d": True, "share": False, "twice": True}
    (told,) = exact(store, BUSY, at=NOON, context={"x": 1.0})
    assert told["share"]


def test_functions_alone_are_exact() -> None:
    vectors = Store(FeatureService("s", features=[twice])).vectors("s", [{}, {}], context={"x": 1})
    assert vectors.exact == [[True], [True]]


@pytest.mark.parametrize(
    ("ago", "status", "told"),
    [
        (timedelta(minutes=10), "PRESENT", False),  # young for sure, but the window cuts a tile
        (timedelta(minutes=-90), "OUTSIDE_MAX_AGE", True),  # old for sure, whatever the window
    ],
)
def test_of_a_row_that_is_too_old_for_sure_null_is_exact(
    ago: timedelta, status: str, *, told: bool
) -> None:
    aged = FeatureView(
        "aged",
        stream=PAYMENTS,
        entity=Entity("user", keys=["user"]),
        windows=["20m", "1d"],
        features={"n": count()},
        record_budget=4,
        max_age="1h",
    )
    at = NOON - ago - timedelta(seconds=30)
    vectors = store_of(aged).vectors("s", [BUSY], as_of=at)
    assert (vectors.statuses[0][0], vectors.exact[0][0]) == (status, told)


def test_an_answer_is_not_slowed_down_by_what_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(USERS)

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("featurestore.serving.judging.Judging.exact", never)
    assert np.array(store.vectors("s", [BUSY]).values).shape == (1, 4)
