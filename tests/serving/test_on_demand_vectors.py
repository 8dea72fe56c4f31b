"""Vectors that functions give, and that a request brings along for them."""

from datetime import datetime
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from featurestore import Entity, FeatureService, FeatureView, Stream, count, mean, on_demand
from featurestore.definitions.on_demand import Arrays, Declared, OnDemand
from featurestore.errors import BadContext, DefinitionError, OnDemandFailed
from featurestore.testing import Store

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
NOON = "2026-01-31T12:00:00Z"
USERS = [{"user": "u"}, {"user": "nobody"}]


class Viewed(BaseModel):
    user: str
    item: Pair
    at: datetime


TASTES = FeatureView(
    "tastes",
    stream=Stream("viewed", contract=Viewed, event_time="at"),
    entity=Entity("user", keys=["user"]),
    windows=["1d"],
    features={"taste": mean("item"), "n": count()},
)


def giving(value: Any, kind: Any = Pair) -> OnDemand:
    """A function that gives one thing, whatever it is asked."""
    return on_demand(inputs=[TASTES], returns={"x": kind})(lambda _, __: {"x": value})


def store_of(*functions: OnDemand, **more: Any) -> Store:
    store = Store(FeatureService("s", features=[TASTES.select("n_1d"), *functions], **more))
    store.feed("viewed", [{"user": "u", "item": [1, 2], "at": NOON}])
    return store


@on_demand(inputs=[TASTES.select("taste_1d")], returns={"twice": Pair, "first": float})
def doubled(features: Arrays, _: Arrays) -> dict[str, Any]:
    return {"twice": 2 * features["taste_1d"], "first": features["taste_1d"][:, 0]}


def test_a_function_gives_vectors_of_vectors_and_null_for_null() -> None:
    vectors = store_of(doubled).vectors("s", USERS)
    assert vectors.values == [[1, [2.0, 4.0], 1.0], [0, None, None]]
    assert vectors.statuses[0] == ["PRESENT"] * 3
    assert vectors.statuses[1][1:] == ["NULL_VALUE"] * 2
    assert vectors.shape.sizes == [0, 2, 0]
    (_, twice, _), size = vectors.series, 2
    assert twice.arrow(size).type == pa.list_(pa.float64(), 2)
    assert twice.arrow(size).to_pylist() == [[2.0, 4.0], None]


def test_a_default_stands_in_for_a_vector_that_is_not_there() -> None:
    store = store_of(doubled, defaults={"twice": [0, 0.5]})
    assert [vector[1] for vector in store.vectors("s", USERS).values] == [[2.0, 4.0], [0.0, 0.5]]


GIVEN: dict[str, Any] = {
    "a matrix": np.array([[1.0, 2.0], [np.nan, 3.0]]),
    "a matrix of ints": [[1, 2], None],
    "small floats": np.array([[1.0, 2.0], [0.0, np.inf]], np.float32),
    "arrays, one by one": [np.array([1, 2]), None],
    "an array of arrays": np.array([np.array([1.0, 2.0]), None], object),
    "tuples": [(1.0, 2.0), (None, 1.0)],
    "what is masked": np.ma.masked_array([[1, 2], [3, 4]], [[False, False], [True, False]]),
    "arrow": pa.array([[1.0, 2.0], None], pa.list_(pa.float64(), 2)),
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_a_matrix_to_numpy_is_taken_and_what_is_not_whole_is_null(name: str) -> None:
    vectors = store_of(giving(GIVEN[name])).vectors("s", USERS)
    assert [vector[1] for vector in vectors.values] == [[1.0, 2.0], None]


WRONG: dict[str, tuple[Any, str]] = {
    "too long": (np.zeros((2, 3)), r"must be 2 vectors of 2 floats, .* got shape \(2, 3\)"),
    "too many": (np.zeros((3, 2)), r"one for each entity, got shape \(3, 2\)"),
    "no vectors": (np.zeros(2), r"vectors of 2 floats, .* got shape \(2,\)"),
    "numbers": ([1.0, 2.0], r"must be vectors of 2 floats, got the single value 1.0"),
    "one number": (1.0, "got the single value 1.0"),
    "one of another size": ([[1.0, 2.0], [1.0]], r"vectors of 2 floats, got shape \(1,\)"),
    "nothing for one": ([[1.0, 2.0]], r"must be 2 vectors of 2 floats, .* got shape \(1, 2\)"),
    "text": ([["a", "b"]] * 2, "must be vector, got an array of object"),
    "times": (np.zeros((2, 2), "datetime64[us]"), "must be vector, got an array of datetime64"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_vector_of_the_size_promised_is_one_error(name: str) -> None:
    value, message = WRONG[name]
    store = store_of(giving(value))
    with pytest.raises(OnDemandFailed, match=f"'<lambda>' returned 'x', which .*{message}"):
        store.vectors("s", USERS)


@given(
    st.lists(
        st.none()
        | st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
        min_size=1,
        max_size=5,
    )
)
def test_every_vector_of_a_context_comes_back_as_it_was(sent: list[list[float] | None]) -> None:
    @on_demand(context={"x": Pair | None}, returns={"y": Pair})
    def echo(_: Arrays, context: Arrays) -> dict[str, Any]:
        return {"y": context["x"]}

    vectors = store_of(echo).vectors("s", [USERS[0]] * len(sent), context=[{"x": x} for x in sent])
    assert [vector[1] for vector in vectors.values] == sent


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ([1.0], r"'item' must be a list of 2 floats, got list '\[1.0\]'"),
        (7, "'item' must be a list of 2 floats, got int '7'"),
        (["a", "b"], "'item' must be float, got str 'a'"),
        ([1.0, None], "'item' must be float, got NoneType"),
        (None, "'item' must be a list of 2 floats, got NoneType"),
        ([1.0, float("nan")], "'item' must be float, got float 'nan'"),
    ],
)
def test_a_vector_of_a_context_is_checked(item: Any, message: str) -> None:
    function = on_demand(context={"item": Pair}, returns={"x": Pair})(lambda _, c: {"x": c["item"]})
    store = store_of(function)
    assert store.get("s", user="u", context={"item": np.array([1, 2])})["x"] == [1.0, 2.0]
    with pytest.raises(BadContext, match=message):
        store.get("s", user="u", context={"item": item})
    with pytest.raises(BadContext, match=r"'item' \(vector\[2\]\) is missing"):
        store.get("s", user="u")


def test_how_long_a_vector_is_must_be_said() -> None:
    for wrong in (
        list[float],
        Annotated[list[float], Field(min_length=1, max_length=2)],
        Annotated[list[int], Field(min_length=2, max_length=2)],
        Annotated[list[float], Field(min_length=5000, max_length=5000)],
    ):
        with pytest.raises(DefinitionError, match=r"returns 'x': .* or a vector: Annotated"):
            giving(None, wrong)
    assert giving(None, Pair | None).promised == {"x": Declared.of(Pair | None)}


def test_one_context_of_two_sizes_is_refused() -> None:
    triple = Annotated[list[float], Field(min_length=3, max_length=3)]
    first = on_demand(context={"item": Pair}, returns={"x": float})(lambda _, c: {"x": c["item"]})
    other = on_demand(context={"item": triple}, returns={"y": float})(lambda _, c: {"y": c["item"]})
    with pytest.raises(
        DefinitionError, match=r"'item' is vector\[2\] in .* but vector\[3\] in another"
    ):
        FeatureService("s", features=[first, other])
