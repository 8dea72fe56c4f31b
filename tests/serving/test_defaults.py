"""What stands in a vector where there is no value, and services made of others."""

from datetime import UTC, date, datetime, timedelta

import pytest

from featurestore import Catalog, FeatureService
from featurestore.definitions.contract import Kind
from featurestore.definitions.defaults import raw_default
from featurestore.errors import DefinitionError
from tests.serving.shop import Shop, named, shops, view

HOUR = timedelta(hours=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
DEFAULTS = {"spent_1h": 0, "spent_1d": -1.0, "seen_1h": LONG_AGO, "payments_1h": 7}


def test_a_default_stands_for_every_null_and_the_status_says_what_it_was() -> None:
    shop = Shop(FeatureService("s", features=[view(max_age="5h")], defaults=DEFAULTS))
    shop.pay("u1", 1, 2.5, 2 * HOUR)
    shop.pay("u2", 1, 2.5, 6 * HOUR)
    vectors = shop.ask({"user_id": "u1"}, {"user_id": "u2"}, {"user_id": "x"})
    names = ("spent_1h", "spent_1d", "seen_1h", "payments_1h", "shop_1h")
    old = "2000-01-01T00:00:00Z"
    assert [tuple(v[name] for name in names) for v in named(vectors)] == [
        (0.0, 2.5, old, 0, None),
        (0.0, -1.0, old, 7, None),
        (0.0, -1.0, old, 0, None),
    ]
    assert [v["spent_1h"] for v in named(vectors, vectors.statuses)] == [
        "NULL_VALUE",
        "OUTSIDE_MAX_AGE",
        "NOT_FOUND",
    ]
    assert vectors.raw[0][vectors.shape.features.index("spent_1h")] is None
    some = shop.ask({"user_id": "x"}, features=["shop_1h", "spent_1d"])
    assert some.values == [[None, -1.0]]
    assert shop.ask({"user_id": "x"}, features=["shop_1h"]).values == [[None]]


@pytest.mark.parametrize(
    ("value", "kind", "raw"),
    [
        (1, Kind.INT, 1),
        (1, Kind.FLOAT, 1.0),
        ("", Kind.TEXT, ""),
        (False, Kind.BOOL, False),
        (datetime(1970, 1, 1, 0, 0, 1), Kind.DATETIME, 1_000_000),  # noqa: DTZ001 - naive is UTC
        (date(1971, 1, 1), Kind.DATE, 365),
    ],
)
def test_a_default_is_held_as_values_are(value: object, kind: Kind, raw: object) -> None:
    held = raw_default(value, kind)
    assert (held, type(held)) == (raw, type(raw))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.0, Kind.INT),
        (True, Kind.INT),
        (2**63, Kind.INT),
        (True, Kind.FLOAT),
        (float("nan"), Kind.FLOAT),
        ("0", Kind.FLOAT),
        (0, Kind.BOOL),
        (None, Kind.TEXT),
        (date(1970, 1, 1), Kind.DATETIME),
        (LONG_AGO, Kind.DATE),
        ("1970-01-01", Kind.DATE),
    ],
)
def test_a_default_of_another_type_is_refused(value: object, kind: Kind) -> None:
    with pytest.raises(ValueError, match=f"must be {kind.value}, got {type(value).__name__} "):
        raw_default(value, kind)


def test_all_that_is_wrong_with_defaults_is_told_at_once() -> None:
    wrong = {"spend_1h": 0.0, "spent_1h": "none", "payments_1d": 0.5, "spent_1d": 0}
    with pytest.raises(DefinitionError) as raised:
        FeatureService("s", features=[view()], defaults=wrong)
    assert raised.value.problems == (
        "service 's': default 'spend_1h' is no feature of it; did you mean 'spent_1h'?",
        "service 's': default 'spent_1h' must be float, got str 'none'",
        "service 's': default 'payments_1d' must be int, got float '0.5'",
    )


def test_a_service_may_stand_in_another_with_its_defaults() -> None:
    users = view()
    inner = FeatureService("in", features=[users.select("spent_1h")], defaults={"spent_1h": 1.0})
    middle = FeatureService("mid", features=[inner, users.select("spent_1d")])
    defaults = {"spent_1d": 2.0, "sold_1d": 3.0}
    outer = FeatureService("out", features=[shops(), middle], defaults=defaults)
    vectors = Shop(outer).ask({"user_id": "x", "shop": 1})
    assert named(vectors) == [{"sold_1d": 3.0, "sales_1d": 0, "spent_1h": 1.0, "spent_1d": 2.0}]
    assert list(outer.keys) == ["shop", "user_id"]
    assert list(Catalog.of([outer]).services) == ["out", "mid", "in"]
    again = FeatureService("again", features=[outer], defaults={"spent_1h": 5})
    assert named(Shop(again).ask({"user_id": "x", "shop": 1}))[0]["spent_1h"] == 5.0


def test_clashes_of_nested_services_are_refused() -> None:
    users, others = view(), view("others", windows=["1h"])
    inner = FeatureService("in", features=[users.select("spent_1h")])
    with pytest.raises(DefinitionError, match="service 'out': view 'users' gives 'spent_1h' twice"):
        FeatureService("out", features=[inner, users.select("spent_1h")])
    with pytest.raises(DefinitionError, match="'users' and 'others' both give 'spent_1h'; rename"):
        FeatureService("out", features=[inner, others])


def test_two_services_of_one_name_are_refused_wherever_they_stand() -> None:
    users = view()
    inner = FeatureService("s", features=[users.select("spent_1h")])
    outer = FeatureService("s", features=[inner])
    with pytest.raises(DefinitionError, match="two definitions of service 's'"):
        Catalog.of([outer])
