"""Wrong definitions: every problem at once, each with what was meant and what to do."""

from collections.abc import Callable
from datetime import datetime
from math import nan
from typing import Any

import pytest
from pydantic import BaseModel

from featurestore import (
    Catalog,
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    column,
    count,
    covariance,
    decayed_count,
    distinct_values,
    histogram,
    last_n,
    last_n_events,
    lifetime,
    max_by,
    mean,
    minimum,
    most_frequent,
    quantile,
    quantiles,
    rate,
    ratio,
    session,
    skewness,
    sliding,
    top_k,
    total,
    tumbling,
)
from featurestore.definitions.problems import gathering
from featurestore.errors import DefinitionError, UnknownName


class Payment(BaseModel):
    user_id: str
    amount: float
    status: str
    tags: list[str]
    paid_at: datetime
    settled_at: datetime | None


payments = Stream("payments", contract=Payment, event_time="paid_at")
reversible = Stream(
    "payments", contract=Payment, event_time="paid_at", reverses=column("amount") < 0
)
user = Entity("user", keys=["user_id"])


def view(**changes: Any) -> FeatureView:
    sound: dict[str, Any] = {
        "stream": payments,
        "entity": user,
        "windows": ["1h"],
        "features": {"payments": count()},
    }
    name = changes.pop("name", "v")
    return FeatureView(name, **(sound | changes))


def problems_of(make: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as raised:
        make()
    return raised.value.problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"features": {"f": total("amont")}}, "did you mean 'amount'?"),
        ({"features": {"f": total("tags")}}, "column 'tags' is not in stream 'payments'"),
        ({"features": {"f": total("status")}}, "total needs numbers, but status is str"),
        ({"features": {"f": mean("paid_at")}}, "mean needs numbers, but paid_at is datetime"),
        ({"features": {"f": total(column("amount") + column("status"))}}, "does not go together"),
        ({"features": {"f": minimum(column("amount") == "x")}}, "does not go together"),
        ({"features": {"f": 3}}, "feature 'f': 3 is no aggregation, such as count()"),
        ({"features": {"": count()}}, "a feature has an empty name"),
        ({"features": {}}, "it has no features; give at least one"),
        ({"features": {"f": skewness("status")}}, "skewness needs numbers, but status is str"),
        ({"features": {"f": covariance("amount", "paid_at")}}, "covariance needs numbers"),
        ({"features": {"f": last_n("status", 0)}}, "n must be a whole number from 1 to 1000"),
        ({"features": {"f": top_k("status", 1.5)}}, "k must be a whole number from 1 to 1000"),
        ({"features": {"f": distinct_values("status", limit=9999)}}, "limit must be a whole"),
        ({"features": {"f": most_frequent("status", 5, capacity=4)}}, "capacity must be a whole"),
        ({"features": {"f": histogram("amount", bins=[2, 1])}}, "bins must be numbers that rise"),
        ({"features": {"f": histogram("amount", bins=[])}}, "bins must be numbers that rise"),
        ({"features": {"f": histogram("amount", bins=[nan])}}, "bins must be numbers that rise"),
        ({"features": {"f": quantile("amount", 99)}}, "a quantile must be from 0 to 1, got 99"),
        ({"features": {"f": quantiles("amount", [])}}, "name at least one quantile"),
        ({"features": {"f": decayed_count(half_life="x")}}, "half_life 'x' is no duration"),
        ({"features": {"f": rate(per="0s")}}, "per '0s' is no usable duration"),
        ({"features": {"f": ratio(count(), 2)}}, "2 is no aggregation, such as count()"),
        (
            {"features": {"f": ratio(last_n("status", 2), count())}},
            "ratio needs numbers, but last_n(status, n=2) is list",
        ),
        (
            {"features": {"f": ratio(total("amont"), count())}},
            "column 'amont' is not in stream 'payments'",
        ),
        ({"features": {"f": max_by("status", by="amunt")}}, "did you mean 'amount'?"),
        ({"windows": []}, "it has no windows; give at least one, as in windows=['1h']"),
        ({"windows": ["1x"]}, "window '1x' is no duration: write a number and a unit"),
        ({"windows": ["0s"]}, "must be longer than 0"),
        ({"windows": [7]}, "window 7 is no duration"),
        ({"windows": ["1h", "1h"]}, "window '1h' stands twice"),
        ({"windows": [tumbling("x")]}, "window 'x' is no duration"),
        ({"windows": [sliding("1h", offset="x")]}, "window 'x' is no duration"),
        ({"windows": [sliding("1s", offset="7d")]}, "a busy row would hold"),
        ({"windows": [tumbling("1d"), tumbling("1d")]}, "window '1d_tumbling' stands twice"),
        ({"windows": [lifetime()], "features": {"f": rate()}}, "over a lifetime has no length"),
        ({"windows": [session("soon")]}, "window 'soon' is no duration"),
        (
            {"windows": [session("2d")]},
            "window 'session_2d' is cut at longest=1d, before its gap; let longest be longer",
        ),
        (
            {"windows": [session("1s")]},
            "needs tiles of 1s as far back as it reaches, 1d; shorten longest, or lengthen the gap",
        ),
        ({"windows": [last_n_events(0)]}, "last_n_events(0): n must be a whole number, 1 or more"),
        ({"windows": [last_n_events(2.5)]}, "last_n_events(2.5): n must be a whole number"),
        (
            {"windows": [last_n_events(65)]},
            "'last_65' needs a record_budget of 130, as a busy row keeps the newest half of it",
        ),
        ({"windows": [last_n_events(32_768)]}, "window 'last_32768': n must be at most 32767"),
        (
            {"windows": [session("5m")], "features": {"f": rate()}},
            "over a session has no length to divide by; take count",
        ),
        (
            {"windows": [last_n_events(5)], "features": {"f": ratio(rate(), count())}},
            "over the last events has no length to divide by; take count",
        ),
        *(
            (
                {"windows": [window], "stream": reversible},
                f"window '{name}' starts at an event, and stream 'payments' has events that undo",
            )
            for window, name in ((session("5m"), "session_5m"), (last_n_events(5), "last_5"))
        ),
        ({"offset": "soon"}, "offset 'soon' is no duration"),
        ({"windows": ["1s"], "offset": "7d"}, "a busy row would hold"),
        ({"where": column("amount")}, "where: amount is float, but must be true or false"),
        ({"where": column("amunt") > 1}, "did you mean 'amount'?"),
        ({"record_budget": 0}, "record_budget 0 must be from 1 to 65535"),
        ({"record_budget": 70_000}, "record_budget 70000 must be from 1 to 65535"),
        ({"shards": 0}, "shards 0 must be from 1 to 1024"),
        ({"entity": Entity("user", keys=["userid"])}, "did you mean 'user_id'?"),
        (
            {"windows": ["1h", "1m_1h"], "features": {"a_1m": count(), "a": count()}},
            "window '1m_1h' is no duration",
        ),
    ],
)
def test_a_view_says_what_is_wrong_and_how_to_mend_it(changes, problem) -> None:
    (found,) = problems_of(lambda: view(**changes))
    assert found.startswith("view 'v': ")
    assert problem in found


def test_a_view_tells_all_its_problems_at_once() -> None:
    found = problems_of(
        lambda: view(
            entity=Entity("user", keys=["usr_id"]),
            windows=["1h", "never"],
            features={"a": total("amont"), "b": total("status")},
            where=column("state") == "ok",
            shards=5000,
        )
    )
    assert len(found) == 6


def test_a_window_as_wide_as_another_in_other_words_is_another_feature() -> None:
    assert [f.name for f in view(windows=["60m", "1h"]).outputs] == ["payments_60m", "payments_1h"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"event_time": "paid"}, "event_time 'paid' is not in contract 'Payment'"),
        ({"event_time": "amount"}, "event_time 'amount' must be a datetime that is never None"),
        ({"event_time": "settled_at"}, "event_time 'settled_at' must be a datetime that is never"),
        ({"event_id": "id"}, "event_id 'id' is not in contract 'Payment'"),
        ({"dedupe": "24h"}, "dedupe needs an event_id"),
        ({"dedupe": "long", "event_id": "user_id"}, "dedupe 'long' is no duration"),
        ({"clock_skew": "-1m"}, "clock_skew '-1m' is no duration"),
        ({"derive": {"x": column("amnt") * 2}}, "derived column 'x': column 'amnt' is not in"),
        (
            {"derive": {"amount": column("amount") * 2}},
            "derived column 'amount' is in the contract",
        ),
        ({"derive": {"x": column("amount") + column("status")}}, "does not go together"),
    ],
)
def test_a_stream_says_what_is_wrong(arguments, problem) -> None:
    whole = {"event_time": "paid_at"} | arguments
    (found,) = problems_of(lambda: Stream("payments", contract=Payment, **whole))
    assert found.startswith("stream 'payments': ")
    assert problem in found


def test_an_entity_says_what_is_wrong() -> None:
    assert problems_of(lambda: Entity("user", keys=[])) == (
        "entity 'user': it has no keys; name at least one column",
    )
    assert problems_of(lambda: Entity("user", keys=["a", "b", "a"])) == (
        "entity 'user': key 'a' stands twice",
    )


class Visit(BaseModel):
    user_id: int
    at: datetime


visits = Stream("visits", contract=Visit, event_time="at")


def test_a_service_says_what_is_wrong() -> None:
    other = view(name="w")
    foreign = FeatureView(
        "visits", stream=visits, entity=user, windows=["1h"], features={"visits": count()}
    )
    cases = [
        ([], "it has no features; list at least one view"),
        ([view().select("payment_1h")], "did you mean 'payments_1h'?"),
        ([view(), other], "both give 'payments_1h'; rename one, as in w.prefix('w_')"),
        ([view().select("payments_1h", "payments_1h")], "view 'v' gives 'payments_1h' twice"),
        ([view(), foreign], "key 'user_id' is str in view 'v' but int in another"),
    ]
    for features, problem in cases:
        (found,) = problems_of(lambda features=features: FeatureService("s", features=features))
        assert found.startswith("service 's': ")
        assert problem in found


def test_a_catalog_refuses_two_definitions_of_one_name() -> None:
    found = problems_of(
        lambda: Catalog.of(
            [
                view(),
                view(windows=["2h"]),
                visits,
                Stream("visits", contract=Payment, event_time="paid_at"),
            ]
        )
    )
    assert found == (
        "two definitions of stream 'visits'; rename one",
        "two definitions of view 'v'; rename one",
    )


def test_an_entity_may_be_written_out_again_with_the_same_keys_alone() -> None:
    again = [view(), view(name="w", entity=Entity("user", keys=["user_id"]))]
    assert list(Catalog.of(again).entities) == ["user"]
    (found,) = problems_of(
        lambda: Catalog.of([*again, view(name="x", entity=Entity("user", keys=["status"]))])
    )
    assert found == "two definitions of entity 'user'; rename one"


def test_a_catalog_knows_its_names() -> None:
    catalog = Catalog.of([view()])
    with pytest.raises(UnknownName, match="did you mean 'payments'"):
        catalog.stream("payment")
    with pytest.raises(UnknownName, match=r"there is no service 'x' \(has none\)"):
        catalog.service("x")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"windows": "1h"}, "view 'v': windows must be a list, as in ['1h'], got '1h'"),
        ({"features": ["n"]}, "features must be a dict, as in {'payments': count()}, got ['n']"),
        ({"stream": "payments"}, "stream must be a Stream, got 'payments'"),
        ({"entity": "user"}, "entity must be an Entity, got 'user'"),
        ({"record_budget": "128"}, "record_budget must be a whole number, got '128'"),
        ({"shards": 1.5}, "shards must be a whole number, got 1.5"),
        ({"where": True}, "where must be an expression, got True"),
        ({"name": ""}, "view '': its name must be a word without white space, slashes and braces"),
        ({"name": "a{b}"}, "view 'a{b}': its name must be a word"),
    ],
)
def test_a_view_of_wrong_types_is_refused_before_more_is_said_of_it(
    wrong: dict[str, Any], said: str
) -> None:
    right = {"stream": payments, "entity": Entity("user", keys=["user_id"]), "windows": ["1h"]}
    given = {"name": "v", **right, "features": {"n": count()}, **wrong}
    with gathering(), pytest.raises(DefinitionError) as caught:
        FeatureView(given.pop("name"), **given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"windows": [None]}, "view 'v': window None is no duration"),
        ({"windows": [tumbling(None)]}, "view 'v': window None is no duration"),
    ],
)
def test_what_is_no_window_is_told(wrong: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"windows": ["1h"], "features": {"n": count()}, **wrong}
    (found,) = problems_of(lambda: FeatureView("v", stream=payments, entity=user, **given))
    assert said in found


def test_streams_and_services_of_wrong_types_are_refused() -> None:
    contract: Any = dict
    with pytest.raises(DefinitionError, match="stream 's': contract must be a pydantic model"):
        Stream("s", contract=contract, event_time="at")
    odd: Any = ["n"]
    with pytest.raises(DefinitionError, match=r"service 's': features must be views, .* \['n'\]"):
        FeatureService("s", features=odd)
    view = FeatureView("v", stream=payments, entity=user, windows=["1h"], features={"n": count()})
    with pytest.raises(DefinitionError, match="service 's': it has no features"):
        FeatureService("s", features=[view.select()])
    with pytest.raises(DefinitionError, match="service 's': defaults must be a dict"):
        FeatureService("s", features=[view], defaults=odd)
    for keys in (None, [None], 5):
        with pytest.raises(DefinitionError, match="entity 'user': keys must be a list of names"):
            Entity("user", keys=keys)  # type: ignore[arg-type]
    alone: Any = "n"
    with pytest.raises(DefinitionError, match="service 's': features must be a list of views"):
        FeatureService("s", features=alone)
