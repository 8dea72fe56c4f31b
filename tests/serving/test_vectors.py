"""Vectors from events to answers, in the store for tests: nulls, defaults, functions, Arrow."""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    count,
    last,
    last_n_events,
    lifetime,
    mean,
    on_demand,
    session,
    total,
    tumbling,
)
from featurestore.contracts.rejection import Reason
from featurestore.definitions.on_demand import Arrays
from featurestore.testing import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOWS = ["1h", tumbling("1d"), session("10m"), lifetime(), last_n_events(2)]


class Viewed(BaseModel):
    user: str
    item: Annotated[list[float], Field(min_length=3, max_length=3)]
    mood: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    at: datetime


VIEWED = Stream("viewed", contract=Viewed, event_time="at")
TASTES = FeatureView(
    "tastes",
    stream=VIEWED,
    entity=Entity("user", keys=["user"]),
    windows=WINDOWS,
    features={
        "n": count(),
        "taste": total("item"),
        "mean_taste": mean("item"),
        "newest": last("item"),
        "mood": mean("mood"),
    },
)


def viewed(minutes: float, item: Any, **more: Any) -> dict[str, Any]:
    return {"user": "u", "item": item, "at": NOON + timedelta(minutes=minutes), **more}


EVENTS = [
    viewed(-90, [1.0, 2.0, 3.0]),
    viewed(-30, [4.0, 5.0, 6.0], mood=[0.5, 1.0]),
    viewed(0, [-1, 0, 1e-300]),
]


def store_of(service: FeatureService, *, events: Any = None) -> Store:
    store = Store(service)
    store.feed("viewed", EVENTS if events is None else events)
    return store


def test_every_kind_of_window_gives_lists_of_floats() -> None:
    vector = store_of(FeatureService("s", features=[TASTES])).get("s", user="u")
    taste = {n: v for n, v in vector.items() if n.startswith("taste_")}
    assert taste == {
        "taste_1h": [3.0, 5.0, 6.0],
        "taste_1d_tumbling": [4.0, 7.0, 9.0],
        "taste_session_10m": [-1.0, 0.0, 1e-300],
        "taste_lifetime": [4.0, 7.0, 9.0],
        "taste_last_2": [3.0, 5.0, 6.0],
    }
    assert vector["mean_taste_1h"] == [1.5, 2.5, 3.0]
    assert vector["newest_lifetime"] == [-1.0, 0.0, 1e-300]
    assert vector["mood_lifetime"] == [0.5, 1.0], "a missing vector does not count"
    assert vector["mood_session_10m"] is None


def test_without_events_there_is_no_vector_but_the_default() -> None:
    defaults = {"taste_1h": [0, 0, 0.5]}
    store = store_of(FeatureService("s", features=[TASTES], defaults=defaults))
    nobody = store.get("s", user="nobody")
    assert nobody["taste_1h"] == [0.0, 0.0, 0.5]
    assert nobody["taste_lifetime"] is None
    store.advance("1h")
    assert store.get("s", user="u")["taste_1h"] == [0.0, 0.0, 0.5]
    (statuses,) = store.vectors("s", [{"user": "u"}]).statuses
    features = store.vectors("s", [{"user": "u"}]).shape.features
    assert statuses[features.index("taste_1h")] == "NULL_VALUE"
    assert statuses[features.index("taste_lifetime")] == "PRESENT"


@on_demand(
    inputs=[TASTES.select("mean_taste_1h", "n_1h"), TASTES.select("mood_1h")],
    returns={"length": float, "mood": float, "shape": str},
)
def norms(features: Arrays, _: Arrays) -> dict[str, Any]:
    """How long the mean vector is."""
    tastes = features["mean_taste_1h"]
    shape = np.full(len(tastes), f"{tastes.shape} {tastes.dtype}", dtype=object)
    moods = features["mood_1h"][:, 0]
    return {"length": np.sqrt((tastes**2).sum(axis=1)), "mood": moods, "shape": shape}


def test_a_function_is_given_a_matrix_with_a_row_of_nan_for_null() -> None:
    store = store_of(FeatureService("s", features=[norms]))
    vectors = store.vectors("s", [{"user": "u"}, {"user": "nobody"}])
    assert vectors.values == [
        [math.sqrt(1.5**2 + 2.5**2 + 3**2), 0.5, "(2, 3) float64"],
        [None, None, "(2, 3) float64"],
    ]


@pytest.mark.parametrize(
    ("item", "detail"),
    [
        ([1.0, math.nan, 3.0], "item.1: must be finite, got nan"),
        ([1.0, math.inf, 3.0], "item.1: must be finite, got inf"),
        ([1.0, None, 3.0], "item.1: Input should be a valid number, got None"),
        ([1.0, "x", 3.0], "item.1: Input should be a valid number, unable to parse string"),
        ([1.0, 2.0], "item: List should have at least 3 items after validation, not 2, got [1"),
        ([1.0] * 4, "item: List should have at most 3 items after validation, not 4, got [1"),
        (None, "item: Input should be a valid array, got None"),
        (1.0, "item: Input should be a valid array, got 1.0"),
    ],
)
def test_a_bad_vector_is_a_dead_letter_that_names_the_field(item: Any, detail: str) -> None:
    store = store_of(FeatureService("s", features=[TASTES]), events=[])
    assert store.feed("viewed", viewed(0, item)) == {"read": 1, "invalid": 1}
    (rejection,) = store.rejected("viewed")
    assert rejection.reason is Reason.INVALID
    assert rejection.detail.startswith(detail)


def doubled(events: pa.RecordBatch) -> pa.RecordBatch:
    """Double each component; of an event that has a mood half of it is not there."""
    items = events.column("item")
    twice = pa.array(
        [
            [2 * c for c in item] if mood is None else [item[0], math.nan, item[2]]
            for item, mood in zip(items.to_pylist(), events.column("mood").to_pylist(), strict=True)
        ],
        items.type,
    )
    return events.append_column("twice", twice)


def test_vectors_pass_through_transforms_and_one_that_is_not_finite_there_is_none() -> None:
    view = FeatureView(
        "v",
        stream=Stream("viewed", contract=Viewed, event_time="at", transforms=[doubled]),
        entity=Entity("user", keys=["user"]),
        windows=["1d"],
        features={"twice": total("twice"), "n": count("twice")},
    )
    vector = store_of(FeatureService("s", features=[view])).get("s", user="u")
    assert vector == {"twice_1d": [0.0, 4.0, 6.0], "n_1d": 2}


def ragged(events: pa.RecordBatch) -> pa.RecordBatch:
    moods = events.column("mood").to_pylist()
    items = [
        item if mood is None else item[1:]
        for item, mood in zip(events.column("item").to_pylist(), moods, strict=True)
    ]
    if not any(mood is not None for mood in moods):
        return events
    return events.set_column(1, "item", pa.array(items, pa.list_(pa.float64())))


def test_an_event_of_which_a_transform_makes_a_vector_of_another_size_is_rejected_alone() -> None:
    view = FeatureView(
        "v",
        stream=Stream("viewed", contract=Viewed, event_time="at", transforms=[ragged]),
        entity=Entity("user", keys=["user"]),
        windows=["1d"],
        features={"total": total("item")},
    )
    store = store_of(FeatureService("s", features=[view]))
    assert store.get("s", user="u") == {"total_1d": [0.0, 2.0, 3.0]}
    (rejection,) = store.rejected("viewed")
    assert rejection.detail.startswith("transform ragged: item: no vector[3] this time")
