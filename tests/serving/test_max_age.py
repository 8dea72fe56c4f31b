"""Views with a maximum age: what an entity is known by may be too old to be told."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore import FeatureService
from featurestore.errors import DefinitionError
from tests.serving.shop import NOW_US, Shop, named, shops, view

MINUTE = timedelta(minutes=1)
WHO = {"user_id": "u1", "shop": 7}
SECOND_US = 1_000_000


def shop_of(*ages: timedelta, **more: object) -> Shop:
    shop = Shop(FeatureService("s", features=[view(max_age="2h", **more), shops()]))
    for ago in ages:
        shop.pay("u1", 7, 2.5, ago)
    return shop


def test_what_is_too_old_is_null_counts_too_and_other_views_stay() -> None:
    vectors = shop_of(121 * MINUTE).ask(WHO)
    (value,), (status,) = named(vectors), named(vectors, vectors.statuses)
    (time,) = named(vectors, vectors.event_times)
    assert (value["payments_1d"], value["spent_1d"], value["payments_1h"]) == (None, None, None)
    assert (value["sold_1d"], status["sold_1d"]) == (2.5, "PRESENT")
    assert {status[name] for name in status if name not in {"sold_1d", "sales_1d"}} == {
        "OUTSIDE_MAX_AGE"
    }
    assert time["spent_1d"] == NOW_US - 121 * 60 * SECOND_US  # tells how old it is


def test_what_is_young_enough_is_told_as_ever() -> None:
    vectors = shop_of(23 * 60 * MINUTE, 119 * MINUTE).ask(WHO)
    (value,), (status,) = named(vectors), named(vectors, vectors.statuses)
    assert (value["payments_1d"], value["payments_1h"], value["spent_1h"]) == (2, 0, None)
    assert (status["payments_1h"], status["spent_1h"]) == ("PRESENT", "NULL_VALUE")


def test_nobody_is_not_found_rather_than_old() -> None:
    vectors = shop_of(MINUTE).ask({"user_id": "x", "shop": 7})
    assert vectors.statuses[0][:2] == ["NOT_FOUND", "NOT_FOUND"]
    assert vectors.values[0][:2] == [0, 0]


@given(
    ages=st.lists(st.integers(-3, 5).map(lambda half: timedelta(minutes=30 * half)), max_size=4),
    offset=st.sampled_from([None, "30m", "1d"]),
    many=st.sampled_from([1, 100]),
    chosen=st.sampled_from([None, ["seen_1h"], ["spent_1d", "payments_1h"]]),
)
def test_a_row_is_old_exactly_if_no_event_is_in_the_last_max_age(
    ages: list[timedelta], offset: str | None, many: int, chosen: list[str] | None
) -> None:
    shop = shop_of(*ages, offset=offset)
    young = any(timedelta(0) <= age < timedelta(hours=2) for age in ages)
    vectors = shop.ask(*[WHO] * many, features=chosen)
    plain = Shop(FeatureService("s", features=[view(offset=offset), shops()]), shop.rows)
    as_ever = plain.ask(*[WHO] * many, features=chosen)
    for place, name in enumerate(vectors.shape.features):
        for number in (0, many - 1):
            value, status = vectors.values[number][place], vectors.statuses[number][place]
            if ages and not young and not name.startswith(("sold", "sales")):
                assert (value, status) == (None, "OUTSIDE_MAX_AGE")
            else:
                assert value == as_ever.values[number][place]
                assert status == as_ever.statuses[number][place]
    assert vectors.event_times == as_ever.event_times


def test_the_age_is_no_part_of_what_a_row_holds() -> None:
    assert view(max_age="2h").version == view().version


@pytest.mark.parametrize(
    ("max_age", "offset", "message"),
    [
        ("soon", None, "max_age 'soon' is no duration"),
        ("2d", None, "max_age 2d is longer than its windows reach back, 1d: .* at most 1d"),
        ("3d", "1d", "max_age 3d is longer than its windows reach back, 2d"),
    ],
)
def test_an_age_that_cannot_be_is_refused(max_age: str, offset: str | None, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        view(max_age=max_age, offset=offset)
