"""An aggregation of one's own rides the same frames."""

import math
from typing import Any

import numpy as np
import pytest

from featurestore import OwnAggregation, column, own
from featurestore.definitions.measure import Measure
from featurestore.errors import OwnFailed
from tests.aggregation.test_values import value_of
from tests.definitions.test_problems import problems_of, view


class GeometricMean(OwnAggregation):
    name = "geometric_mean"
    empty = {"logs": 0.0, "n": 0}  # noqa: RUF012 - as a user would

    def insert(self, at_us, amounts):
        return {"logs": np.log(amounts), "n": np.ones(len(amounts), int)}

    def merge(self, states, groups):
        return {name: groups.total(state) for name, state in states.items()}

    def result(self, state):
        return np.exp(state["logs"] / state["n"])


class Spread(OwnAggregation):
    name = "spread"
    gives = int
    empty = {"least": 2**62, "most": -(2**62)}  # noqa: RUF012 - as a user would

    def insert(self, at_us, values):
        return {"least": values, "most": values}

    def merge(self, states, groups):
        least, most = groups.smallest(states["least"]), groups.largest(states["most"])
        return {"least": least, "most": most}

    def result(self, state):
        return state["most"] - state["least"]


class Power(OwnAggregation):
    empty = {"powers": 0.0}  # noqa: RUF012 - as a user would

    def __init__(self, exponent: int, name: str) -> None:
        self.exponent, self.name = exponent, name

    def insert(self, at_us, values):
        return {"powers": values**self.exponent}

    def merge(self, states, groups):
        return {"powers": groups.total(states["powers"])}

    def result(self, state):
        return state["powers"]


class Scripted(OwnAggregation):
    """The total of a column, but for what a test has it give instead."""

    name = "scripted"
    gives = int
    empty = {"sum": 0}  # noqa: RUF012 - as a user would

    def __init__(self, **gives: Any) -> None:
        self.script = gives

    def insert(self, at_us, values):
        return self.script.get("insert", lambda: {"sum": values})()

    def merge(self, states, groups):
        return self.script.get("merge", lambda: {"sum": groups.total(states["sum"])})()

    def result(self, state):
        return self.script.get("result", lambda: state["sum"])()


class Nameless(OwnAggregation):
    insert = merge = result = Power.merge


@pytest.mark.parametrize("compacted", [False, True])
def test_an_own_float_is_what_the_events_give(*, compacted: bool) -> None:
    values = [1.0 + place % 7 for place in range(40)]
    found = value_of(
        own(GeometricMean(), "value"), *[{"value": v} for v in values], compacted=compacted
    )
    assert found == pytest.approx(math.prod(values) ** (1 / len(values)))


@pytest.mark.parametrize("compacted", [False, True])
def test_an_own_int_leaves_out_missing_values(*, compacted: bool) -> None:
    events = [{"small": v} for v in (None, 5, None, -3, 8, None)]
    assert value_of(own(Spread(), "small"), *events, compacted=compacted) == 11
    assert value_of(own(Spread(), "small"), {}, {}, compacted=compacted) is None


def test_where_chooses_events() -> None:
    events = [{"small": v, "value": float(v)} for v in (1, 5, 9)]
    assert value_of(own(Spread(), "small", where=column("value") < 6.0), *events) == 4


def test_it_is_known_by_its_name_and_version() -> None:
    class Newer(Spread):
        version = 2

    one, other = own(Spread(), "amount"), own(Newer(), "amount")
    assert str(one) == "own_int(amount, own=spread v1)"
    versions = {view(features={"f": measure}).version for measure in (one, other)}
    assert len(versions) == 2


def test_those_of_one_name_are_computed_alike() -> None:
    two, three = Power(2, "power"), Power(3, "power")
    (problem,) = problems_of(
        lambda: view(features={"two": own(two, "amount"), "three": own(three, "amount")})
    )
    assert (
        "feature 'three': two aggregations are called power v1 of amount, and are not the same"
        in problem
    )
    view(features={"two": own(two, "amount"), "again": own(Power(2, "power"), "amount")})
    view(features={"two": own(two, "amount"), "three": own(Power(3, "cube"), "amount")})


def raising() -> Any:
    raise MemoryError


@pytest.mark.parametrize(
    ("role", "gives", "problem"),
    [
        ("insert", raising, "scripted v1: insert raised MemoryError"),
        ("merge", raising, "merge raised MemoryError"),
        ("result", raising, "result raised MemoryError"),
        ("insert", lambda: {"n": [1]}, "insert raised KeyError: 'sum'"),
        ("insert", lambda: {"sum": [1]}, r"insert of 'sum' must be 3 numbers, got shape \(1,\)"),
        ("merge", lambda: {"sum": 5}, r"merge of 'sum' must be 1 numbers, got shape \(\)"),
        ("result", lambda: [1, 2], r"result must be 1 numbers, got shape \(2,\)"),
        ("result", lambda: ["a"], "result raised ValueError"),
    ],
)
def test_what_fails_is_told(role: str, gives: Any, problem: str) -> None:
    with pytest.raises(OwnFailed, match=problem):
        value_of(own(Scripted(**{role: gives}), "small"), *[{"small": n} for n in (1, 2, 3)])


def test_an_int_that_is_none_is_missing() -> None:
    events = [{"small": n} for n in (1, 2)]
    for none in (math.nan, math.inf, 1e19, -1e30):
        assert value_of(own(Scripted(result=lambda none=none: [none]), "small"), *events) is None
    assert value_of(own(Scripted(insert=lambda: {"sum": 1}), "small"), *events) == 2
    assert value_of(own(Scripted(insert=lambda: {"sum": [2.0, 3.0]}), "small"), *events) == 5


@pytest.mark.parametrize(
    ("measure", "problem"),
    [
        (own(Spread(), "status"), "own_int needs numbers, but status is str"),
        (own(Spread()), "name 1 to 16 columns, got 0"),
        (own(Nameless(), "amount"), "Nameless does not say its name and its empty"),
        (own("spread", "amount"), "'spread' is no OwnAggregation: derive its class from that"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused(measure: Measure, problem: str) -> None:
    (found,) = problems_of(lambda: view(features={"f": measure}))
    assert problem in found
