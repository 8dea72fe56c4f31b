"""Some features of a service, asked for in a request."""

from datetime import timedelta
from itertools import permutations

import pytest

from featurestore import FeatureService
from featurestore.errors import BadEntity, BadFeature, RequestError
from tests.serving.shop import Shop, named, shops, view

WHO = {"user_id": "u1", "shop": 7}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop() -> Shop:
    users = view()
    service = FeatureService(
        "s", features=[users.select("spent_1h", "seen_1d"), shops(), users.select("payments_1d")]
    )
    shop = Shop(service)
    shop.pay("u1", 7, 2.5, MINUTE)
    shop.pay("u1", 7, 10.0, 100 * MINUTE)
    shop.pay("u2", 7, 1.0, MINUTE)
    return shop


def test_every_selection_in_every_order_is_cut_out_of_the_whole_vector(shop: Shop) -> None:
    whole = shop.ask(WHO)
    (value,), (status,) = named(whole), named(whole, whole.statuses)
    (time,) = named(whole, whole.event_times)
    assert value["spent_1h"] == 2.5
    assert value["sold_1d"] == 13.5
    for length in (1, 2, 5):
        for chosen in permutations(shop.plan.features, length):
            some = shop.ask(WHO, features=chosen)
            assert some.shape.features == list(chosen)
            assert some.values == [[value[name] for name in chosen]]
            assert some.statuses == [[status[name] for name in chosen]]
            assert some.event_times == [[time[name] for name in chosen]]


def test_only_the_views_asked_for_are_read_and_only_their_keys_needed(shop: Shop) -> None:
    plan = shop.plan.select(("payments_1d", "spent_1h"))
    assert list(plan.keys) == ["user_id"]
    (key,) = plan.row_keys([{"user_id": "u1"}])
    assert b"users@" in key
    with pytest.raises(BadEntity, match="key 'shop'"):
        shop.ask({"user_id": "u1"}, features=["sold_1d"])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            ["spent_1h", "spend_1h"],
            r"\[1\]: there is no feature 'spend_1h' in service 's' \(has: .* mean 'spent_1h'",
        ),
        (["shop_1h"], "there is no feature 'shop_1h'"),  # the view has it, the service has not
        (["spent_1h", "sold_1d", "spent_1h"], r"features\[2\]: 'spent_1h' stands twice"),
    ],
)
def test_a_feature_that_cannot_be_chosen_is_told(
    features: list[str], message: str, shop: Shop
) -> None:
    with pytest.raises(BadFeature, match=message):
        shop.ask(WHO, features=features)


def test_choosing_nothing_is_refused(shop: Shop) -> None:
    with pytest.raises(RequestError, match="at least one"):
        shop.ask(WHO, features=[])
    with pytest.raises(RequestError, match="must be a list of names, got 'spent_1h'"):
        shop.ask(WHO, features="spent_1h")


def test_plans_are_made_once_and_not_kept_for_ever(shop: Shop) -> None:
    assert shop.plan.select(("spent_1h",)) is shop.plan.select(("spent_1h",))
    for chosen in [c for length in (3, 4, 5) for c in permutations(shop.plan.features, length)]:
        shop.plan.select(chosen)
    shop.plan.select(("spent_1h",))
    assert len(shop.plan._selected) <= 256
