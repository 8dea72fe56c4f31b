"""Features that a function computes when they are asked for."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore import FeatureService, on_demand
from featurestore.definitions.on_demand import Arrays, Function, OnDemand
from featurestore.errors import BadContext, DefinitionError, OnDemandFailed, RequestError
from tests.serving.shop import NOW, NOW_US, Shop, named, shops, view

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
USERS = view()
SHOPS = shops()


@on_demand(
    inputs=[USERS.select("spent_1h", "seen_1d"), SHOPS.prefix("shop_")],
    context={"amount": float, "coupon": str | None},
    returns={"ratio": float, "silent_for": int, "has_coupon": bool},
)
def risk(features: Arrays, context: Arrays) -> dict[str, Any]:
    """Compare a payment with the last hour."""
    return {
        "ratio": context["amount"] / features["spent_1h"],
        "silent_for": (context["now"] - features["seen_1d"]) / np.timedelta64(1, "s"),
        "has_coupon": np.array([coupon is not None for coupon in context["coupon"]]),
    }


@pytest.fixture
def shop() -> Shop:
    service = FeatureService(
        "s", features=[USERS.select("payments_1h"), risk, USERS.select("spent_1h")]
    )
    shop = Shop(service)
    shop.pay("u1", 7, 2.5, MINUTE)
    shop.pay("u2", 7, 4.0, 2 * HOUR)
    return shop


ENTITIES = [{"user_id": "u1", "shop": 7}, {"user_id": "u2", "shop": 7}, {"user_id": "x", "shop": 7}]


def test_a_function_gets_vector_and_context_and_gives_places_of_the_vector(shop: Shop) -> None:
    contexts = [{"amount": 5}, {"amount": 1.0, "coupon": "c"}, {"amount": 0.0, "coupon": None}]
    vectors = shop.ask(*ENTITIES, context=contexts)
    names = ["payments_1h", "ratio", "silent_for", "has_coupon", "spent_1h"]
    assert vectors.shape.features == names
    assert vectors.values == [
        [1, 2.0, 60, False, 2.5],
        [0, None, 7200, True, None],
        [0, None, None, False, None],
    ]
    assert [type(value) for value in vectors.values[0]] == [int, float, int, bool, float]
    assert vectors.statuses[1] == ["PRESENT", "NULL_VALUE", "PRESENT", "PRESENT", "NULL_VALUE"]
    assert vectors.statuses[2][1:3] == ["NULL_VALUE", "NULL_VALUE"]


def test_its_event_time_is_the_newest_behind_its_inputs(shop: Shop) -> None:
    vectors = shop.ask(*ENTITIES, context={"amount": 1})
    (first, second, third) = named(vectors, vectors.event_times)
    assert first["ratio"] == NOW_US - 60 * 10**6
    assert second["ratio"] == NOW_US - 60 * 10**6  # the shop is an input too
    assert third["ratio"] == second["ratio"]
    assert second["spent_1h"] is None


def test_a_context_for_all_is_that_of_each(shop: Shop) -> None:
    one = {"amount": 10.0, "coupon": "c"}
    shared = shop.ask(*ENTITIES, context=one)
    assert shared.values == shop.ask(*ENTITIES, context=[one] * 3).values
    assert shared.values[0][1] == 4.0


def test_many_at_once_are_as_one_by_one(shop: Shop) -> None:
    entities = [ENTITIES[number % 3] for number in range(200)]
    contexts = [{"amount": float(number)} for number in range(200)]
    vectors = shop.ask(*entities, context=contexts)
    for number in (0, 1, 2, 103, 199):
        alone = shop.ask(entities[number], context=contexts[number])
        assert vectors.values[number] == alone.values[0]
        assert vectors.event_times[number] == alone.event_times[0]
        assert vectors.statuses[number] == alone.statuses[0]


def test_what_is_chosen_decides_what_is_read_called_and_needed(shop: Shop) -> None:
    assert shop.ask(ENTITIES[0], features=["spent_1h"]).values == [[2.5]]  # without a context
    assert list(shop.plan.keys) == ["user_id", "shop"]
    assert list(shop.plan.select(("spent_1h",)).keys) == ["user_id"]
    vectors = shop.ask(ENTITIES[0], features=["ratio", "payments_1h"], context={"amount": 5})
    assert vectors.values == [[2.0, 1]]
    ignored = shop.ask(ENTITIES[0], features=["spent_1h"], context={"amount": "unread"})
    assert ignored.values == [[2.5]]


def test_defaults_fill_what_it_gives_but_not_what_it_gets() -> None:
    service = FeatureService(
        "s", features=[risk, USERS.select("spent_1h")], defaults={"ratio": -1, "spent_1h": 1.0}
    )
    vectors = Shop(service).ask(ENTITIES[0], context={"amount": 5})
    assert named(vectors)[0] | {"has_coupon": 0, "silent_for": 0} == {
        "ratio": -1.0,
        "silent_for": 0,
        "has_coupon": 0,
        "spent_1h": 1.0,
    }
    assert named(vectors, vectors.statuses)[0]["ratio"] == "NULL_VALUE"


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (None, r"context: 'amount' \(float\) is missing \(has none\)"),
        (
            {"amont": 1},
            r"context: there is no 'amont' \(has: amount, coupon\); did you .* 'amount'",
        ),
        ({"amount": "5"}, "context: 'amount' must be float, got str '5'"),
        ({"amount": None}, "context: 'amount' must be float, got NoneType"),
        ({"amount": True}, "context: 'amount' must be float, got bool"),
        ({"amount": float("inf")}, "context: 'amount' must be float, got float 'inf'"),
        ([{"amount": 1}] * 2, "one for each of the 3, got 2"),
        ([], "one for each of the 3, got 0"),
        ([{"amount": 1}, {"amount": 1}, {"coupon": "c"}], r"context\[2\]: 'amount' \(float\) is m"),
        ([{"amount": 1}, {"amount": 1, "coupon": 7}, {}], r"context\[1\]: 'coupon' must be str"),
    ],
)
def test_a_context_that_is_wrong_is_told_with_its_place(
    context: Any, message: str, shop: Shop
) -> None:
    with pytest.raises(BadContext, match=message):
        shop.ask(*ENTITIES, context=context)


def test_a_context_nobody_asked_for_is_a_mistake() -> None:
    plain = Shop(FeatureService("s", features=[USERS]))
    with pytest.raises(RequestError, match=r"there is no 'amount' \(has none\)"):
        plain.ask({"user_id": "u1"}, context={"amount": 5})


def service_of(function: Function, **returns: Any) -> Shop:
    made = on_demand(inputs=[USERS.select("spent_1h", "payments_1h")], returns=returns)(function)
    return Shop(FeatureService("s", features=[USERS.select("payments_1h"), made]))


class Custom(Exception):
    pass


def raises(error: Exception) -> Function:
    def function(features: Arrays, context: Arrays) -> dict[str, Any]:
        raise error

    return function


WRONG: dict[str, tuple[Function, type, str]] = {
    "it raises": (raises(Custom("no model")), float, r"raised Custom in line \d+ .*: no model"),
    "an unknown input": (
        lambda f, _: {"x": f["spend_1h"]},
        float,
        r"raised KeyError .* there is no 'spend_1h' \(has: spent_1h, .*mean 'spent_1h'",
    ),
    "an unknown context": (lambda _, c: {"x": c["amount"]}, float, r"no 'amount' \(has: now\)"),
    "no mapping": (lambda f, _: f["spent_1h"], float, "return a mapping by name, got ndarray"),
    "another name": (lambda f, _: {"y": f["spent_1h"]}, float, r"must return x .* \(has: y\)"),
    "one too many": (lambda f, _: {"x": [1.0], "y": [1.0]}, float, r"\(has: x, y\)"),
    "a single value": (lambda _, __: {"x": 1.0}, float, "'x', .* got the single value 1.0"),
    "too many values": (lambda _, __: {"x": [1.0, 2.0]}, float, r"must be 1 values.*\(2,\)"),
    "another shape": (lambda _, __: {"x": [[1.0]]}, float, r"got shape \(1, 1\)"),
    "ragged lists": (lambda _, __: {"x": [[1.0], [1, 2]]}, float, "returned 'x', which"),
    "text for numbers": (lambda _, __: {"x": ["a"]}, float, "must be float, got an array of <U1"),
    "objects": (lambda _, __: {"x": [{}]}, float, "must be float, got an array of object"),
    "times for numbers": (lambda _, c: {"x": c["now"]}, int, "got an array of datetime64"),
    "times out of the calendar": (
        lambda _, c: {"x": c["now"] + np.timedelta64(10**7, "D")},
        datetime,
        "must be in the years 1 to 9999, got 29405-",
    ),
    "numbers for times": (lambda _, __: {"x": [1]}, datetime, "must be datetime, got an array of"),
    "fractions": (lambda _, __: {"x": [1.5]}, int, "must be whole numbers, got 1.5"),
    "a number too large": (lambda _, __: {"x": [1e300]}, int, "must be whole numbers"),
    "a number beyond floats": (
        lambda _, __: {"x": np.array([10**400], object)},
        float,
        "must be float, got an array of object",
    ),
    "half a letter": (
        lambda _, __: {"x": np.array(["\ud83d"], object)},
        str,
        "returned 'x', which must be text, got a lone surrogate",
    ),
    "no truth": (lambda _, __: {"x": [2]}, bool, "must be true or false, got 2"),
    "numbers for text": (lambda _, __: {"x": [1]}, str, "must be str, got an array of int64"),
    "other things for text": (
        lambda _, __: {"x": np.array([1.5], object)},
        str,
        "must be str or None, got float",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_function_that_fails_is_told_as_one_error(name: str) -> None:
    function, kind, message = WRONG[name]
    shop = service_of(function, x=kind)
    with pytest.raises(OnDemandFailed, match=message):
        shop.ask({"user_id": "u1"})
    assert shop.ask({"user_id": "u1"}, features=["payments_1h"]).values == [[0]]


def test_the_line_it_fails_in_is_its_own() -> None:
    def function(features: Arrays, _: Arrays) -> dict[str, Any]:
        return {"x": features["spend_1h"]}

    line = function.__code__.co_firstlineno + 1
    with pytest.raises(OnDemandFailed, match=rf"raised KeyError in line {line} \(function\)"):
        service_of(function, x=float).ask({"user_id": "u1"})


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_process_still_does(end: type[BaseException]) -> None:
    def function(features: Arrays, context: Arrays) -> dict[str, Any]:
        raise end

    with pytest.raises(end):
        service_of(function, x=float).ask({"user_id": "u1"})


GIVEN: list[tuple[Any, Any, object]] = [
    (np.array([1, 2], np.int32), float, [1.0, 2.0]),
    (np.array([1.0, np.nan]), int, [1, None]),
    (np.array([2**63 - 1, 5], np.uint64), int, [2**63 - 1, 5]),
    ([1.5, None], float, [1.5, None]),
    ([True, None], bool, [True, None]),
    (np.array([1.0, np.nan]), bool, [True, None]),
    (np.array([-np.inf, 1.0]), float, [None, 1.0]),
    (np.ma.masked_array([1.0, 2.0], [True, False]), float, [None, 2.0]),
    (np.ma.masked_array([1, 2], [False, True]), int, [1, None]),
    (["a", None], str, ["a", None]),
    (np.array(["a", "b"]), str, ["a", "b"]),
    (pa.array([1.5, None]), float, [1.5, None]),
    (np.array(["1970-01-02", "NaT"], "datetime64[s]"), date, ["1970-01-02", None]),
    (np.array([0, None], "datetime64[us]"), datetime, ["1970-01-01T00:00:00Z", None]),
]


@pytest.mark.parametrize(("array", "kind", "values"), GIVEN)
def test_what_numpy_takes_for_an_array_is_taken(array: Any, kind: type, values: object) -> None:
    shop = service_of(lambda _, __: {"x": array}, x=kind)
    found = shop.ask({"user_id": "u1"}, {"user_id": "u2"}, features=["x"]).values
    assert [vector[0] for vector in found] == values


KINDS: dict[type, st.SearchStrategy[Any]] = {
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(-(2**53), 2**53),
    bool: st.booleans(),
    str: st.text(st.characters(exclude_categories=["Cs"])),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
}


@given(st.data())
def test_every_value_of_a_context_comes_back_as_it_was(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([*KINDS]))
    sent = data.draw(st.lists(st.none() | KINDS[kind], min_size=1, max_size=5))

    @on_demand(context={"x": kind | None}, returns={"y": kind})
    def echo(features: Arrays, context: Arrays) -> dict[str, Any]:
        return {"y": context["x"]}

    shop = Shop(FeatureService("s", features=[USERS.select("payments_1h"), echo]))
    vectors = shop.ask(*[{"user_id": "u"}] * len(sent), context=[{"x": value} for value in sent])
    for value, got in zip(sent, [vector[1] for vector in vectors.values], strict=True):
        if isinstance(value, datetime):
            assert datetime.fromisoformat(str(got)) == value
        else:
            assert got == (value.isoformat() if isinstance(value, date) else value)


def test_a_whole_number_that_floats_cannot_hold_is_refused() -> None:
    @on_demand(context={"card": int}, returns={"y": int})
    def echo(features: Arrays, context: Arrays) -> dict[str, Any]:
        return {"y": context["card"]}

    shop = Shop(FeatureService("s", features=[echo, USERS]))
    with pytest.raises(BadContext, match=r"at most 2\*\*53, .* declare identifiers as str"):
        shop.ask({"user_id": "u"}, context={"card": 2**53 + 1})


def test_a_service_of_functions_alone_reads_nothing() -> None:
    @on_demand(context={"amount": float}, returns={"double": float})
    def double(features: Arrays, context: Arrays) -> dict[str, Any]:
        return {"double": 2 * context["amount"]}

    shop = Shop(FeatureService("s", features=[double]))
    vectors = shop.ask({}, {}, context=[{"amount": 1}, {"amount": 2.5}])
    assert (vectors.values, vectors.statuses) == ([[2.0], [5.0]], [["PRESENT"], ["PRESENT"]])
    assert vectors.event_times == [[None], [None]]


def test_inputs_cannot_be_changed_and_the_moment_is_that_of_the_request() -> None:
    seen: list[Mapping[str, Any]] = []

    def function(features: Arrays, context: Arrays) -> dict[str, Any]:
        seen.append(context)
        features["spent_1h"][0] = 1.0
        return {"x": features["spent_1h"]}

    with pytest.raises(OnDemandFailed, match="read-only"):
        service_of(function, x=float).ask({"user_id": "u1"})
    assert seen[0]["now"].astype(datetime).tolist() == [NOW.replace(tzinfo=None)]


def test_it_is_a_plain_function_to_a_test() -> None:
    features = {"spent_1h": np.array([2.0, 0.0]), "seen_1d": np.array([0, 0], "datetime64[us]")}
    context = {
        "amount": np.array([5.0, 5.0]),
        "coupon": np.array([None, "c"], object),
        "now": np.array([60_000_000] * 2, "datetime64[us]"),
    }
    given = risk(features, context)
    assert given["ratio"].tolist() == [2.5, np.inf]
    assert given["silent_for"].tolist() == [60, 60]
    assert risk.__doc__ == "Compare a payment with the last hour."


def define(**more: Any) -> OnDemand:
    return on_demand(**({"returns": {"x": float}} | more))(lambda features, context: {})


async def slow(features: Arrays, context: Arrays) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"inputs": [USERS.select("spend_1h")]}, "has no feature 'spend_1h' .* mean 'spent_1h'"),
        ({"inputs": [risk]}, "is no view and no part of one"),
        ({"inputs": ["spent_1h"]}, "input 'spent_1h' is no view"),
        ({"inputs": [USERS, USERS.select("spent_1h")]}, "two inputs are named 'spent_1h'"),
        ({"context": {"amount": list}}, "context 'amount': list must be one of float, int, bool"),
        ({"context": {"amount": float | str}}, r"context 'amount': .* must be one of"),
        ({"context": {"now": datetime}}, "context 'now' is there without being declared"),
        ({"returns": {"x": "float"}}, "returns 'x': float must be one of"),
        ({"returns": {}}, "it returns nothing"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        define(**more)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda features: {}, r"it must take \(features, context\): too many positional arguments"),
        (slow, "it is async"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(function: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        on_demand(returns={"x": float})(function)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(DefinitionError) as raised:
        define(inputs=[USERS.select("a", "b")], context={"c": list}, returns={"d": dict})
    assert len(raised.value.problems) == 4


def test_clashes_are_refused_with_the_cure() -> None:
    other = on_demand(context={"amount": int}, returns={"ratio": float})(lambda f, c: {})
    with pytest.raises(DefinitionError) as raised:
        FeatureService("s", features=[risk, other, risk])
    both, twice = (p.removeprefix("service 's': ") for p in raised.value.problems[:2])
    assert both.startswith("on-demand feature 'risk' and on-demand feature '<lambda>' both give 'r")
    assert both.endswith("; give it another name in '<lambda>'")
    assert twice == "on-demand feature 'risk' gives 'ratio' twice"
    with pytest.raises(DefinitionError, match="context 'amount' is float in 'risk' but int in an"):
        FeatureService("s", features=[risk, other])
    named_so = on_demand(returns={"spent_1h": float})(lambda f, c: {})
    with pytest.raises(DefinitionError, match=r"view 'users' and on-demand feature .* another"):
        FeatureService("s", features=[USERS, named_so])
